"""Allocated GPU cost by provider, GPU model and team, from the usage of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from optimizer.demand import usage_hours, work_of
from optimizer.trends import cost_of, prices_of

if TYPE_CHECKING:
    from datetime import datetime

    from optimizer.stated import Inputs

LEVELS = ("all", "provider", "gpu_model", "team")
LATELY = timedelta(days=7)
SUMS = ("cost", "late_cost", "gpu_hours", "used", "measured", "unpriced")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One line of the allocation.

    path: provider, GPU model, team, as far as the line goes; empty for everything.
    gpu_model: its GPU model, the one that costs most where it has several.
    cost_per_hour, lately_per_hour: mean over the history and over its last seven days; None without any price.
    gpu_hours_share: of everything's. used_share: used GPU-hours per allocated one, None where nobody measured.
    daily: GPU-hours of each day.
    """

    path: tuple[str, ...]
    gpu_model: str
    cost_per_hour: float | None
    lately_per_hour: float | None
    gpu_hours_share: float
    used_share: float | None
    daily: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """All lines, each followed by those inside it, the dearest first; where costs come from; the time covered."""

    pools: tuple[Pool, ...]
    basis: str
    days: int
    until: datetime


def allocation_of(inputs: Inputs) -> Allocation:
    """Add up what was allocated, by provider, GPU model and team."""
    usage = work_of(inputs.usage)
    hours = usage_hours(inputs.usage)
    until = hours[-1] + timedelta(hours=1)
    priced = _priced(usage, inputs.offers, since=until - LATELY)
    whole, late = float(len(hours)), float((hours >= until - LATELY).sum())
    frames = [_level(priced, LEVELS[: depth + 1]) for depth in range(len(LEVELS))]
    days = int(priced["day"].max()) + 1  # type: ignore[arg-type]
    total = frames[0].row(0, named=True)
    pools = {
        tuple(row[level] for level in LEVELS[1 : depth + 1]): (row["cost"], _pool(row, depth, total, days, whole, late))
        for depth, frame in enumerate(frames)
        for row in frame.iter_rows(named=True)
    }
    return Allocation(pools=tuple(_in_order(pools)), basis=_basis(usage, total), days=days, until=until)


def _priced(usage: pl.DataFrame, offers: pl.DataFrame, *, since: datetime) -> pl.DataFrame:
    """Return GPU-hours and cost by day: the bill's cost, else the provider's on-demand price, else the cheapest one."""
    cost = cost_of(usage, prices_of(offers)).alias("cost")
    gpu_hours, first = pl.col("gpu_hours"), usage["hour"].min()
    return usage.select(
        pl.lit("").alias("all"),
        pl.col("provider", "team").fill_null(""),
        "gpu_model",
        (pl.col("hour").dt.date() - pl.lit(first).dt.date()).dt.total_days().alias("day"),
        cost,
        pl.when(pl.col("hour") >= since).then(cost).alias("late_cost"),
        gpu_hours,
        pl.col("gpu_hours_used").alias("used"),
        pl.when(pl.col("gpu_hours_used").is_not_null()).then(gpu_hours).alias("measured"),
        pl.when(cost.is_null()).then(gpu_hours).alias("unpriced"),
    )


def _level(priced: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    sums = [pl.col(name).sum() for name in SUMS]
    by_model = priced.group_by(*keys, "gpu_model").agg(pl.col("cost").sum()) if "gpu_model" not in keys else None
    daily = priced.group_by(*keys, "day").agg(sums).sort(*keys, "day")
    whole = daily.group_by(keys).agg(*sums, "day", pl.col("gpu_hours").alias("daily"))
    if by_model is None:
        return whole
    dearest = by_model.sort("cost", "gpu_model", descending=True).group_by(keys).agg(pl.col("gpu_model").first())
    return whole.join(dearest, on=keys, maintain_order="left")


def _pool(row: dict[str, object], depth: int, total: dict[str, object], days: int, whole: float, late: float) -> Pool:
    number = {name: float(row[name] or 0.0) for name in SUMS}  # type: ignore[arg-type]
    daily = [0.0] * days
    for day, gpu_hours in zip(row["day"], row["daily"], strict=True):  # type: ignore[call-overload]
        daily[day] = gpu_hours
    known = number["unpriced"] < number["gpu_hours"] or not number["gpu_hours"]
    return Pool(
        path=tuple(str(row[level]) for level in LEVELS[1 : depth + 1]),
        gpu_model=str(row["gpu_model"]),
        cost_per_hour=number["cost"] / whole if known else None,
        lately_per_hour=number["late_cost"] / late if known and late else None,
        gpu_hours_share=number["gpu_hours"] / (float(total["gpu_hours"]) or 1.0),  # type: ignore[arg-type]
        used_share=number["used"] / number["measured"] if number["measured"] else None,
        daily=tuple(daily),
    )


def _in_order(pools: dict[tuple[str, ...], tuple[float, Pool]]) -> list[Pool]:
    def place(path: tuple[str, ...]) -> tuple[tuple[float, str], ...]:
        return tuple((-pools[path[: end + 1]][0], path[end]) for end in range(len(path)))

    return [pools[path][1] for path in sorted(pools, key=place)]


def _basis(usage: pl.DataFrame, total: dict[str, object]) -> str:
    gpu_hours, unpriced = float(total["gpu_hours"]), float(total["unpriced"])  # type: ignore[arg-type]
    empty = usage["effective_cost"].null_count()
    text = "at on-demand prices" if empty == usage.height else "as billed"
    if 0 < empty < usage.height:
        text = "as billed, else at on-demand prices"
    return f"{text}; {unpriced / gpu_hours:.0%} has no price" if unpriced > 0 else text
