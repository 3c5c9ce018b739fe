"""What the screen of the present shows: usage up to now, where it comes from and how old it is.

Nothing here needs a heavy library, so that a screen can import it before its first paint.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

Kind = Literal["live", "bill", "replay", "prices"]
How = Literal["live", "bill", "replay"]
HOUR = timedelta(hours=1)
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
_MONTHS_AFTER_DAYS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """One line on screen: where a figure comes from and how old it is.

    name: as configured, without credentials. until: the end of the last hour, or the day, that it has data for.
    asked: when it last answered. problem: empty if all is well, else one plain line: what, where, what to do.
    """

    name: str
    kind: Kind
    until: datetime | None
    asked: datetime | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Live:
    """What is known now; two of these are the same only if they are one object, since frames do not compare.

    usage: rows of the Usage table of the last 15 days up to `at`, sorted by hour. at: the start of the hour that is
    now. how: live once a live source has answered. taken: when this was put together.
    """

    usage: pl.DataFrame
    at: datetime
    sources: tuple[SourceState, ...]
    how: How
    taken: datetime

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a line for each source that has a problem."""
        return tuple(source.problem for source in self.sources if source.problem)


class Refreshing(Protocol):
    """Whatever can say what is known now: a Feed, a BillFeed or a ReplayFeed."""

    def refresh(self) -> Live:
        """Return what is known now; it may take some seconds, and does not raise because of a source."""


def ages(live: Live, now: datetime) -> list[str]:
    """Say for each source how far it reaches and how old that is, such as `prometheus db:9090 14:00, 2 min ago`."""
    return [_age(source, now.astimezone(UTC)) for source in live.sources]


def at_words(time: datetime, now: datetime) -> str:
    """Write a time of today as 14:00, of another day with its date; all times are UTC."""
    return f"{time:%H:%M}" if time.date() == now.date() else f"{time:%Y-%m-%d %H:%M}"


def ago(time: datetime, now: datetime) -> str:
    """Write how long ago a time was, with as much detail as matters: 2 min ago; 2 months, 3 days ago."""
    past = now - time
    if past < _MINUTE:
        return "just now"
    if past < HOUR:
        return f"{past // _MINUTE} min ago"
    if past < 2 * _DAY:
        return f"{past // HOUR} h ago"
    if past < _MONTHS_AFTER_DAYS * _DAY:
        return f"{_many(past // _DAY, 'day')} ago"
    months, days = months_and_days(time, now)
    return ", ".join(_many(number, unit) for number, unit in ((months, "month"), (days, "day")) if number) + " ago"


def months_and_days(since: datetime, until: datetime) -> tuple[int, int]:
    """Return the whole calendar months between two times, and the whole days that are left."""
    months = (until.year - since.year) * 12 + until.month - since.month
    while _months_later(since, months) > until:
        months -= 1
    return months, (until - _months_later(since, months)) // _DAY


def _months_later(time: datetime, months: int) -> datetime:
    """Return the same day and time so many months later, or the last day of a month that is shorter."""
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    first = time.replace(year=year, month=month + 1, day=1)
    last_day = ((first + 31 * _DAY).replace(day=1) - _DAY).day
    return first.replace(day=min(time.day, last_day))


def _age(source: SourceState, now: datetime) -> str:
    if source.until is None:
        return f"{source.name} " + ("no figures yet" if source.kind == "live" else "of unknown age")
    if source.kind == "prices":
        return f"{source.name} {source.until:%Y-%m-%d}, {ago(source.until, now)}"
    reach = f"{source.name} {at_words(source.until, now)}"
    if source.kind == "replay":
        return f"{reach}, replayed"
    told = source.asked if source.kind == "live" and source.asked else source.until
    return f"{reach}, {ago(told, now)}"


def _many(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
