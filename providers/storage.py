"""What the three clouds' object storage is to us: a bucket that lists what lies under a name, and hands it over."""

import fnmatch
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from providers.tables import InputError


class Entry(NamedTuple):
    """One object: its key, its bytes, when it was last written (ISO 8601, UTC), and the mark of that version."""

    key: str
    size: int
    modified: str
    etag: str


class Bucket(Protocol):
    """A bucket or container; every method raises InputError with what to do about it."""

    address: str
    """As people write it, without a key and without a slash at its end."""
    prefix: str
    """What the source asks for in it: a key, a folder or a pattern."""

    def entries(self, beginning: str) -> list[Entry]:
        """Return the objects whose keys begin so, by key."""

    def download(self, entry: Entry, path: Path, advance: Callable[[int], None]) -> None:
        """Write one object to a file: whole, of the version that was listed, or not at all."""


def wanted(bucket: Bucket) -> tuple[list[Entry], bool]:
    """Return the objects that the bucket's prefix names, and whether it names one itself and no folder or pattern.

    Raises:
        InputError: there is none, or the bucket says no.
    """
    prefix = bucket.prefix
    fixed = re.split(r"[*?\[]", prefix, maxsplit=1)[0]
    entries = [entry for entry in bucket.entries(fixed) if not entry.key.endswith("/")]
    if fixed != prefix:
        found = [entry for entry in entries if fnmatch.fnmatchcase(entry.key, prefix)]
    else:
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        found = [entry for entry in entries if entry.key == prefix or entry.key.startswith(folder)]
    if not found:
        raise InputError(f"{bucket.address}/{prefix}", "holds nothing", "check the address, and that it is not empty")
    return sorted(found), [entry.key for entry in found] == [prefix]


def address_parts(address: str, scheme: str) -> tuple[str, str]:
    """Return the bucket and the key, folder or pattern of an address.

    Raises:
        InputError: it names no bucket.
    """
    bucket, _, prefix = address.removeprefix(f"{scheme}://").partition("/")
    if not bucket:
        raise InputError(address, "names no bucket", f"write {scheme}://bucket/folder")
    return bucket, prefix


@contextmanager
def landing(path: Path, size: int, name: str) -> Iterator[Path]:
    """Give a file to write to, and keep it as `path` only when it has the size that was promised.

    Raises:
        InputError: it is shorter or longer, or the disk is full.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        got = part.stat().st_size
        if got != size:
            raise InputError(name, f"came with {got} of {size} bytes", "it may have been replaced meanwhile: run again")
        part.replace(path)
    except OSError as error:
        raise InputError(
            name, f"could not be kept on disk ({error.strerror or error})", "make room, or set TMPDIR"
        ) from None
    finally:
        part.unlink(missing_ok=True)


def refusal(name: str, status: int, *, login: str, right: str) -> InputError:
    """Return what a status code of an object store means to people.

    Args:
        name: what was asked for.
        status: of HTTP.
        login: how one says who one is to this cloud.
        right: what it takes to list and to read.
    """
    problems = {
        401: ("wants to know who asks", login),
        403: ("may not be read by you", f"ask for {right}, or {login}"),
        404: ("does not exist", "check the address"),
        412: ("was replaced while it was read", "run again"),
    }
    problem, remedy = problems.get(status, (f"could not be read (status {status})", "try again later"))
    return InputError(name, problem, remedy)
