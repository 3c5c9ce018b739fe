"""How far a long read has come: rows are counted as they pass, on a column that every reader needs."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

import polars as pl


class Progress(Protocol):
    """Whoever shows how far the work has come; units are bytes and rows. Several threads may call it."""

    def expect(self, amount: float, unit: str) -> None:
        """Add to the whole of what is to come."""

    def advance(self, amount: float, unit: str) -> None:
        """Add to what is done; less than 0 where a piece has to be fetched again."""


_WATCHER: ContextVar[Progress | None] = ContextVar("watcher", default=None)
_TIMES = ("line_item_usage_start_date", "lineitem/usagestartdate", "usage_start_time", "date", "chargeperiodstart")
_SAMPLE_BYTES = 1 << 16  # of a file of text, from which its rows are guessed
_GZIP_OR_ZLIB = 47  # what zlib calls a header that it finds out for itself


@contextmanager
def watched(progress: Progress | None) -> Iterator[None]:
    """Have frames that are scanned in this block tell, while they are collected, how many rows pass."""
    token = _WATCHER.set(progress)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def counted(frame: pl.LazyFrame, paths: Sequence[str], passes: int) -> pl.LazyFrame:
    """Return the frame, whose rows are counted as they pass, about so many times, where somebody watches."""
    progress, schema = _WATCHER.get(), frame.collect_schema()
    time = next((name for name in schema.names() if name.casefold() in _TIMES), None)
    if progress is None or time is None:
        return frame
    progress.expect(passes * sum(map(_rows, paths)), "rows")

    def count(batch: pl.Series) -> pl.Series:
        progress.advance(len(batch), "rows")
        return batch

    return frame.with_columns(pl.col(time).map_batches(count, return_dtype=schema[time], is_elementwise=True))


def _rows(path: str) -> float:
    """Return how many rows a file has: as Parquet says, of other files as many as the beginning has lines."""
    try:
        return float(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError:
        with Path(path).open("rb") as file:
            head = file.read(_SAMPLE_BYTES)
        return _lines_a_byte(head) * Path(path).stat().st_size


def _lines_a_byte(head: bytes) -> float:
    """Return how many lines a byte of a file stands for, plain or gzip; of a damaged file whatever can be read."""
    text, used = head, len(head)
    if head.startswith(b"\x1f\x8b"):
        unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            text = unpack.decompress(head)
        except zlib.error:
            return 0.0
        used -= len(unpack.unused_data)
    return text.count(b"\n") / used if used else 0.0
