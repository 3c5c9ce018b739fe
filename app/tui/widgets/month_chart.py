"""The recommended mix: stacked over the hours, the busiest first, or over the months, in money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from app.tui.planning import hours_at, served_of
from app.tui.widgets.canvas import Unit, says
from app.tui.widgets.mix import KINDS
from app.tui.widgets.stack import SHORT, StackChart

if TYPE_CHECKING:
    from app.tui.planning import Ahead
    from app.tui.widgets.canvas import Line
    from optimizer.plan import Plan

View = Literal["hours", "cost", "cash"]
VIEWS: tuple[View, ...] = ("hours", "cost", "cash")
WORKING = "being worked out…"
PARTS = 4  # of the hours, that are labelled
JOINT = {dict(KINDS)["bought"]: "held", SHORT["bought"]: "held"}  # what is bought and what is owned, as one


class MixChart(StackChart):
    """GPUs by hour or $ by month, by kind of capacity."""

    about = "no plan yet"
    joint = False

    def show_plan(self, plan: Plan | None, ahead: Ahead | None, view: View, currency: str) -> None:
        """Draw one view of a plan; its months may not be known yet."""
        self.about, self.joint = "", False
        if plan is None:
            self.about = "no plan yet"
            self.changed()
        elif view == "hours":
            curves, self.joint = served_of(plan)
            self.show(curves, labels=hours_at(plan.load.hours, PARTS), unit=Unit(name="GPUs"))
        elif ahead is None:
            self.about = WORKING
            self.changed()
        else:
            columns = ahead.cost if view == "cost" else ahead.cash
            unit = Unit(name=" a month, cost" if view == "cost" else " a month, cash", currency=currency)
            self.show(columns, labels=ahead.months, unit=unit)

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is drawn at a size: the chart, or why there is none."""
        if self.about:
            return says(self.about, width, height)
        drawn = super().lines(width, height)
        return [*drawn[:-1], _renamed(drawn[-1])] if self.joint and len(drawn) > 1 else drawn


def _renamed(key: Line) -> Line:
    return [(text.replace(text.strip(), JOINT.get(text.strip(), text.strip()), 1), style) for text, style in key]
