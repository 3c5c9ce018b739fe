"""What is done off the screen's thread: reading and solving. The heavy libraries are imported when it runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING

from app.diagnostics import UsageError
from app.tui.state import Solved
from app.tui.words import name

if TYPE_CHECKING:
    from datetime import datetime

    from app.gate_rules import Rules
    from app.session import Request, Session
    from app.tui.pools import Allocation
    from app.tui.state import Desk
    from optimizer.stated import Inputs
    from optimizer.tariffs import Tariff
    from providers.tables import Diagnostic

OURS = ("app", "optimizer", "providers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known once the files are read."""

    session: Session
    allocation: Allocation
    tariffs: tuple[Tariff, ...]
    rules: Rules


def read(request: Request) -> Reading:
    """Read the files that were asked for."""
    from app.saving import rules_of
    from app.session import load
    from app.tui.pools import allocation_of

    session = load(request)
    return Reading(
        session=session,
        allocation=allocation_of(session.inputs),
        tariffs=tariffs_in(session.inputs),
        rules=rules_of(request.config),
    )


def solved(session: Session) -> Solved:
    """Solve the session."""
    begun = monotonic()
    plan = session.plan()
    return Solved(plan=plan, tariffs=tariffs_in(session.inputs), seconds=monotonic() - begun)


def saved(desk: Desk, out: str, *, created: datetime, overwrite: bool) -> str:
    """Write the plan on screen to a file, with a note of every price that was typed; return where it is.

    Raises:
        TakenError: the file exists, and is not to be overwritten.
        UsageError: there is no plan, the ending of the file is unknown, or nothing can be written there.
    """
    from app.saving import save

    shown = desk.shown
    if shown is None or shown.solved is None or desk.rules is None or not desk.savable:
        raise UsageError("the plan is still being worked out; press enter again once it is there")
    session = replace(shown.session, diagnostics=(*shown.session.diagnostics, *_typed(desk)))
    path, gates = save(out, session, shown.solved.plan, rules=desk.rules, created=created, overwrite=overwrite)
    return name(f"wrote {path}" + ("" if gates == "none" else f"; gates: {gates}"))


def _typed(desk: Desk) -> list[Diagnostic]:
    """Note the prices that are not those of the files that the plan names."""
    from providers.tables import Diagnostic

    hint = "it stands in no file; change the offer there to plan with it again"
    return [
        Diagnostic(level="note", code="typed_price", message=f"{edit} was typed as a price", hint=hint)
        for edit in desk.edits
    ]


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
