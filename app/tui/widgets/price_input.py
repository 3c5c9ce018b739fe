"""The line to type a quote's price."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message

from app.tui import words
from app.tui.prices import editable, expected, read_price
from app.tui.widgets.line import Line

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.widgets import Input

    from app.tui.prices import Price
    from optimizer.tariffs import Tariff


class PriceInput(Line):
    """Asks for a price; open while somebody types."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", id="price.cancel", tooltip="Leave the price as it is"),
    ]

    class Entered(Message):
        """A price was entered for a quote."""

        def __init__(self, tariff: Tariff, price: Price) -> None:
            super().__init__()
            self.tariff = tariff
            self.price = price

    class Left(Message):
        """Nothing was entered."""

    def __init__(self) -> None:
        super().__init__("price")
        self._tariff: Tariff | None = None

    def ask(self, tariff: Tariff) -> Input:
        """Open for a quote, with its price to type over; returns what to type into."""
        self._tariff = tariff
        return self.opened(f"Price of {words.name(tariff.offer_id)} ", editable(tariff))

    @property
    def expectation(self) -> str:
        """What can be typed."""
        return f"{expected(self._tariff)}; enter applies, escape cancels" if self._tariff else ""

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Read the price, or say what is expected."""
        event.stop()
        if self._tariff is None or not self.open:
            return
        price = read_price(event.value, self._tariff)
        if price is None:
            self.complain(f"“{words.name(event.value)}” is not a price: type {expected(self._tariff)}")
        else:
            self.post_message(self.Entered(self._tariff, price))

    def action_leave(self) -> None:
        """Close without a change."""
        self.close()
        self.post_message(self.Left())
