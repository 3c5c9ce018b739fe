"""The screen: allocated cost, the market for a GPU, the plan; and a line to type a price."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Container, Horizontal
from textual.screen import Screen
from textual.widgets import Footer, Static

from app.tui import captions, details
from app.tui.ink import Ink
from app.tui.market import options_of
from app.tui.screens.text import TextScreen, help_parts, problem_parts
from app.tui.widgets.costs import Costs
from app.tui.widgets.headline import Headline
from app.tui.widgets.line import Line
from app.tui.widgets.market import Market
from app.tui.widgets.mix import Mix
from app.tui.widgets.pane import Pane, PaneBar, PaneName
from app.tui.widgets.price_input import PriceInput
from app.tui.widgets.purchases import Purchases
from app.tui.widgets.save_input import SaveInput
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widgets import Input

    from app.tui.app import TrancheApp
    from app.tui.state import Desk

COST, MARKET, PLAN = 1, 2, 3
TICK = 0.1


class PlanScreen(Screen[None]):
    """Shows the desk; every figure comes from there, none is kept here."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "Edit", id="quote.edit", tooltip="Type another price for the quote under the cursor"),
        Binding(
            "a",
            "all_quotes",
            "Quotes",
            id="market.all",
            tooltip="Switch between every quote and the market for one GPU",
        ),
        Binding("tab", "next_pane(1)", "Next pane", id="pane.next", tooltip="Go to the next pane", show=False),
        Binding(
            "shift+tab", "next_pane(-1)", "Pane before", id="pane.before", tooltip="Go to the pane before", show=False
        ),
        Binding("1", f"pane({COST})", "Cost", id="pane.cost", tooltip="Go to what is allocated today", show=False),
        Binding("2", f"pane({MARKET})", "Market", id="pane.market", tooltip="Go to what can be bought", show=False),
        Binding("3", f"pane({PLAN})", "Plan", id="pane.plan", tooltip="Go to what to buy", show=False),
        Binding("s", "save", "Save", id="save", tooltip="Write the plan to a file"),
        Binding("p", "problems", "Problems", id="problems", tooltip="Show what was found while reading and planning"),
        Binding(
            "question_mark", "help", "Help", id="help", key_display="?", tooltip="Show the keys and what the words mean"
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._current = COST
        self._gpu_model: str | None = None
        self._all_quotes = False
        self._began = monotonic()
        self._drawn: Desk | None = None

    def compose(self) -> ComposeResult:
        """Lay out the headline, three panes and the lines below them."""
        yield Headline(id="headline")
        yield PaneBar(PLAN)
        with Container(id="panes"):
            yield Pane(COST, "Allocated", Costs(), id="pane-cost")
            yield Pane(MARKET, "Market", Market(), id="pane-market")
            yield Pane(PLAN, "Plan", Horizontal(Purchases(), Mix(), id="plan-body"), id="pane-plan")
        yield Static(id="detail")
        yield PriceInput()
        yield SaveInput()
        yield Static(id="message")
        yield Footer()

    def on_mount(self) -> None:
        """Follow the desk."""
        self.watch(self.app, "desk", self.show)
        self.watch(self.app, "theme", self.redraw, init=False)
        self.set_interval(TICK, self.count_seconds)
        self.action_pane(COST)

    @property
    def desk(self) -> Desk:
        """The state of the program."""
        return cast("TrancheApp", self.app).desk

    def show(self, desk: Desk) -> None:
        """Draw what changed on the desk."""
        drawn, self._drawn = self._drawn, desk
        if drawn is None or desk.stage != drawn.stage or desk.history is not drawn.history:
            self._began = monotonic()
        if desk.allocation is not None and (drawn is None or desk.allocation is not drawn.allocation):
            self.query_one(Costs).show(desk.allocation, desk.currency)
        if drawn is None or desk.plan is not drawn.plan or desk.tariffs is not drawn.tariffs:
            self._show_plan(desk)
        self.query_one(Headline).show(desk, self._status())
        self._say(desk)
        self.refresh_bindings()

    def redraw(self) -> None:
        """Draw everything again, in the colours of another theme."""
        self._show_market()
        self._show_detail()

    def on_resize(self) -> None:
        """Fit the headline to another width."""
        self.call_after_refresh(lambda: self.query_one(Headline).show(self.desk, self._status()))

    def count_seconds(self) -> None:
        """Show how long the work on a plan has taken."""
        if self.desk.stage:
            self.query_one(Headline).show(self.desk, self._status())

    def _status(self) -> str:
        return captions.status(self.desk, monotonic() - self._began)

    def _say(self, desk: Desk) -> None:
        line, text = self.query_one("#message", Static), captions.message(desk)
        line.set_class(bool(desk.problem) and not desk.note, "-wrong")
        line.display = bool(text)
        line.update(Text(text))

    def _show_plan(self, desk: Desk) -> None:
        if desk.plan is not None:
            self.query_one(Purchases).show(desk.plan, desk.currency)
            self.query_one(Mix).show(desk.plan, desk.currency)
        self._show_market()
        self._describe_panes()
        self._show_detail()

    def _show_market(self) -> None:
        model = None if self._all_quotes else self._gpu_model
        if self.desk.tariffs and (model is not None or self._all_quotes):
            self.query_one(Market).show(options_of(self.desk, model), self.desk.currency)

    def _describe_panes(self) -> None:
        desk, (cost, market, buys) = self.desk, self.query(Pane)
        cost.describe(captions.of_costs(desk.allocation))
        market.describe(captions.of_market(self._gpu_model, all_quotes=self._all_quotes))
        buys.describe(captions.of_plan(desk.plan, desk.currency))
        self.query_one(PaneBar).show([cost, market, buys], self._current)

    def _show_detail(self) -> None:
        self.query_one("#detail", Static).update(self._detail() or Text())

    def _detail(self) -> Text | None:
        desk = self.desk
        if self._current == COST:
            pool = self.query_one(Costs).pool
            return details.of_pool(pool, desk.allocation, desk.currency) if pool and desk.allocation else None
        if self._current == MARKET:
            option = self.query_one(Market).option
            return details.of_option(option, desk.currency, Ink.of(self.app.theme_variables)) if option else None
        purchase = self.query_one(Purchases).purchase
        return details.of_purchase(purchase, desk.currency) if purchase else None

    @on(FittedTable.Pointed)
    def follow(self) -> None:
        """Show the market for the pool under the cursor, and the row in full."""
        pool = self.query_one(Costs).pool
        if pool is not None and pool.gpu_model != self._gpu_model:
            self._gpu_model = pool.gpu_model
            self._show_market()
            self._describe_panes()
        self._show_detail()
        self.refresh_bindings()

    @on(FittedTable.Chosen, "#costs")
    def open_or_close(self) -> None:
        """Open or close a pool."""
        self.query_one(Costs).toggle()

    @on(FittedTable.Chosen, "#market")
    def choose_option(self) -> None:
        """Edit the quote that was chosen."""
        if self.check_action("edit", ()):
            self.action_edit()

    @on(PaneName.Chosen)
    def choose_pane(self, event: PaneName.Chosen) -> None:
        """Go to the pane whose name was clicked."""
        self.action_pane(event.number)

    def on_descendant_focus(self) -> None:
        """Notice a pane that was reached with the mouse."""
        pane = next((node for node in (self.focused.ancestors if self.focused else ()) if isinstance(node, Pane)), None)
        if pane is not None and pane.number != self._current:
            self.action_pane(pane.number)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which actions are possible now; the others stay on screen, dimmed."""
        typing = any(line.open for line in self.query(Line)) if self.is_mounted else False
        if action == "edit":
            option = self.query_one(Market).option if self.is_mounted else None
            return True if option is not None and option.quote and not typing else None
        if action == "save":
            return True if self.desk.savable and not typing else None
        if action in {"pane", "next_pane", "all_quotes", "problems", "help"}:
            return None if typing else True
        return True

    def action_edit(self) -> None:
        """Open the line for a price."""
        option = self.query_one(Market).option
        if option is not None and option.quote:
            self.action_pane(MARKET)
            self._type_into(self.query_one(PriceInput).ask(option.tariff))

    def action_save(self) -> None:
        """Open the line for the name of a file."""
        self._type_into(self.query_one(SaveInput).ask())

    def _type_into(self, field: Input) -> None:
        self.query_one("#detail").display = False
        self.set_focus(field)
        self.refresh_bindings()

    @on(SaveInput.Entered)
    def save(self, event: SaveInput.Entered) -> None:
        """Write the file beside the screen."""
        work = cast("TrancheApp", self.app).saving(event.out, overwrite=event.overwrite)
        self.query_one(SaveInput).wait_for(work)

    @on(SaveInput.Left)
    def back_to_pane(self, event: SaveInput.Left) -> None:
        """Say where the plan was written, and go on where we were."""
        if event.note:
            cast("TrancheApp", self.app).note(event.note)
        self.query_one("#detail").display = True
        self.action_pane(self._current)

    @on(PriceInput.Entered)
    def reprice(self, event: PriceInput.Entered) -> None:
        """Hand the price over to the desk."""
        problem = cast("TrancheApp", self.app).reprice(event.tariff, event.price)
        if problem:
            self.query_one(PriceInput).complain(problem)
        else:
            self.query_one(PriceInput).close()
            self.back_to_market()

    @on(PriceInput.Left)
    def back_to_market(self) -> None:
        """Go on where the edit began."""
        self.query_one("#detail").display = True
        self.action_pane(MARKET)

    def action_pane(self, number: int) -> None:
        """Go to a pane."""
        self._current = number
        for pane in self.query(Pane):
            pane.set_class(pane.number == number, "-current")
        self.set_focus(self.query_one((Costs, Market, Purchases)[number - 1]))
        self._describe_panes()
        self._show_detail()
        self.refresh_bindings()

    def action_next_pane(self, step: int) -> None:
        """Go to the next pane, or the one before."""
        self.action_pane((self._current - 1 + step) % PLAN + 1)

    def action_all_quotes(self) -> None:
        """Switch between every quote and the market for one GPU."""
        self._all_quotes = not self._all_quotes
        self._show_market()
        self.action_pane(MARKET)

    def action_problems(self) -> None:
        """Show what was found on the way."""
        parts = problem_parts(self.desk.problem, self.desk.diagnostics)
        self.app.push_screen(TextScreen("Found while reading and planning", *parts))

    def action_help(self) -> None:
        """Show the keys and the words."""
        self.app.push_screen(TextScreen("tranche", *help_parts(self.active_bindings.values())))
