"""What the desk holds: the edits made so far, the plan that is on screen, and what is going on.

Two of these are the same only if they are one object: frames do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.gate_rules import Rules
    from app.session import Session
    from app.tui.pools import Allocation
    from optimizer.plan import Plan
    from optimizer.tariffs import Tariff
    from providers.tables import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """A session's plan, the tariffs it chose from, and the seconds that took."""

    plan: Plan
    tariffs: tuple[Tariff, ...]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One state of the desk: its session, the edit that led to it, and its plan once there is one."""

    session: Session
    edit: str = ""
    solved: Solved | None = None


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Every step taken, the one we are at, and those undone after it."""

    steps: tuple[Step, ...]
    at: int = 0

    @property
    def now(self) -> Step:
        """The step we are at."""
        return self.steps[self.at]

    @property
    def undoable(self) -> bool:
        """Whether there is an edit to undo."""
        return self.at > 0

    @property
    def redoable(self) -> bool:
        """Whether there is an undone edit."""
        return self.at + 1 < len(self.steps)

    def edited(self, step: Step) -> History:
        """Take a step; what was undone before it is gone."""
        return History((*self.steps[: self.at + 1], step), self.at + 1)

    def undone(self) -> History:
        """Go back one step."""
        return replace(self, at=max(self.at - 1, 0))

    def redone(self) -> History:
        """Take back one undo."""
        return replace(self, at=min(self.at + 1, len(self.steps) - 1))

    def solved(self, solved: Solved) -> History:
        """Give the step we are at its plan."""
        steps = list(self.steps)
        steps[self.at] = replace(self.now, solved=solved)
        return replace(self, steps=tuple(steps))

    def fallen_back(self) -> History:
        """Go back to the nearest step that has a plan; the failed ones can be redone."""
        good = (index for index in range(self.at, -1, -1) if self.steps[index].solved is not None)
        return replace(self, at=next(good, self.at))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Desk:
    """All that the screen shows.

    history: None until the files are read. offered: the tariffs, known before the first plan.
    shown: the step whose plan is on screen. before: the one that was there before it.
    stage: what the program is doing, empty when it is done. problem: what went wrong last. rules: the gates of the
    settings, None until they are read. note: where the plan on screen was saved, empty where it was not.
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
    def savable(self) -> bool:
        """Whether the plan on screen is that of the newest edit."""
        return self.plan is not None and not self.stage

    @property
    def edits(self) -> tuple[str, ...]:
        """The edits that led to where we are, oldest first."""
        return tuple(step.edit for step in self.history.steps[1 : self.history.at + 1]) if self.history else ()

    @property
    def currency(self) -> str:
        """The currency of every amount."""
        return self.session.currency if self.session else "USD"

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What was found while reading and planning."""
        return (
            *(self.session.diagnostics if self.session else ()),
            *(self.plan.diagnostics if self.plan else ()),
        )

    def showing(self, history: History) -> Desk:
        """Show the step we are at, which has its plan."""
        before = self.before if history.now.session is (self.shown and self.shown.session) else self.shown
        return replace(self, history=history, shown=history.now, before=before, stage="", problem="", note="")

    def failed(self, problem: str) -> Desk:
        """Keep the plan on screen and say what went wrong."""
        if self.history is None:
            return replace(self, stage="", problem=problem, note="")
        history = self.history.fallen_back()
        shown = history.now if history.now.solved else self.shown
        return replace(self, history=history, shown=shown, stage="", problem=problem, note="")
