"""Lines on stderr that say how far something long has come."""

from __future__ import annotations

import sys
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_S, EVERY_S = 1.0, 0.1
CELLS = 24
UNITS = {"bytes": (1e6, "MB"), "rows": (1e6, "M rows")}
UP, CLEAR_LINE = "\x1b[A", "\x1b[K"


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


class Count:
    """The seconds that something has taken of which nobody knows how far it is, counted on a thread until it is gone.

    A solver at work may hold all threads for a while: then it counts late.
    """

    def __init__(self, work: str) -> None:
        self._shown = f"tranche: {work}…"
        self._begun = monotonic()
        self._ended = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._write()
        self._thread.start()

    def clear(self) -> None:
        """Take it away."""
        self._ended.set()
        self._thread.join()
        sys.stderr.write("\r" + CLEAR_LINE)
        sys.stderr.flush()

    def _run(self) -> None:
        while not self._ended.wait(PATIENCE_S):
            self._write(f" {monotonic() - self._begun:.0f} s")

    def _write(self, seconds: str = "") -> None:
        sys.stderr.write(f"\r{self._shown}{seconds}")
        sys.stderr.flush()


class Bars:
    """A bar for each of several works at the same time, below each other; they are gone when the work is."""

    def __init__(self, names: Sequence[str]) -> None:
        self._stages = {name: Stage() for name in names}
        self._ended: dict[str, str] = {}
        self._lock = Lock()
        self._drawn = 0.0
        self._lines = 0

    def of(self, name: str) -> One:
        """Return what one of the works tells how far it has come."""
        return One(self, name)

    def change(self, name: str, *, done: float = 0, total: float = 0) -> None:
        """Add to what is done of a work, and to its whole, and draw again where it is time to."""
        with self._lock:
            stage = self._stages[name]
            self._stages[name] = Stage(stage.done + done, stage.total + total)
            self._draw()

    def end(self, name: str, how: str) -> None:
        """Say how a work has ended in place of its bar."""
        with self._lock:
            self._ended[name] = how
            self._draw(at_once=True)

    def clear(self) -> None:
        """Take the bars away."""
        with self._lock:
            sys.stderr.write((UP + CLEAR_LINE) * self._lines)
            sys.stderr.flush()
            self._lines = 0

    def _draw(self, *, at_once: bool = False) -> None:
        now = monotonic()
        if now - self._drawn < EVERY_S and not at_once:
            return
        self._drawn = now
        begun = [(name, stage) for name, stage in self._stages.items() if stage.total or name in self._ended]
        lines = [_line(name, stage, self._ended.get(name)) for name, stage in begun]
        sys.stderr.write(UP * self._lines + "".join(f"{line}{CLEAR_LINE}\n" for line in lines))
        sys.stderr.flush()
        self._lines = len(lines)


class One:
    """One of several works, as `providers.watch.Progress` has it."""

    def __init__(self, bars: Bars, name: str) -> None:
        self._bars, self._name = bars, name

    def expect(self, amount: float, unit: str) -> None:  # noqa: ARG002 - bars of several works count pages
        """Add to the whole of what is to come."""
        self._bars.change(self._name, total=amount)

    def advance(self, amount: float, unit: str) -> None:  # noqa: ARG002
        """Add to what is done."""
        self._bars.change(self._name, done=amount)


def _line(name: str, stage: Stage, ended: str | None) -> str:
    if ended:
        return f"{name:<20} {ended}"
    share = min(stage.done / stage.total, 1.0)
    filled = round(share * CELLS)
    return f"{name:<20} [{'#' * filled}{'.' * (CELLS - filled)}] {share:4.0%} {stage.done:,.0f} of {stage.total:,.0f}"
