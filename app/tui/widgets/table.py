"""A table that draws only the rows in view, in as many of its columns as fit, the most telling ones first."""

from __future__ import annotations

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

from app.tui.widgets.columns import fitted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual.binding import BindingType
    from textual.events import Click

    from app.tui.widgets.columns import Column, Row

HEADER = 2  # lines: titles, and units
SCROLLBAR = 1


def _key(key: str, action: str, name: str, tooltip: str, *, system: bool = True) -> Binding:
    return Binding(key, action, name, id=f"table.{name.lower()}", tooltip=tooltip, show=False, system=system)


class FittedTable(ScrollView, can_focus=True):
    """Rows of text under two lines of header, with a cursor."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--title", "table--unit", "table--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        _key("up", "move(-1)", "Up", "Go to the row above"),
        _key("down", "move(1)", "Down", "Go to the row below"),
        _key("pageup", "page(-1)", "PageUp", "Go up by a page"),
        _key("pagedown", "page(1)", "PageDown", "Go down by a page"),
        _key("home", "first", "First", "Go to the first row"),
        _key("end", "last", "Last", "Go to the last row"),
        _key("enter,space", "choose", "Choose", "Open or close a pool; type another price for a quote", system=False),
    ]

    cursor: reactive[int] = reactive(0)

    class Pointed(Message):
        """The row under the cursor is another one, or shows something else."""

        def __init__(self, table: FittedTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> FittedTable:
            """The table."""
            return self.table

    class Chosen(Pointed):
        """The row under the cursor was chosen."""

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._rows: tuple[Row, ...] = ()
        self._widths: dict[int, int] = {}

    def fill(self, rows: Sequence[Row], *, at: str | None = None) -> None:
        """Show other rows; the cursor goes to the row with key `at`, or stays on the row it is on."""
        wanted = at or self.key
        self._rows = tuple(rows)
        self._fit()
        self.cursor = next((index for index, row in enumerate(self._rows) if row.key == wanted), 0)
        self.call_after_refresh(self._reveal)
        self.post_message(self.Pointed(self))

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
        self.cursor = next((index for index, row in enumerate(self._rows) if row.key == key), self.cursor)

    def on_resize(self) -> None:
        """Choose the columns again for another width."""
        self._fit()
        self._reveal()

    def _fit(self) -> None:
        self._widths = fitted(self._columns, self._rows, self.size.width - SCROLLBAR) if self.size.width else {}
        self.virtual_size = Size(0, len(self._rows) + HEADER)
        self.refresh()

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

    def render_line(self, y: int) -> Strip:
        """Draw one line: the header stays, the rows move."""
        width, plain = self.scrollable_content_region.width, self.rich_style
        index = y - HEADER + self.scroll_offset.y
        if y < HEADER:
            part = self.get_component_rich_style("table--unit" if y else "table--title")
            segments = Segment.apply_style(self._segments(self._header(unit=y > 0)), part)
        elif index < len(self._rows):
            cells = (
                self._columns[shown].cell(self._rows[index].cells[shown], room) for shown, room in self._widths.items()
            )
            segments = self._segments(cells)
        else:
            return Strip.blank(width, plain)
        if y >= HEADER and index == self.cursor:
            cursor = self.get_component_rich_style("table--cursor")
            plain, over = plain + cursor, Style(color=cursor.color, bgcolor=cursor.bgcolor)
            segments = Segment.apply_style(segments, plain, over)
        return Strip(Segment.apply_style(segments, plain)).adjust_cell_length(width, plain)

    def _header(self, *, unit: bool) -> Iterable[Text]:
        for index, width in self._widths.items():
            column = self._columns[index]
            yield column.cell(Text(column.unit if unit else column.title), width)

    def _segments(self, cells: Iterable[Text]) -> Iterable[Segment]:
        style = self.app.console.get_style
        return [Segment(cell.plain, style(cell.style)) for cell in cells]

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is; a second click there chooses the row."""
        index = event.y - HEADER + self.scroll_offset.y
        if event.y < HEADER or index >= len(self._rows):
            return
        if index == self.cursor and self.has_focus:
            self.action_choose()
        self.cursor = index

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

    def action_choose(self) -> None:
        """Say that the row under the cursor was chosen."""
        if self._rows:
            self.post_message(self.Chosen(self))
