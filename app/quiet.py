"""Keep what others print out of stdout, which carries nothing but data, and out of stderr, where we narrate."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from contextlib import contextmanager, suppress
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def hush_libraries() -> None:
    """Drop the log records of cloud SDKs: what they mean for a person is in our own errors."""
    logging.getLogger().addHandler(logging.NullHandler())


class _Hush:
    """Several threads may ask for silence at once: the first to ask begins it, the last to leave ends it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._kept: int | None = None

    def begin(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside > 1:
                return
            sys.stdout.flush()
            with suppress(OSError):  # there is no stdout to keep clean
                self._kept = os.dup(1)
                _send_nowhere()

    def end(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside or self._kept is None:
                return
            with suppress(OSError, AttributeError):
                ctypes.CDLL(None).fflush(None)
            os.dup2(self._kept, 1)
            os.close(self._kept)
            self._kept = None


_HUSH = _Hush()


@contextmanager
def hushed() -> Iterator[None]:
    """Send what C code writes to file descriptor 1 nowhere while the block runs.

    HiGHS prints a line of its own when it repairs a whole-lot solution, whatever it is told about printing.
    """
    _HUSH.begin()
    try:
        yield
    finally:
        _HUSH.end()


@contextmanager
def stdout_aside() -> Iterator[None]:
    """Give Python's stdout a file descriptor of its own, and send what C code writes to descriptor 1 nowhere.

    In a browser the screens are drawn through stdout: what is solved beside them must neither print into it nor hold it
    back.
    """
    kept = sys.__stdout__
    try:
        mine = os.dup(1)
    except OSError:  # there is no stdout
        yield
        return
    with os.fdopen(mine, "w", encoding="utf-8") as apart:
        sys.__stdout__ = apart  # type: ignore[misc]
        _send_nowhere()
        try:
            yield
        finally:
            sys.__stdout__ = kept  # type: ignore[misc]
            os.dup2(mine, 1)


def _send_nowhere() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
