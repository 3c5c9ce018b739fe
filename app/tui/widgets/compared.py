"""Options in columns beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from app.tui import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from app.tui.comparison import Fact
    from app.tui.ink import Ink
    from app.tui.market import Option

MOST = 4  # columns that can be read beside each other


def compared(options: Sequence[Option], facts: Sequence[Fact], ink: Ink) -> RenderableType:
    """Write a line a fact, a column an option; verdicts in their colour, typed prices in theirs."""
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=10)
    for _ in options:
        table.add_column(ratio=1)
    table.add_row("", *(Text(words.name(option.tariff.offer_id), style="bold") for option in options))
    for name, said in facts:
        cells = (Text(text, style=_style(name, option, ink)) for option, text in zip(options, said, strict=True))
        table.add_row(Text(name, style=ink.dim), *cells)
    return table


def _style(name: str, option: Option, ink: Ink) -> str:
    if name in {"Walk-away", "Verdict", "Headroom"} and option.value:
        return ink.verdict(option.value.verdict)
    if name in {"Price of", "Source"} and option.origin.stale and not option.origin.typed:
        return ink.dim
    return ink.typed if name in {"Listed", "Price of", "Source"} and option.origin.typed else ""
