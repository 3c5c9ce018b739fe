"""Saved answers of Prometheus -> tables: one row a series and hour.

The file has one JSON object a line: first what it is, then a name of `promql.QUERIES` and one raw answer each. An
answer's time is the end of its hour. Values that are no numbers are null.
"""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl

from providers.columns import TIME
from providers.labels import picked
from providers.recognise import File
from providers.scan import GZIP_MAGIC
from providers.tables import InputError


class Series(msgspec.Struct):
    """The labels of a series, and its values by time in seconds."""

    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Matrix(msgspec.Struct, rename="camel"):
    result_type: str
    result: list[Series]


class Answered(msgspec.Struct, rename="camel"):
    """An answer of query_range."""

    status: str
    data: _Matrix | None = None
    error: str | None = None


class _Line(msgspec.Struct):
    query: str | None = None
    answer: Answered | None = None


ANSWER = msgspec.json.Decoder(Answered)
_LINES = msgspec.json.Decoder(_Line)


def series_of(files: Sequence[File]) -> dict[str, list[Series]]:
    """Return the series that each question was answered with, in the order of the files.

    Raises:
        InputError: a file is no file of answers.
    """
    found: dict[str, list[Series]] = {}
    for file in files:
        for line in _lines(file):
            if line.query and line.answer and line.answer.data:
                found.setdefault(line.query, []).extend(line.answer.data.result)
    return found


def table(series: Sequence[Series], columns: Mapping[str, Sequence[str]], *, own: bool = False) -> pl.DataFrame:
    """Return hour, value and a column for each name, from the first of its labels that is filled; null where none is.

    Rows of one hour with the same columns are one, the greatest value counting: several exporters, or answers that
    overlap, say the same.

    Args:
        series: what a question was answered with.
        columns: the labels of each column.
        own: the labels are those of a Kubernetes object, whose keys are spelt in several ways.
    """
    rows = [
        (*_cells(one.metric, columns, own=own), [t for t, _ in one.values], [v for _, v in one.values])
        for one in series
    ]
    schema = {**dict.fromkeys(columns, pl.String()), "time": pl.List(pl.Float64()), "value": pl.List(pl.String())}
    long = pl.DataFrame(rows, schema=schema, orient="row").explode("time", "value")
    end = ((pl.col("time").round() - 1) * 1_000_000).cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    timed = long.select(
        end.dt.truncate("1h").cast(TIME).alias("hour"),
        *columns,
        pl.col("value").cast(pl.Float64, strict=False).fill_nan(None),
    )
    return (
        timed.filter(pl.col("hour").is_not_null())
        .group_by("hour", *columns)
        .agg(pl.col("value").max())
        .sort("hour", *columns)
    )


def _lines(file: File) -> Iterator[_Line]:
    try:
        content = Path(file.path).read_bytes()
        content = gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
        yield from _LINES.decode_lines(content)
    except (msgspec.DecodeError, OSError, EOFError) as error:
        raise InputError(file.name, f"is no whole file of Prometheus answers ({error})", "fetch it again") from None


def _cells(metric: Mapping[str, str], columns: Mapping[str, Sequence[str]], *, own: bool) -> list[str | None]:
    told = picked([label for labels in columns.values() for label in labels], metric) if own else metric
    return [next((told[label] for label in labels if told.get(label)), None) for labels in columns.values()]
