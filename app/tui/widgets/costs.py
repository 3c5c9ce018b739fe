"""What is allocated today: provider, GPU model and team, in rows that open and close."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding

from app.tui import words
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.spark import spark
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from textual.binding import BindingType

    from app.tui.pools import Allocation, Pool

SPARK = 12
LATELY_DAYS = 7
DEEPEST = 3  # a team: nothing is inside it


def columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    return (
        Column(title="Pool", left=True, least=22),
        Column(title="Cost", unit=f"{sign}/hour"),
        Column(title="Last 7 days", unit=f"{sign}/hour", rank=4),
        Column(title="Share", unit="of GPU-h", rank=2),
        Column(title="Used", unit="share", rank=1),
        Column(title="Each day", unit="GPU-hours", left=True, rank=3),
    )


class Costs(FittedTable):
    """Allocated cost, one row a pool."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "open", "Open", id="costs.open", tooltip="Show what is inside this row", show=False),
        Binding("left", "close", "Close", id="costs.close", tooltip="Hide what is inside this row", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(columns("$"), id="costs")
        self._allocation: Allocation | None = None
        self._open: set[tuple[str, ...]] = set()

    def show(self, allocation: Allocation, currency: str) -> None:
        """Show an allocation with its providers open."""
        self._columns = columns(words.sign(currency).strip())
        self._allocation = allocation
        self._open = {pool.path for pool in allocation.pools if len(pool.path) <= 1}
        self._refill()

    @property
    def pool(self) -> Pool | None:
        """The pool under the cursor."""
        return self._visible.get(self.key or "")

    @property
    def _visible(self) -> dict[str, Pool]:
        pools = self._allocation.pools if self._allocation else ()
        return {
            str(index): pool
            for index, pool in enumerate(pools)
            if all(pool.path[:depth] in self._open for depth in range(len(pool.path)))
        }

    def toggle(self) -> None:
        """Open or close the row under the cursor."""
        if self.pool is not None and len(self.pool.path) < DEEPEST:
            self._open ^= {self.pool.path}
            self._refill()

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self.pool is not None and self.pool.path not in self._open:
            self.toggle()

    def action_close(self) -> None:
        """Close the row under the cursor, or the one that it is in."""
        if self.pool is None:
            return
        path = self.pool.path if self.pool.path in self._open else self.pool.path[:-1]
        self._open -= {path}
        self._refill(next((key for key, pool in self._visible.items() if pool.path == path), None))

    def _refill(self, at: str | None = None) -> None:
        self.fill([Row(key=key, cells=_cells(pool, self._label(pool))) for key, pool in self._visible.items()], at=at)

    def _label(self, pool: Pool) -> str:
        depth = len(pool.path)
        if not depth:
            return "All GPUs"
        sign = " " if depth == DEEPEST else "▾" if pool.path in self._open else "▸"
        return f"{' ' * (depth - 1)}{sign} {words.part(pool.path, depth - 1)}"


def _cells(pool: Pool, label: str) -> tuple[Text, ...]:
    style = "bold" if len(pool.path) < 2 else ""
    longer = len(pool.daily) > LATELY_DAYS
    return (
        Text(label, style=style),
        Text(_amount(pool.cost_per_hour), style=style),
        Text(_amount(pool.lately_per_hour) if longer else ""),
        Text(words.share(pool.gpu_hours_share)),
        Text(words.share(pool.used_share)),
        Text(spark(pool.daily, SPARK), style="dim"),
    )


def _amount(per_hour: float | None) -> str:
    return words.UNKNOWN if per_hour is None else f"{per_hour:,.2f}"
