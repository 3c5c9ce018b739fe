"""The line to type other terms for a quote: a price, and what else changes, as the vendor says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.message import Message

from app.edits import Edit
from app.tui import verdicts, words
from app.tui.ink import Ink
from app.tui.widgets.line import Line

if TYPE_CHECKING:
    from textual.widgets import Input

    from app.tui.state import Desk
    from optimizer.plan import QuoteValue
    from optimizer.tariffs import Tariff

NEW_TERMS = "with other terms its walk-away price is another: enter plans with them"


class TermsInput(Line):
    """Asks for terms; open while somebody types, and says at once what a price means."""

    class Entered(Message):
        """Terms were entered for a quote, as the line of an edit."""

        def __init__(self, line: str) -> None:
            super().__init__()
            self.line = line

    def __init__(self) -> None:
        super().__init__("terms")
        self._tariff: Tariff | None = None
        self._node: float | None = None
        self._value: QuoteValue | None = None
        self._currency = "USD"

    def ask(self, tariff: Tariff, desk: Desk) -> Input:
        """Open for a quote, with its price to type over; returns what to type into."""
        self._tariff, self._currency = tariff, desk.currency
        self._value = desk.values().get(tariff.offer_id)
        self._node = _node(tariff.offer_id, desk)
        return self.opened(f"Terms of {words.name(tariff.offer_id)} ", words.price(tariff))

    @property
    def expectation(self) -> str:
        """What can be typed."""
        flex = self._tariff is not None and self._tariff.purchase_option == "flex"
        price = "1.10 + 2.60 (holding + use)" if flex else "2.10"
        return f"{price}, or with what else changes: {'1.10' if flex else '2.10'} 24mo 128; enter plans, escape cancels"

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what the price means as it is typed."""
        event.stop()
        if self.open and self._value is not None and not self.has_class("-wrong"):
            self.hint(self._meaning(event.value, self._value))
        self.remove_class("-wrong")

    def _meaning(self, typed: str, value: QuoteValue) -> Text:
        from providers.quotes import QuoteError, counter_terms

        try:
            cells = counter_terms(typed, option=value.tariff.purchase_option, node=self._node)
        except QuoteError:
            return Text(self.expectation)
        price = verdicts.price_in(cells, value)
        if price is None:
            return Text(NEW_TERMS)
        return verdicts.sentence(value, price, self._currency, Ink.of(self.app.theme_variables))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the terms over; whoever takes them says what is wrong with them."""
        event.stop()
        if self._tariff is None or not self.open:
            return
        if not event.value.strip():
            self.complain(f"nothing is typed: type {self.expectation}")
            return
        self.post_message(
            self.Entered(str(Edit(verb="counter", offer=self._tariff.offer_id, text=event.value.strip())))
        )


def _node(offer_id: str, desk: Desk) -> float | None:
    """Return the GPUs of one node of an offer."""
    if desk.session is None:
        return None
    rows = desk.session.inputs.offers.select("offer_id", "gpus_per_node").iter_rows()
    return next((gpus for name, gpus in rows if name == offer_id), None)
