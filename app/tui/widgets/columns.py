"""Which columns of a table fit, and how wide they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

GAP = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    unit: stands under the title. left: text, not a number. rank: of those that do not fit, the highest goes first.
    least: the width down to which a column may be cut, None where it may not.
    """

    title: str
    unit: str = ""
    left: bool = False
    rank: int = 0
    least: int | None = None

    def cell(self, content: Text, width: int) -> Text:
        """Fit content into the column: a gap before it, text to the left, numbers to the right."""
        cell = content.copy()
        cell.truncate(width - GAP, overflow="ellipsis")
        cell.align("left" if self.left else "right", width - GAP)
        cell.pad_left(GAP)
        return cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its key, and a cell for each column."""

    key: str
    cells: tuple[Text, ...]


def fitted(columns: Sequence[Column], rows: Sequence[Row], room: int) -> dict[int, int]:
    """Return the width of each column that is shown; empty ones are not."""
    widths = {index: width for index, column in enumerate(columns) if (width := _natural(column, index, rows))}
    while len(widths) > 1 and _least(columns, widths) > room:
        widths.pop(max(widths, key=lambda index: (columns[index].rank, index)))
    over = sum(widths.values()) - room
    for index in reversed(widths):
        least = columns[index].least
        if over > 0 and least is not None and widths[index] > least + GAP:
            cut = min(over, widths[index] - least - GAP)
            widths[index] -= cut
            over -= cut
    return widths


def _natural(column: Column, index: int, rows: Sequence[Row]) -> int:
    content = max((row.cells[index].cell_len for row in rows), default=0)
    return max(content, len(column.title), len(column.unit)) + GAP if content else 0


def _least(columns: Sequence[Column], widths: dict[int, int]) -> int:
    return sum(min(width, (columns[index].least or width) + GAP) for index, width in widths.items())
