"""Read one of the three tables from a CSV or Parquet file, whichever it is by content."""

import hashlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from providers.columns import Table
from providers.tables import InputError, checked

PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
SUPPORTED = "give a CSV file with a header, or a Parquet file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that was read: its name as given, and the hash of its bytes."""

    path: str
    sha256: str
    frame: pl.DataFrame


def read(path: str, table: Table, *, one_currency: bool = True) -> Source:
    """Read and check one table from `path`, or from standard input when it is `-`.

    Raises:
        InputError: the file is absent, unreadable, empty, no table at all, or not a valid `table`.
    """
    where = "standard input" if path == "-" else Path(path).name
    return from_bytes(_bytes(path, where), table, where=where, one_currency=one_currency)


def from_bytes(content: bytes, table: Table, *, where: str, one_currency: bool = True) -> Source:
    """Read and check one table from the bytes of a file that is named `where`.

    Raises:
        InputError: as `read` does.
    """
    frame = checked(_frame(content, where), table, where=where, one_currency=one_currency)
    return Source(path=where, sha256=hashlib.sha256(content).hexdigest(), frame=frame)


def _bytes(path: str, where: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read()
    if Path(path).is_dir():
        raise InputError(path, "is a directory", SUPPORTED)
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(path, "does not exist", "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(where, f"cannot be read ({reason})", "check its permissions and the disk") from None


def _frame(content: bytes, where: str) -> pl.DataFrame:
    if not content.strip():
        raise InputError(where, "is empty", SUPPORTED)
    try:
        if content.startswith(PARQUET_MAGIC):
            return pl.read_parquet(io.BytesIO(content))
        if not content.startswith(GZIP_MAGIC) and not _is_text(content):
            raise InputError(where, "is a binary file that is not Parquet", SUPPORTED)
        return pl.read_csv(io.BytesIO(content), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InputError(where, f"cannot be read as a table ({reason})", SUPPORTED) from None


def _is_text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
