"""What is done off the screen's thread: reading and solving. The heavy libraries are imported when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from app.tui.state import Solved
from app.tui.words import name

if TYPE_CHECKING:
    from app.session import Request, Session
    from app.tui.pools import Allocation
    from optimizer.stated import Inputs
    from optimizer.tariffs import Tariff

OURS = ("app", "optimizer", "providers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is known once the files are read."""

    session: Session
    allocation: Allocation
    tariffs: tuple[Tariff, ...]


def read(request: Request) -> Reading:
    """Read the files that were asked for."""
    from app.session import load
    from app.tui.pools import allocation_of

    session = load(request)
    return Reading(session=session, allocation=allocation_of(session.inputs), tariffs=tariffs_in(session.inputs))


def solved(session: Session) -> Solved:
    """Solve the session."""
    begun = monotonic()
    plan = session.plan()
    return Solved(plan=plan, tariffs=tariffs_in(session.inputs), seconds=monotonic() - begun)


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
