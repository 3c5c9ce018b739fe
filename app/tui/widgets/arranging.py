"""How the rows of a table are arranged: which are let through, and in which order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from app.filter_values import Kind, Value, kind_of, read_number, utc
from app.tui.widgets.columns import LazyRows
from app.tui.words import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.filters import Filter
    from app.tui.widgets.columns import Order, Row

RANKS: dict[Kind | None, int] = {"number": 0, "flag": 0, "time": 1, "text": 2}  # of kinds in one column


def values_of(row: Row) -> tuple[Value, ...]:
    """Return what a row is sorted and filtered by: its values, or what its cells say."""
    return row.values or tuple(_said(cell.plain.strip()) for cell in row.cells)


def _said(text: str) -> Value:
    number = read_number(text)
    return number if number is not None else None if text == UNKNOWN else text


def kinds_of(rows: Sequence[Row], names: Sequence[str]) -> Mapping[str, Kind | None]:
    """Return the kind of each column, None where its rows differ or are all empty."""
    if isinstance(rows, LazyRows):
        return rows.kinds
    columns: list[set[Kind]] = [set() for _ in names]
    for row in rows:
        for kinds, value in zip(columns, values_of(row), strict=True):
            kinds.update(kind for kind in (kind_of(value),) if kind)
    return {name: kinds.pop() if len(kinds) == 1 else None for name, kinds in zip(names, columns, strict=True)}


def arranged(rows: Sequence[Row], names: Sequence[str], wanted: Filter, order: Order | None) -> Sequence[Row]:
    """Return the rows that the filter lets through, in an order; empty cells are last, ties as they were given."""
    if not wanted.alternatives and order is None:
        return rows
    if isinstance(rows, LazyRows):
        return rows.arranged(wanted, order)
    if wanted.alternatives:
        rows = [row for row in rows if wanted.holds(dict(zip(names, values_of(row), strict=True)))]
    return rows if order is None or order.name not in names else _sorted(rows, names.index(order.name), order)


def _sorted(rows: Sequence[Row], column: int, order: Order) -> list[Row]:
    values = [values_of(row)[column] for row in rows]
    known = [index for index, value in enumerate(values) if kind_of(value)]
    empty = [index for index, value in enumerate(values) if not kind_of(value)]
    known.sort(key=lambda index: _rank(values[index]), reverse=order.descending)
    return [rows[index] for index in (*known, *empty)]


def _rank(value: Value) -> tuple[int, Value]:
    return RANKS[kind_of(value)], utc(value) if isinstance(value, datetime) else value
