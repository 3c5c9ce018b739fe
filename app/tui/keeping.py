"""The session is saved beside the screen as it goes, so that a crash loses nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from app.diagnostics import UsageError
from app.sessions import LAST, Sessions, crashed, file_of, in_use, request_of

if TYPE_CHECKING:
    from app.negotiation import History
    from app.session import Request
    from app.sessions import SessionFile


class Keeper:
    """Writes one session, the newest state last.

    kept: the session as it was found, None where it is new. greeting: what to say of it. problem: why it could not be
    saved last, empty where it could.
    """

    def __init__(
        self, sessions: Sessions, name: str, request: Request, *, kept: SessionFile | None = None, greeting: str = ""
    ) -> None:
        self.sessions = sessions
        self.name = name
        self.request = request
        self.kept = kept
        self.greeting = greeting
        self.problem = ""
        self._newest = 0
        self._written = 0
        self._lock = Lock()

    def keep(self, history: History | None, *, screen: str) -> None:
        """Write the session in a thread of its own; before the files are read there is nothing to write."""
        if history is not None:
            self._newest += 1
            Thread(target=self._write, args=(self._newest, history, screen), kwargs={"is_open": True}).start()

    def close(self, history: History | None, *, screen: str) -> None:
        """Write the session as one that nobody has open any more."""
        self._newest += 1
        if history is not None:
            self._write(self._newest, history, screen, is_open=False)

    def rename(self, name: str) -> None:
        """Go on under another name.

        Raises:
            UsageError: a session of that name exists, or none can have it.
        """
        with self._lock:
            self.sessions.copy(self.name, name, move=True)
            self.name = name

    def copy(self, name: str) -> None:
        """Keep what there is now under another name too.

        Raises:
            UsageError: a session of that name exists, or none can have it.
        """
        with self._lock:
            self.sessions.copy(self.name, name)

    def _write(self, number: int, history: History, screen: str, *, is_open: bool) -> None:
        with self._lock:
            if number < self._written:
                return
            self._written = number
            try:
                self.sessions.write(file_of(self.name, self.request, history, screen=screen, is_open=is_open))
                self.problem = ""
            except UsageError as error:
                self.problem = str(error)


def keeper_of(request: Request, name: str | None, sessions: Sessions | None = None) -> tuple[Request, Keeper]:
    """Return what keeps the session of that name, and what to ask for: a session that exists says it itself.

    Without a name, the session that nobody has named is kept. Where the program ended without being told to, while the
    same was asked for, it is gone on with; else what was there keeps the day and time of its last edit as its name.

    Raises:
        UsageError: the session cannot be read, or is open elsewhere.
    """
    sessions = sessions or Sessions()
    if name is not None:
        return _named(request, name, sessions)
    free = sessions.free(LAST)
    kept = sessions.read(free) if free in sessions.names() else None
    if kept is None or not kept.edits:
        return request, Keeper(sessions, free, request)
    if not crashed(kept) or not _same(kept, request):
        set_aside(sessions, kept)
        return request, Keeper(sessions, free, request)
    greeting = f"restored {_edits(kept)} of a session that was not closed; u undoes, :session new begins anew"
    return request_of(kept), Keeper(sessions, free, kept.request, kept=kept, greeting=greeting)


def _named(request: Request, name: str, sessions: Sessions) -> tuple[Request, Keeper]:
    if name not in sessions.names():
        return request, Keeper(sessions, name, request, greeting=f"session {name} is new; it is saved as you go")
    kept = sessions.read(name)
    if in_use(kept):
        raise UsageError(f"session {name!r} is open in another tranche; quit it there, or copy it")
    greeting = f"session {name}: {_edits(kept)}, planned as of {kept.request.now:%Y-%m-%d}"
    return request_of(kept), Keeper(sessions, name, kept.request, kept=kept, greeting=greeting)


def set_aside(sessions: Sessions, kept: SessionFile) -> None:
    """Give a session that nobody has named the time of its last edit as its name."""
    last = max((edit.typed for edit in kept.edits if edit.typed), default=kept.request.now)
    name = f"{last:%Y-%m-%d %H.%M.%S}"
    if name not in sessions.names():
        sessions.copy(kept.name, name, move=True)


def _same(kept: SessionFile, request: Request) -> bool:
    """Say whether a session asks for the same, whenever that was."""
    return kept.folder == str(Path.cwd()) and replace(kept.request, now=request.now) == request


def _edits(kept: SessionFile) -> str:
    undone = len(kept.edits) - kept.at
    return f"{kept.at} edit{'s' if kept.at != 1 else ''}" + (f" and {undone} undone" if undone else "")
