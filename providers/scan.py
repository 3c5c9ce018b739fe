"""Files of one export -> lazy frames; nothing is read before somebody collects, and then in a stream.

An export may change its columns from one file to the next, so files with the same columns make one frame.
"""

import gzip
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from providers.tables import InputError

PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
NULLS = ["", "NULL", "null", "\\N"]
"""Texts that exports write where they mean nothing."""
HEAD_BYTES = 1 << 20


def scans(paths: Sequence[str]) -> list[pl.LazyFrame]:
    """Return one lazy frame for each set of files that share their columns, in the order of the paths.

    Parquet keeps its types; every column of CSV (plain or gzip) is text, and of newline JSON what polars makes of it.
    Blank lines are kept as rows of nulls.

    Raises:
        InputError: a file is no such file.
    """
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for path in paths:
        kind = format_of(path)
        columns = tuple((name, str(dtype)) for name, dtype in schema_of(path).items())
        groups.setdefault((kind, columns), []).append(path)
    return [_scan(kind, files) for (kind, _), files in groups.items()]


def schema_of(path: str) -> pl.Schema:
    """Return the columns of a file.

    Raises:
        InputError: it cannot be read as what it looks like.
    """
    try:
        return _scan(format_of(path), [path]).collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(Path(path).name, f"cannot be read ({reason})", "export or download it again") from None


def format_of(path: str) -> str:
    """Return parquet, csv or json (one object a line, or one whole), by content.

    Raises:
        InputError: the file is empty, or none of these.
    """
    head = head_of(path)
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise InputError(Path(path).name, "is empty", "export or download it again")
    if b"\0" in text:
        raise InputError(Path(path).name, "is a binary file that is not Parquet", "give Parquet, CSV or JSON")
    return "json" if text[:1] in (b"{", b"[") else "csv"


def head_of(path: str, size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file, unpacked where it is gzip.

    Raises:
        InputError: the file is absent, may not be read, or is damaged gzip from the start.
    """
    try:
        with Path(path).open("rb") as file:
            if file.read(2) == GZIP_MAGIC:
                with gzip.open(path) as unpacked:
                    return unpacked.read(size)
            return file.seek(0) or file.read(size)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "check its permissions, or download it again"
        raise InputError(Path(path).name, f"cannot be read ({reason})", remedy) from None


def _scan(kind: str, paths: Sequence[str]) -> pl.LazyFrame:
    if kind == "parquet":
        return pl.scan_parquet(list(paths), glob=False)
    if kind == "json":
        return pl.scan_ndjson(list(paths), infer_schema_length=None)
    return pl.scan_csv(list(paths), infer_schema=False, null_values=NULLS, glob=False)
