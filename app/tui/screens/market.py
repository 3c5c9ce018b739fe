"""The market: the pools of GPUs in use, and for each what can be bought, cheapest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding

from app.tui import captions, details
from app.tui.ink import Ink
from app.tui.market import options_of
from app.tui.screens.base import BaseScreen
from app.tui.widgets.costs import Costs
from app.tui.widgets.market import Market
from app.tui.widgets.pane import Pane
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text
    from textual.binding import BindingType

    from app.tui.state import Desk
    from optimizer.tariffs import Tariff

POOLS, MARKET = 1, 2


class MarketScreen(BaseScreen):
    """Allocated cost on one side, the options for the GPU under the cursor on the other."""

    NAME = "market"
    ABOUT = (
        "What runs and what it costs, and next to it what can be bought for the same GPU: on demand, spot at its "
        "advertised and effective price, reserved, savings plans and quotes, cheapest first. Choose a pool to see its "
        "market."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "a",
            "all_quotes",
            "Quotes",
            id="market.all",
            tooltip="Switch between every quote and the market for one GPU",
        ),
    ]
    BUSY = frozenset({"all_quotes"})

    def __init__(self) -> None:
        super().__init__()
        self._gpu_model: str | None = None
        self._all_quotes = False

    def panes(self) -> Iterable[Pane]:
        """Return the pools and their market."""
        yield Pane(POOLS, "Allocated", Costs(), id="pane-cost")
        yield Pane(MARKET, "Market", Market(), id="pane-market")

    def draw(self, desk: Desk, drawn: Desk | None) -> None:
        """Draw the pools once they are known, and the market whenever the plan is another."""
        if desk.allocation is not None and (drawn is None or desk.allocation is not drawn.allocation):
            self.query_one(Costs).show(desk.allocation, desk.currency)
        if drawn is None or desk.plan is not drawn.plan or desk.tariffs is not drawn.tariffs:
            self._show_market()

    def _show_market(self) -> None:
        model = None if self._all_quotes else self._gpu_model
        if self.desk.tariffs and (model is not None or self._all_quotes):
            self.query_one(Market).show(options_of(self.desk, model), self.desk.currency)

    def describe(self) -> None:
        """Say what costs are, and whose market it is."""
        pools, market = self.query(Pane)
        pools.describe(captions.of_costs(self.desk.allocation))
        market.describe(captions.of_market(self._gpu_model, all_quotes=self._all_quotes))

    def detail(self) -> Text | None:
        """Tell a pool, or an offer and what it is worth."""
        desk = self.desk
        if self.current == POOLS:
            pool = self.query_one(Costs).pool
            return details.of_pool(pool, desk.allocation, desk.currency) if pool and desk.allocation else None
        option = self.query_one(Market).option
        return details.of_option(option, desk.currency, Ink.of(self.app.theme_variables)) if option else None

    def tariff(self) -> Tariff | None:
        """Return the quote under the cursor of the market."""
        option = self.query_one(Market).option
        return option.tariff if option is not None and option.quote else None

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
