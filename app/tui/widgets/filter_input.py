"""The line to type a filter for a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.filters import FilterError
from app.tui import words
from app.tui.widgets.line import Line

if TYPE_CHECKING:
    from textual.widgets import Input

    from app.tui.widgets.table import FittedTable

EXAMPLE = "price<3 name~east !spot | team=ads"


class FilterInput(Line):
    """Asks for a filter; open while somebody types."""

    def __init__(self) -> None:
        super().__init__("filter")
        self._table: FittedTable | None = None

    def ask(self, table: FittedTable) -> Input:
        """Open for a table, with its filter to type over; returns what to type into."""
        self._table = table
        return self.opened("Show only ", table.filtered)

    @property
    def expectation(self) -> str:
        """What can be typed."""
        names = ", ".join(map(words.name, self._table.names)) if self._table else ""
        return f"such as {EXAMPLE}; enter applies, escape cancels; columns: {names}"

    def on_input_changed(self) -> None:
        """Stop complaining about what is being corrected."""
        if self.open:
            self.complain("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Filter the table, or say what is wrong."""
        event.stop()
        if self._table is None or not self.open:
            return
        try:
            self._table.filter(event.value)
        except FilterError as error:
            self.complain(words.name(error))
        else:
            self.close()
