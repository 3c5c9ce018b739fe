"""One live source: asked in a thread of its own, never twice at once, and less often while it fails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING

import polars as pl

from app.accounts import accounts_of
from app.diagnostics import UsageError
from app.live.merging import fitted, last_hour, newer, whole_hour
from app.live.state import HOUR, SourceState, at_words
from providers.fetching import Window
from providers.live import SilentError, within
from providers.tables import USAGE, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from app.live.names import Address

LEAST_HOURS, MOST_HOURS = 2, 26
LONGEST = timedelta(minutes=10)
"""A source that fails is asked at least this often."""
PATIENCE_S = 60.0  # a slow answer is waited for beside the screen, and used when it comes
_EARLY = timedelta(seconds=1)  # a timer may be a little early
_SOON = timedelta(minutes=10)  # the last hour may come a little late
_MOST_GPU_HOURS = 1e9  # in an hour: more than there are
_UNSOUND = "has an @ behind a /, ? or #, so that nobody knows where its password ends; write them as %2F, %3F and %23"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a source says: rows of the Usage table, the hours it was asked for, and what to do if there are none."""

    usage: pl.DataFrame
    window: Window
    hint: str


def ask(address: Address, window: Window, *, by: Sequence[str], config: str | None) -> Answer:
    """Ask a source for some hours, with the dimensions `by` as columns.

    Raises:
        InputError: it does not answer as it should.
        UsageError: the settings cannot be read.
    """
    if not address.sound:
        raise InputError(address.name, "cannot be asked", f"its address {_UNSOUND}")
    with within(PATIENCE_S):
        accounts = accounts_of([address.given], by=by, window=f"{window.hours}h", now=window.end, config=config)
    usage = accounts.usage
    if not usage["gpu_hours"].is_between(0, _MOST_GPU_HOURS).all(ignore_nulls=False):
        raise InputError(address.name, "states GPU-hours that cannot be", "see what it is fed with")
    hint = next((one.hint for one in accounts.diagnostics if one.code == "no-gpu-machines"), "")
    return Answer(usage=usage, window=window, hint=hint)


class Question:
    """Work in a thread that the end of the program does not wait for."""

    def __init__(self, work: Callable[[], Answer]) -> None:
        self._outcome: Answer | BaseException | None = None
        self._work = work
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def outcome(self, *, wait_s: float) -> Answer | BaseException | None:
        """Return what came of it, waiting so long at most; None where it still runs."""
        self._thread.join(max(wait_s, 0.0))
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = self._work()
        except BaseException as error:  # noqa: BLE001  whatever a source says, the others go on; a panic is no Exception
            self._outcome = error


class Source:
    """One live source and all that it has said; a Feed calls it from one thread at a time.

    kept: what it said, as `merging.newer` returns it; None until it has said something. until: the end of its last
    hour.
    """

    def __init__(
        self,
        address: Address,
        *,
        columns: Mapping[str, pl.DataType],
        currency: str,
        config: str | None,
        every: timedelta,
    ) -> None:
        self.address = address
        self.kept: pl.DataFrame | None = None
        self.until: datetime | None = None
        self._columns = columns
        self._currency = currency
        self._config = config
        self._every = every
        self._asked: datetime | None = None
        self._due: datetime | None = None
        self._failures = 0
        self._problem = ""
        self._question: Question | None = None

    def begin(self, now: datetime, *, since: datetime | None) -> bool:
        """Ask for the hours since a time, if it is time to ask and the last question is answered; return whether."""
        if self._question is not None or not self._is_due(now):
            return False
        window = Window(end=now, hours=hours_since(since, now))
        by = [name for name, dtype in self._columns.items() if name not in _KNOWN and dtype == pl.String]
        self._due = now + self._every
        self._question = Question(lambda: ask(self.address, window, by=by, config=self._config))
        return True

    def settle(self, now: datetime, *, limit_s: float, wait_s: float = 0.0) -> None:
        """Take the answer if there is one, waiting for it so long at most; `limit_s` is what it had in all."""
        outcome = self._question.outcome(wait_s=wait_s) if self._question else None
        if self._question is None:
            return
        if outcome is None:
            self._problem = f"did not answer in {limit_s:g} s; {self._reach(now)}; it is still waited for"
            return
        self._question = None
        if isinstance(outcome, BaseException):
            self._failed(outcome, now)
        else:
            self._answered(outcome, now)

    def state(self) -> SourceState:
        """Return its line on screen."""
        problem = f"{self.address.kind} at {self.address.place}: {self._problem}" if self._problem else ""
        return SourceState(name=self.address.name, kind="live", until=self.until, asked=self._asked, problem=problem)

    @property
    def clusters(self) -> frozenset[str]:
        """The clusters that it names in its last hour."""
        if self.kept is None or self.until is None:
            return frozenset()
        return frozenset(self.kept.filter(pl.col("hour") == self.until - HOUR)["cluster"].drop_nulls())

    def _is_due(self, now: datetime) -> bool:
        """Return whether it is time to ask; a due time that is too far off is of a clock that was set back."""
        return self._due is None or not now + _EARLY < self._due <= now + max(LONGEST, self._every)

    def _answered(self, answer: Answer, now: datetime) -> None:
        self._failures, self._asked = 0, now
        window = answer.window
        hours = answer.usage.filter(pl.col("granularity") == "hour")
        rows = hours.filter(pl.col("hour").is_between(window.since, window.until, closed="left"))
        if not rows.is_empty():
            self.kept = newer(self.kept, fitted(rows, self._columns, self._currency), answered=now)
            last = last_hour(self.kept)
            self.until = last + HOUR if last else None
        self._problem = self._about(answer, latest=last_hour(hours), now=now)

    def _about(self, answer: Answer, *, latest: datetime | None, now: datetime) -> str:
        """Return what is wrong with an answer, or nothing."""
        window = answer.window
        if latest and latest >= window.until:
            problem = f"tells of hours up to {at_words(latest + HOUR, now)}, which have not been"
            return f"{problem}; set its clock or this one right; those hours are left out"
        since = window.since if latest is None or self.until is None else self.until
        behind = window.until - since
        if behind <= timedelta(0) or (latest and behind <= HOUR and now - window.until < _SOON):
            return ""
        hint = answer.hint or "see that it is fed, and that its clock agrees with this one"
        return f"knows of no GPU since {at_words(since, now)}; {hint}; {self._reach(now)}"

    def _failed(self, error: BaseException, now: datetime) -> None:
        self._failures += 1
        wait = min(self._every * 2 ** min(self._failures - 1, 10), max(LONGEST, self._every))
        self._due = now + wait
        self._problem = f"{self._told(error)}; {self._reach(now)}; asked again in {_span(wait)}"

    def _told(self, error: BaseException) -> str:
        if isinstance(error, SilentError):
            return f"gave no answer in {PATIENCE_S:g} s, see that it runs and is not overloaded"
        if isinstance(error, InputError | UsageError):
            return self.address.told(str(error).removeprefix(f"{self.address.name}: "))
        return f"gave an answer that cannot be used ({type(error).__name__}), see that the address is right"

    def _reach(self, now: datetime) -> str:
        return f"its figures end at {at_words(self.until, now)}" if self.until else "it has given no figures yet"


def hours_since(since: datetime | None, now: datetime) -> int:
    """Return how many whole hours to ask for so that those since a time are among them; not too few, nor too many."""
    if since is None:
        return MOST_HOURS
    return min(max(-((since - whole_hour(now)) // HOUR), LEAST_HOURS), MOST_HOURS)


def _span(wait: timedelta) -> str:
    seconds = wait.total_seconds()
    return f"{seconds:.0f} s" if seconds <= 120 else f"{seconds / 60:.0f} min"


_KNOWN = {column.name for column in USAGE.columns} | {"estimated"}
