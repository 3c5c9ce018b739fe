"""The rows of a frame of any size: one is made when it is looked at, and polars filters and sorts them all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, overload

import polars as pl
from rich.cells import cell_len
from rich.text import Text

from app.filter_values import Kind, kind_of_type
from app.filters import filled
from app.tui.widgets.columns import Column, LazyRows, Row, named
from app.tui.words import name as safe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from app.filters import Filter
    from app.tui.widgets.columns import Order

SAMPLE = 1_000  # rows that are measured, besides the longest, least and greatest of each column
LONGEST = 60  # cells: a longer text is cut
NARROWEST = 12  # cells: down to which a column of text is cut where there is no room
PLACES = 4
SMALL = 0.1  # below it the places are digits that tell something
FIRST_DAY, LAST_DAY = ((day - date(1970, 1, 1)).days for day in (date(1, 1, 2), date(9999, 12, 30)))
A_DAY = {"ms": 86_400_000, "us": 86_400_000_000}
MET = "met"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One column of a frame: its name there, its title and unit, how a value is written, and whether it is text."""

    name: str
    title: str
    unit: str = ""
    written: Callable[[object], str]
    left: bool = False

    @property
    def column(self) -> Column:
        """The column of the table."""
        title, least = safe(self.title), NARROWEST if self.left else None
        return Column(title=title, unit=self.unit, left=self.left, name=safe(self.name), least=least)

    def cell(self, value: object) -> str:
        """Write a value on one line, without anything that could steer a terminal; nothing where it is missing."""
        return "" if value is None else safe(self.written(value))


def specs_of(frame: pl.DataFrame) -> tuple[Spec, ...]:
    """Write every column of a frame as its type asks."""
    return tuple(_spec(name, dtype) for name, dtype in frame.schema.items())


def _spec(name: str, dtype: pl.DataType) -> Spec:
    kind = kind_of_type(dtype)
    return Spec(name=name, title=name, written=_writer(kind), left=kind not in {"number", "time"})


def _writer(kind: Kind | None) -> Callable[[object], str]:
    if kind == "flag":
        return lambda value: "yes" if value else "no"
    if kind == "time":
        return when
    return number if kind == "number" else str


def when(value: object) -> str:
    """Write a time to the minute, in its own zone."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return value.isoformat() if isinstance(value, date) else str(value)


def number(value: object) -> str:
    """Write a number with at most four decimals, a small one with four digits; nothing where it is not a number.

    >>> [number(value) for value in (1234.5, 3, 0.000123456, float("nan"))]
    ['1,234.5', '3', '0.0001235', '']
    """
    amount = float(str(value))
    if amount != amount:  # noqa: PLR0124  not a number differs from itself
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if 0 < abs(amount) < SMALL:
        return f"{amount:.{PLACES}g}"
    text = f"{amount:,.{PLACES}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class FrameRows(LazyRows):
    """The rows of a frame; the key of a row is its place there, however the rows are arranged."""

    def __init__(self, frame: pl.DataFrame, specs: Sequence[Spec]) -> None:
        self._specs = tuple(specs)
        columns = zip(named(self.columns), self._specs, strict=True)
        self._frame = pl.DataFrame([_known(frame.get_column(spec.name)).alias(name) for name, spec in columns])
        self._places: pl.Series | None = None
        self._widths = tuple(map(_width, self._specs, self._frame))

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the table."""
        return tuple(spec.column for spec in self._specs)

    @property
    def kinds(self) -> Mapping[str, Kind | None]:
        """What kind of values each column holds."""
        return {name: kind_of_type(dtype) for name, dtype in self._frame.schema.items()}

    def __len__(self) -> int:
        return self._frame.height if self._places is None else len(self._places)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        place = at if self._places is None else int(self._places[at])
        values = zip(self._specs, self._frame.row(place), strict=True)
        return Row(key=str(place), cells=tuple(Text(spec.cell(value)) for spec, value in values))

    def widths(self) -> Sequence[int]:
        """Return the cells that the widest content of each column takes, as far as a sample can tell."""
        return self._widths

    def find(self, key: str) -> int | None:
        """Return where the row is that stands at this place in the frame."""
        place = int(key) if key.isascii() and key.isdecimal() else self._frame.height
        if place >= self._frame.height:
            return None
        return place if self._places is None else self._places.index_of(place)

    def filtered(self, wanted: Filter) -> FrameRows:
        """Return the rows that a filter lets through."""
        if not wanted.alternatives:
            return self
        met = self._frame.with_columns(wanted.expression(self._frame.schema).alias(MET)).get_column(MET)
        places = met.arg_true() if self._places is None else self._places.filter(met.gather(self._places))
        return self._at(places)

    def sorted(self, name: str, *, descending: bool) -> FrameRows:
        """Return the rows sorted by a column, empty cells last; ties stay as they are."""
        kind = self.kinds[name]
        if kind is None:
            return self
        exact = kind == "number" and not self._frame.schema[name].is_float()
        keys = self._frame.get_column(name) if exact else self._frame.select(filled(name, kind)).to_series()
        keys = keys if self._places is None else keys.gather(self._places)
        order = keys.alias("key").to_frame().with_row_index("at")
        turned = order.sort("key", descending=descending, nulls_last=True, maintain_order=True).get_column("at")
        return self._at(turned if self._places is None else self._places.gather(turned))

    def arranged(self, wanted: Filter, order: Order | None) -> FrameRows:
        """Return the rows that a filter lets through, in an order."""
        rows = self.filtered(wanted)
        return rows if order is None else rows.sorted(order.name, descending=order.descending)

    def _at(self, places: pl.Series) -> FrameRows:
        rows = object.__new__(FrameRows)
        rows._specs, rows._frame, rows._widths = self._specs, self._frame, self._widths
        rows._places = places
        return rows


def _known(column: pl.Series) -> pl.Series:
    """Take away times that no calendar has: Python cannot hold them, and they come from damaged files."""
    dtype = column.dtype
    a_day = 1 if isinstance(dtype, pl.Date) else A_DAY.get(dtype.time_unit) if isinstance(dtype, pl.Datetime) else None
    if a_day is None:
        return column
    known = column.to_physical().is_between(FIRST_DAY * a_day, LAST_DAY * a_day)
    return column if known.all() else pl.select(pl.when(known).then(column)).to_series()


def _width(spec: Spec, column: pl.Series) -> int:
    sample = [*column.head(SAMPLE), *_extremes(column)]
    return min(max((cell_len(spec.cell(value)) for value in sample), default=0), LONGEST)


def _extremes(column: pl.Series) -> list[object]:
    """Return the values of a column that are likely to be the widest."""
    kind = kind_of_type(column.dtype)
    if kind == "text":
        texts = column.cast(pl.String).str
        places = [texts.len_chars().arg_max(), texts.len_bytes().arg_max()]
    elif kind == "number":
        finest = (
            (column.round(PLACES) != column.round(PLACES - 1)).cast(pl.UInt8) if column.dtype.is_float() else column
        )
        places = [column.arg_min(), column.arg_max(), finest.arg_max()]
    else:
        places = []
    return [column[place] for place in places if place is not None]
