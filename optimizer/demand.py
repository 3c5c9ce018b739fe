"""Usage history -> the demand to plan for: streams of GPU-hours over weighted hours."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from providers.tables import HOURS_PER_MONTH

Floats = npt.NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRule:
    """What `[workloads."glob"]` says of the workloads it matches; None leaves a thing as it is.

    runs_on: GPU model -> how much of the demand one GPU-hour of that model serves.
    """

    pattern: str
    interruptible: bool | None = None
    movable: bool | None = None
    providers: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    runs_on: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One workload's demand for one GPU model, and where it may be served.

    providers, regions: the places allowed, None for any.
    runs_on: GPU model -> how much of the demand one GPU-hour of it serves; 1 for its own.
    """

    workload: str
    gpu_model: str
    interruptible: bool
    providers: frozenset[str] | None
    regions: tuple[str, ...] | None
    runs_on: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The time that is planned for, start included, end excluded.

    months: its length when the history is taken as typical of it; None plans exactly the hours of the history.
    """

    start: datetime
    end: datetime
    months: float | None

    @classmethod
    def of(cls, hours: pl.Series, *, months: float | None, now: datetime) -> "Horizon":
        """Plan the next `months` from `now`, or, when there are none, the hours of the history."""
        if months is None:
            ordered = hours.sort()
            return cls(start=ordered[0], end=ordered[-1] + timedelta(hours=1), months=None)
        start = now.replace(minute=0, second=0, microsecond=0)
        return cls(start=start, end=start + timedelta(hours=months * HOURS_PER_MONTH), months=months)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What has to be served: `gpu_hours[stream, slot]`, where a slot stands for `weight[slot]` hours of the horizon.

    A slot is an hour of the history (`history_hour[slot]`) in one stretch of the horizon during which the same offers
    and commitments are in force; `begins[slot]` is when that stretch, or in a history that hour, begins.
    """

    streams: tuple[Stream, ...]
    gpu_hours: Floats
    weight: Floats
    history_hour: npt.NDArray[np.int64]
    begins: tuple[datetime, ...]
    horizon: Horizon


def streams_of(usage: pl.DataFrame, rules: Iterable[WorkloadRule]) -> pl.DataFrame:
    """Name the stream that each row of usage belongs to, hour by hour.

    Returns one row per hour and stream: hour, workload, gpu_model, bound_provider, bound_region, interruptible,
    gpu_hours. A stream is bound to a provider and a region only where its workload may not move. A workload is
    interruptible on a GPU model only if all of its rows for it say so.
    """
    rules = tuple(rules)
    usage = work_of(usage)
    workloads = usage["workload"].unique().sort()
    fixed = [name for name in workloads if not _said(rules, name, "movable", default=True)]
    stays = pl.col("workload").is_in(fixed)
    return (
        hourly(usage)
        .with_columns(
            pl.when(stays).then("provider").alias("bound_provider"),
            pl.when(stays).then("region").alias("bound_region"),
            pl.col("interruptible").fill_null(value=False).min().over("workload", "gpu_model"),
        )
        .group_by("hour", "workload", "gpu_model", "bound_provider", "bound_region", "interruptible")
        .agg(pl.col("gpu_hours").sum())
        .sort("workload", "gpu_model", "bound_provider", "bound_region", "hour", nulls_last=True)
    )


def demand_of(
    usage: pl.DataFrame, *, rules: Iterable[WorkloadRule], horizon: Horizon, changes: Iterable[datetime] = ()
) -> Demand:
    """Turn usage into the demand of the horizon.

    Args:
        usage: a checked Usage table.
        rules: what the settings say of workloads; of two that match, the later wins.
        horizon: the time to plan for.
        changes: the times at which offers or commitments begin or end.
    """
    rules = tuple(rules)
    rows = streams_of(usage, rules)
    hours = usage_hours(usage)
    keys = ["workload", "gpu_model", "bound_provider", "bound_region", "interruptible"]
    names = rows.select(keys).unique(maintain_order=True)
    matrix = np.zeros((names.height, len(hours)))
    placed = rows.join(names.with_row_index("stream"), on=keys, nulls_equal=True, maintain_order="left")
    matrix[placed["stream"].to_numpy(), hours.search_sorted(placed["hour"]).to_numpy()] = placed["gpu_hours"].to_numpy()
    streams = tuple(_stream(row, rules) for row in names.iter_rows(named=True))
    return _spread(streams, matrix, hours, horizon, changes)


def work_of(usage: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that a workload stands behind: what is idle, unused or no GPU at all is nobody's demand."""
    return usage.filter(pl.col("residual").is_null())


def usage_hours(usage: pl.DataFrame) -> pl.Series:
    """Return the distinct hours of the history in order; hours that it lacks stay absent.

    An hour in which every GPU was idle is one of them: its demand is 0.
    """
    return hourly(usage.filter(pl.col("gpu_model").is_not_null()))["hour"].unique().sort()


def hourly(usage: pl.DataFrame) -> pl.DataFrame:
    """Return usage by the hour, spreading rows that stand for a whole day evenly over its 24 hours."""
    daily = usage.filter(pl.col("granularity") == "day")
    if daily.is_empty():
        return usage
    each = daily.with_columns(
        pl.col("gpu_hours") / 24,
        pl.concat_list(pl.col("hour") + pl.duration(hours=hour) for hour in range(24)).alias("hour"),
    ).explode("hour")
    return pl.concat([usage.filter(pl.col("granularity") != "day"), each])


def _spread(
    streams: tuple[Stream, ...],
    matrix: Floats,
    hours: pl.Series,
    horizon: Horizon,
    changes: Iterable[datetime],
) -> Demand:
    count = len(hours)
    if horizon.months is None:
        begins = tuple(hours.to_list())
        weight = np.ones(count)
        return Demand(
            streams=streams,
            gpu_hours=matrix,
            weight=weight,
            history_hour=np.arange(count),
            begins=begins,
            horizon=horizon,
        )
    cuts = sorted({horizon.start, *(time for time in changes if horizon.start < time < horizon.end)})
    lengths = [
        (until - since) / timedelta(hours=1) for since, until in zip(cuts, [*cuts[1:], horizon.end], strict=True)
    ]
    return Demand(
        streams=streams,
        gpu_hours=np.tile(matrix, len(cuts)),
        weight=np.repeat(np.array(lengths) / count, count),
        history_hour=np.tile(np.arange(count), len(cuts)),
        begins=tuple(cut for cut in cuts for _ in range(count)),
        horizon=horizon,
    )


def _stream(row: Mapping[str, object], rules: tuple[WorkloadRule, ...]) -> Stream:
    name = str(row["workload"])
    interruptible = _said(rules, name, "interruptible", default=bool(row["interruptible"]))
    anywhere: tuple[str, ...] | None = None
    providers = _said(rules, name, "providers", default=anywhere)
    regions = _said(rules, name, "regions", default=anywhere)
    runs_on: dict[str, float] = {}
    for rule in _matching(rules, name):
        runs_on |= rule.runs_on
    if row["bound_provider"] is not None:
        providers = (str(row["bound_provider"]),)
    if row["bound_region"] is not None:
        regions = (str(row["bound_region"]),)
    return Stream(
        workload=name,
        gpu_model=str(row["gpu_model"]),
        interruptible=bool(interruptible),
        providers=None if providers is None else frozenset(providers),
        regions=regions,
        runs_on={**runs_on, str(row["gpu_model"]): 1.0},
    )


def _matching(rules: tuple[WorkloadRule, ...], name: str) -> list[WorkloadRule]:
    return [rule for rule in rules if fnmatchcase(name, rule.pattern)]


def _said(rules: tuple[WorkloadRule, ...], name: str, key: str, *, default: T) -> T:
    said = [value for rule in _matching(rules, name) if (value := getattr(rule, key)) is not None]
    return said[-1] if said else default
