"""Where a source lies -> files on this machine: paths, patterns, folders and standard input."""

import glob
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from providers.tables import InputError


class Progress(Protocol):
    """Whoever shows how far the work has come; units are bytes and rows."""

    def expect(self, amount: float, unit: str) -> None:
        """Add to the whole of what is to come."""

    def advance(self, amount: float, unit: str) -> None:
        """Add to what is done."""


class Found(NamedTuple):
    """A file on this machine, what people call it, and whether it was named itself, not just its folder."""

    path: Path
    name: str
    named: bool


def resolve(sources: Sequence[str], *, scratch: Path) -> list[Found]:
    """Return the files behind the sources, each once, in order.

    Raises:
        InputError: a source is nothing.
    """
    found: dict[Path, Found] = {}
    for source in sources:
        for file in _files(source, scratch):
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def _files(source: str, scratch: Path) -> list[Found]:
    if source == "-":
        return [_spooled(scratch)]
    path = Path(source)
    if path.is_dir():
        inside = sorted(file for file in path.rglob("*") if file.is_file() and not _hidden(file.relative_to(path)))
        return [Found(file, str(file.relative_to(path.parent)), named=False) for file in inside]
    if path.exists():
        return [Found(path, path.name, named=True)]
    paths = map(Path, sorted(glob.glob(source, recursive=True)))  # noqa: PTH207 - Path.glob takes no absolute pattern
    matched = [path for path in paths if path.is_file()]
    if not matched:
        raise InputError(source, "does not exist", "check the path")
    return [Found(file, file.name, named=False) for file in matched]


def _hidden(path: Path) -> bool:
    return any(part.startswith((".", "_")) for part in path.parts)


def _spooled(scratch: Path) -> Found:
    """Keep standard input in a file, since it is read more than once."""
    path = scratch / "stdin"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return Found(path, "standard input", named=True)
