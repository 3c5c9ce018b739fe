"""Where a source lies -> its files: paths, patterns, folders, standard input, and object stores.

What lies elsewhere is only listed here; it comes to this machine when somebody asks for it (`fetch`), so
that what a newer delivery replaces is never downloaded.
"""

import glob
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from providers.storage import Bucket, Entry, wanted
from providers.tables import InputError
from providers.watch import Progress

STORES = {"s3": "providers.aws.storage", "gs": "providers.gcp.storage", "az": "providers.azure.storage"}
PARALLEL = 4
NAME_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """How a remote file gets here."""

    bucket: Bucket
    entry: Entry
    path: Path
    progress: Progress | None

    def expect(self) -> None:
        """Say that it will come."""
        if self.progress is not None:
            self.progress.expect(self.entry.size, "bytes")

    def run(self) -> None:
        """Let it come, whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.bucket.download(self.entry, self.path, self._advance)

    def _advance(self, amount: int) -> None:
        if self.progress is not None:
            self.progress.advance(amount, "bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A file that a source names; the same `where` is the same file."""

    where: str  # real path, or address
    name: str = field(compare=False)  # what people call it
    named: bool = field(compare=False)  # itself, not just its folder
    size: int = field(compare=False)
    modified: str = field(compare=False)  # ISO 8601, UTC
    path: Path = field(compare=False)  # on this machine; of a remote file, where it will be
    download: Download | None = field(compare=False, default=None)

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the folders and the name that `where` is made of."""
        return tuple(part for part in self.where.split("/") if part)

    @property
    def away(self) -> bool:
        """Return whether it has yet to be fetched."""
        return self.download is not None and not self.path.exists()


def resolve(sources: Sequence[str], *, scratch: Path, progress: Progress | None = None) -> list[Found]:
    """Return the files behind the sources, each once, in order; nothing is downloaded yet.

    Args:
        sources: files, folders, patterns, `-`, or addresses (s3://bucket/folder, gs://…, az://container/folder).
        scratch: a folder for what comes from elsewhere; whoever made it takes it away.
        progress: told of the bytes that are fetched.

    Raises:
        InputError: a source is nothing, or may not be read.
    """
    found: dict[str, Found] = {}
    for source in sources:
        scheme = source.partition("://")[0] if "://" in source else None
        files = _local(source, scratch) if scheme is None else _remote(source, scheme, scratch, progress)
        for file in files:
            known = found.setdefault(file.where, file)
            if file.named and not known.named:
                found[file.where] = file
    return list(found.values())


def fetch(files: Iterable[Found]) -> None:
    """Bring files to this machine, a few at a time; the first that fails stops the rest.

    Raises:
        InputError: one cannot be fetched.
    """
    coming = [file.download for file in dict.fromkeys(files) if file.download is not None and file.away]
    for download in coming:
        download.expect()
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="fetch") as pool:
        try:
            for done in [pool.submit(download.run) for download in coming]:
                done.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _local(source: str, scratch: Path) -> list[Found]:
    if source == "-":
        return [_spooled(scratch / "stdin", sys.stdin.buffer, "standard input")]
    path = Path(source)
    try:
        if path.is_dir():
            outer = path.resolve().name
            return [_here(file, f"{outer}/{file.relative_to(path).as_posix()}") for file in sorted(_inside(path))]
        if path.is_file():
            return [_here(path, path.name, named=True)]
        if path.exists():  # a pipe, such as <(zcat bill.csv.Z)
            with path.open("rb") as pipe:
                return [_spooled(scratch / path.name, pipe, path.name)]
        found = sorted(glob.glob(source, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        matched = [path for path in map(Path, found) if path.is_file()]
    except OSError as error:
        raise InputError(source, f"cannot be read ({error.strerror})", "check its permissions") from None
    if not matched:
        raise InputError(source, "does not exist", "check the path")
    return [_here(file, file.name) for file in matched]


def _inside(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, through links too, each folder once; hidden folders are nobody's bills."""
    seen = set[Path]()
    for here, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        real = Path(here).resolve()
        folders[:] = [name for name in folders if not name.startswith(".")] if real not in seen else []
        if real not in seen:
            yield from (file for name in names if (file := Path(here, name)).is_file())
        seen.add(real)


def _refuse(error: OSError) -> None:
    raise error


def _here(path: Path, name: str, *, named: bool = False) -> Found:
    real = path.resolve()
    status = real.stat()
    modified = f"{datetime.fromtimestamp(status.st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Found(where=real.as_posix(), name=name, named=named, size=status.st_size, modified=modified, path=path)


def _spooled(path: Path, stream: BinaryIO, name: str) -> Found:
    """Keep what can be read only once in a file."""
    if not path.exists():
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file)
    return _here(path, name, named=True)


def _remote(source: str, scheme: str, scratch: Path, progress: Progress | None) -> list[Found]:
    if scheme not in STORES:
        known = ", ".join(f"{one}://" for one in STORES)
        raise InputError(
            source, f"begins with {scheme}://, which is no object store that is understood", f"use {known}"
        )
    bucket: Bucket = import_module(STORES[scheme]).Bucket(source)
    entries, alone = wanted(bucket)
    return [_there(bucket, entry, scratch, progress, named=alone) for entry in entries]


def _there(bucket: Bucket, entry: Entry, scratch: Path, progress: Progress | None, *, named: bool) -> Found:
    where = f"{bucket.address}/{entry.key}"
    mark = hashlib.sha256(where.encode()).hexdigest()[:16]  # keys hold what paths may not
    path = scratch / mark / entry.key.rpartition("/")[2][-NAME_LENGTH:]
    download = Download(bucket=bucket, entry=entry, path=path, progress=progress)
    return Found(
        where=where, name=where, named=named, size=entry.size, modified=entry.modified, path=path, download=download
    )
