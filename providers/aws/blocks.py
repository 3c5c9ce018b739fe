"""Capacity that was paid for as a whole -> the hours and the machines that it serves.

A capacity block has one fee, and machines without a cost in it. Which rows carry the fee is not published, so that any
`Fee` with a reservation's ARN counts, and any cost of a row that is `Reserved`. It is spread evenly over the window,
and within an hour over what the reservation holds, which is the most that it ever held: machines pay their part, the
rest is unused. What falls into hours that the delivery does not have is timing. Machines, rest and timing always sum to
what was paid.
"""

from datetime import datetime

import polars as pl

from providers.aws.line_items import RUNNING, is_type
from providers.streaming import beside

_HOUR = pl.duration(hours=1)


def spread(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows with instances whose prepaid capacity costs the hours that it serves; is_prepaid marks the cash.

    Only what was paid, and how much each reservation held by the hour, is read at once.
    """
    if not lines.select(_is_prepaid().any()).collect(engine="streaming").item():
        return lines.with_columns(is_prepaid=pl.lit(value=False))
    paid = lines.filter(_is_prepaid()).collect(engine="streaming")
    rows = lines.filter(pl.col("type").is_in(list(RUNNING)))
    mine = rows.filter(pl.col("capacity").is_in(paid["capacity"].unique().implode()) & pl.col("instance").is_not_null())
    held = mine.group_by("capacity", "hour").agg(_held(), pl.col("instance").min()).collect(engine="streaming")
    covered = lines.filter(~_is_prepaid()).select(pl.col("hour").min(), last=pl.col("hour").max())
    first, last = covered.collect(engine="streaming").row(0)
    return _with_parts(lines, paid, held, first=first, last=last)


def _is_prepaid() -> pl.Expr:
    taken = pl.col("capacity_status").is_in(["Reserved", "Cancelling"]).fill_null(value=False)
    fee = is_type("Fee") & pl.col("reservation").is_null()
    return pl.col("capacity").is_not_null() & (pl.col("billed_cost") != 0) & (fee | taken)


def _held() -> pl.Expr:
    """Return the instance-hours that a reservation held, and of these the ones in use."""
    state = pl.col("state").fill_null("Used")
    by_state = {name: pl.col("amount").filter(state.is_in(names)).sum() for name, names in _STATES.items()}
    held = pl.max_horizontal(by_state["taken"], by_state["used"] + by_state["unused"])
    return pl.struct(held.alias("held"), by_state["used"].alias("used")).alias("hours")


_STATES = {"taken": ["Reserved", "Cancelling"], "used": ["Used"], "unused": ["Unused"]}


def _with_parts(
    lines: pl.LazyFrame, paid: pl.DataFrame, held: pl.DataFrame, *, first: datetime | None, last: datetime | None
) -> pl.LazyFrame:
    paid, held = _windows(paid, held).with_row_index("fee"), held.unnest("hours")
    hours = _hours(paid)
    inside = hours.filter(pl.col("hour").is_between(first, last))
    pools = inside.group_by("capacity", "hour").agg(pl.col("fee").min(), pl.col("usd").sum(), pl.col("part").max())
    pools = pools.join(held, on=["capacity", "hour"], how="left").join(
        held.group_by("capacity").agg(pl.col("held").max().alias("size")), on="capacity", how="left"
    )
    size = pl.max_horizontal("held", pl.col("size") * pl.col("part"))
    pools = pools.with_columns(size=size).with_columns(
        rate=pl.when(pl.col("size") > 0).then(pl.col("usd") / pl.col("size")).otherwise(0.0),
        rest=pl.when(pl.col("size") > 0).then(pl.col("usd") * (1 - pl.col("used").fill_null(0.0) / pl.col("size"))),
    )
    pools = pools.with_columns(pl.col("rest").fill_null(pl.col("usd")))
    used = pl.col("instance").is_not_null() & (pl.col("state").fill_null("Used") == "Used")
    part = pl.when(used).then(pl.col("rate") * pl.col("amount")).fill_null(0.0)
    rates = pools.select("capacity", "hour", "rate")
    machines = beside(lines.filter(~_is_prepaid()), rates, ["capacity", "hour"])
    names = [*lines.collect_schema().names(), "is_prepaid"]
    return pl.concat(
        [
            machines.with_columns(effective_cost=pl.col("effective_cost") + part, is_prepaid=pl.lit(value=False)),
            _cash(paid, inside).lazy(),
            _rest(paid, pools).lazy(),
        ],
        how="diagonal",
    ).select(names)


def _windows(paid: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Add since and until: as stated, else the row's own time if it is a window, else when the reservation was seen.

    The cost of a row that is `Reserved` is that of its hour.
    """
    seen = held.group_by("capacity").agg(
        pl.col("hour").min().alias("seen"), (pl.col("hour").max() + _HOUR).alias("gone")
    )
    stated = pl.col("reserved_until") > pl.col("reserved_from")
    own = (pl.col("end") - pl.col("start") > _HOUR) | (pl.col("type") != "Fee")

    def first_of(stated_name: str, own_name: str, seen_name: str) -> pl.Expr:
        told = pl.when(stated & (pl.col("type") == "Fee")).then(stated_name).when(own).then(own_name)
        return told.otherwise(seen_name)

    return paid.join(seen, on="capacity", how="left", maintain_order="left").with_columns(
        since=first_of("reserved_from", "start", "seen"), until=first_of("reserved_until", "end", "gone")
    )


def _hours(paid: pl.DataFrame) -> pl.DataFrame:
    """Return the hours of each window, the dollars of each, and which part of the hour is in the window."""
    known = paid.filter(pl.col("since") < pl.col("until"))
    start, end = pl.max_horizontal("hour", "since"), pl.min_horizontal(pl.col("hour") + _HOUR, "until")
    return (
        known.with_columns(hour=pl.datetime_ranges(pl.col("since").dt.truncate("1h"), "until", "1h", closed="left"))
        .explode("hour", empty_as_null=False)
        .with_columns(
            usd=pl.col("billed_cost") * ((end - start) / (pl.col("until") - pl.col("since"))),
            part=(end - start) / _HOUR,
        )
        .select("fee", "capacity", "hour", "usd", "part")
    )


def _cash(paid: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """Return what was paid, as cash: what is not spread over hours of the delivery is timing."""
    spent = inside.group_by("fee").agg(pl.col("usd").sum())
    return paid.join(spent, on="fee", how="left").with_columns(
        effective_cost=pl.lit(0.0),
        timing_cost=pl.col("billed_cost") - pl.col("usd").fill_null(0.0),
        is_prepaid=pl.lit(value=True),
    )


def _rest(paid: pl.DataFrame, pools: pl.DataFrame) -> pl.DataFrame:
    """Return a row for what a reservation paid in an hour and no machine took."""
    unused = pools.filter(pl.col("rest") != 0).select("fee", "hour", "rest", pl.col("instance").alias("held_instance"))
    return paid.join(unused.rename({"hour": "spread_hour"}), on="fee").with_columns(
        pl.col("rest").alias("effective_cost"),
        pl.col("spread_hour").alias("hour"),
        pl.col("held_instance").alias("instance"),
        pl.lit("Usage").alias("type"),
        pl.lit("Unused").alias("state"),
        pl.lit(value=False).alias("is_prepaid"),
        *(pl.lit(0.0).alias(name) for name in ("amount", "billed_cost", "timing_cost")),
        pl.lit(None, pl.Float64).alias("list_cost"),
    )
