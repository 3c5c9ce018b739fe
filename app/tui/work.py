"""What is done off the screen's thread: reading and solving. The heavy libraries are imported when it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from app.diagnostics import UsageError
from app.negotiation import Solved
from app.tui.words import name

if TYPE_CHECKING:
    from pathlib import Path

    from app.gate_rules import Rules
    from app.live.state import Refreshing
    from app.negotiation import History
    from app.session import Request, Session
    from app.sessions import SessionFile, Sessions
    from app.tui.keeping import Keeper
    from app.tui.pools import Allocation
    from app.tui.state import Desk
    from app.tui.watching import Stamp
    from optimizer.stated import Inputs
    from optimizer.tariffs import Tariff
    from providers.tables import Diagnostic

OURS = ("app", "optimizer", "providers")


Opening = Callable[["Request"], "tuple[Request, Keeper]"]
"""Says what keeps a session, and what to ask for instead where the session says it."""


class Present(NamedTuple):
    """Where it is asked what runs now: addresses of live sources, and a clock."""

    sources: tuple[str, ...]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known once the files are read.

    request: what was read. stamps: of the files. feed: says what runs now. found: what became of a session that was
    opened again. note: what to say of it all. keeper: of a session that was opened, and screen: where it was left.
    """

    request: Request
    history: History
    allocation: Allocation
    tariffs: tuple[Tariff, ...]
    rules: Rules
    stamps: dict[Path, Stamp | None]
    feed: Refreshing
    found: tuple[Diagnostic, ...] = ()
    note: str = ""
    keeper: Keeper | None = None
    screen: str = ""


def keeper_of(request: Request, name: str | None, sessions: Sessions | None = None) -> tuple[Request, Keeper]:
    """Return what keeps the session of that name, as `keeping.keeper_of` does."""
    from app.tui import keeping

    return keeping.keeper_of(request, name, sessions)


def opened(request: Request, opening: Opening | None, present: Present) -> Reading:
    """Open a session, where one is to be kept, and read what it asks for."""
    if opening is None:
        return _read(request, None, present)
    asked, keeper = opening(request)
    found = _read(asked, keeper.kept, present)
    screen = keeper.kept.screen if keeper.kept else ""
    return replace(found, keeper=keeper, note=keeper.greeting, screen=screen)


def read_again(request: Request, history: History, present: Present) -> Reading:
    """Read the files again, and make the same edits again."""
    from app.sessions import file_of

    return replace(_read(request, file_of("again", request, history, is_open=False), present), note="read again")


def _read(request: Request, kept: SessionFile | None, present: Present) -> Reading:
    """Read the files that were asked for, and make the edits of a session again."""
    from app.live.choosing import feed_of
    from app.saving import rules_of
    from app.session import load
    from app.sessions import changes_since, recovered
    from app.tui.pools import allocation_of
    from app.tui.watching import stamps

    session = load(request)
    history, lost = recovered(session, kept)
    return Reading(
        request=request,
        history=history,
        allocation=allocation_of(session.inputs),
        tariffs=tariffs_in(session.inputs),
        rules=rules_of(request.config),
        stamps=stamps(session, request),
        feed=feed_of(session, request, sources=present.sources, clock=present.clock),
        found=(*lost, *(changes_since(session, kept) if kept else ())),
    )


def solve(session: Session, first: str, tell: Callable[[Solved], bool]) -> None:
    """Solve the session, and tell of the plan, and of what each quote is worth, as they are found.

    Args:
        session: what to plan.
        first: the quote to value before the others.
        tell: takes each further state of the plan; returns whether anybody still waits for it.
    """
    begun = monotonic()
    tariffs = tariffs_in(session.inputs)
    plans = session.plans(first=first)
    try:
        for plan in plans:
            found = Solved(plan=plan, tariffs=tariffs, seconds=monotonic() - begun, whole=False)
            if not tell(found):
                return
        tell(replace(found, whole=True, seconds=monotonic() - begun))
    finally:
        plans.close()


def saved(desk: Desk, out: str, *, created: datetime, overwrite: bool) -> str:
    """Write the plan on screen to a file; return where it is.

    Raises:
        TakenError: the file exists, and is not to be overwritten.
        UsageError: there is no plan, the ending of the file is unknown, or nothing can be written there.
    """
    from app.saving import save

    shown = desk.shown
    if shown is None or shown.solved is None or desk.rules is None or not desk.savable:
        raise UsageError("the plan is still being worked out; press enter again once it is there")
    path, gates = save(out, shown.session, shown.solved.plan, rules=desk.rules, created=created, overwrite=overwrite)
    return name(f"wrote {path}" + ("" if gates == "none" else f"; gates: {gates}"))


def tariffs_in(inputs: Inputs) -> tuple[Tariff, ...]:
    """Return the tariffs that a plan of the inputs may use."""
    from optimizer.demand import Horizon, usage_hours
    from optimizer.terms import tariffs_of

    horizon = Horizon.of(usage_hours(inputs.usage), months=inputs.months, now=inputs.now)
    found = tariffs_of(inputs.offers, inputs.commitments, horizon=horizon, limits=inputs.limits, buying=inputs.buying)
    return found[0]


def explained(error: BaseException) -> str:
    """Say what an error means to the person at the desk; our own errors already do."""
    if type(error).__module__.partition(".")[0] in OURS or isinstance(error, OSError):
        return name(error)
    return f"a fault in tranche ({type(error).__name__}: {name(error)})"
