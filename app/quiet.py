"""Keep what others print out of stdout, which carries nothing but data, and out of stderr, where we narrate."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def hush_libraries() -> None:
    """Drop the log records of cloud SDKs: what they mean for a person is in our own errors."""
    logging.getLogger().addHandler(logging.NullHandler())


@contextmanager
def hushed() -> Iterator[None]:
    """Send what C code writes to file descriptor 1 nowhere while the block runs.

    HiGHS prints a line of its own when it repairs a whole-lot solution, whatever it is told about printing.
    """
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is no stdout to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
