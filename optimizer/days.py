"""Charges that a bill states by the day -> by the hour, where somebody saw the machine run."""

import polars as pl

from optimizer.machines import AMOUNTS, DAY, with_shape

_NOTHING = 1e-12  # the part of a day below which it is all spread


def by_hour(rows: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with each machine's day spread evenly over the hours in which it was seen.

    Of U hours that the day's GPU-hours come to, each of the S hours seen takes U/S, but no more than one; what is then
    left stays a row of the day, and so does a day in which nobody saw the machine. Where nobody knows how many GPUs
    the machine has, the hours seen take the day whole.

    Args:
        rows: charges with a node.
        seen: node, hour: where there are claims.
    """
    daily = pl.col("granularity") == "day"
    days = rows.filter(daily).with_columns(DAY)
    parts = _parts(days, seen)
    spread = days.join(parts, on=["node", "day"]).drop("hour")
    spread = spread.join(seen.with_columns(DAY), on=["node", "day"]).with_columns(
        granularity=pl.lit("hour").cast(rows.schema["granularity"])
    )
    left = days.join(parts, on=["node", "day"], how="left").with_columns(pl.col("rest").fill_null(1.0))
    left = left.filter(pl.col("rest") > _NOTHING)
    order = rows.columns
    return pl.concat(
        [
            rows.filter(~daily),
            spread.with_columns(_times("each")).select(order),
            left.with_columns(_times("rest")).select(order),
        ]
    )


def _parts(days: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """Return for each node and day with claims the part of it that each hour seen takes, and the rest."""
    up = with_shape(days).group_by("node", "day").agg(up=pl.col("gpu_hours").sum() / pl.col("gpus").max())
    hours = seen.with_columns(DAY).group_by("node", "day").agg(pl.len().cast(pl.Float64).alias("hours"))
    taken = pl.max_horizontal("hours", pl.col("up").fill_null(0.0))
    return up.join(hours, on=["node", "day"]).select(
        "node", "day", each=1 / taken, rest=(1 - pl.col("hours") / taken).clip(lower_bound=0.0)
    )


def _times(part: str) -> list[pl.Expr]:
    return [pl.col(name) * pl.col(part) for name in ("gpu_hours", *AMOUNTS)]
