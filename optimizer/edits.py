"""Changes to demand that are planned: launches, retirements, growth, and work that will need fewer or other GPUs.

From its start until its end a change makes of a workload's demand D in an hour t

    D'(t) = D(t) · alive(t) · factor · (1 + per_month)^m        m = whole months from the start to t

with alive(t) the share of D outside hours in which the GPUs are all but idle, where these are given back, else 1.
Changes apply one after another, so that a later one finds what an earlier one launched or moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from optimizer.forecast import Floats
from optimizer.streams import Stream
from providers.tables import HOURS_PER_MONTH, Diagnostic, InputError

if TYPE_CHECKING:
    from optimizer.demand import Demand, History, Horizon

LONGEST_GROWTH = 120  # months of growth that a typical horizon is cut into; 1.05^120 is 349 times already


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One planned change.

    workload, gpu_model: globs of what changes; of a launch, its name and GPU model.
    start, end: when it is in force, end excluded; None for the start and the end of the horizon.
    factor: GPU-hours that remain of one; 0 retires, 0.25 is four pods a GPU.
    per_month: growth a month from the start on, 0.05 for 5 %.
    idle_below: give back the hours in which less than this share of the GPU-hours is used (scale to zero).
    to_model: the GPU model that the demand moves to, where `factor` GPU-hours do the work of one.
    gpus: GPUs on average that a launch adds at its start; None where nothing is launched.
    like: the workload whose hours a launch rises and falls with; None for the same in every hour.
    interruptible: whether a launch may run on spot.
    """

    workload: str
    gpu_model: str = "*"
    start: datetime | None = None
    end: datetime | None = None
    factor: float = 1.0
    per_month: float = 0.0
    idle_below: float | None = None
    to_model: str | None = None
    gpus: float | None = None
    like: str | None = None
    interruptible: bool = False

    def concerns(self, stream: Stream) -> bool:
        """Return whether a stream is one of those that change."""
        return fnmatchcase(stream.workload, self.workload) and fnmatchcase(stream.gpu_model, self.gpu_model)

    def times(self, horizon: Horizon) -> set[datetime]:
        """Return when it begins, ends, or grows another month within a horizon.

        Raises:
            InputError: it would grow through more months than can be told apart.
        """
        start, end = self.start or horizon.start, min(self.end or horizon.end, horizon.end)
        found = {start, self.end or horizon.end}
        if self.per_month:
            first = max(int((horizon.start - start) / _MONTH), 0)
            last = int((end - start) / _MONTH)
            if last - first > LONGEST_GROWTH:
                problem = f"{self.workload} would grow for {last - first} months"
                raise InputError("changes", problem, f"give it an end, or plan at most {LONGEST_GROWTH}mo")
            found |= {start + month * _MONTH for month in range(first, last + 1)}
        return {time for time in found if horizon.start < time < horizon.end}

    def in_force(self, times: Floats) -> Floats:
        """Say for times in seconds from 1970 whether it is in force, as 1 or 0."""
        since = -np.inf if self.start is None else self.start.timestamp()
        until = np.inf if self.end is None else self.end.timestamp()
        return ((since <= times) & (times < until)).astype(float)

    def remaining(self, times: Floats, horizon: Horizon) -> Floats:
        """Return what remains of one GPU-hour at these times by factor and growth, 1 where it is not in force."""
        start = (self.start or horizon.start).timestamp()
        months = np.maximum((times - start) // _MONTH.total_seconds(), 0.0)
        return np.where(self.in_force(times) > 0, self.factor * (1 + self.per_month) ** months, 1.0)


_MONTH = timedelta(hours=HOURS_PER_MONTH)
Carry = Callable[[Floats], Floats]
"""From figures of the history's hours, rows x hours, to those of the slots of a horizon."""


def before(history: History, changes: Iterable[Change], horizon: Horizon) -> Floats:
    """Return the demand of the history as it would be without the changes that began in it.

    What shipped before the history ends is in the usage from then on, and must not count twice. Only factors and growth
    are taken back; moves and retirements are repeated on what is left without harm. A horizon that is the history asks
    what would have been, and takes nothing back.
    """
    shipped = [change for change in changes if change.start is not None and change.gpus is None and not change.to_model]
    if horizon.months is None or not shipped:
        return history.gpu_hours
    gpu_hours, times = history.gpu_hours.copy(), _seconds(history.hours.to_list())
    for change in shipped:
        remaining = change.remaining(times, horizon)
        rows = _concerned(change, history.streams)
        gpu_hours[rows] /= np.where(remaining > 0, remaining, 1.0)
    return gpu_hours


def edited(demand: Demand, changes: Iterable[Change], history: History, carry: Carry) -> Demand:
    """Apply changes to the demand of a horizon, one after another.

    Raises:
        InputError: a launch is to be like a workload that the usage does not have.
    """
    edits = _Edits(demand, history, carry)
    for change in changes:
        if change.gpus is not None:
            edits.launch(change, change.gpus)
        else:
            edits.alter(change)
    return replace(demand, streams=tuple(edits.streams), gpu_hours=edits.gpu_hours)


def notes_on(changes: Iterable[Change], history: History) -> list[Diagnostic]:
    """Say which changes change nothing, or less than they seem to."""
    found: list[Diagnostic] = []
    known = list(history.streams)
    for change in changes:
        if change.gpus is not None:
            found += _launched_twice(change, known)
            known.append(history.launched(change))
        else:
            found += _without_effect(change, known, history)
            known += [moved(stream, change.to_model) for stream in known if change.to_model and change.concerns(stream)]
    return found


def moved(stream: Stream, model: str) -> Stream:
    """Return a stream whose demand is counted in hours of another GPU model; what else it may run on stays."""
    unit = stream.runs_on.get(model)
    others = {name: ratio / unit for name, ratio in stream.runs_on.items()} if unit else {}
    return replace(stream, gpu_model=model, runs_on={**others, model: 1.0})


class _Edits:
    """Streams and their demand while changes apply; origin[s] is the place of a stream in the history."""

    def __init__(self, demand: Demand, history: History, carry: Carry) -> None:
        self.streams = list(demand.streams)
        self.gpu_hours = demand.gpu_hours.copy()
        self._origin: list[int | None] = list(range(len(self.streams)))
        self._times = _seconds(demand.begins)
        self._horizon, self._history, self._carry = demand.horizon, history, carry

    def launch(self, change: Change, gpus: float) -> None:
        shape = 1.0 if change.like is None else self._shape(change, change.like)
        grown = change.remaining(self._times, self._horizon) * change.in_force(self._times)
        self._add(self._history.launched(change), gpus * shape * grown, None)

    def alter(self, change: Change) -> None:
        there = change.in_force(self._times)
        for row in _concerned(change, self.streams):
            stream = self.streams[row]
            changed = self.gpu_hours[row] * change.remaining(self._times, self._horizon)
            changed = changed * np.where(there > 0, self._alive(change, self._origin[row]), 1.0)
            if change.to_model and change.to_model != stream.gpu_model:
                self._add(moved(stream, change.to_model), changed * there, self._origin[row])
                changed = self.gpu_hours[row] * (1 - there)
            self.gpu_hours[row] = changed

    def _add(self, stream: Stream, gpu_hours: Floats, origin: int | None) -> None:
        self.streams.append(stream)
        self._origin.append(origin)
        self.gpu_hours = np.vstack([self.gpu_hours, gpu_hours])

    def _alive(self, change: Change, origin: int | None) -> Floats:
        """Return the share of demand that is left when idle hours are given back; 1 where their use is not known."""
        if change.idle_below is None or origin is None:
            return np.ones(len(self._times))
        held, used = self._history.gpu_hours[origin], self._history.used[origin]
        busy = np.where(used < change.idle_below * held, 0.0, held)  # NaN, not measured, counts as busy
        kept, of_all = self._carry(np.vstack([busy, held]))
        return np.asarray(np.divide(kept, of_all, out=np.ones_like(kept), where=of_all > 0))

    def _shape(self, change: Change, like: str) -> Floats:
        """Return how a workload's hours rise and fall, with a mean of 1 over the history."""
        rows = [index for index, stream in enumerate(self._history.streams) if stream.workload == like]
        hours = self._history.gpu_hours[rows].sum(axis=0)
        if not hours.any():
            problem = f"{change.workload} is to be like {like}, which the usage does not have"
            raise InputError("changes", problem, "name a workload of the usage, or leave it flat")
        return np.asarray(self._carry(hours[None, :])[0] / hours.mean())


def _seconds(times: Iterable[datetime]) -> Floats:
    return np.array([time.timestamp() for time in times])


def _concerned(change: Change, streams: Iterable[Stream]) -> list[int]:
    return [index for index, stream in enumerate(streams) if change.concerns(stream)]


def _launched_twice(change: Change, known: list[Stream]) -> list[Diagnostic]:
    names = {(stream.workload, stream.gpu_model) for stream in known}
    if (change.workload, change.gpu_model) not in names:
        return []
    message = f"{change.workload} runs on {change.gpu_model} already, and its launch adds {change.gpus:g} GPUs to that"
    hint = "take the launch out once it is in the usage"
    return [Diagnostic(level="warning", code="change", message=message, hint=hint)]


def _without_effect(change: Change, known: list[Stream], history: History) -> list[Diagnostic]:
    rows = _concerned(change, known)
    if not rows:
        message = f"no workload is called {change.workload!r} on GPU model {change.gpu_model!r}: nothing changes"
        return [Diagnostic(level="warning", code="change", message=message, hint="correct the name in [[changes]]")]
    measured = [row for row in rows if row < len(history.streams) and not np.isnan(history.used[row]).all()]
    if change.idle_below is None or measured:
        return []
    message = f"nothing says how busy {change.workload} is, so that no idle hours are given back"
    return [Diagnostic(level="warning", code="change", message=message, hint="add gpu_hours_used to the usage")]
