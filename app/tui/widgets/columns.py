"""Which columns of a table fit, and how wide they are; and the rows, all at hand or made when they are looked at."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.text import Text

    from app.filter_values import Kind, Value
    from app.filters import Filter

GAP = 1
NOT_NAMES = re.compile(r"\W+")
UP, DOWN = "▲", "▼"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    unit: stands under the title. left: text, not a number. rank: of those that do not fit, the highest goes first.
    least: the width down to which a column may be cut, None where it may not. name: what a filter calls it; by default
    the title in lower case, with _ between its words.
    """

    title: str
    unit: str = ""
    left: bool = False
    rank: int = 0
    least: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", NOT_NAMES.sub("_", self.title.lower()).strip("_"))

    def cell(self, content: Text, width: int) -> Text:
        """Fit content into the column: a gap before it, text to the left, numbers to the right."""
        cell = content.copy()
        cell.truncate(width - GAP, overflow="ellipsis")
        cell.align("left" if self.left else "right", width - GAP)
        cell.pad_left(GAP)
        return cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row: its key, and a cell for each column.

    values: what is sorted and filtered by, a value for each column; empty where that is what the cells say.
    """

    key: str
    cells: tuple[Text, ...]
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The column that rows are sorted by; empty cells are last either way, and ties stay as they were given."""

    name: str
    descending: bool = False

    @property
    def turned(self) -> Order:
        """The same the other way round."""
        return replace(self, descending=not self.descending)

    @property
    def arrow(self) -> str:
        """What stands after the title."""
        return DOWN if self.descending else UP


class LazyRows(Sequence[Row]):
    """Rows that are made when they are looked at; they measure, find, filter and sort themselves without that."""

    @property
    @abstractmethod
    def kinds(self) -> Mapping[str, Kind | None]:
        """What kind of values each column holds, by its name."""

    @abstractmethod
    def widths(self) -> Sequence[int]:
        """Return the cells that the widest content of each column takes, 0 where every one is empty."""

    @abstractmethod
    def find(self, key: str) -> int | None:
        """Return where the row with this key is."""

    @abstractmethod
    def arranged(self, wanted: Filter, order: Order | None) -> LazyRows:
        """Return the rows that the filter lets through, in an order."""


def named(columns: Sequence[Column]) -> list[str]:
    """Return a name for each column; what has none, or that of a column before it, is given its place."""
    names: list[str] = []
    for place, column in enumerate(columns, 1):
        name = column.name or f"column_{place}"
        while name in names:
            name = f"{name}_{place}"
        names.append(name)
    return names


def found(rows: Sequence[Row], key: str | None) -> int | None:
    """Return where the row with this key is."""
    if key is None:
        return None
    if isinstance(rows, LazyRows):
        return rows.find(key)
    return next((index for index, row in enumerate(rows) if row.key == key), None)


def fitted(columns: Sequence[Column], rows: Sequence[Row], room: int) -> dict[int, int]:
    """Return the width of each column that is shown; empty ones are not."""
    contents = rows.widths() if isinstance(rows, LazyRows) else _contents(len(columns), rows)
    naturals = (_natural(column, content) for column, content in zip(columns, contents, strict=True))
    widths = {index: width for index, width in enumerate(naturals) if width}
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


def _contents(columns: int, rows: Sequence[Row]) -> list[int]:
    return [max((row.cells[index].cell_len for row in rows), default=0) for index in range(columns)]


def _natural(column: Column, content: int) -> int:
    return max(content, cell_len(column.title), cell_len(column.unit)) + GAP if content else 0


def _least(columns: Sequence[Column], widths: dict[int, int]) -> int:
    return sum(min(width, (columns[index].least or width) + GAP) for index, width in widths.items())
