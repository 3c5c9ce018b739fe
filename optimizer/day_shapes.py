"""Machines that are billed by the day and that nobody saw -> by the hour, as the hourly charges of their account go.

Such a series (`providers.charges.SHAPES`) is of all that an account was charged on demand, not of GPU machines alone.
A day follows it only where the two come to the same money.
"""

from typing import NamedTuple

import polars as pl

from optimizer.day_findings import about_charges
from optimizer.machines import AMOUNTS, DAY, exact_sum, spelled, with_shape
from providers.tables import Diagnostic

LEAST, MOST = 0.9, 1.1
"""What GPU machines must come to, as a part of a day's series: what else is in it (small machines that keep a cluster
running, usage rated late) is then a tenth at most, and moves no more than that from one hour to another."""
_KEY = ["provider", "account", "currency", "day"]
_NEEDED = (
    "hour", "granularity", "provider", "account", "currency", "node", "instance_type", "purchase_option", "gpu_hours",
    "billed_cost", "effective_cost",
)  # fmt: skip
_OWN = "tranche:"
_DAILY = pl.col("granularity") == "day"


class Spread(NamedTuple):
    """The charges without and with a machine, in the columns they had, and what a person should know."""

    direct: pl.DataFrame
    rows: pl.DataFrame
    found: tuple[Diagnostic, ...]


def by_charges(direct: pl.DataFrame, rows: pl.DataFrame, shapes: pl.LazyFrame | None) -> Spread:
    """Return the charges with the days of machines spread over the hours in which their account was charged.

    Only on-demand rows with GPU-hours move, of days with 24 hours in the series that come to the same money, and of
    machines that no claim saw in any hour of that day: of those the hours are known better. Each amount is multiplied
    by the part of its hour; the parts of a row sum to one.

    What does not move, and machines that ran the whole day, are taken off the series first. The rest of it says when
    the others ran (`optimizer.filling`): an estimate, since no series says which machine ran.

    Args:
        direct: charges without a node.
        rows: charges with a node, once `days.by_hour` has spread what was seen.
        shapes: hourly charges of accounts; None leaves everything as it is.
    """
    days = _days(shapes)
    if days.is_empty():
        return Spread(direct, rows, ())
    from optimizer.filling import parts_of_machines  # brings numpy, which most bills do without

    whole = pl.concat([direct, rows.select(direct.columns)])
    lines = _lines(whole, days)
    sums = _compared(days, lines)
    parts = parts_of_machines(lines.join(sums.filter("follows").select("index"), on="index", how="semi"), days)
    machines = parts.group_by("index").agg(pl.col("machine").n_unique().alias("machines"))
    found = about_charges(sums.join(machines, on="index", how="left").sort("index"))
    spread, has_node = _moved(whole, parts), pl.col("node").is_not_null()
    return Spread(spread.filter(~has_node), spread.filter(has_node), found)


def _days(shapes: pl.LazyFrame | None) -> pl.DataFrame:
    """Return the whole days of the series, numbered by index: 24 charges in order, and the total that they come to."""
    if shapes is None:
        return pl.DataFrame()
    charge = pl.col("charge").sort_by("hour")
    days = shapes.with_columns(DAY).group_by(*_KEY, "source").agg(charge, exact_sum(pl.col("charge")).alias("total"))
    return days.filter(pl.col("charge").list.len() == 24).sort(*_KEY).collect().with_row_index("index")


def _lines(rows: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of those days that may explain them: line, index, node, cost, moves, and two that may be null.

    `at` is the hour of a row that has one, `up` how long a machine of so many GPUs ran. On-demand rows cost the same in
    both exports of Azure: where only the amortised one is read, that cost stands in for what was billed.
    """
    used = spelled(rows.select(*_NEEDED)).with_row_index("line")  # a tag may be called like one of the columns here
    used = used.filter((pl.col("purchase_option") == "on_demand") & (pl.col("gpu_hours") > 0))
    cost = pl.coalesce("billed_cost", "effective_cost", 0.0).alias("cost")
    used = used.with_columns(DAY, pl.col("account").str.to_lowercase(), cost)
    used = with_shape(used.join(days.select(*_KEY, "index"), on=_KEY))
    seen = used.filter(~_DAILY).select("index", "node", seen=True).unique()
    return used.join(seen, on=["index", "node"], how="left").select(
        "line",
        "index",
        "node",
        "cost",
        moves=_DAILY & pl.col("seen").is_null(),
        at=pl.when(~_DAILY).then(pl.col("hour").dt.hour().cast(pl.Int64)),
        up=pl.col("gpu_hours") / pl.col("gpus"),
    )


def _compared(days: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Return the days with the cost and the number of rows that could move, and whether they follow their series."""
    sums = lines.group_by("index").agg(exact_sum(pl.col("cost")), pl.col("moves").sum())
    share = (pl.col("cost") / pl.col("total")).is_between(LEAST, MOST)
    follows = ((pl.col("moves") > 0) & share).fill_null(value=False)
    return days.join(sums, on="index", how="left").with_columns(follows=follows).sort("index")


def _moved(rows: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """Return the rows, those that move in their hours; no column of a tag is called as those in between are."""
    hours = parts.select(pl.col("line", "at", "part").name.prefix(_OWN))
    numbered = rows.with_row_index(f"{_OWN}line")
    amounts = [name for name in ("gpu_hours", *AMOUNTS, "timing_cost") if name in rows.columns]
    moved = numbered.join(hours, on=f"{_OWN}line").with_columns(
        *(pl.col(name) * pl.col(f"{_OWN}part") for name in amounts),
        hour=pl.col("hour") + pl.duration(hours=f"{_OWN}at"),
        granularity=pl.lit("hour").cast(rows.schema["granularity"]),
    )
    kept = numbered.join(hours, on=f"{_OWN}line", how="anti")
    return pl.concat([one.select(rows.columns) for one in (kept, moved)])
