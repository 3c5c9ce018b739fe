"""What may be shown to a vendor: its own quotes as it made them, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from app.tui import words
from app.tui.quotes import said_of
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.key_bar import KeyBar
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from app.tui.quotes import Quote
    from app.tui.state import Desk

COLUMNS = (
    Column(title="Quote", left=True, least=16),
    Column(title="GPU", left=True),
    Column(title="GPUs"),
    Column(title="Term"),
    Column(title="Price", unit="GPU-hour"),
    Column(title="First price", unit="GPU-hour"),
    Column(title="Valid until", left=True, rank=1),
    Column(title="Status", left=True),
)


class VendorScreen(Screen[None]):
    """A screen that holds no walk-away price, no cost of ours, and no other vendor; help and palette are not on it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,v,q", "back", "Back", id="vendor.back", tooltip="Go back to the desk"),
    ]
    ALONE = True
    """No key of the program works here: neither the palette nor another screen can be opened beside the guest."""

    def __init__(self, provider: str, quotes: list[Quote], desk: Desk) -> None:
        super().__init__()
        self._provider = provider
        self._quotes = quotes
        self._desk = desk

    def compose(self) -> ComposeResult:
        """Put the vendor's name over its quotes."""
        yield Static(Text(f"Quotes by {self._provider}", style="bold"), id="vendor-title")
        yield FittedTable(COLUMNS, id="vendor-quotes")
        yield Static(self._history(), id="vendor-history")
        yield KeyBar()

    def on_mount(self) -> None:
        """Fill the table."""
        table = self.query_one(FittedTable)
        table.fill([Row(key=quote.offer_id, cells=_cells(quote)) for quote in self._quotes])
        table.focus()

    def action_back(self) -> None:
        """Go back to the desk."""
        self.app.pop_screen()

    def _history(self) -> Text:
        """Tell the terms that were talked about, without what they are worth; notes stay with us."""
        lines = [
            f"{said.typed:%Y-%m-%d %H:%M}  {words.name(quote.offer_id)}  {said.text.removeprefix('counter ')}"
            for quote in self._quotes
            for said in said_of(self._desk, quote.offer_id)
            if said.typed is not None and not said.undone and said.text.startswith("counter ")
        ]
        return Text("\n".join(sorted(lines, reverse=True)) or "no other terms so far", style="dim")


def _cells(quote: Quote) -> tuple[Text, ...]:
    return (
        Text(words.name(quote.offer_id), style="bold"),
        Text(quote.gpu_model),
        Text(quote.size),
        Text(quote.term),
        Text(quote.price),
        Text(quote.first),
        Text(quote.valid_until),
        Text(quote.status),
    )
