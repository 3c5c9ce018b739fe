"""Every step of a negotiation: its edits, where we are among them, and what each one's plan is.

Two steps are the same only if they are one object: frames do not compare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from app.edits import Edit
    from app.session import Session
    from optimizer.plan import Plan
    from optimizer.tariffs import Tariff


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """A session's plan, the tariffs it chose from, the seconds that took, and whether all of it is known."""

    plan: Plan
    tariffs: tuple[Tariff, ...]
    seconds: float
    whole: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """One state of the desk: its session, the edit that led to it and when, and its plan once there is one."""

    session: Session
    edit: Edit | None = None
    typed: datetime | None = None
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

    def edited(self, line: str, typed: datetime | None = None) -> History:
        """Take a step by one more edit; what was undone before it is gone.

        Raises:
            UsageError: the edit cannot be read, or not be made.
        """
        session = self.now.session.after(line, typed)
        step = Step(session=session, edit=session.edits[-1], typed=typed)
        return History((*self.steps[: self.at + 1], step), self.at + 1)

    def gone_to(self, at: int) -> History:
        """Go to a step by its number: undo goes back, redo forth."""
        return replace(self, at=max(min(at, len(self.steps) - 1), 0))

    def solved(self, solved: Solved) -> History:
        """Give the step we are at its plan."""
        steps = list(self.steps)
        steps[self.at] = replace(self.now, solved=solved)
        return replace(self, steps=tuple(steps))

    def fallen_back(self) -> History:
        """Go back to the nearest step that has a plan; the failed ones can be redone."""
        good = (index for index in range(self.at, -1, -1) if self.steps[index].solved is not None)
        return replace(self, at=next(good, self.at))
