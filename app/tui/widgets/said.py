"""What was said of a quote, the newest first, and what it was worth then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.ink import Ink
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from app.tui.quotes import Said

COLUMNS = (
    Column(title="Time", unit="UTC", left=True, rank=2),
    Column(title="", left=True, name="here"),
    Column(title="Said", left=True, least=16),
    Column(title="Walk-away"),
    Column(title="Verdict", left=True),
    Column(title="Headroom", rank=1),
)


class SaidTable(FittedTable):
    """One row an edit."""

    def __init__(self) -> None:
        super().__init__(COLUMNS, id="said")

    def show(self, said: list[Said], currency: str) -> None:
        """Show what was said; what was taken back is dimmed."""
        ink = Ink.of(self.app.theme_variables)
        self.fill([Row(key=str(len(said) - at), cells=_cells(one, currency, ink)) for at, one in enumerate(said)])


def _cells(said: Said, currency: str, ink: Ink) -> tuple[Text, ...]:
    style, value = (ink.dim if said.undone else ""), said.value
    shown = f"{said.typed:%m-%d %H:%M}" if said.typed else ""
    if value is None:
        return (Text(shown, style=ink.dim), Text("▸" if said.now else ""), Text(said.text, style=style), *[Text()] * 3)
    headroom = "" if value.headroom is None else words.money(value.headroom, currency)
    return (
        Text(shown, style=ink.dim),
        Text("▸" if said.now else ""),
        Text(said.text, style=style),
        Text(words.rate(value.walk_away), style=style),
        Text(value.verdict, style=style or ink.verdict(value.verdict)),
        Text(headroom, style=style),
    )
