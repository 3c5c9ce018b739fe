"""Cells of FOCUS files -> typed values, as vendors really write them: text, numbers, times, and JSON however stored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from providers.columns import TIME
from providers.scan import NULLS
from providers.streaming import by_distinct

_AMERICAN = ("%m/%d/%y", "%m/%d/%Y", "%m/%d/%y %H:%M", "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S")
_THOUSANDS = r"^[-+]?[$€£]?[-+]?\d{1,3}(?:,\d{3})*(?:\.\d*)?$"
_PAIRS = "pairs"


@dataclass(frozen=True, slots=True)
class Cells:
    """Expressions that read the columns of one scan by their FOCUS names, whatever their case and type.

    Several names mean the first that is filled; a column that is absent reads as null.
    """

    schema: pl.Schema

    def has(self, name: str) -> bool:
        """Return whether the scan has the column."""
        return bool(self._found((name,)))

    def text(self, *names: str) -> pl.Expr:
        """Return text, null where it is blank or the word null."""
        return _first([_text(pl.col(name), dtype) for name, dtype in self._found(names)], pl.String())

    def number(self, *names: str) -> pl.Expr:
        """Return a number; `$1,234.50` is one, text that is none and what is not finite are null."""
        return _first([_number(pl.col(name), dtype) for name, dtype in self._found(names)], pl.Float64())

    def time(self, *names: str) -> pl.Expr:
        """Return a time in UTC; without an offset it is UTC, and 4/30/25 is in April."""
        return _first([_time(pl.col(name), dtype) for name, dtype in self._found(names)], TIME)

    def json(self, *names: str) -> pl.Expr:
        """Return JSON as text, from JSON text, a map, a struct, or a list of key and value."""
        return _first([_json(pl.col(name), dtype) for name, dtype in self._found(names)], pl.String())

    def _found(self, names: tuple[str, ...]) -> list[tuple[str, pl.DataType]]:
        there = {name.casefold(): name for name in self.schema}
        columns = [there[name.casefold()] for name in names if name.casefold() in there]
        return [(name, self.schema[name]) for name in columns]


def pairs(text: str) -> dict[str, str]:
    """Return the keys and values of a JSON object, or of a list of key and value; of anything else none.

    >>> pairs('{"GpuCount": 8, "InstanceType": "p5.48xlarge"}')
    {'GpuCount': '8', 'InstanceType': 'p5.48xlarge'}
    """
    value = parsed(text)
    if isinstance(value, Mapping) and set(value) == {_PAIRS}:
        value = value[_PAIRS]
    if isinstance(value, list):
        listed = [item for item in value if isinstance(item, Mapping)]
        value = {item["key"]: item.get("value") for item in listed if "key" in item}
    if not isinstance(value, Mapping):
        return {}
    return {printable(key): printable(cell) for key, cell in value.items() if cell is not None}


def parsed(text: str) -> object:
    """Return what JSON text holds, or None where it is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def printable(value: object) -> str:
    """Return a value of JSON as text that can be stored, without halves of characters."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def time_of(text: str) -> datetime | None:
    """Return the time that a cell names, in UTC.

    >>> time_of("2024-09-27 16:00:00") == time_of("2024-09-27T16:00Z") == time_of("2024-09-27T18:00:00+02:00")
    True
    """
    cleaned = text.strip().removesuffix("UTC").strip()
    try:
        return _utc(datetime.fromisoformat(cleaned))
    except (ValueError, OverflowError):
        return _american(cleaned)


def _american(text: str) -> datetime | None:
    for form in _AMERICAN:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _first(readings: list[pl.Expr], dtype: pl.DataType) -> pl.Expr:
    return pl.coalesce(readings) if readings else pl.lit(None, dtype)


def _text(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    text = column if dtype == pl.String else column.cast(pl.String)
    return pl.when(~text.is_in(NULLS)).then(text)


def _number(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype != pl.String:
        return _finite(column.cast(pl.Float64))
    return _finite(column.map_batches(_numbers, return_dtype=pl.Float64(), is_elementwise=True))


def _numbers(batch: pl.Series) -> pl.Series:
    """Return the numbers of a batch of texts; only where some are no plain ones are they read as a person would."""
    plain = batch.cast(pl.Float64, strict=False)
    if plain.null_count() == batch.null_count():
        return plain
    text = pl.col(batch.name).str.strip_chars()
    spelt = pl.when(text.str.contains(_THOUSANDS)).then(text.str.replace_all(r"[$€£,]", ""))
    numbers = pl.coalesce(text.cast(pl.Float64, strict=False), spelt.cast(pl.Float64, strict=False))
    return batch.to_frame().select(numbers.alias(batch.name)).to_series()


def _finite(number: pl.Expr) -> pl.Expr:
    return pl.when(number.is_finite()).then(number)


def _time(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.String:
        return by_distinct(column, time_of, TIME)
    if dtype == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if getattr(dtype, "time_zone", None):
        return column.dt.convert_time_zone("UTC").cast(TIME)
    return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _json(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.String:
        return _text(column, dtype)
    if isinstance(dtype, pl.Struct):
        return column.struct.json_encode()
    listed = column.map.entries() if isinstance(dtype, pl.Map) else column
    return pl.when(column.is_not_null()).then(pl.struct(listed.alias(_PAIRS)).struct.json_encode())
