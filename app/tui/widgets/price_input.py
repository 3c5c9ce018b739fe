"""One line to type a quote's price, and one that says what is expected or what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from app.tui import words
from app.tui.prices import editable, expected, read_price

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from app.tui.prices import Price
    from optimizer.tariffs import Tariff


class PriceInput(Vertical):
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
        super().__init__(id="price")
        self._tariff: Tariff | None = None

    def compose(self) -> ComposeResult:
        """Put the name of the quote, the input and the hint together."""
        with Horizontal():
            yield Static(id="price-name")
            yield Input(id="price-input", compact=True)
        yield Static(id="price-hint")

    @property
    def open(self) -> bool:
        """Whether somebody types."""
        return self._tariff is not None

    def ask(self, tariff: Tariff) -> Input:
        """Open for a quote, with its price to type over; returns what to type into."""
        self._tariff = tariff
        self.query_one("#price-name", Static).update(Text(f"Price of {words.name(tariff.offer_id)} "))
        self.complain("")
        self.display = True
        field = self.query_one(Input)
        field.value = editable(tariff)
        field.select_all()
        return field

    def complain(self, problem: str) -> None:
        """Say what is wrong with what was typed, or what is expected."""
        hint = problem or (f"{expected(self._tariff)}; enter applies, escape cancels" if self._tariff else "")
        self.set_class(bool(problem), "-wrong")
        self.query_one("#price-hint", Static).update(Text(hint))

    def close(self) -> None:
        """Close; what was typed has been dealt with."""
        self._tariff = None
        self.display = False

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Read the price, or say what is expected."""
        event.stop()
        if self._tariff is None:
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
