"""A table of any size with a cursor: sorted by a column, filtered by what is typed, with marks on its rows.

It draws only the rows in view, in as many of its columns as fit, the most telling ones first.
"""

from __future__ import annotations

from functools import partial
from threading import Semaphore
from typing import TYPE_CHECKING, ClassVar, cast

from textual.message import Message
from textual.worker import Worker, WorkerState

from app.filters import Filter, parse
from app.tui.aside import aside
from app.tui.widgets.arranging import arranged, kinds_of
from app.tui.widgets.columns import LazyRows, Order, found
from app.tui.widgets.grid import HEADER, Grid, key_of_table
from app.tui.work import explained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.binding import BindingType
    from textual.events import Click

    from app.tui.widgets.columns import Column, Row

ARRANGING = Semaphore(1)  # rows are not arranged again before the last time is over: only the newest order counts


class FittedTable(Grid):
    """Rows that are arranged as the person at the desk asks; lazy ones beside the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key_of_table(
            "enter,space", "choose", "Choose", "Open or close a pool; type another price for a quote", system=False
        ),
        key_of_table("comma", "sort(-1)", "Sort before", "Sort by the column before", system=False, shown=","),
        key_of_table("full_stop", "sort(1)", "Sort next", "Sort by the next column", system=False, shown="."),
        key_of_table("minus", "turn", "Sort turned", "Turn the order round", system=False, shown="-"),
        key_of_table("0", "unsort", "Sort no more", "Go back to the order given", system=False),
        key_of_table("m", "mark", "Mark", "Mark the row, or take its mark away", system=False),
        key_of_table("M", "unmark", "Mark none", "Take every mark away", system=False),
        key_of_table("slash", "ask_filter", "Filter", "Show only the rows that match", system=False, shown="/"),
    ]

    class About(Message):
        """Something about a table."""

        def __init__(self, table: FittedTable) -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> FittedTable:
            """The table."""
            return self.table

    class Chosen(Grid.Pointed):
        """The row under the cursor was chosen."""

    class Marked(About):
        """A row was marked, or is no longer."""

    class FilterAsked(About):
        """Somebody wants to type a filter."""

    class Arranged(About):
        """The rows are in another order, or are others; or are about to be, while the table is busy."""

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(columns, id=id)
        self._filter = Filter()
        self._newest: Worker[Sequence[Row]] | None = None
        self._wanted: str | None = None

    def fill(self, rows: Sequence[Row], *, at: str | None = None) -> None:
        """Show other rows; the cursor goes to the row with key `at`, or stays on the row it is on."""
        wanted = at or self.key
        self._given = rows if isinstance(rows, LazyRows) else tuple(rows)
        if not self._filter.names.issubset(self.names):
            self._filter = Filter()
        if self._slow:
            self._show(self._given, wanted)
        self._arrange(wanted)

    @property
    def order(self) -> Order | None:
        """The column that the rows are sorted by, None where they are as they were given."""
        return self._order

    @property
    def filtered(self) -> str:
        """The filter as it is typed, empty where there is none."""
        return str(self._filter)

    @property
    def info(self) -> str:
        """How many rows are let through, empty where all are."""
        return f"{len(self._rows):,} of {len(self._given):,}" if self.filtered else ""

    @property
    def busy(self) -> bool:
        """Whether the rows are being arranged, and those on screen still are as they were before."""
        return self._newest is not None

    @property
    def marked(self) -> tuple[str, ...]:
        """The keys of the marked rows, in the order they were marked; whether they are in view or not."""
        return tuple(self._marks)

    def sort(self, name: str | None, *, descending: bool = False) -> None:
        """Sort by a column; None gives back the order given."""
        self._order = None if name is None else Order(name=name, descending=descending)
        self._arrange()

    def filter(self, text: str) -> None:
        """Show only the rows that a filter lets through.

        Raises:
            FilterError: the text is no filter of this table.
        """
        self._filter = parse(text, self.names, kinds=kinds_of(self._given, self.names))
        self._arrange()

    @property
    def _held(self) -> str | None:
        """The row that the cursor stays on when rows are arranged; one at the top stays at the top."""
        return self.key if self.cursor else None

    @property
    def _slow(self) -> bool:
        return isinstance(self._given, LazyRows) and bool(self._order or self._filter.alternatives)

    def _arrange(self, at: str | None = None) -> None:
        self.workers.cancel_group(self, "arrange")
        self._newest, self._wanted = None, at
        work = partial(arranged, self._given, self.names, self._filter, self._order)
        if not self._slow:
            self._show(work(), at or self._held)
            return
        self._newest = self.run_worker(partial(aside, work, ARRANGING), group="arrange", exit_on_error=False)
        self._fit()
        self.post_message(self.Arranged(self))

    def _show(self, rows: Sequence[Row], at: str | None) -> None:
        self._rows = rows
        self._fit()
        self.cursor = found(rows, at) or 0
        self.call_after_refresh(self._reveal)
        self.post_message(self.Pointed(self))
        self.post_message(self.Arranged(self))

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Show the rows as they were asked for last."""
        if event.worker is not self._newest:
            return
        if event.state is WorkerState.SUCCESS:
            self._newest = None
            self._show(cast("Sequence[Row]", event.worker.result), self._wanted or self._held)
        elif event.state is WorkerState.ERROR and event.worker.error is not None:
            self._newest = None
            self.notify(explained(event.worker.error), severity="error", markup=False)
            self.post_message(self.Arranged(self))

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is; a second click there chooses the row. A title sorts by its column."""
        index = self._row_at(event.y)
        if event.y < HEADER:
            self._sort_by(self._column_at(event.x))
            return
        if index >= len(self._rows):
            return
        if index == self.cursor and self.has_focus:
            self.action_choose()
        self.cursor = index

    def _sort_by(self, column: int | None) -> None:
        if column is None:
            return
        if column == self._ordered:
            self.action_turn()
        else:
            self.sort(self.names[column])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which actions are possible now."""
        if action in {"turn", "unsort"}:
            return True if self._order else None
        if action == "unmark":
            return True if self._marks else None
        return True

    def action_choose(self) -> None:
        """Say that the row under the cursor was chosen."""
        if self._rows:
            self.post_message(self.Chosen(self))

    def action_sort(self, step: int) -> None:
        """Sort by the column that stands beside the one that is sorted by."""
        shown = list(self._widths)
        if not shown:
            return
        ordered = self._ordered
        at = min(step, 0) if ordered is None or ordered not in shown else shown.index(ordered) + step
        self._sort_by(shown[at % len(shown)])

    def action_turn(self) -> None:
        """Turn the order round."""
        if self._order is not None:
            self._order = self._order.turned
            self._arrange()

    def action_unsort(self) -> None:
        """Go back to the order given."""
        self.sort(None)

    def action_mark(self) -> None:
        """Mark the row under the cursor, or take its mark away."""
        key = self.key
        if key is None:
            return
        if key in self._marks:
            del self._marks[key]
        else:
            self._marks[key] = None
        self._remark()

    def action_unmark(self) -> None:
        """Take every mark away."""
        self._marks.clear()
        self._remark()

    def _remark(self) -> None:
        self._fit()
        self.post_message(self.Marked(self))

    def action_ask_filter(self) -> None:
        """Ask for a line to type a filter."""
        self.post_message(self.FilterAsked(self))
