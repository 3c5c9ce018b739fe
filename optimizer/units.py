"""Unit costs: what a unit of output cost in each month, such as $ per 1,000 inferences or per training run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from optimizer.trends import ANY, NOTHING, WORK, cost_of, measured, part_in, used_part
from providers.columns import Table, number, text, time
from providers.tables import checked

_DAY = timedelta(days=1)
_UNIT_COSTS = ("unit", "per", "usd", "quantity", "usd_per_unit", "used_usd_per_unit", "counted_share")


def unit_costs_of(
    usage: pl.DataFrame, units: pl.DataFrame, *, prices: pl.DataFrame, per: Mapping[str, float] = NOTHING
) -> pl.DataFrame:
    """Return what a unit of output costs in each month, such as $ per 1,000 inferences or per training run.

    One row for each unit of a workload or team and each UTC month in which it ran or put something out, in order:
        month: its first day. workload or team, unit, per: what the price is of, 1,000 inferences for a `per` of 1000.
        usd: the cost of its work in that month, idle GPUs and other residuals left out. quantity: units in that month.
        usd_per_unit: usd / quantity x per, on the basis of what was allocated. used_usd_per_unit: the same on the basis
            of what was active, which is the used share of it. Null without a cost or a quantity above 0: never 0.
        counted_share: which part of usd fell on days with a quantity; below 1 some may not have been counted.

    Args:
        usage: a checked Usage table.
        units: day or hour, workload or team, unit, quantity; an empty quantity is not known.
        prices: as for `cost_of`.
        per: of which unit a price is for how many, 1 where nothing is said.

    Raises:
        InputError: the units are no such table.
    """
    when = "hour" if "hour" in units.columns else "day"
    who = "team" if "team" in units.columns and "workload" not in units.columns else "workload"
    counted = checked(units, _units(when, who), where="units", one_currency=False).select(
        pl.col(when).dt.date().alias("day"), pl.col(who).alias("who"), "unit", "quantity"
    )
    made = counted.group_by("day", "who", "unit").agg(measured(pl.col("quantity"), ANY).alias("quantity"))
    paid = _paid_by_day(usage, prices, who).join(made.select("who", "unit").unique(), on="who")
    days = paid.join(made, on=["day", "who", "unit"], how="full", coalesce=True)
    months = days.group_by(pl.col("day").dt.truncate("1mo").alias("month"), "who", "unit").agg(
        *(measured(pl.col(name), ANY).alias(name) for name in ("usd", "used_usd", "metered_usd", "quantity")),
        measured(pl.col("usd"), pl.col("quantity").is_not_null()).alias("counted_usd"),
    )
    return _per_unit(months, per).sort("who", "unit", "month").rename({"who": who}).select("month", who, *_UNIT_COSTS)


def _units(when: str, who: str) -> Table:
    columns = (
        time(when, "when it was put out, UTC", required=True),
        text(who, "what put it out", required=True),
        text("unit", "such as inferences, tokens or training runs", required=True),
        number("quantity", "how many"),
    )
    return Table(name="units", key=(when, who, "unit"), columns=columns, text_in_key=True)


def _paid_by_day(usage: pl.DataFrame, prices: pl.DataFrame, who: str) -> pl.DataFrame:
    """Return the cost of work by day; a row that stands for 24 hours across midnight is split there."""
    rows = usage.filter(WORK)
    midnight = pl.col("hour").dt.truncate("1d") + _DAY
    costs = rows.select("hour", "granularity", pl.col(who).alias("who"), used_part().alias("used")).with_columns(
        usd=cost_of(rows, prices)
    )
    halves = [
        costs.with_columns(day=(midnight - _DAY).dt.date(), part=part_in(pl.col("hour"), midnight)),
        costs.with_columns(day=midnight.dt.date(), part=part_in(midnight, midnight + _DAY)),
    ]
    usd = pl.col("usd") * pl.col("part")
    metered = pl.col("used").is_not_null()
    return (
        pl.concat(halves)
        .filter(pl.col("part") > 0)
        .group_by("day", "who")
        .agg(
            measured(usd, ANY).alias("usd"),
            measured(usd * pl.col("used"), metered).alias("used_usd"),
            measured(usd, metered).alias("metered_usd"),
        )
    )


def _per_unit(months: pl.DataFrame, per: Mapping[str, float]) -> pl.DataFrame:
    price_of = pl.col("unit").replace_strict(dict(per), default=1.0, return_dtype=pl.Float64) if per else pl.lit(1.0)
    usd, quantity = pl.col("usd"), pl.when(pl.col("quantity") > 0).then("quantity")
    used_share = pl.when(pl.col("metered_usd") > 0).then(pl.col("used_usd") / pl.col("metered_usd"))
    price = pl.when(usd != 0).then(usd / quantity * price_of)
    return months.with_columns(
        per=price_of,
        quantity=quantity,
        usd_per_unit=price,
        used_usd_per_unit=price * used_share,
        counted_share=pl.when(usd > 0).then(pl.col("counted_usd").fill_null(0.0) / usd),
    )
