"""What is allocated today: provider, GPU model and team, in rows that open and close."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding

from app.filters import Filter
from app.tui import words
from app.tui.glyphs import chosen
from app.tui.widgets.arranging import arranged, values_of
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.spark import spark
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from textual.binding import BindingType

    from app.filter_values import Value
    from app.tui.pools import Allocation, Pool

    Path = tuple[str, ...]

SPARK = 12
LATELY_DAYS = 7
DEEPEST = 3  # a team: nothing is inside it


def columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign; those without a title are there to filter by."""
    return (
        Column(title="Pool", left=True, least=16),
        Column(title="Cost", unit=f"{sign}/hour"),
        Column(title="Last 7 days", unit=f"{sign}/hour", rank=4),
        Column(title="Share", unit="of GPU-h", rank=2),
        Column(title="Used", unit="share", rank=1),
        Column(title="Each day", unit="GPU-hours", left=True, rank=3),
        *(Column(title="", name=name) for name in ("provider", "gpu", "team")),
    )


class Costs(FittedTable):
    """Allocated cost, one row a pool; whatever the order, what is inside a pool stands below it.

    A filter looks into closed pools too, and leaves what a row that it lets through is inside of.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "open", "Open", id="costs.open", tooltip="Show what is inside this row", show=False),
        Binding("left", "close", "Close", id="costs.close", tooltip="Hide what is inside this row", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(columns("$"), id="costs")
        self._pools: dict[str, Pool] = {}
        self._open: set[Path] = set()

    def show(self, allocation: Allocation, currency: str) -> None:
        """Show an allocation with its providers open."""
        self._columns = columns(words.sign(currency).strip())
        self._pools = {_key(pool.path): pool for pool in allocation.pools}
        self._open = {pool.path for pool in allocation.pools if len(pool.path) <= 1}
        self._arrange(self.key)

    @property
    def pool(self) -> Pool | None:
        """The pool under the cursor."""
        return self._pools.get(self.key or "")

    @property
    def _visible(self) -> dict[str, Pool]:
        return {row.key: self._pools[row.key] for row in self._rows}

    def toggle(self) -> None:
        """Open or close the row under the cursor."""
        if self.pool is not None and len(self.pool.path) < DEEPEST:
            self._open ^= {self.pool.path}
            self._arrange(self.key)

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
        self._arrange(_key(path))

    def _arrange(self, at: str | None = None) -> None:
        """Show the rows that are open, or that the filter lets through, each below what it is in."""
        self._given = tuple(
            Row(key=key, cells=_cells(pool, self._label(pool.path)), values=_values(pool))
            for key, pool in self._pools.items()
        )
        shown = self._let_through()
        inside: dict[Path | None, list[Row]] = {}
        for row in (row for row in self._given if row.key in shown):
            path = self._pools[row.key].path
            inside.setdefault(path[:-1] if path else None, []).append(row)
        self._show(list(self._below(None, inside)), at or self._held)

    def _below(self, path: Path | None, inside: Mapping[Path | None, Sequence[Row]]) -> Iterable[Row]:
        """Yield what is in a pool, in order, each followed by what is in it."""
        for row in arranged(inside.get(path, ()), self.names, Filter(), self._order):
            yield row
            yield from self._below(self._pools[row.key].path, inside)

    def _let_through(self) -> set[str]:
        """Return the keys of the rows to show."""
        if not self.filtered:
            paths = (pool.path for pool in self._pools.values())
            return {_key(path) for path in paths if all(path[:depth] in self._open for depth in range(len(path)))}
        met = [row for row in self._given if self._filter.holds(dict(zip(self.names, values_of(row), strict=True)))]
        found = (self._pools[row.key].path for row in met)
        return {_key(path[:depth]) for path in found for depth in range(len(path) + 1)}

    def _label(self, path: Path) -> str:
        depth = len(path)
        if not depth:
            return "All GPUs"
        is_open = path in self._open or bool(self.filtered)
        sign = " " if depth == DEEPEST else chosen().opened if is_open else chosen().closed
        return f"{' ' * (depth - 1)}{sign} {words.part(path, depth - 1)}"


def _key(path: Path) -> str:
    return repr(path)


def _cells(pool: Pool, label: str) -> tuple[Text, ...]:
    style = "bold" if len(pool.path) < 2 else ""
    return (
        Text(label, style=style),
        Text(_amount(pool.cost_per_hour), style=style),
        Text(_amount(pool.lately_per_hour) if _longer(pool) else ""),
        Text(words.share(pool.gpu_hours_share)),
        Text(words.share(pool.used_share)),
        Text(spark(pool.daily, SPARK), style="dim"),
        *(Text() for _ in range(DEEPEST)),
    )


def _values(pool: Pool) -> tuple[Value, ...]:
    names = [words.part(pool.path, level) for level in range(len(pool.path))]
    return (
        names[-1] if names else "All GPUs",
        pool.cost_per_hour,
        pool.lately_per_hour if _longer(pool) else None,
        pool.gpu_hours_share,
        pool.used_share,
        sum(pool.daily),
        *(names[level] if level < len(names) else None for level in range(DEEPEST)),
    )


def _longer(pool: Pool) -> bool:
    return len(pool.daily) > LATELY_DAYS


def _amount(per_hour: float | None) -> str:
    return words.UNKNOWN if per_hour is None else f"{per_hour:,.2f}"
