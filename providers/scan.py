"""Files of one export -> lazy frames; nothing is read before somebody collects, and then in a stream.

An export may change its columns from one file to the next, so files with the same columns make one frame.
"""

import gzip
import io
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from providers.tables import InputError
from providers.watch import counted

PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
NULLS = ["", "NULL", "null", "\\N"]
"""Texts that exports write where they mean nothing."""
HEAD_BYTES = 1 << 20
CHUNK_BYTES = 1 << 22
AGAIN = "export or download it again"


class UnknownFileError(InputError):
    """A file that is no data at all: empty, binary, or nothing that is understood."""


def scans(paths: Sequence[str], *, passes: int = 1) -> list[pl.LazyFrame]:
    """Return one lazy frame for each set of files that share their columns, in the order of the paths.

    Parquet keeps its types; every column of CSV (plain or gzip) is text, and of JSON what polars makes of it. JSON is
    one object a line; one whole array of objects is understood too, but read at once. Blank lines of CSV are kept as
    rows of nulls. Bytes that are no UTF-8 become U+FFFD in CSV (`is_utf8` tells), and are an error in JSON.

    Args:
        paths: files.
        passes: how often a row will be read in all, about; only who watches needs it (`providers.watch`).

    Raises:
        InputError: a file is no such file.
    """
    schemas = {path: schema_of(path) for path in dict.fromkeys(paths)}
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    for path in paths:
        columns = tuple((name, str(dtype)) for name, dtype in schemas[path].items())
        groups.setdefault((format_of(path), columns), []).append(path)
    return [counted(_scan(kind, files, schemas[files[0]]), files, passes) for (kind, _), files in groups.items()]


def schema_of(path: str) -> pl.Schema:
    """Return the columns of a file.

    Raises:
        InputError: it cannot be read as what it looks like.
    """
    try:
        return _scan(format_of(path), [path]).collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(Path(path).name, f"cannot be read ({_reason(error)})", AGAIN) from None


@contextmanager
def reading(names: Mapping[str, str]) -> Iterator[None]:
    """Turn what polars and the disk say while frames of files are collected into an error that names the file.

    Polars does not always say which file it was, so they are read again, one by one, until one fails; where none does,
    the files are not to blame and the error stays what it was.

    Args:
        names: what to call the file at each path.

    Raises:
        InputError: a file is damaged, or of another shape than its first rows promised.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError):
        found = next(((name, reason) for path, name in names.items() if (reason := _broken(path))), None)
        if found is None:
            raise
        raise InputError(found[0], f"cannot be read to its end ({found[1]})", AGAIN) from None


def is_utf8(path: str) -> bool:
    """Return whether a file of text, plain or gzip, is UTF-8; of a damaged file, whether what can be read is."""
    decoder = getincrementaldecoder("utf-8")()
    with _opened(path) as file:
        try:
            while chunk := file.read(CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        except (OSError, EOFError):
            return True
    return True


def format_of(path: str) -> str:
    """Return parquet, csv, json (objects, one a line or one whole) or array (of JSON objects), by content.

    Raises:
        UnknownFileError: the file is empty, or none of these.
        InputError: the file is absent, may not be read, or is damaged from the start.
    """
    head = head_of(path)
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    text = head.removeprefix(BOM).lstrip()
    if not text:
        raise UnknownFileError(Path(path).name, "is empty", AGAIN)
    if b"\0" in text:
        raise UnknownFileError(Path(path).name, "is a binary file that is not Parquet", "give Parquet, CSV or JSON")
    return {b"{": "json", b"[": "array"}.get(text[:1], "csv")


def head_of(path: str, size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file, unpacked where it is gzip.

    Raises:
        InputError: the file is absent, may not be read, or is damaged gzip from the start.
    """
    try:
        with _opened(path) as file:
            return file.read(size)
    except (OSError, EOFError) as error:
        remedy = "check its permissions, or download it again"
        raise InputError(Path(path).name, f"cannot be read ({_reason(error)})", remedy) from None


def _opened(path: str) -> io.BufferedIOBase:
    """Open a file, through gzip where it is that; other compressions are not unpacked."""
    file = Path(path).open("rb")  # noqa: SIM115 - whoever asked closes it
    if file.read(2) == GZIP_MAGIC:
        file.close()
        return gzip.open(path)
    file.seek(0)
    return file


def _scan(kind: str, paths: Sequence[str], schema: pl.Schema | None = None) -> pl.LazyFrame:
    """Return files of one kind and one schema as a frame; with the schema given, JSON is not read to infer it."""
    if kind == "parquet":
        return pl.scan_parquet(list(paths), glob=False)
    if kind == "csv":
        return pl.scan_csv(list(paths), infer_schema=False, null_values=NULLS, glob=False, encoding="utf8-lossy")
    if kind == "json":
        lines = [pl.scan_ndjson(_without_bom(path), schema=schema, infer_schema_length=None) for path in paths]
        return pl.concat(lines)
    return pl.concat([_array(path) for path in paths])


def _without_bom(path: str) -> str | io.BytesIO:
    """Return what polars reads newline JSON from: the path, or the bytes behind a byte order mark, which it refuses."""
    if not head_of(path, len(BOM)).startswith(BOM):
        return path
    with _opened(path) as file:
        return io.BytesIO(file.read().removeprefix(BOM))


def _array(path: str) -> pl.LazyFrame:
    with _opened(path) as file:
        return pl.read_json(file.read().removeprefix(BOM), infer_schema_length=None).lazy()


def _broken(path: str) -> str | None:
    """Return why a file cannot be read to its end, or None."""
    try:
        _scan(format_of(path), [path]).select(pl.all().count()).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError, InputError) as error:
        return _reason(error)
    return None


def _reason(error: BaseException) -> str:
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(said).splitlines()[0]
