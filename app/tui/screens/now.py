"""The present: what is spent an hour and on what, how far budgets are spent, and how old every source is."""

from __future__ import annotations

from functools import partial
from threading import Semaphore
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from app.tui import burn_words, words
from app.tui.aside import aside
from app.tui.burning import View, burning_of, rows_behind
from app.tui.ink import Ink
from app.tui.screens.base import BaseScreen
from app.tui.widgets.budgets import Budgets, Sources
from app.tui.widgets.burn import BurnTable, Rate
from app.tui.widgets.pane import Pane
from app.tui.widgets.table import FittedTable
from app.tui.work import explained

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType

    from app.tui.burning import Burning
    from app.tui.state import Desk

BURN, BUDGETS, SOURCES = 1, 2, 3
AGING = 10.0  # seconds between two looks at how old everything is
BURNS = Semaphore(1)  # figures of the present do not queue behind a solve


class Place(NamedTuple):
    """Where somebody is: what is looked at, the row under the cursor, None for the first one, and the filter."""

    view: View
    key: str | None = None
    filtered: str = ""


class NowScreen(BaseScreen):
    """What runs now and costs, refreshed as long as it is on screen."""

    NAME = "now"
    ABOUT = (
        "What is spent on GPUs an hour, now: live from OpenCost or Prometheus, else from the last hour of the bill, "
        "whose age is told. Go into a row to see what it is made of, and back; b breaks the same down by another "
        "column, any tag included. Allocated is what was requested, used the part of it that was active, idle what is "
        "paid for and requested by nobody."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "beside(1)", "Split by", id="now.next", tooltip="Break the same down by the next column"),
        Binding(
            "B",
            "beside(-1)",
            "Split before",
            id="now.before",
            tooltip="Break the same down by the column before",
            show=False,
        ),
        Binding("l", "rows", "Rows", id="now.rows", tooltip="List the rows of usage behind the row under the cursor"),
    ]
    BUSY = frozenset({"back", "beside", "rows"})
    CSS_PATH = "now.tcss"

    def __init__(self) -> None:
        self._been: list[Place] = []
        super().__init__()
        self._view = View()
        self._landing: Place | None = None
        self._shown: Burning | None = None
        self._asked: Worker[Burning] | None = None
        self._problem = ""

    def panes(self) -> Iterable[Pane]:
        """Return the burn rate, the budgets and the sources."""
        yield Pane(BURN, "Burn", Rate(), BurnTable(), id="pane-burn")
        yield Pane(
            BUDGETS, "Budgets", Static(Text(burn_words.NO_BUDGETS), id="no-budgets"), Budgets(), id="pane-budgets"
        )
        yield Pane(SOURCES, "Sources", Static(id="how"), Sources(), id="pane-sources")

    def on_mount(self) -> None:
        """Follow what runs now, and let it age."""
        self.watch(self.app, "live", self._ask, init=False)
        self.set_interval(AGING, self._age)

    def on_screen_resume(self) -> None:
        """Catch up with what ran while another screen was shown."""
        if self._shown is None or self._shown.live is not self.tranche.live:
            self._ask()

    def draw(self, desk: Desk, drawn: Desk | None) -> None:
        """Work the figures out again where prices or budgets are others."""
        if drawn is None or self._shown is None:
            self._paint()
        if drawn is None or desk.session is not drawn.session or desk.rules is not drawn.rules:
            self._ask()

    def _ask(self) -> None:
        """Work out beside the screen what is spent now; what was asked before is no longer waited for."""
        live, desk = self.tranche.live, self.desk
        if live is None or not self.is_current:
            return
        inputs = desk.session.inputs if desk.session else None
        work = partial(
            burning_of,
            live,
            view=self._view,
            budgets=desk.rules.budgets if desk.rules else {},
            offers=inputs.offers if inputs else None,
            history=inputs.usage if inputs else None,
        )
        self._asked = self.run_worker(partial(aside, work, BURNS), group="burn", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show what was asked for last; what fails leaves the figures as they are."""
        if event.worker is not self._asked or not self._asked.is_finished:
            return
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self._problem = explained(event.worker.error)
            self._view = self._shown.view if self._shown else View()
            self._landing = None
        elif event.state is WorkerState.SUCCESS and event.worker.result is not None:
            self._problem, self._shown = "", event.worker.result
            self._view = self._shown.view
            self._paint()
        self._been = self._been[: len(self._view.path)]
        self.tell()
        self.refresh_bindings()

    def _paint(self) -> None:
        """Draw what is known."""
        burning, currency = self._shown, self.desk.currency
        if burning is None:
            self.query_one(Rate).say(self.desk.problem or f"{self.desk.stage or 'what runs now is being asked'}…")
            return
        table, landing, self._landing = self.query_one(BurnTable), self._landing, None
        if landing is None:
            table.show(burning, currency)
        else:
            table.filter("")
            table.show(burning, currency, at=landing.key or next((burn.key for burn in burning.rows), None))
            table.filter(landing.filtered)
        self.query_one(Budgets).show(burning.budgets, currency)
        self.query_one("#no-budgets").display = not burning.budgets
        self._paint_ages()

    def _paint_ages(self) -> None:
        if self._shown is not None:
            live, now, ink = self._shown.live, self.tranche.clock(), Ink.of(self.app.theme_variables)
            self.query_one(Rate).show(self._shown, self.desk.currency, now)
            self.query_one("#how", Static).update(
                Text(burn_words.how(live, now), style=burn_words.how_style(live, ink))
            )
            self.query_one(Sources).show(live, now)

    def _age(self) -> None:
        """Say anew how old everything is."""
        if self.is_current and self._shown is not None:
            self._paint_ages()
            self.tell()

    def describe(self) -> None:
        """Say where we are, which month the budgets are of, and how new the figures are."""
        burn, budgets, sources = self._panes
        burning = self._shown
        burn.describe(self._where())
        budgets.describe(burn_words.of_budgets(burning) if burning else "")
        sources.describe(burn_words.of_sources(burning.live) if burning else "")

    def _where(self) -> str:
        view, table = self._view, self.query_one(BurnTable)
        by = f" by {burn_words.column(view.by)}" if view.by else ""
        parts = [
            f"{burn_words.trail(view.path)}{by}{'…' if self._moving else ''}",
            f"{table.info} rows: {words.name(table.filtered)}" if table.filtered else "",
            self._problem,
        ]
        return "  ".join(part for part in parts if part)

    def detail(self) -> Text | None:
        """Tell the row under the cursor in full."""
        burning, currency = self._shown, self.desk.currency
        if burning is None:
            return None
        if self.current == BURN:
            burn = self.query_one(BurnTable).burn
            return burn_words.of_burn(burn, burning, currency) if burn else None
        if self.current == BUDGETS:
            budget = self.query_one(Budgets).budget
            return burn_words.of_budget(budget, burning, currency) if budget else None
        source = self.query_one(Sources).source
        return burn_words.of_source(source, self.tranche.clock(), Ink.of(self.app.theme_variables)) if source else None

    @property
    def _moving(self) -> bool:
        """Whether something else is asked for than what is shown."""
        return self._shown is not None and self._shown.view != self._view

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which actions are possible where we are."""
        if action == "edit":
            return False
        if action not in self.BUSY or self.typing:
            return super().check_action(action, parameters)
        if action == "back":
            return bool(self._been)
        return True if self._shown is not None else None

    @on(FittedTable.Chosen, "#burn")
    def go_into(self) -> None:
        """Show what the row under the cursor is made of: another level, and at last the rows of usage."""
        burning, table = self._shown, self.query_one(BurnTable)
        burn = table.burn
        if burning is None or burn is None or self._moving:
            return
        if burn is burning.total:
            self.action_back()
        elif deeper := burning.deeper(burn):
            self._been.append(Place(burning.view, burn.key, table.filtered))
            self._go(Place(deeper))
        else:
            self.action_rows()

    def _go(self, place: Place) -> None:
        self._view, self._landing = place.view, place
        self._ask()
        self.tell()
        self.refresh_bindings()

    def action_back(self) -> None:
        """Go back to where we came from, with the cursor where it was."""
        if self._been:
            self._go(self._been.pop())

    def action_beside(self, step: int) -> None:
        """Break the same down by the next column, or the one before."""
        if self._shown is not None:
            self._go(Place(self._shown.beside(self._view, step)))

    def break_down_by(self, name: str) -> str:
        """Break the same down by a column of text, any tag included; returns what is wrong, empty if nothing."""
        if self._shown is None:
            return "nothing is known yet of what runs now"
        found = self._shown.by(self._view, name.strip())
        if isinstance(found, str):
            return found
        self._go(Place(found))
        return ""

    def action_rows(self) -> None:
        """List the rows of usage behind the row under the cursor."""
        from app.tui.screens.rows import RowsScreen

        burning, burn = self._shown, self.query_one(BurnTable).burn
        if burning is not None and burn is not None:
            title = f"{burn_words.trail(burn.path)}, {burning.live.at:%Y-%m-%d %H:%M} UTC"
            self.app.push_screen(RowsScreen(title, rows_behind(burning, burn)))
