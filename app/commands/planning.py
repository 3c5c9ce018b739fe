"""What the commands that plan have in common: load, solve, and say on stderr what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.commands.options import request_of

if TYPE_CHECKING:
    from app.diagnostics import Voice
    from app.reports.planfile import PlanFile
    from app.session import Session
    from optimizer.plan import Plan

SILENT_ON_NOTES = {"json", "csv"}  # forms that hold no notes, so that stderr has to


def planned(voice: Voice, given: dict[str, Any], form: str) -> tuple[Session, Plan, PlanFile]:
    """Plan what the options ask for."""
    from app.reports.document import document
    from app.session import load

    request = request_of(given)
    with voice.waiting("reading"):
        session = load(request)
    voice.report(session.diagnostics, notes=form in SILENT_ON_NOTES)
    with voice.waiting("solving"):
        plan = session.plan()
    voice.report(plan.diagnostics, notes=form in SILENT_ON_NOTES)
    if form not in SILENT_ON_NOTES:
        voice.report(found for found in plan.diagnostics if (found.level, found.code) == ("note", "forecast"))
    return session, plan, document(session, plan, created=request.now)
