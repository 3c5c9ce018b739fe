"""The rows behind a figure: a frame of any size, to look through, sort, filter and mark."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from app.tui.aside import aside
from app.tui.screens.text import TextScreen, help_parts
from app.tui.widgets.filter_input import FilterInput
from app.tui.widgets.key_bar import KeyBar
from app.tui.widgets.table import FittedTable
from app.tui.words import name
from app.tui.work import explained

if TYPE_CHECKING:
    import polars as pl
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from app.tui.widgets.frame_rows import FrameRows

ABOUT = "The rows behind a figure, one by one."
FILTERS = Text.assemble(
    ("\nFilter\n", "bold"),
    "name OP value, with = != < <= > >= and ~ for contains; a word alone is looked for in every column of text.\n"
    "Terms beside each other all hold, | separates alternatives, ! turns a term round, name= asks for an empty cell.\n"
    'Quotes keep spaces: team="ads eu". Numbers may be 10k, 3M, $2.10 or 30%; times 2026-04 or 2026-04-01T05:00.',
)


class RowsScreen(Screen[None]):
    """Shows a frame over the other screens."""

    DEFAULT_CSS = """
    RowsScreen {
        layout: vertical;

        .rows-title {
            height: 1;
            padding: 0 1;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Back", id="rows.back", tooltip="Go back to where the rows were asked for"),
        Binding("question_mark", "help", "Help", id="rows.help", key_display="?", tooltip="Show the keys for the rows"),
    ]

    def __init__(self, title: str, frame: pl.DataFrame) -> None:
        super().__init__()
        self._heading = name(title)
        self._frame = frame
        self._reading: Worker[FrameRows] | None = None
        self._problem = ""

    def compose(self) -> ComposeResult:
        """Lay out the title, the rows and the line to filter them."""
        from app.tui.widgets.frame_rows import specs_of

        yield Static(classes="rows-title")
        yield FittedTable(tuple(spec.column for spec in specs_of(self._frame)), id="rows")
        yield FilterInput()
        yield KeyBar()

    def on_mount(self) -> None:
        """Measure the rows beside the screen."""
        from app.tui.widgets.frame_rows import FrameRows, specs_of

        frame = self._frame
        self._reading = self.run_worker(partial(aside, lambda: FrameRows(frame, specs_of(frame))), exit_on_error=False)
        self.query_one(FittedTable).focus()
        self._describe()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the rows once they are measured."""
        if event.worker is not self._reading:
            return
        if event.state is WorkerState.SUCCESS and event.worker.result is not None:
            self.query_one(FittedTable).fill(event.worker.result)
        elif event.state is WorkerState.ERROR and event.worker.error is not None:
            self._problem = explained(event.worker.error)
        self._describe()

    @property
    def caption(self) -> str:
        """The title: what the rows are, how many, and what is being done."""
        table = self.query_one(FittedTable)
        reading = self._reading is not None and not self._reading.is_finished
        parts = [
            self._heading,
            f"{table.info or f'{self._frame.height:,}'} rows",
            name(table.filtered),
            f"{len(table.marked):,} marked" if table.marked else "",
            "reading…" if reading else "sorting…" if table.busy else self._problem,
        ]
        return "  ".join(part for part in parts if part)

    @on(FittedTable.Arranged)
    @on(FittedTable.Marked)
    def _describe(self) -> None:
        self.query_one(".rows-title", Static).update(Text(self.caption, no_wrap=True, overflow="ellipsis"))
        self.refresh_bindings()

    @on(FittedTable.FilterAsked)
    def ask_filter(self, event: FittedTable.FilterAsked) -> None:
        """Open the line to filter the rows."""
        self.set_focus(self.query_one(FilterInput).ask(event.table))

    @on(FilterInput.Left)
    def back_to_rows(self) -> None:
        """Go on in the rows."""
        self.set_focus(self.query_one(FittedTable))

    def action_help(self) -> None:
        """Show the keys, and how a filter is written."""
        about, keys, _ = help_parts(ABOUT, self.active_bindings.values(), lambda _: "there is no row")
        self.app.push_screen(TextScreen(self._heading, about, keys, FILTERS))
