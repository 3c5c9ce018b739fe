"""Everything written to stderr, and what the command says by its exit code."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import click

from app.reports.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from app.progress import Bar, Bars
    from providers.tables import Diagnostic

COLORS = {"error": "31", "warning": "33", "note": "36"}


class ExitCode(IntEnum):
    """What the command says to whoever started it; these numbers do not change."""

    DONE = 0
    """The work was done."""
    BUG = 1
    """A fault of the program; -v shows where."""
    USAGE = 2
    """The command line or the settings are wrong."""
    GATE_FAILED = 3
    """A gate failed; the plan was written."""
    DIFFERS = 4
    """The plan differs from the one it was compared with."""
    INFEASIBLE = 5
    """No plan meets the demand within the limits."""
    UNREADABLE = 6
    """A file that was given cannot be read or is not what it should be."""
    INCOMPLETE = 7
    """The data is too old or incomplete."""
    INTERRUPTED = 130
    """Somebody pressed ctrl-c."""


KNOWN = (
    ("providers.tables", "InputError", ExitCode.UNREADABLE),
    ("providers.quotes", "QuoteError", ExitCode.USAGE),
    ("optimizer.limits", "LimitError", ExitCode.USAGE),
    ("optimizer.errors", "InfeasibleError", ExitCode.INFEASIBLE),
)


class UsageError(ValueError):
    """The command line or the settings are wrong: what, where, and what to do about it."""


@dataclass(slots=True)
class Voice:
    """How much is said on stderr: quiet leaves only errors, verbose adds where a bug is."""

    quiet: bool = False
    verbose: bool = False
    color: str = "auto"

    def say(self, level: str, text: str) -> None:
        """Write one line, whatever the text holds."""
        if self.quiet and level != "error":
            return
        label = f"\x1b[{COLORS[level]}m{level}:\x1b[0m" if self._colored() else f"{level}:"
        sys.stderr.write(f"tranche: {label} {plain(text)}\n")

    def report(self, found: Iterable[Diagnostic], *, notes: bool = True) -> None:
        """Write what was found on the way, a line each."""
        for diagnostic in found:
            if notes or diagnostic.level != "note":
                self.say(diagnostic.level, sentence(diagnostic))

    @contextmanager
    def waiting(self, work: str) -> Iterator[None]:
        """Show on a terminal what is being done while the block runs, and for how long, and take it away again."""
        if self.quiet or not sys.stderr.isatty():
            yield
            return
        from app.progress import Count

        count = Count(work)
        try:
            yield
        finally:
            count.clear()

    @contextmanager
    def progress(self, work: str) -> Iterator[Bar | None]:
        """Show on a terminal how far the work has come while the block runs, once it takes more than a second."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from app.progress import Bar

        bar = Bar(work)
        try:
            yield bar
        finally:
            bar.clear()

    @contextmanager
    def several(self, works: Sequence[str]) -> Iterator[Bars | None]:
        """Show on a terminal how far each of several works has come while the block runs."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from app.progress import Bars

        bars = Bars(works)
        try:
            yield bars
        finally:
            bars.clear()

    def _colored(self) -> bool:
        if self.color == "auto":
            return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        return self.color == "always"


def sentence(diagnostic: Diagnostic) -> str:
    """Write a diagnostic in one line: where, what, and what to do."""
    where = f"{diagnostic.where}: " if diagnostic.where and diagnostic.where not in diagnostic.message else ""
    hint = f"; {diagnostic.hint}" if diagnostic.hint else ""
    return f"{where}{diagnostic.message}{hint}"


def fail(error: BaseException, voice: Voice) -> ExitCode:
    """Say what went wrong in one line, and return the exit code that stands for it."""
    code = exit_code(error)
    if code is ExitCode.INTERRUPTED:
        voice.say("error", "interrupted")
    elif code is ExitCode.BUG:
        _report_bug(error, voice)
    else:
        voice.say("error", _message(error))
    return code


def exit_code(error: BaseException) -> ExitCode:
    """Return the exit code that stands for an error."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return ExitCode.INTERRUPTED
    if isinstance(error, UsageError | click.ClickException):
        return ExitCode.USAGE
    return next((code for module, name, code in KNOWN if isinstance(error, _loaded(module, name))), ExitCode.BUG)


def _loaded(module: str, name: str) -> type[BaseException] | tuple[()]:
    """Return a class of errors without importing its module: what was never imported was never raised."""
    return getattr(sys.modules.get(module), name, ())


def _message(error: BaseException) -> str:
    said = error.format_message() if isinstance(error, click.ClickException) else str(error)
    return said or "no plan meets the demand within the limits"


def _report_bug(error: BaseException, voice: Voice) -> None:
    if voice.verbose:
        for line in "".join(traceback.format_exception(error)).splitlines():
            sys.stderr.write(f"{plain(line)}\n")
    more = "" if voice.verbose else "; -v shows where"
    voice.say("error", f"this is a bug of tranche: {type(error).__name__}: {error}{more}")
