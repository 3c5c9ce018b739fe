"""Sessions on disk: what was asked for and every edit since, saved as it goes, to go on with and to run again.

A session is one JSON file that only its owner may read: it holds negotiated prices. It names the files that it was made
from and their digests, not their content.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import platformdirs

from app import settings
from app.diagnostics import UsageError
from app.negotiation import History, Step
from app.replacing import replace_at_once
from app.session import Request, load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.session import Origin, Session
    from providers.tables import Diagnostic

FORMAT = "1.0"
LAST = "last"
"""The session that nobody has named."""
NAME = re.compile(r"[\w][\w .-]{0,59}")
PRIVATE, PRIVATE_FILE = 0o700, 0o600
PATHS = ("usage", "offers", "commitments")
WORDS = {"workspace", "bundled"}
"""Books that are no files."""


class Typed(msgspec.Struct, frozen=True):
    """One edit as it was typed, and when."""

    line: str
    typed: datetime | None = None


class SessionFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a session is made from: the request, the digests of its files, its edits, and how many of them hold.

    folder: where it was asked for; the paths of the request begin there. edits: all, those that were undone included;
    at: how many are not. screen: where it was left. open_by: the process that has it open, None where it was closed.
    """

    format_version: str = FORMAT
    name: str
    folder: str = ""
    request: Request
    edits: tuple[Typed, ...] = ()
    at: int = 0
    digests: dict[str, str] = {}
    screen: str = ""
    open_by: int | None = None


class Sessions:
    """The folder of sessions: the one given, else that of TRANCHE_SESSIONS, else one in the user's state folder."""

    def __init__(self, folder: str | Path | None = None) -> None:
        named = folder or os.environ.get("TRANCHE_SESSIONS")
        self.folder = Path(named) if named else platformdirs.user_state_path("tranche") / "sessions"

    def names(self) -> list[str]:
        """Return the names of all sessions, the one saved last first."""
        found = sorted(self.folder.glob("*.json"), key=lambda path: (-path.stat().st_mtime, path.name))
        return [path.stem for path in found]

    def read(self, name: str) -> SessionFile:
        """Read a session.

        Raises:
            UsageError: there is none of that name, or its file is not one of ours.
        """
        path = self._path(name)
        if not path.exists():
            known = ", ".join(self.names()) or "none yet"
            raise UsageError(f"there is no session {name!r}; there are: {known}")
        return _decoded(path, f"session {name!r}")

    def write(self, file: SessionFile) -> None:
        """Replace the file of a session at once, or not at all.

        Raises:
            UsageError: the folder cannot be written.
        """
        path = self._path(file.name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
            replace_at_once(path, encoded(file), mode=PRIVATE_FILE)
        except OSError as error:
            raise UsageError(f"session {file.name!r} cannot be saved ({error.strerror}); check {self.folder}") from None

    def delete(self, name: str) -> None:
        """Delete a session.

        Raises:
            UsageError: there is none of that name, or it is open.
        """
        self._refuse_open(self.read(name), "deleted")
        self._path(name).unlink(missing_ok=True)

    def copy(self, name: str, other: str, *, move: bool = False) -> SessionFile:
        """Write a session under another name too, or instead.

        Raises:
            UsageError: there is none of that name, or already one of the other.
        """
        file = self.read(name)
        if move:
            self._refuse_open(file, "renamed")
        if self._path(other).exists():
            raise UsageError(f"there is a session {other!r} already; choose another name, or delete it first")
        made = msgspec.structs.replace(file, name=other, open_by=None)
        self.write(made)
        if move:
            self._path(name).unlink(missing_ok=True)
        return made

    def bring(self, path: str, name: str) -> None:
        """Keep the session of a file that was exported, as one of the folder that this is run in.

        Raises:
            UsageError: the file is no session, or there is one of that name already.
        """
        file = _decoded(Path(path), Path(path).name)
        if self._path(name).exists():
            raise UsageError(f"there is a session {name!r} already; choose another name, or delete it first")
        self.write(msgspec.structs.replace(file, name=name, folder=str(Path.cwd()), open_by=None))

    def free(self, name: str = LAST) -> str:
        """Return the name, or one with a number after it where another running program has it open."""
        for each in (name, *(f"{name}-{number}" for number in range(2, 100))):
            try:
                file = self.read(each)
            except UsageError:
                return each
            if not in_use(file):
                return each
        return name

    def _refuse_open(self, file: SessionFile, done: str) -> None:
        if in_use(file):
            raise UsageError(f"session {file.name!r} is open in another tranche and cannot be {done}; quit it first")

    def _path(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot name a session; use letters, digits, spaces, dots and dashes")
        return self.folder / f"{name}.json"


def encoded(file: SessionFile) -> bytes:
    """Return what the file of a session holds."""
    return msgspec.json.format(msgspec.json.encode(file), indent=2)


def _decoded(path: Path, called: str) -> SessionFile:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=SessionFile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{called} cannot be read ({reason}); name one that tranche wrote, or delete it") from None
    if file.format_version.partition(".")[0] != FORMAT.partition(".")[0]:
        raise UsageError(f"{called} was written by another tranche; open it with that one")
    return file


def in_use(file: SessionFile) -> bool:
    """Say whether another process that still runs has the session open."""
    if file.open_by is None or file.open_by == os.getpid():
        return False
    try:
        os.kill(file.open_by, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def crashed(file: SessionFile) -> bool:
    """Say whether the program that had the session open ended without closing it."""
    return file.open_by is not None and not in_use(file)


def request_of(file: SessionFile) -> Request:
    """Return what was asked for: from the folder it was asked in as it was typed, from elsewhere with whole paths."""
    folder, request = Path(file.folder), file.request
    if not file.folder or folder == Path.cwd():
        return request

    def whole(path: str) -> str:
        return path if path in WORDS or "://" in path else str(folder / path)

    usage, offers, commitments = (tuple(map(whole, getattr(request, name))) for name in PATHS)
    config = request.config or settings.nearest(folder)
    return replace(
        request,
        usage=usage,
        offers=offers,
        commitments=commitments,
        config=whole(str(config)) if config else None,
        workspace=whole(request.workspace) if request.workspace else None,
        scenarios=whole(said) if (said := request.scenarios) and said != "none" else said,
    )


def file_of(name: str, request: Request, history: History | None, *, screen: str = "", is_open: bool) -> SessionFile:
    """Return what is to be kept of a negotiation."""
    steps = history.steps[1:] if history else ()
    return SessionFile(
        name=name,
        folder=str(Path.cwd()),
        request=request,
        edits=tuple(Typed(str(step.edit), step.typed) for step in steps),
        at=history.at if history else 0,
        digests=digests_of(history.steps[0].session) if history else {},
        screen=screen,
        open_by=os.getpid() if is_open else None,
    )


def digests_of(session: Session) -> dict[str, str]:
    """Return the digest of every file that a session was read from."""
    return {origin.path: origin.sha256 for origin in _origins(session)}


def restored(session: Session, file: SessionFile) -> History:
    """Make the edits of a file again on a session that was just read, and go where it was left.

    Raises:
        UsageError: an edit cannot be made any more, since the files behind the session changed.
    """
    history = History((Step(session=session),))
    for number, edit in enumerate(file.edits, 1):
        try:
            history = history.edited(edit.line, edit.typed)
        except UsageError as error:
            raise UsageError(f"session {file.name!r}, edit {number} ({edit.line}): {error}") from None
    return history.gone_to(file.at)


def negotiated(file: SessionFile, *, now: datetime | None = None) -> Session:
    """Read what a session was made from and make its edits again, without those that were undone; `now` may be another.

    Raises:
        UsageError, InputError: as reading does, or an edit cannot be made any more.
    """
    request = request_of(file)
    session = load(request if now is None else replace(request, now=now))
    history = restored(session, file)
    there = history.now.session
    return replace(there, diagnostics=(*there.diagnostics, *changes_since(session, file)))


def recovered(session: Session, file: SessionFile | None) -> tuple[History, list[Diagnostic]]:
    """Make again what edits of a file can still be made, and name the others."""
    from providers.tables import Diagnostic

    history, lost, at = History((Step(session=session),)), [], 0
    for number, edit in enumerate(file.edits if file else (), 1):
        try:
            history = history.edited(edit.line, edit.typed)
        except UsageError as error:
            message = f"an edit of the session could not be made again: {edit.line} ({error})"
            lost.append(Diagnostic(level="warning", code="lost-edit", message=message))
        at = history.at if file and number <= file.at else at
    return history.gone_to(at), lost


def changes_since(session: Session, file: SessionFile) -> list[Diagnostic]:
    """Say which of the files that a session was made from are others now."""
    from providers.tables import Diagnostic

    now = digests_of(session).values()
    return [
        Diagnostic(
            level="warning",
            code="changed-file",
            message=f"{path} is not what it was when session {file.name} was saved",
            hint="the figures are those of the file as it is now",
        )
        for (path, then), digest in zip(file.digests.items(), now, strict=False)
        if then != digest
    ]


def _origins(session: Session) -> Iterable[Origin]:
    single = (origin for origin in (session.config, session.scenarios) if origin is not None)
    return (*session.usage, *session.offers, *session.commitments, *single)
