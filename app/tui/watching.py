"""The files behind a session: whether they are still what was read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.session import Request, Session


class Stamp(NamedTuple):
    """When a file was last written, in ns since 1970, and its size in bytes."""

    written: int
    size: int


def stamps(session: Session, request: Request) -> dict[Path, Stamp | None]:
    """Return the stamp of every file that a session was read from; what is bundled or fetched is none."""
    from app.settings import nearest

    config = request.config or nearest(Path.cwd())
    named = [origin.path for origin in (*session.usage, *session.offers, *session.commitments)]
    paths = [*named, *([request.scenarios] if request.scenarios else []), *([str(config)] if config else [])]
    return {Path(path): stamp for path in paths if (stamp := _stamp(Path(path))) is not None}


def changed(before: Mapping[Path, Stamp | None]) -> tuple[str, ...]:
    """Say what became of files since their stamps were taken."""
    now = {path: _stamp(path) for path in before}
    return tuple(
        f"{path.name} {'is gone' if now[path] is None else 'has changed'}"
        for path, stamp in before.items()
        if now[path] != stamp
    )


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return Stamp(found.st_mtime_ns, found.st_size) if path.is_file() else None
