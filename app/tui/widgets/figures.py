"""A block of figures, as many beside each other as fit, with sentences below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import Static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.tui.planning import Figure

GAP = 3
MOST_BESIDE = 3


class Figures(Static):
    """Names and values in columns."""

    def __init__(self) -> None:
        super().__init__(id="figures")
        self._figures: tuple[Figure, ...] = ()
        self._lines: tuple[str, ...] = ()

    def show(self, figures: Sequence[Figure], lines: Sequence[str]) -> None:
        """Show figures, and a line of text for each further one."""
        self._figures, self._lines = tuple(figures), tuple(lines)
        self._draw()

    def on_resize(self) -> None:
        """Put as many beside each other as fit now."""
        self._draw()

    def _draw(self) -> None:
        self.update(Text("\n").join(block(self._figures, self._lines, self.content_size.width)))


def block(figures: Sequence[Figure], lines: Sequence[str], width: int) -> list[Text]:
    """Return the lines of a block: figures go down a column first."""
    for beside in range(min(MOST_BESIDE, len(figures)), 0, -1):
        deep = -(-len(figures) // beside)
        columns = [figures[at : at + deep] for at in range(0, len(figures), deep)]
        sizes = [_sizes(column) for column in columns]
        if beside == 1 or sum(map(sum, sizes)) + len(columns) + GAP * (len(columns) - 1) <= width:
            break
    else:
        return [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]
    found = []
    for row in range(deep):
        line = Text(no_wrap=True, overflow="ellipsis")
        for column, (label, value) in zip(columns, sizes, strict=True):
            if row < len(column):
                line.append(f"{column[row].label:<{label}} ", style="dim")
                line.append(f"{column[row].value:<{value}}{' ' * GAP}", style="bold")
        line.rstrip()
        found.append(line)
    return [*found, *(Text(line, no_wrap=True, overflow="ellipsis") for line in lines)]


def _sizes(column: Sequence[Figure]) -> tuple[int, int]:
    return max(len(figure.label) for figure in column), max(len(figure.value) for figure in column)
