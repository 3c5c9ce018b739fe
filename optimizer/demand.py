"""Usage history -> the demand to plan for: streams of GPU-hours over weighted hours."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
import polars.selectors as cs

from optimizer.edits import Carry, Change, before, edited, notes_on
from optimizer.forecast import ahead, alike, typical
from optimizer.forecast_choice import Forecast, forecast_of
from optimizer.streams import Stream, WorkloadRule, said, stream_of
from providers.tables import HOURS_PER_MONTH, Diagnostic

__all__ = [
    "Demand",
    "History",
    "Horizon",
    "Stream",
    "WorkloadRule",
    "demand_of",
    "history_of",
    "hourly",
    "streams_of",
    "usage_hours",
    "with_idle",
    "work_of",
]

Floats = npt.NDArray[np.float64]
_AMOUNTS = ("gpu_hours", "gpu_hours_used", "list_cost", "effective_cost", "billed_cost")
STREAM = ("workload", "gpu_model", "bound_provider", "bound_region", "interruptible")
"""What tells one stream from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The time that is planned for, start included, end excluded.

    months: its length when the history is taken as typical of it; None plans exactly the hours of the history.
    """

    start: datetime
    end: datetime
    months: float | None

    @classmethod
    def of(cls, hours: pl.Series, *, months: float | None, now: datetime) -> Horizon:
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
    and commitments are in force; `begins[slot]` is when that stretch, or in a history that hour, begins. Of a forecast
    a slot is an hour of the horizon, and `history_hour[slot]` the last one of the history at the same time of the week.
    `history_epoch` counts the hours of the history from 1970.

    forecast: the methods that were tried, None where none was asked for. diagnostics: what to know about the forecast
    and the planned changes.
    """

    streams: tuple[Stream, ...]
    gpu_hours: Floats
    weight: Floats
    history_hour: npt.NDArray[np.int64]
    history_epoch: npt.NDArray[np.int64]
    begins: tuple[datetime, ...]
    horizon: Horizon
    forecast: Forecast | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def follows(self) -> npt.NDArray[np.bool_]:
        """Whether each slot is the hour right after the one of the slot before."""
        if self.forecast is None or self.forecast.method == "typical":
            hours = self.history_epoch[self.history_hour]
        else:
            hours = np.array([int(time.timestamp()) // 3600 for time in self.begins], dtype=np.int64)
        return np.asarray(np.diff(hours, prepend=hours[:1]) == 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What ran: GPU-hours of each stream in each hour, and of these what was used, NaN where nobody measured.

    rules: what the settings say of workloads, those that are yet to be launched included.
    """

    streams: tuple[Stream, ...]
    gpu_hours: Floats
    used: Floats
    hours: pl.Series
    rules: tuple[WorkloadRule, ...]

    @property
    def epoch_hours(self) -> npt.NDArray[np.int64]:
        """The hours, counted from 1970."""
        return np.asarray(self.hours.dt.epoch("s").to_numpy() // 3600)

    def launched(self, change: Change) -> Stream:
        """Return the stream that a change launches; it is bound to no place but by the rules."""
        row = {"workload": change.workload, "gpu_model": change.gpu_model, "interruptible": change.interruptible}
        return stream_of({**row, "bound_provider": None, "bound_region": None, "home": None}, self.rules)


def streams_of(usage: pl.DataFrame, rules: Iterable[WorkloadRule]) -> pl.DataFrame:
    """Name the stream that each row of usage belongs to, hour by hour.

    Returns one row per hour and stream: hour, workload, gpu_model, bound_provider, bound_region, interruptible,
    gpu_hours, gpu_hours_used (null where some of it is not measured), home (the one provider that all rows of the
    stream name, if they do). A stream is bound to a provider and a region only where its workload may not move. A
    workload is interruptible on a GPU model only if all of its rows for it say so.
    """
    rules = tuple(rules)
    usage = work_of(usage)
    workloads = usage["workload"].unique().sort()
    fixed = [name for name in workloads if not said(rules, name, "movable", default=True)]
    stays = pl.col("workload").is_in(fixed)
    return (
        hourly(usage)
        .with_columns(
            pl.when(stays).then("provider").alias("bound_provider"),
            pl.when(stays).then("region").alias("bound_region"),
            pl.col("interruptible").fill_null(value=False).min().over("workload", "gpu_model"),
        )
        .with_columns(_only(pl.col("provider")).over(STREAM).alias("home"))
        .group_by("hour", *STREAM)
        .agg(pl.col("gpu_hours").sum(), _if_known("gpu_hours_used"), pl.col("home").first())
        .sort("workload", "gpu_model", "bound_provider", "bound_region", "hour", nulls_last=True)
    )


def demand_of(
    usage: pl.DataFrame,
    *,
    rules: Iterable[WorkloadRule],
    horizon: Horizon,
    changes: Iterable[datetime] = (),
    forecast: str | None = None,
    per_month: float = 0.0,
    planned: Iterable[Change] = (),
) -> Demand:
    """Turn usage into the demand of the horizon, as `demand_from` does of a history.

    Args:
        usage: a checked Usage table.
        rules: what the settings say of workloads; of two that match, the later wins.
        horizon: the time to plan for.
        changes: the times at which offers or commitments begin or end.
        forecast: a method, or `best`; None takes the history as typical of the horizon and tries nothing.
        per_month: what the method `growth` grows by, 0.05 for 5 %.
        planned: changes to the demand, which apply one after another.

    Raises:
        InputError: the forecast or a change cannot be made.
    """
    history = history_of(usage, rules)
    return demand_from(
        history, horizon=horizon, changes=changes, forecast=forecast, per_month=per_month, planned=planned
    )


def demand_from(
    ran: History,
    *,
    horizon: Horizon,
    changes: Iterable[datetime] = (),
    forecast: str | None = None,
    per_month: float = 0.0,
    planned: Iterable[Change] = (),
) -> Demand:
    """Turn a history into the demand of the horizon.

    Raises:
        InputError: the forecast or a change cannot be made.
    """
    planned = tuple(planned)
    history = replace(ran, gpu_hours=before(ran, planned, horizon))
    found = None if forecast is None else _tried(history, horizon, forecast, per_month)
    cuts = {*changes, *(time for change in planned for time in change.times(horizon))}
    if found is None or found.method == "typical":
        demand = _spread(history, horizon, cuts)
    else:
        demand = _forecast(history, horizon, found.method, per_month)
    notes = (*notes_on(planned, history), *(_about(found) if found else ()))
    demand = replace(demand, forecast=found, diagnostics=notes)
    return edited(demand, planned, history, _carry(history, demand)) if planned else demand


def history_of(usage: pl.DataFrame, rules: Iterable[WorkloadRule]) -> History:
    """Turn usage into streams x hours."""
    rules = tuple(rules)
    rows = streams_of(usage, rules)
    hours = usage_hours(usage)
    names = rows.select(*STREAM, "home").unique(maintain_order=True)
    placed = rows.join(names.with_row_index("stream"), on=STREAM, nulls_equal=True, maintain_order="left")
    place = placed["stream"].to_numpy(), hours.search_sorted(placed["hour"]).to_numpy()
    gpu_hours, used = np.zeros((2, names.height, len(hours)))
    gpu_hours[place] = placed["gpu_hours"].to_numpy()
    used[place] = placed["gpu_hours_used"].to_numpy()
    streams = tuple(stream_of(row, rules) for row in names.iter_rows(named=True))
    return History(streams=streams, gpu_hours=gpu_hours, used=used, hours=hours, rules=rules)


def work_of(usage: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that a workload stands behind: what is idle, unused or no GPU at all is nobody's demand."""
    return usage.filter(pl.col("residual").is_null())


def with_idle(usage: pl.DataFrame) -> pl.DataFrame:
    """Return usage in which the GPUs that nobody asked for are the demand of a workload called idle."""
    idle = (pl.col("residual") == "idle") & pl.col("gpu_model").is_not_null()
    named = pl.when(idle).then(pl.lit("idle")).otherwise("workload").alias("workload")
    return usage.with_columns(named, pl.when(~idle).then("residual").alias("residual"))


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
        cs.by_name(*_AMOUNTS, require_all=False) / 24,
        pl.concat_list(pl.col("hour") + pl.duration(hours=hour) for hour in range(24)).alias("hour"),
    ).explode("hour")
    return pl.concat([usage.filter(pl.col("granularity") != "day"), each])


def _spread(history: History, horizon: Horizon, changes: Iterable[datetime]) -> Demand:
    count = len(history.hours)
    if horizon.months is None:
        return Demand(
            streams=history.streams,
            gpu_hours=history.gpu_hours,
            weight=np.ones(count),
            history_hour=np.arange(count),
            history_epoch=history.epoch_hours,
            begins=tuple(history.hours.to_list()),
            horizon=horizon,
        )
    cuts = sorted({horizon.start, *(time for time in changes if horizon.start < time < horizon.end)})
    lengths = [
        (until - since) / timedelta(hours=1) for since, until in zip(cuts, [*cuts[1:], horizon.end], strict=True)
    ]
    return Demand(
        streams=history.streams,
        gpu_hours=np.tile(history.gpu_hours, len(cuts)),
        weight=np.repeat(np.array(lengths) / count, count),
        history_hour=np.tile(np.arange(count), len(cuts)),
        history_epoch=history.epoch_hours,
        begins=tuple(cut for cut in cuts for _ in range(count)),
        horizon=horizon,
    )


def _tried(history: History, horizon: Horizon, wanted: str, per_month: float) -> Forecast:
    models = [stream.gpu_model for stream in history.streams]
    return forecast_of(
        history.gpu_hours,
        history.epoch_hours,
        models,
        wanted=wanted,
        months=horizon.months,
        per_month=per_month,
    )


def _about(found: Forecast) -> list[Diagnostic]:
    """Say how the demand was forecast, and how far off that would have been on the past."""
    message = f"demand is forecast by {found.summary}"
    return [Diagnostic(level="note", code="forecast", message=message), *found.diagnostics]


def _forecast(history: History, horizon: Horizon, method: str, per_month: float) -> Demand:
    """Return the demand of every hour of the horizon; the last may be a part of one."""
    hours = _hours_of(horizon)
    weight = np.ones(len(hours))
    weight[-1] = (horizon.end - horizon.start) / timedelta(hours=1) - (len(hours) - 1)
    return Demand(
        streams=history.streams,
        gpu_hours=ahead(method, history.gpu_hours, history.epoch_hours, hours, per_month=per_month),
        weight=weight,
        history_hour=alike(history.epoch_hours, hours),
        history_epoch=history.epoch_hours,
        begins=tuple(horizon.start + timedelta(hours=index) for index in range(len(hours))),
        horizon=horizon,
    )


def _carry(history: History, demand: Demand) -> Carry:
    """Return what turns figures of the history's hours into those of the slots, as the demand itself was."""
    if demand.forecast is None or demand.forecast.method == "typical":
        return lambda rows: rows[:, demand.history_hour]
    return partial(typical, hours=history.epoch_hours, to_come=_hours_of(demand.horizon))


def _hours_of(horizon: Horizon) -> npt.NDArray[np.int64]:
    """Return every hour of the horizon, counted from 1970."""
    count = math.ceil((horizon.end - horizon.start) / timedelta(hours=1))
    return int(horizon.start.timestamp()) // 3600 + np.arange(count)


def _only(column: pl.Expr) -> pl.Expr:
    """Return the one value that all rows have; null where one has none, or they differ."""
    return pl.when(column.n_unique() == 1).then(column.first())


def _if_known(name: str) -> pl.Expr:
    """Return the sum of a column, null where a part of it is."""
    return pl.when(pl.col(name).null_count() == 0).then(pl.col(name).sum())
