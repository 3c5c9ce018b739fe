"""The desk: one row a quote, what it is worth, its demand curve, and what was said of it."""

from __future__ import annotations

from functools import partial
from threading import Semaphore
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding
from textual.worker import Worker, WorkerState

from app.tui import captions, details
from app.tui.aside import aside
from app.tui.ink import Ink
from app.tui.quotes import quotes_of, said_of
from app.tui.screens.base import BaseScreen
from app.tui.widgets.demand import Demand
from app.tui.widgets.pane import Pane
from app.tui.widgets.quotes import Quotes
from app.tui.widgets.said import SaidTable
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.text import Text
    from textual.binding import BindingType

    from app.tui.quotes import Quote
    from app.tui.state import Desk
    from optimizer.curve import Step
    from optimizer.plan import Plan
    from optimizer.tariffs import Tariff

QUOTES, CURVE, SAID = 1, 2, 3
REST = 0.4  # seconds that the cursor rests on a quote before its curve is worked out
SOLVES = 14
CURVES = Semaphore(1)


class DeskScreen(BaseScreen):
    """Where a vendor's offer is weighed while the vendor is on the phone."""

    NAME = "desk"
    QUOTES = True
    ABOUT = (
        "One row a quote. Type what the vendor says (a price, or 2.10 24mo 128) and see at once whether to accept, "
        "decline or counter, the highest price worth paying, and what a rival's bid does to all the others. Below: how "
        "many GPUs of it are worth buying at which price, and everything that was said."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "say('quote ')", "New", id="quote.new", tooltip="Type a quote that is not on the desk yet"),
        Binding("plus", "settle('accept')", "Accept", id="quote.accept", key_display="+", tooltip="Take the quote"),
        Binding("d", "settle('decline')", "Decline", id="quote.decline", tooltip="Turn the quote down"),
        Binding("o", "settle('reopen')", "Reopen", id="quote.reopen", tooltip="Negotiate on", show=False),
        Binding("t", "annotate", "Note", id="quote.note", tooltip="Write a note on the quote", show=False),
        Binding("v", "vendor", "Vendor", id="quote.vendor", tooltip="Show the vendor its own quotes alone", show=False),
    ]
    BUSY = frozenset({"say", "settle", "annotate", "vendor"})
    WHY: ClassVar[Mapping[str, str]] = {
        "settle": "the quote under the cursor is settled already, or open; o reopens one that is settled",
        "annotate": "there is no quote under the cursor",
        "vendor": "there is no quote under the cursor",
    }

    def __init__(self) -> None:
        super().__init__()
        self._quotes: list[Quote] = []
        self._curves: dict[str, tuple[Step, ...]] = {}
        self._plan: Plan | None = None
        self._asked: Worker[tuple[str, tuple[Step, ...]]] | None = None

    def panes(self) -> Iterable[Pane]:
        """Return the quotes, and the curve and history of the one under the cursor."""
        yield Pane(QUOTES, "Quotes", Quotes(), id="pane-quotes")
        yield Pane(CURVE, "Demand curve", Demand(), id="pane-curve")
        yield Pane(SAID, "Said", SaidTable(), id="pane-said")

    def draw(self, desk: Desk, drawn: Desk | None) -> None:  # noqa: ARG002
        """Draw every quote, and what belongs to the one under the cursor."""
        if desk.plan is not self._plan:
            self._plan, self._curves = desk.plan, {}
        self._quotes = quotes_of(desk)
        self.query_one(Quotes).show(self._quotes, desk.currency)
        self._draw_quote()

    def _draw_quote(self) -> None:
        quote = self.quote
        self.query_one(SaidTable).show(said_of(self.desk, quote.offer_id) if quote else [], self.desk.currency)
        steps = self._curves.get(quote.offer_id) if quote else None
        self.query_one(Demand).show_curve(steps, quote, self.desk.currency)
        if quote and steps is None and quote.value and self.desk.whole:
            self.set_timer(REST, partial(self._ask_curve, quote))

    @property
    def quote(self) -> Quote | None:
        """The quote under the cursor."""
        return self.query_one(Quotes).quote if self.is_mounted else None

    def _ask_curve(self, quote: Quote) -> None:
        """Work out the curve of the quote on which the cursor rests, unless that is done or of no more interest."""
        session, offer, value = self.desk.session, quote.offer_id, quote.value
        here = self.quote is not None and self.quote.offer_id == offer and self.is_current
        if not here or offer in self._curves or value is None or session is None or not self.desk.whole:
            return
        work = lambda: (offer, session.curve(value, solves=SOLVES))  # noqa: E731
        self._asked = self.run_worker(partial(aside, work, CURVES), group="curve", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Draw the curve that was asked for last, if the plan is still the same."""
        if event.worker is self._asked and event.state is WorkerState.SUCCESS and self._plan is self.desk.plan:
            offer, steps = event.worker.result or ("", ())
            self._curves[offer] = steps
            self._draw_quote()

    def describe(self) -> None:
        """Say how many quotes there are, and whose curve and history are shown."""
        quotes, curve, said = self._panes
        name = captions.of_quote(self.quote)
        quotes.describe(captions.of_quotes(self._quotes, self.desk.currency))
        curve.describe(name)
        said.describe(name)

    def detail(self) -> Text | None:
        """Tell what the quote under the cursor is worth and why."""
        quote = self.quote
        return details.of_quote(quote, self.desk.currency, Ink.of(self.app.theme_variables)) if quote else None

    def tariff(self) -> Tariff | None:
        """Return the quote under the cursor."""
        quote = self.quote
        return quote.tariff if quote is not None and quote.status == "open" else None

    @on(FittedTable.Pointed, "#quotes")
    def show_quote(self) -> None:
        """Show the curve and history of the quote under the cursor."""
        self._draw_quote()

    @on(FittedTable.Chosen, "#quotes")
    def choose_quote(self) -> None:
        """Counter the quote that was chosen."""
        self.action_edit()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Say which actions are possible for the quote under the cursor."""
        if action not in self.BUSY or self.typing:
            return super().check_action(action, parameters)
        quote = self.quote
        if action == "settle" and quote is not None:
            return True if (quote.status == "open") is (parameters != ("reopen",)) else None
        return True if action == "say" or quote is not None else None

    def action_say(self, text: str) -> None:
        """Open the line for a command that begins with some words."""
        self.begin_command(text)

    def action_settle(self, verb: str) -> None:
        """Accept, decline or reopen the quote under the cursor; where GPUs have to be named, ask for them."""
        if self.quote is not None:
            line = f"{verb} {self.quote_name}"
            if self.tranche.edit(line):
                self.begin_command(f"{line} ")

    def action_annotate(self) -> None:
        """Open the line for a note."""
        if self.quote is not None:
            self.begin_command(f"note {self.quote_name} ")

    @property
    def quote_name(self) -> str:
        """The name of the quote under the cursor as an edit writes it."""
        from shlex import quote as quoted

        return quoted(self.quote.offer_id) if self.quote else ""

    def action_vendor(self) -> None:
        """Show the vendor its own quotes, and nothing else."""
        from app.tui.screens.vendor import VendorScreen

        if self.quote is not None:
            theirs = [quote for quote in self._quotes if quote.provider == self.quote.provider]
            self.app.push_screen(VendorScreen(self.quote.provider, theirs, self.desk))
