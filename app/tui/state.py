"""What the desk holds: the edits made so far, the plan that is on screen, and what is going on.

Two of these are the same only if they are one object: frames do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.gate_rules import Rules
    from app.negotiation import History, Step
    from app.session import Session
    from app.tui.pools import Allocation
    from optimizer.plan import Plan, QuoteValue
    from optimizer.tariffs import Tariff
    from providers.tables import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Desk:
    """All that the screens show.

    history: None until the files are read. offered: the tariffs, known before the first plan.
    shown: the step whose plan is on screen. before: the one that was there before it.
    stage: what the program is doing, empty when it is done. problem: what went wrong last. rules: the gates of the
    settings, None until they are read. note: what was done last apart from edits. found: what was found about the
    session itself.
    """

    history: History | None = None
    allocation: Allocation | None = None
    offered: tuple[Tariff, ...] = ()
    shown: Step | None = None
    before: Step | None = None
    stage: str = "reading usage"
    problem: str = ""
    rules: Rules | None = None
    note: str = ""
    found: tuple[Diagnostic, ...] = ()

    @property
    def session(self) -> Session | None:
        """The session that is being worked on."""
        return self.history.now.session if self.history else None

    @property
    def plan(self) -> Plan | None:
        """The plan on screen."""
        return self.shown.solved.plan if self.shown and self.shown.solved else None

    @property
    def plan_before(self) -> Plan | None:
        """The plan that was on screen before."""
        return self.before.solved.plan if self.before and self.before.solved else None

    @property
    def tariffs(self) -> tuple[Tariff, ...]:
        """What can be bought, at the prices of the plan on screen."""
        return self.shown.solved.tariffs if self.shown and self.shown.solved else self.offered

    @property
    def whole(self) -> bool:
        """Whether all of the plan on screen is known, what every quote is worth included."""
        return bool(self.shown and self.shown.solved and self.shown.solved.whole)

    @property
    def savable(self) -> bool:
        """Whether the plan on screen is that of the newest edit, and all of it is known."""
        return self.whole and not self.stage

    @property
    def edits(self) -> tuple[str, ...]:
        """The edits that led to where we are, oldest first."""
        return tuple(str(step.edit) for step in self.history.steps[1 : self.history.at + 1]) if self.history else ()

    @property
    def currency(self) -> str:
        """The currency of every amount."""
        return self.session.currency if self.session else "USD"

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was found while reading and planning."""
        return (
            *self.found,
            *(self.session.diagnostics if self.session else ()),
            *(self.plan.diagnostics if self.plan else ()),
        )

    def showing(self, history: History) -> Desk:
        """Show the step we are at, which has its plan, be it whole or not yet."""
        solved = history.now.solved
        before = self.before if history.now.session is (self.shown and self.shown.session) else self.shown
        stage = "" if solved and solved.whole else "valuing quotes"
        return replace(self, history=history, shown=history.now, before=before, stage=stage, problem="")

    def failed(self, problem: str) -> Desk:
        """Keep the plan on screen and say what went wrong."""
        if self.history is None:
            return replace(self, stage="", problem=problem, note="")
        history = self.history.fallen_back()
        shown = history.now if history.now.solved else self.shown
        return replace(self, history=history, shown=shown, stage="", problem=problem, note="")

    def values(self) -> Mapping[str, QuoteValue]:
        """Return what each quote is worth in the plan on screen, as far as it is known yet."""
        return {value.tariff.offer_id: value for value in self.plan.walk_away} if self.plan else {}
