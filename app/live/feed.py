"""What is known now from live sources, on top of a history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

import polars as pl

from app.live.merging import LIVE_CURRENCY, end_of, recent, together, up_to, whole_hour
from app.live.names import address, one_line
from app.live.source import Source
from app.live.state import HOUR, Live, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

EVERY = timedelta(seconds=60)
LIMIT_S = 10.0
_PATIENCE = 2 * HOUR  # a source that is later than this is not waited for
_ALIKE = "so that it counts once; give each cluster a CLUSTER_ID of its own"


class Feed:
    """Live sources on top of a history: the only state is what they said last.

    history: a Usage table. origins: where it and its prices come from. sources: addresses of live sources. config: the
    settings file, for tags. every: how often a source is asked. clock: what time it is. limit_s: how long a refresh
    waits for a source, which may go on longer; what it says is then used by a later refresh.
    """

    def __init__(
        self,
        history: pl.DataFrame,
        origins: Sequence[SourceState],
        sources: Sequence[str],
        *,
        config: str | None,
        clock: Callable[[], datetime],
        every: timedelta = EVERY,
        limit_s: float = LIMIT_S,
    ) -> None:
        self._clock = clock
        self._limit_s = limit_s
        self._origins = tuple(origins)
        self._ended = end_of(history, time_of(clock))
        self._history = recent(history, self._ended) if self._ended else history.clear()
        currency = history["currency"][0] if history.height else LIVE_CURRENCY
        self._sources = [
            Source(address(one), columns=history.schema, currency=currency, config=config, every=every)
            for one in dict.fromkeys(sources)
        ]
        self._lock = Lock()

    def refresh(self) -> Live:
        """Ask the sources whose time has come, all at once, and put together what is known."""
        with self._lock:
            now = time_of(self._clock)
            for source in self._sources:
                source.settle(now, limit_s=self._limit_s)
            begun = [one for one in self._sources if one.begin(now, since=one.until or self._ended)]
            end = monotonic() + self._limit_s
            for source in begun:
                source.settle(now, limit_s=self._limit_s, wait_s=end - monotonic())
            return self._live(now)

    def _live(self, now: datetime) -> Live:
        until = self._until() or whole_hour(now)
        self._history = recent(self._history, until)
        answers = [source.kept for source in self._sources if source.kept is not None]
        return Live(
            usage=up_to(recent(together(self._history, answers), until), until),
            at=until - HOUR,
            sources=(*self._states(), *self._origins),
            how="live" if answers else "bill",
            taken=now,
        )

    def _states(self) -> Iterator[SourceState]:
        """Return the line of each source; two of OpenCost whose clusters have one name are two clusters as a rule."""
        whose: dict[str, str] = {}
        for source in self._sources:
            state = source.state()
            clusters = sorted(source.clusters) if source.address.kind == "opencost" else []
            twice = next((one for one in clusters if one in whose), None)
            if twice and not state.problem:
                said = f"{state.name}: calls its cluster {twice} as {whose[twice]} does, {_ALIKE}"
                state = replace(state, problem=one_line(said))
            whose = {**dict.fromkeys(clusters, state.name), **whose}
            yield state

    def _until(self) -> datetime | None:
        """Return the end of the last hour that the live sources know together, or of the history where none knows any.

        A source that is a little late would be missing from a newer hour; one that is very late is not waited for.
        """
        ends = [source.until for source in self._sources if source.until]
        known = [min(end for end in ends if end >= max(ends) - _PATIENCE)] if ends else []
        return max([*known, *([self._ended] if self._ended else [])], default=None)


def time_of(clock: Callable[[], datetime]) -> datetime:
    """Return what time it is, in UTC."""
    return clock().astimezone(UTC)
