"""Histories and live answers -> one Usage table in which every hour of a cluster counts once.

An hour of a cluster is what the newest live answer about it says, and of the history only where none is about it. Rows
that name no cluster are told apart by their source. What concerns no GPU is summed by the day, of which a live source
knows a part: it is left out of live answers, and left alone in the history.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import polars as pl

from app.live.state import HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

KEPT = timedelta(days=15)
"""What is older is forgotten."""
ANSWERED = "answered"
"""The column of live rows that says when they were told."""
LIVE_CURRENCY = "USD"
"""The currency of list prices that live sources state."""
_DAY_HOURS = 24
_AMOUNTS = ("list_cost", "effective_cost", "billed_cost")
_SUMS = ("gpu_hours", "gpu_hours_used", *_AMOUNTS)
_PLACE = ["hour", "cluster"]
_DAILY = (pl.col("granularity") == "day") & (pl.col("gpu_hours") > 0)


def fitted(answer: pl.DataFrame, columns: Mapping[str, pl.DataType], currency: str) -> pl.DataFrame:
    """Return the hourly rows of a live answer with the columns of a history, in its currency.

    Amounts in another currency are left out: the rows are then priced like those of a source that knows no price.
    """
    there = answer.columns
    rows = answer.filter(pl.col("granularity") == "hour").select(
        (pl.col(name) if name in there else pl.lit(None)).cast(dtype, strict=False).alias(name)
        for name, dtype in columns.items()
    )
    if currency == LIVE_CURRENCY:
        return rows
    amounts = [pl.lit(None, pl.Float64).alias(name) for name in _AMOUNTS]
    return rows.with_columns(*amounts, currency=pl.lit(currency))


def newer(kept: pl.DataFrame | None, rows: pl.DataFrame, *, answered: datetime) -> pl.DataFrame:
    """Return what a source has said so far with what it says now, which counts in the hours and clusters it is about.

    Args:
        kept: what this returned before; None at first.
        rows: hourly rows of the Usage table, at least one.
        answered: when they were told.
    """
    told = rows.with_columns(pl.lit(answered).alias(ANSWERED))
    if kept is None:
        return told
    old = kept.join(told.select(_PLACE).unique(), on=_PLACE, how="anti", nulls_equal=True, maintain_order="left")
    whole = pl.concat([old, told])
    last = last_hour(whole)
    return recent(whole, last + HOUR) if last else whole


def together(history: pl.DataFrame, answers: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the history and what live sources said as one table, sorted by hour.

    Args:
        history: a Usage table.
        answers: what `newer` returned for each live source; of two that answered at once, the earlier one counts.
    """
    if not answers:
        return history.sort("hour", maintain_order=True)
    told = _newest(pl.concat([frame.with_columns(order=pl.lit(order)) for order, frame in enumerate(answers)]))
    cut = _by_hour(history, told)
    of_hours, of_days = cut.filter(pl.col("granularity") == "hour"), cut.filter(pl.col("granularity") == "day")
    owned = _among(of_hours, told.select("hour", owner=_owner()), how="anti")
    return pl.concat([owned, of_days, told.select(history.columns)]).sort("hour", maintain_order=True)


def last_hour(usage: pl.DataFrame) -> datetime | None:
    """Return the last hour that there are rows of."""
    hours: list[datetime] = usage["hour"].unique().to_list()
    return max(hours, default=None)


def recent(usage: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Return the rows of the last 15 days before a time, and those after it."""
    return usage.filter(pl.col("hour") >= until - KEPT)


def up_to(usage: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Return the rows of before a time."""
    return usage.filter(pl.col("hour") < until)


def end_of(usage: pl.DataFrame, now: datetime) -> datetime | None:
    """Return the end of the last hour in which a GPU was used; a day that is not over ends with the last whole hour."""
    used = usage.filter(pl.col("gpu_hours") > 0)
    if used.is_empty():
        return None
    daily = used["granularity"] == "day"
    days: list[datetime] = used.filter(daily)["hour"].unique().to_list()
    hours: list[datetime] = used.filter(~daily)["hour"].unique().to_list()
    return max([hour + HOUR for hour in hours] + [_end_of_day(day, now) for day in days])


def _end_of_day(day: datetime, now: datetime) -> datetime:
    over = day + timedelta(days=1)
    return max(whole_hour(now), day + HOUR) if day <= now < over else over


def whole_hour(time: datetime) -> datetime:
    """Return the start of the hour that a time is in."""
    return time.replace(minute=0, second=0, microsecond=0)


def _newest(told: pl.DataFrame) -> pl.DataFrame:
    """Return for each hour of a cluster the rows of the source that spoke last; sources without a cluster all count."""
    best = pl.col("order").sort_by(ANSWERED, "order", descending=[True, False]).first().over(_PLACE)
    return told.filter(pl.col("cluster").is_null() | (pl.col("order") == best)).drop("order", ANSWERED)


def _owner() -> pl.Expr:
    """Return whose rows are replaced together: a cluster's, or those of a source that names none."""
    cluster, source = pl.lit("cluster ") + pl.col("cluster"), pl.lit("source ") + pl.col("source")
    return pl.coalesce(cluster, source)


def _among(rows: pl.DataFrame, places: pl.DataFrame, *, how: Literal["semi", "anti"]) -> pl.DataFrame:
    """Return the rows whose hour and owner are among some (semi), or are not (anti)."""
    return rows.join(
        places.unique(), left_on=["hour", _owner()], right_on=["hour", "owner"], how=how, maintain_order="left"
    )


def _by_hour(history: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Cut the days of GPUs into hours where live answers are about some of them."""
    days = told.select(pl.col("hour").dt.truncate("1d"), owner=_owner())
    daily = history.filter(_DAILY)
    cut, whole = _among(daily, days, how="semi"), _among(daily, days, how="anti")
    if cut.is_empty():
        return history
    hours = pl.datetime_ranges("hour", pl.col("hour").dt.offset_by("1d"), "1h", closed="left")
    parts = cut.with_columns(hours.alias("hour"), *(pl.col(name) / _DAY_HOURS for name in _SUMS)).explode("hour")
    return pl.concat([history.filter(~_DAILY), whole, parts.with_columns(granularity=pl.lit("hour"))])
