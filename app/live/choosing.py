"""Which feed of the present goes with a session, and where its figures come from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app import settings
from app.diagnostics import UsageError
from app.live.feed import EVERY, Feed
from app.live.names import address, is_live, one_line
from app.live.past import BillFeed, ReplayFeed
from app.live.state import HOUR, SourceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import timedelta

    from app.live.state import Kind, Refreshing
    from app.session import Origin, Request, Session


def feed_of(
    session: Session,
    request: Request,
    *,
    sources: Sequence[str] = (),
    clock: Callable[[], datetime],
    every: timedelta = EVERY,
) -> Refreshing:
    """Choose what the present is taken from: live sources, or the demo played again, or the bill.

    Live sources are those given, else those among `[sources] usage` of the settings. The demo's usage is no history of
    theirs, and is left out where there are any.

    Raises:
        UsageError: a source that was given is not live, or the settings cannot be read.
    """
    live = _live_ones(sources, request)
    usage = session.inputs.usage
    origins = origins_of(session)
    if live:
        history = usage.clear() if session.demo else usage
        shown = [one for one in origins if not (session.demo and one.kind == "bill")]
        return Feed(history, shown, live, config=request.config, clock=clock, every=every)
    return (ReplayFeed if session.demo else BillFeed)(usage, origins, clock=clock)


def origins_of(session: Session) -> tuple[SourceState, ...]:
    """Return the lines on screen of the files behind a session: its usage, then its prices."""
    return (*_states(session.usage, "bill"), *_states(session.offers, "prices"))


def _live_ones(given: Sequence[str], request: Request) -> tuple[str, ...]:
    for source in given:
        if not is_live(source):
            shown = address(source).place or "an empty name"
            raise UsageError(
                f"{shown} is no live source; write opencost+http://HOST:9003 or prometheus+http://HOST:9090"
            )
    said = settings.find(request.config) or settings.Settings()
    return tuple(given) or tuple(filter(is_live, said.sources))


def _states(origins: Iterable[Origin], kind: Kind) -> list[SourceState]:
    states = []
    for origin in origins:
        last = _time(origin.last)
        until = last + HOUR if last and kind == "bill" else last
        states.append(SourceState(name=one_line(origin.path), kind=kind, until=until, asked=None))
    return states


def _time(text: str | None) -> datetime | None:
    """Return the time or the day that a text is; None where it is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
