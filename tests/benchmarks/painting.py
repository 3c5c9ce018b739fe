"""Open the terminal UI on a terminal of its own; print the seconds from its start until its first picture is there."""

import fcntl
import json
import os
import pty
import struct
import sys
import termios
from pathlib import Path
from select import select
from subprocess import Popen
from tempfile import TemporaryDirectory
from time import perf_counter

ROOT = Path(__file__).parents[2]
SIZE = (48, 160)  # lines and columns
LAST = b"Quit"  # what stands at the end of the last line


def first_paint(folder: str) -> float:
    """Return the seconds until the last line of the screen was drawn."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRANCHE_SESSIONS": folder, "TERM": "xterm-256color"}
    begun, seen = perf_counter(), b""
    program = Popen([sys.executable, "-m", "app.cli"], stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    try:
        while LAST not in seen:
            if not select([ours], [], [], 30)[0]:
                raise TimeoutError("nothing was drawn in half a minute")
            seen += os.read(ours, 1 << 16)
        return perf_counter() - begun
    finally:
        program.kill()
        program.wait()
        os.close(ours)
        os.close(theirs)


if __name__ == "__main__":
    with TemporaryDirectory(prefix="tranche-") as place:
        print(json.dumps({"seconds": first_paint(place)}))
