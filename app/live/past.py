"""What is known now without a live source: a bill that has ended, or a history that is played again."""

from __future__ import annotations

from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

import polars as pl

from app.live.feed import time_of
from app.live.merging import end_of, recent, up_to, whole_hour
from app.live.state import HOUR, Live, SourceState, ago

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

PLAYED_HOURS = 24
_OLD = timedelta(days=2)
_NEWER = "to see the present, name a live source in [sources] usage of tranche.toml, or a newer bill"


class BillFeed:
    """A history that has ended: its last hour, and how long ago that was."""

    def __init__(self, history: pl.DataFrame, origins: Sequence[SourceState], *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._origins = tuple(origins)
        now = time_of(clock)
        self._until = end_of(history, now) or whole_hour(now)
        self._usage = up_to(recent(history, self._until), self._until)

    def refresh(self) -> Live:
        """Return the same figures, with their age now."""
        now = time_of(self._clock)
        sources = tuple(_lagging(one, now) if one.kind == "bill" else one for one in self._origins)
        return Live(usage=self._usage, at=self._until - HOUR, sources=sources, how="bill", taken=now)


class ReplayFeed:
    """The last 24 hours of a history, one with each refresh, over and over."""

    def __init__(self, history: pl.DataFrame, origins: Sequence[SourceState], *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._origins = tuple(origins)
        until = end_of(history, time_of(clock)) or whole_hour(time_of(clock))
        first = until - PLAYED_HOURS * HOUR
        self._usage = recent(history, first).sort("hour", maintain_order=True)
        self._hours = _played(self._usage, first, until)
        self._next = 0
        self._lock = Lock()

    def refresh(self) -> Live:
        """Return what was known one hour later than before, or the first hour again."""
        with self._lock:
            at = self._hours[self._next]
            self._next = (self._next + 1) % len(self._hours)
        now, until = time_of(self._clock), at + HOUR
        sources = tuple(
            SourceState(name=one.name, kind="replay", until=until, asked=now) if one.kind == "bill" else one
            for one in self._origins
        )
        usage = up_to(recent(self._usage, until), until)
        return Live(usage=usage, at=at, sources=sources, how="replay", taken=now)


def _lagging(origin: SourceState, now: datetime) -> SourceState:
    """Return a bill's line, with a problem where it ended long ago."""
    if origin.until is None or now - origin.until < _OLD:
        return origin
    problem = f"{origin.name}: the bill ends {ago(origin.until, now)}; {_NEWER}"
    return SourceState(name=origin.name, kind="bill", until=origin.until, asked=None, problem=problem)


def _played(usage: pl.DataFrame, first: datetime, until: datetime) -> list[datetime]:
    """Return the hours to play: all from the first with any rows, and at least one."""
    there = usage.filter(pl.col("hour") >= first)["hour"]
    hours = [first + number * HOUR for number in range(PLAYED_HOURS)]
    return [hour for hour in hours if (there <= hour).any()] or [until - HOUR]
