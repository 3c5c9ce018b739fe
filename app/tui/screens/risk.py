"""Risk: what the plan comes to in other futures, what less risk costs, what is stranded, and rules on the past."""

from __future__ import annotations

from functools import partial
from threading import Semaphore
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from app.tui import risk_words
from app.tui.aside import aside
from app.tui.risks import Errand, Future, Idle, Past, backtest_of, futures_in, idle_of, planned, sensitivity
from app.tui.screens.base import BaseScreen
from app.tui.widgets.backtests import Backtests
from app.tui.widgets.frontier import Frontier
from app.tui.widgets.outcomes import Outcomes
from app.tui.widgets.pane import Pane
from app.tui.widgets.stranded import Stranded
from app.tui.work import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.binding import BindingType

    from app.session import Session
    from app.tui.state import Desk

SCENARIOS, FRONTIER, STRANDED, PAST = 1, 2, 3, 4
TRYING = Semaphore(1)  # the past and other demand wait for each other, and no edit waits for them
ROOM, ROOM_BELOW = 12, 17  # lines of the pane from which it can say how to get scenarios, below one row or five


class RiskScreen(BaseScreen):
    """What can go wrong; nothing slow is worked out unless somebody asks for it."""

    NAME = "risk"
    ABOUT = (
        "What the plan comes to in each scenario, what less risk would cost, what is paid for commitments that stand "
        "idle, and how rules for buying would have done on the past. Without scenarios it says what keeping the plan's "
        "purchases costs if the demand is another. Stranded: paid for held hours that are not used. Regret: dearer "
        "than the best plan for that future, or than hindsight."
    )
    CSS_PATH = "risk.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "try_demand", "Demand", id="risk.demand", tooltip="Keep the purchases while demand is another"),
        Binding("k", "try_past", "Back-test", id="risk.past", tooltip="Try rules for buying on the past"),
        Binding(
            "escape", "abandon", "Abandon", id="risk.abandon", tooltip="Wait no longer for what is being worked out"
        ),
    ]
    BUSY = frozenset({"try_demand", "try_past", "abandon"})

    def __init__(self) -> None:
        super().__init__()
        self._demand: Errand[tuple[Future, ...]] = Errand()
        self._past: Errand[Past] = Errand()
        self._asked: dict[str, Worker[object]] = {}
        self._idle: list[Idle] = []

    def panes(self) -> Iterable[Pane]:
        """Return scenarios, frontier, stranded commitments, and the past."""
        notes = Static(id="risk-notes", classes="risk-line"), Static(id="risk-how", classes="risk-line")
        yield Pane(SCENARIOS, "Scenarios", notes[0], Outcomes(), notes[1], id="pane-scenarios")
        yield Pane(FRONTIER, "Frontier", Frontier(id="frontier"), id="pane-frontier")
        yield Pane(STRANDED, "Stranded", Stranded(), id="pane-stranded")
        yield Pane(PAST, "Back-test", Static(id="risk-past", classes="risk-line"), Backtests(), id="pane-past")

    @property
    def session(self) -> Session | None:
        """The session whose plan is on screen."""
        return self.desk.shown.session if self.desk.shown else None

    def draw(self, desk: Desk, drawn: Desk | None) -> None:
        """Draw the plan whenever it is another; what is worked out for another session is given up."""
        for errand, name in ((self._demand, "demand"), (self._past, "past")):
            if errand.wanted and not errand.running(self.session):
                self._give_up(errand, name)
        if desk.plan is None or (drawn is not None and desk.plan is drawn.plan):
            return
        self._idle = idle_of(desk.plan)
        self.query_one(Stranded).show(self._idle, desk.currency)
        self._draw_futures()
        self._draw_past()

    def _draw_futures(self) -> None:
        plan, currency, tried = self.desk.plan, self.desk.currency, self._tried
        if plan is None:
            return
        outcomes, frontier = self.query_one(Outcomes), self.query_one(Frontier)
        if plan.risk is not None:
            outcomes.show(futures_in(plan.risk), currency, scenarios=True)
            frontier.show_risk(plan.risk, currency)
        elif self._awaits_scenarios:
            outcomes.show([], currency, scenarios=True)
            frontier.say("being worked out…")
        else:
            outcomes.show(tried or [planned(plan)], currency, scenarios=False)
            if tried:
                frontier.show_demand(tried, currency)
            else:
                frontier.say("y: the cost of this plan if the demand is another")
        self._draw_notes()

    @property
    def _tried(self) -> tuple[Future, ...]:
        found = self._demand.found(self.session)
        return () if found is None or isinstance(found, str) else found

    @property
    def _awaits_scenarios(self) -> bool:
        """Whether the plan was made for scenarios whose outcomes are not known yet."""
        session, plan = self.session, self.desk.plan
        return session is not None and bool(session.inputs.scenarios) and (plan is None or plan.risk is None)

    def _draw_notes(self) -> None:
        plan, currency = self.desk.plan, self.desk.currency
        note, how = self.query_one("#risk-notes", Static), self.query_one("#risk-how", Static)
        if plan is None or self._awaits_scenarios:
            note.update(Text("what the plan comes to in each scenario is being worked out…" if plan else ""))
        elif plan.risk is not None:
            note.update(risk_words.summary(plan.risk, currency))
        else:
            note.update(risk_words.demand_line(self._demand, self.session))
        alone = plan is not None and plan.risk is None and not self._awaits_scenarios
        how.display = alone and self._room >= (ROOM_BELOW if self._tried else ROOM)
        how.update(risk_words.how_to())

    @property
    def _room(self) -> int:
        """How many lines a pane has, or would have if it were shown."""
        room = self.query_one("#panes").size.height
        return room if self.has_class("-narrow") or self.has_class("-short") else room // 2

    def on_resize(self) -> None:
        """Say how to get scenarios where there is room for it."""
        self.call_after_refresh(self._draw_notes)

    def _draw_past(self) -> None:
        found = self._past.found(self.session)
        past = None if isinstance(found, str) else found
        self.query_one(Backtests).show(past, self.desk.currency)
        self._draw_past_line()

    def _draw_past_line(self) -> None:
        line = self.query_one("#risk-past", Static)
        line.update(risk_words.past_line(self._past, self.session, self.desk.currency) if self.desk.plan else Text())

    def describe(self) -> None:
        """Say what the panes show, and what is being worked out."""
        scenarios, frontier, stranded, past = self._panes
        plan, currency = self.desk.plan, self.desk.currency
        scenarios.describe("" if self._awaits_scenarios else risk_words.of_scenarios(plan))
        frontier.describe("" if self._awaits_scenarios else risk_words.of_frontier(plan, tried=bool(self._tried)))
        stranded.describe(risk_words.of_stranded(self._idle, plan, currency))
        past.describe(risk_words.of_past(self._past, self.session, planned=plan is not None))

    def detail(self) -> Text | None:
        """Tell the row under the cursor in full."""
        currency = self.desk.currency
        if self.current == STRANDED:
            idle = self.query_one(Stranded).idle
            return risk_words.idle_detail(idle, currency) if idle else None
        if self.current == PAST:
            rule, past = self.query_one(Backtests).rule, self._past.found(self.session)
            return risk_words.rule_detail(rule, past, currency) if rule and isinstance(past, Past) else None
        future = self.query_one(Outcomes).future
        return risk_words.future_detail(future, currency) if future else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which actions are possible now."""
        if action not in self.BUSY or self.typing:
            return super().check_action(action, parameters)
        if action == "abandon":
            return True if self._demand.wanted or self._past.wanted else None
        session = self.session
        if session is None or self.desk.plan is None:
            return None
        if action == "try_demand":
            return None if session.inputs.scenarios or self._demand.running(session) else True
        return None if self._past.running(session) else True

    def action_try_demand(self) -> None:
        """Keep the plan's purchases while the demand comes out lower and higher."""
        session, plan = self.session, self.desk.plan
        if session is not None and plan is not None and not self._tried:
            wanted = self._demand.begin(session)
            self._try("demand", partial(sensitivity, session, plan, wanted))
        self.action_pane(SCENARIOS)

    def action_try_past(self) -> None:
        """Try rules for buying on the past."""
        session = self.session
        if session is not None and not isinstance(self._past.found(session), Past):
            self._past.begin(session)
            self._try("past", partial(backtest_of, session))
        self.action_pane(PAST)

    def _try(self, name: str, work: Callable[[], object]) -> None:
        self._asked[name] = self.run_worker(aside(work, TRYING), group=name, exclusive=True, exit_on_error=False)
        self._retell()

    def action_abandon(self) -> None:
        """Wait no longer; a solve that has begun ends unseen."""
        self._give_up(self._demand, "demand")
        self._give_up(self._past, "past")
        self._retell()

    def _give_up(self, errand: Errand[Any], name: str) -> None:
        errand.end()
        self.workers.cancel_group(self, name)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Keep what was asked for last, and draw it."""
        name = next((name for name, worker in self._asked.items() if worker is event.worker), None)
        errands: dict[str | None, Errand[Any]] = {"demand": self._demand, "past": self._past}
        errand = errands.get(name)
        if errand is None or event.state not in {WorkerState.SUCCESS, WorkerState.ERROR}:
            return
        error = event.worker.error
        errand.end(event.worker.result if error is None else explained(error))
        self._draw_futures()
        self._draw_past()
        self._retell()

    def count_seconds(self) -> None:
        """Show how long what was asked for has taken."""
        super().count_seconds()
        if self.is_current and (self._demand.wanted or self._past.wanted):
            self._retell()

    def _retell(self) -> None:
        self._draw_notes()
        self._draw_past_line()
        self.tell()
        self.refresh_bindings()
