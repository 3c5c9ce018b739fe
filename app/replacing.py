"""Files that are replaced at once or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def replace_at_once(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file so that whoever reads it sees what was there, or all that is new; a failure leaves nothing behind.

    Args:
        path: where.
        content: what it is to hold; it is on the disk before the file has its name.
        mode: who may read it, as of chmod.

    Raises:
        OSError: it cannot be written.
    """
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(mode)
        Path(scratch).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(scratch).unlink()
        raise
