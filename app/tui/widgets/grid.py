"""Rows of text under two lines of header, with a cursor: only those in view are looked at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from app.tui.widgets.columns import GAP, fitted, found, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.binding import BindingType
    from textual.geometry import Region

    from app.tui.widgets.columns import Column, Order, Row

HEADER = 2  # lines: titles, and units
SCROLLBAR = 1
MARK = "●"


def key_of_table(
    key: str, action: str, name: str, tooltip: str, *, system: bool = True, shown: str | None = None
) -> Binding:
    """Bind a key of every table; shown: how the help writes it."""
    named = f"table.{name.lower().replace(' ', '_')}"
    return Binding(key, action, name, id=named, tooltip=tooltip, show=False, system=system, key_display=shown)


class Grid(ScrollView, can_focus=True):
    """Draws the rows that it holds, the sign of the order in its titles and that of the marks before its rows."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--title", "table--unit", "table--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        key_of_table("up", "move(-1)", "Up", "Go to the row above"),
        key_of_table("down", "move(1)", "Down", "Go to the row below"),
        key_of_table("pageup", "page(-1)", "PageUp", "Go up by a page"),
        key_of_table("pagedown", "page(1)", "PageDown", "Go down by a page"),
        key_of_table("home", "first", "First", "Go to the first row"),
        key_of_table("end", "last", "Last", "Go to the last row"),
    ]

    cursor: reactive[int] = reactive(0)

    class Pointed(Message):
        """The row under the cursor is another one, or shows something else."""

        def __init__(self, table: Grid) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> Grid:
            """The table."""
            return self.table

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._given: Sequence[Row] = ()
        self._rows: Sequence[Row] = ()
        self._widths: dict[int, int] = {}
        self._plain, self._room = Style.null(), 0
        self._order: Order | None = None
        self._marks: dict[str, None] = {}

    @property
    def key(self) -> str | None:
        """The key of the row under the cursor."""
        return self._rows[self.cursor].key if self.cursor < len(self._rows) else None

    @property
    def titles(self) -> list[str]:
        """The columns that fit."""
        return [self._columns[index].title for index in self._widths]

    def point_at(self, key: str) -> None:
        """Put the cursor on a row, if it is there."""
        index = found(self._rows, key)
        self.cursor = self.cursor if index is None else index

    def on_resize(self) -> None:
        """Choose the columns again for another width."""
        self._fit()
        self._reveal()

    def _fit(self) -> None:
        """Measure every row that was given, so that columns stay where they are while rows are filtered."""
        room = self.size.width - SCROLLBAR - self._margin
        self._widths = fitted(self._titled(), self._given, room) if self.size.width else {}
        self.virtual_size = Size(0, len(self._rows) + HEADER)
        self.refresh()

    @property
    def _margin(self) -> int:
        return len(MARK) + GAP if self._marks else 0

    @property
    def names(self) -> list[str]:
        """What a filter calls the columns."""
        return named(self._columns)

    @property
    def _ordered(self) -> int | None:
        names = self.names
        return names.index(self._order.name) if self._order and self._order.name in names else None

    def _titled(self) -> list[Column]:
        columns = list(self._columns)
        ordered = self._ordered
        if self._order is not None and ordered is not None:
            columns[ordered] = replace(columns[ordered], title=f"{columns[ordered].title}{self._order.arrow}")
        return columns

    def validate_cursor(self, cursor: int) -> int:
        """Keep the cursor on a row."""
        return max(min(cursor, len(self._rows) - 1), 0)

    def watch_cursor(self) -> None:
        """Show the row under the cursor, and tell."""
        self._reveal()
        self.refresh()
        self.post_message(self.Pointed(self))

    def _reveal(self) -> None:
        page = self.size.height - HEADER
        if page > 0:
            top = max(min(self.scroll_offset.y, self.cursor), self.cursor - page + 1)
            self.scroll_to(y=top, animate=False, force=True)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw lines: what is the same for all of them is looked up once."""
        self._plain, self._room = self.rich_style, self.scrollable_content_region.width
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw one line: the header stays, the rows move."""
        width, plain = self._room, self._plain
        index = self._row_at(y)
        if y < HEADER:
            part = self.get_component_rich_style("table--unit" if y else "table--title")
            segments = Segment.apply_style(self._segments(self._header(unit=y > 0)), part)
        elif index < len(self._rows):
            segments = self._segments(self._cells(self._rows[index]))
        else:
            return Strip.blank(width, plain)
        if y >= HEADER and index == self.cursor:
            cursor = self.get_component_rich_style("table--cursor")
            plain, over = plain + cursor, Style(color=cursor.color, bgcolor=cursor.bgcolor)
            segments = Segment.apply_style(segments, plain, over)
        return Strip(Segment.apply_style(segments, plain)).adjust_cell_length(width, plain)

    def _row_at(self, y: int) -> int:
        return y - HEADER + self.scroll_offset.y

    def _column_at(self, x: int) -> int | None:
        edge = self._margin
        for index, width in self._widths.items():
            edge += width
            if x < edge:
                return index
        return None

    def _header(self, *, unit: bool) -> Iterable[Text]:
        columns = self._titled()
        yield Text(" " * self._margin)
        for index, width in self._widths.items():
            yield columns[index].cell(Text(columns[index].unit if unit else columns[index].title), width)

    def _cells(self, row: Row) -> Iterable[Text]:
        mark = MARK if row.key in self._marks else ""
        yield Text(mark.rjust(self._margin))
        for index, width in self._widths.items():
            yield self._columns[index].cell(row.cells[index], width)

    def _segments(self, cells: Iterable[Text]) -> Iterable[Segment]:
        style = self.app.console.get_style
        return [Segment(cell.plain, style(cell.style)) for cell in cells]

    def action_move(self, step: int) -> None:
        """Move the cursor by some rows."""
        self.cursor += step

    def action_page(self, pages: int) -> None:
        """Move the cursor by what fits on the screen."""
        self.cursor += pages * max(self.size.height - HEADER - 1, 1)

    def action_first(self) -> None:
        """Move the cursor to the first row."""
        self.cursor = 0

    def action_last(self) -> None:
        """Move the cursor to the last row."""
        self.cursor = len(self._rows) - 1
