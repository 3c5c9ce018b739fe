"""The market: the pools of GPUs in use, and for each what can be bought, cheapest first, and how its prices moved."""

from __future__ import annotations

from threading import Semaphore
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.worker import Worker, WorkerState

from app.tui import captions, comparison, details, words
from app.tui.aside import aside
from app.tui.glyphs import chosen
from app.tui.ink import Ink
from app.tui.market import options_of
from app.tui.price_history import known_prices, tracks_of
from app.tui.screens.base import BaseScreen
from app.tui.screens.text import TextScreen
from app.tui.widgets.compared import MOST, compared
from app.tui.widgets.costs import Costs
from app.tui.widgets.market import Market
from app.tui.widgets.pane import Pane
from app.tui.widgets.price_lines import PriceLines
from app.tui.widgets.table import FittedTable
from app.tui.work import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual.binding import BindingType

    from app.session import Session
    from app.tui.comparison import Eligible
    from app.tui.market import Option
    from app.tui.price_history import Days
    from app.tui.state import Desk
    from optimizer.tariffs import Tariff

POOLS, MARKET, HISTORY = 1, 2, 3
READS = Semaphore(1)  # of the days of prices, and of who may be served: neither waits for a solve


class MarketScreen(BaseScreen):
    """Allocated cost on one side, the options for the GPU under the cursor on the other."""

    NAME = "market"
    QUOTES = True
    CSS_PATH = "market.tcss"
    ABOUT = (
        "What runs and what it costs, and next to it what can be bought for the same GPU: on demand, spot at its "
        "advertised and effective price, reserved, savings plans and quotes, cheapest first, each with the age and "
        "source of its price. Choose a pool to see its market. Price history: how the price under the cursor, or those "
        "that are marked, moved by day."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "a",
            "all_quotes",
            "Quotes",
            id="market.all",
            tooltip="Switch between every quote and the market for one GPU",
        ),
        Binding(
            "x", "compare", "Compare", id="market.compare", tooltip="Show the marked options side by side", show=False
        ),
    ]
    BUSY = frozenset({"all_quotes", "compare"})

    def __init__(self) -> None:
        super().__init__()
        self._gpu_model: str | None = None
        self._all_quotes = False
        self._known: dict[str, Mapping[str, Days]] = {}
        self._read: Session | None = None
        self._reading: tuple[Worker[dict[str, Days]], str] | None = None
        self._comparing: tuple[Worker[dict[str, Eligible]], list[Option]] | None = None
        self._failed: dict[str, str] = {}

    def panes(self) -> Iterable[Pane]:
        """Return the pools, their market and how its prices moved."""
        yield Pane(POOLS, "Allocated", Costs(), id="pane-cost")
        yield Pane(MARKET, "Market", Market(), id="pane-market")
        yield Pane(HISTORY, "Price history", PriceLines(id="price-lines"), id="pane-history")

    def draw(self, desk: Desk, drawn: Desk | None) -> None:
        """Draw the pools once they are known, and the market whenever the plan is another."""
        if desk.history is not None and self._read is not desk.history.steps[0].session:
            self._read, self._known, self._failed, self._reading = desk.history.steps[0].session, {}, {}, None
        if desk.allocation is not None and (drawn is None or desk.allocation is not drawn.allocation):
            self.query_one(Costs).show(desk.allocation, desk.currency)
        if drawn is None or desk.plan is not drawn.plan or desk.tariffs is not drawn.tariffs:
            self._show_market()

    def _show_market(self) -> None:
        model = None if self._all_quotes else self._gpu_model
        if self.desk.tariffs and (model is not None or self._all_quotes):
            self.query_one(Market).show(options_of(self.desk, model), self.desk.currency)

    def describe(self) -> None:
        """Say what costs are, whose market it is, and whose prices are drawn."""
        pools, market, history = self._panes
        costs, table = self.query_one(Costs), self.query_one(Market)
        pools.describe(captions.of_costs(self.desk.allocation, costs))
        market.describe(captions.of_market(self._gpu_model, table, all_quotes=self._all_quotes))
        history.describe(captions.of_history(self._followed))

    def detail(self) -> Text | None:
        """Tell a pool, or an offer, how old its price is, and what it is worth."""
        desk = self.desk
        if self.current == POOLS:
            pool = self.query_one(Costs).pool
            return details.of_pool(pool, desk.allocation, desk.currency) if pool and desk.allocation else None
        option = self.query_one(Market).option
        if option is None:
            return None
        told = details.of_option(option, desk.currency, Ink.of(self.app.theme_variables))
        return told.append(f" {chosen().middle} {captions.of_origin(option.origin)}")

    def tariff(self) -> Tariff | None:
        """Return the quote under the cursor of the market."""
        option = self.query_one(Market).option
        return option.tariff if option is not None and option.quote else None

    @property
    def _followed(self) -> list[Option]:
        """The options whose prices are drawn: those marked, else the one under the cursor."""
        market = self.query_one(Market)
        return market.chosen or ([market.option] if market.option else [])

    @on(FittedTable.Pointed, "#costs")
    def show_its_market(self) -> None:
        """Show the market for the pool under the cursor."""
        pool = self.query_one(Costs).pool
        if pool is not None and pool.gpu_model != self._gpu_model:
            self._gpu_model = pool.gpu_model
            self._show_market()

    @on(FittedTable.Chosen, "#costs")
    def open_or_close(self) -> None:
        """Open or close a pool."""
        self.query_one(Costs).toggle()

    @on(FittedTable.Chosen, "#market")
    def choose_option(self) -> None:
        """Counter the quote that was chosen."""
        self.action_edit()

    @on(FittedTable.Pointed, "#market")
    @on(FittedTable.Marked, "#market")
    def follow_prices(self) -> None:
        """Draw the prices of what is under the cursor, or marked."""
        self._draw_prices()
        self.tell()

    def _draw_prices(self) -> None:
        lines, options = self.query_one(PriceLines), self._followed
        models = {option.tariff.gpu_model for option in options}
        missing = sorted(models - set(self._known))
        if missing and self._read is not None:
            self._ask_prices(missing[0])
            lines.tell(f"being looked up{words.ellipsis()}")
            return
        for model in models & set(self._failed):
            lines.tell(self._failed[model])
            return
        known = {offer: days for option in options for offer, days in self._of(option).items()}
        lines.show_tracks(tracks_of(options, known), self.desk.currency)

    def _of(self, option: Option) -> Mapping[str, Days]:
        return self._known.get(option.tariff.gpu_model, {})

    def _ask_prices(self, gpu_model: str) -> None:
        """Look up the prices of a GPU model by day, beside the screen."""
        if self._read is None or (self._reading and self._reading[1] == gpu_model):
            return
        request, now, currency = self.tranche.request, self._read.inputs.now.date(), self.desk.currency
        work = lambda: known_prices(request, gpu_model, now=now, currency=currency)  # noqa: E731
        asked = self.run_worker(aside(work, READS), group="prices", exclusive=True, exit_on_error=False)
        self._reading = (asked, gpu_model)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Draw the prices, or show the comparison, that was asked for last."""
        if self._reading and event.worker is self._reading[0] and event.worker.is_finished:
            self._take_prices(event)
        elif self._comparing and event.worker is self._comparing[0] and event.state is WorkerState.SUCCESS:
            self._show_compared(self._comparing[1], event.worker.result or {})

    def _take_prices(self, event: Worker.StateChanged) -> None:
        if self._reading is None or event.state is WorkerState.CANCELLED:
            return
        (asked, gpu_model), self._reading = self._reading, None
        self._known[gpu_model] = asked.result or {} if event.state is WorkerState.SUCCESS else {}
        if asked.error is not None:
            self._failed[gpu_model] = explained(asked.error)
        self._draw_prices()

    def action_edit(self) -> None:
        """Open the line for other terms, beside the market."""
        if self.tariff() is not None:
            self.action_pane(MARKET)
        super().action_edit()

    def action_all_quotes(self) -> None:
        """Switch between every quote and the market for one GPU."""
        self._all_quotes = not self._all_quotes
        self._show_market()
        self.action_pane(MARKET)

    def action_compare(self) -> None:
        """Show the marked options side by side, or say how to mark them."""
        options, session = self.query_one(Market).chosen, self.desk.session
        if len(options) < 2 or session is None:
            self.tranche.note("mark at least two options of this market with m, and x shows them side by side")
            return
        self.tranche.note("")
        tariffs = [option.tariff for option in options]
        work = lambda: comparison.eligible_of(session, tariffs)  # noqa: E731
        asked = self.run_worker(aside(work, READS), group="compare", exclusive=True, exit_on_error=False)
        self._comparing = (asked, options)

    def _show_compared(self, options: list[Option], eligible: Mapping[str, Eligible]) -> None:
        """Put the options beside each other, over this screen if it is still shown."""
        self._comparing = None
        if not self.is_current:
            return
        shown, models = options[:MOST], {option.tariff.gpu_model for option in options}
        market = [option for model in sorted(models) for option in options_of(self.desk, model)]
        facts = comparison.facts_of(shown, market, eligible, self.desk.currency)
        table = compared(shown, facts, Ink.of(self.app.theme_variables))
        left = f"the first {MOST} of {len(options)} that are marked; take marks away to see others\n"
        about = [Text(left)] if len(options) > MOST else []
        self.app.push_screen(TextScreen("Side by side", *about, table))
