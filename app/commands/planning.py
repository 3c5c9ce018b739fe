"""What the commands that plan have in common: load, solve, and say on stderr what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.commands.options import only_session, request_of

if TYPE_CHECKING:
    from app.diagnostics import Voice
    from app.reports.planfile import PlanFile
    from app.session import Session
    from optimizer.plan import Plan

SILENT_ON_NOTES = {"json", "csv"}  # forms that hold no notes, so that stderr has to


def session_of(given: dict[str, Any]) -> Session:
    """Read what the options ask for, or what a session of the terminal UI holds."""
    from app.session import load
    from app.sessions import Sessions, negotiated

    name, asked = only_session(given), request_of(given)
    if name is None:
        return load(asked)
    return negotiated(Sessions().read(name), now=asked.now if given["now"] else None)


def planned(voice: Voice, given: dict[str, Any], form: str) -> tuple[Session, Plan, PlanFile]:
    """Plan what the options ask for."""
    from app.reports.document import document

    with voice.waiting("reading"):
        session = session_of(given)
    voice.report(session.diagnostics, notes=form in SILENT_ON_NOTES)
    with voice.waiting("solving"):
        plan = session.plan()
    voice.report(plan.diagnostics, notes=form in SILENT_ON_NOTES)
    if form not in SILENT_ON_NOTES:
        voice.report(found for found in plan.diagnostics if (found.level, found.code) == ("note", "forecast"))
    return session, plan, document(session, plan, created=session.inputs.now)
