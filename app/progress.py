"""One line on stderr that says how far something long has come."""

from __future__ import annotations

import sys
from threading import Lock
from time import monotonic
from typing import NamedTuple

PATIENCE_S, EVERY_S = 1.0, 0.1
CELLS = 24
UNITS = {"bytes": (1e6, "MB"), "rows": (1e6, "M rows")}


class Stage(NamedTuple):
    """How much of one kind of work is done, of how much; 0 of 0 where the whole is unknown."""

    done: float = 0
    total: float = 0


class Bar:
    """A bar that appears after a second, and is gone when the work is; several threads may advance it."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._stages: dict[str, Stage] = {}
        self._lock = Lock()
        self._begun = self._drawn = monotonic()
        self._wide = 0

    def expect(self, amount: float, unit: str) -> None:
        """Add to the whole of what is to come, in bytes or rows."""
        with self._lock:
            done, total = self._stages.get(unit, Stage())
            self._stages[unit] = Stage(done, total + amount)

    def advance(self, amount: float, unit: str) -> None:
        """Add to what is done, and draw again where it is time to."""
        with self._lock:
            done, total = self._stages.get(unit, Stage())
            self._stages[unit] = Stage(done + amount, total)
            now = monotonic()
            if now - self._begun >= PATIENCE_S and now - self._drawn >= EVERY_S:
                self._drawn = now
                self._write(self._text(unit, self._stages[unit]))

    def clear(self) -> None:
        """Take the bar away."""
        if self._wide:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def _text(self, unit: str, stage: Stage) -> str:
        size, name = UNITS[unit]
        done = f"{stage.done / size:,.1f}"
        if not stage.total:
            return f"tranche: {self._work}: {done} {name}"
        share = min(stage.done / stage.total, 1.0)
        filled = round(share * CELLS)
        bar = "#" * filled + "." * (CELLS - filled)
        return f"tranche: {self._work} [{bar}] {share:4.0%} {done} of {stage.total / size:,.1f} {name}"

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text:<{self._wide}}")
        sys.stderr.flush()
        self._wide = len(text)
