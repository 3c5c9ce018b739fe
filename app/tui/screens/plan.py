"""The plan: what to buy and what is owned, and what carries the demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal

from app.tui import captions, details
from app.tui.screens.base import BaseScreen
from app.tui.widgets.mix import Mix
from app.tui.widgets.pane import Pane
from app.tui.widgets.purchases import Purchases

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

    from app.tui.state import Desk


class PlanScreen(BaseScreen):
    """Purchases with their reasons, and the mix that they make."""

    NAME = "plan"
    ABOUT = "What to buy, what is owned already, what carries the demand, and how sure the plan is."

    def panes(self) -> Iterable[Pane]:
        """Return what is held."""
        yield Pane(1, "Plan", Horizontal(Purchases(), Mix(), id="plan-body"), id="pane-plan")

    def draw(self, desk: Desk, drawn: Desk | None) -> None:
        """Draw the plan whenever it is another."""
        if desk.plan is not None and (drawn is None or desk.plan is not drawn.plan):
            self.query_one(Purchases).show(desk.plan, desk.currency)
            self.query_one(Mix).show(desk.plan, desk.currency)

    def describe(self) -> None:
        """Say how much there is to buy."""
        self.query_one(Pane).describe(captions.of_plan(self.desk.plan, self.desk.currency))

    def detail(self) -> Text | None:
        """Tell a purchase and why it is in the plan."""
        purchase = self.query_one(Purchases).purchase
        return details.of_purchase(purchase, self.desk.currency) if purchase else None
