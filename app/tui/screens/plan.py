"""The plan: what to buy and what is owned, what carries the demand by hour and by month, and what ends when."""

from __future__ import annotations

from functools import partial
from threading import Semaphore
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import Horizontal
from textual.worker import Worker, WorkerState

from app.tui import captions, details, plan_words
from app.tui.aside import aside
from app.tui.planning import ahead_of, figures_of, limit_of
from app.tui.screens.base import BaseScreen
from app.tui.widgets.calendar import Calendar
from app.tui.widgets.figures import Figures
from app.tui.widgets.mix import Mix
from app.tui.widgets.month_chart import VIEWS, MixChart
from app.tui.widgets.pane import Pane
from app.tui.widgets.purchases import Purchases
from app.tui.work import explained

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text
    from textual.binding import BindingType

    from app.tui.planning import Ahead
    from app.tui.state import Desk
    from app.tui.widgets.month_chart import View
    from optimizer.plan import Plan
    from optimizer.tariffs import Tariff

PLAN, CURVE, CALENDAR = 1, 2, 3
CALENDARS = Semaphore(1)


class PlanScreen(BaseScreen):
    """Purchases with their reasons, the mix that they make, and how they run out."""

    NAME = "plan"
    QUOTES = True
    ABOUT = (
        "What to buy, what is owned already, what carries the demand, and how sure the plan is. The curve shows the "
        "GPUs in use in every hour planned, the busiest first, by what serves them; or money by month: cost as it is "
        "used, cash as it is paid, both with what is still owed after the plan. The calendar lists every commitment, "
        "the next to end first; its bars go from the start of the plan to its end, lighter where the plan counts on "
        "renewal, with an arrow where a commitment outlasts it."
    )
    CSS_PATH = "plan.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "c",
            "turn_curve",
            "Hours/months",
            id="plan.curve",
            tooltip="Switch the curve between GPUs by hour, cost by month and cash by month",
        ),
    ]
    BUSY = frozenset({"turn_curve"})

    def __init__(self) -> None:
        super().__init__()
        self._view: View = VIEWS[0]
        self._shown: Plan | None = None
        self._ahead: Ahead | None = None
        self._problem = ""
        self._asked: Worker[Ahead] | None = None

    def panes(self) -> Iterable[Pane]:
        """Return what is held, the curve of what carries the demand, and the calendar with the figures."""
        yield Pane(PLAN, "Plan", Horizontal(Purchases(), Mix(), id="plan-body"), id="pane-plan")
        yield Pane(CURVE, "Curve", MixChart(id="plan-curve"), id="pane-plan-curve")
        yield Pane(CALENDAR, "Calendar", Calendar(), Figures(), id="pane-calendar")

    def draw(self, desk: Desk, drawn: Desk | None) -> None:
        """Draw the plan whenever it is another."""
        plan = desk.plan
        if plan is None or (drawn is not None and plan is drawn.plan):
            return
        if self._shown is None or plan.purchases is not self._shown.purchases or plan.floors is not self._shown.floors:
            self._ask(plan)
        self._shown = plan
        self.query_one(Purchases).show(plan, desk.currency)
        self.query_one(Mix).show(plan, desk.currency)
        self._draw_ahead()

    def _ask(self, plan: Plan) -> None:
        """Work out the months and the calendar of a plan, beside the screen."""
        session = self.desk.shown.session if self.desk.shown else None
        if session is not None:
            self._ahead, self._problem = None, ""
            work = partial(ahead_of, session, plan)
            self._asked = self.run_worker(aside(work, CALENDARS), group="ahead", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Draw the calendar that was asked for last."""
        if event.worker is not self._asked:
            return
        if event.state is WorkerState.SUCCESS:
            self._ahead = self._asked.result
        elif event.state is WorkerState.ERROR and event.worker.error is not None:
            self._problem = explained(event.worker.error)
        else:
            return
        self._draw_ahead()
        self.tell()

    def _draw_ahead(self) -> None:
        plan, ahead, currency = self._shown, self._ahead, self.desk.currency
        self.query_one(MixChart).show_plan(plan, ahead, self._view, currency)
        if ahead is not None:
            self.query_one(Calendar).show(ahead, currency)
        if plan is not None:
            limits = [f"Limit {limit_of(limit, currency)}" for limit in plan.limits]
            self.query_one(Figures).show(figures_of(plan, ahead, currency), limits)

    def describe(self) -> None:
        """Say how much there is to buy, what the curve shows, and what ends next."""
        plan, curve, calendar = self._panes
        plan.describe(captions.of_plan(self.desk.plan, self.desk.currency))
        curve.describe(plan_words.of_curve(self._shown, self._ahead, self._view))
        calendar.describe(self._problem or plan_words.of_calendar(self._ahead))

    def tariff(self) -> Tariff | None:
        """Return what is bought under the cursor, where it is a quote."""
        purchase = self.query_one(Purchases).purchase if self.current == PLAN else None
        return purchase.tariff if purchase is not None and purchase.tariff.status == "quote" else None

    def detail(self) -> Text | None:
        """Tell a purchase and why it is in the plan, what the curve comes to, or a commitment and when it ends."""
        currency = self.desk.currency
        if self.current == CURVE:
            return plan_words.curve_detail(self._shown, self._ahead, self._view, currency)
        if self.current == CALENDAR:
            holding = self.query_one(Calendar).holding
            return plan_words.holding_detail(holding, currency) if holding else None
        purchase = self.query_one(Purchases).purchase
        return details.of_purchase(purchase, currency) if purchase else None

    def action_turn_curve(self) -> None:
        """Show the next view of the curve."""
        self._view = VIEWS[(VIEWS.index(self._view) + 1) % len(VIEWS)]
        self._draw_ahead()
        self.action_pane(CURVE)
