"""Options that several commands share, and how a command reads and writes."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from app.diagnostics import UsageError, Voice
from app.replacing import replace_at_once
from app.session import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.reports.planfile import PlanFile

F = TypeVar("F", bound="Callable[..., Any]")
ENDINGS = {".json": "json", ".csv": "csv", ".md": "md", ".txt": "table"}
FORMATS = ("table", "json", "csv", "md")
NARROW, WIDE = 80, 160


def voice_of(context: click.Context) -> Voice:
    """Return what speaks on stderr."""
    return context.ensure_object(Voice)


def _set_voice(context: click.Context, option: click.Parameter, value: Any) -> None:  # noqa: ANN401 - click's own
    if value is not None and value is not False:
        setattr(voice_of(context), str(option.name), value)


def voice_options(command: F) -> F:
    """Add -q, -v and --color."""
    options = (
        click.option(
            "-q",
            "--quiet",
            is_flag=True,
            expose_value=False,
            callback=_set_voice,
            is_eager=True,
            help="Say nothing on stderr but errors.",
        ),
        click.option(
            "-v",
            "--verbose",
            is_flag=True,
            expose_value=False,
            callback=_set_voice,
            is_eager=True,
            help="Show where a bug is.",
        ),
        click.option(
            "--color",
            type=click.Choice(["auto", "always", "never"]),
            expose_value=False,
            is_eager=True,
            callback=_set_voice,
            help="Color the labels on stderr; auto: on a terminal.",
        ),
    )
    return _all(command, options)


def input_options(command: F) -> F:
    """Add the options that say what to plan from; `request_of` turns their values into a request."""
    options = (
        click.argument("usage", nargs=-1),
        click.option(
            "--offers",
            multiple=True,
            metavar="FILE",
            help="A table of offers; repeat for more. `workspace` is what was fetched, `bundled` the price book that "
            "ships with tranche.",
        ),
        click.option(
            "--offer",
            multiple=True,
            metavar="SPEC",
            help="A quote, such as crusoe:H100-SXM-80GB=1.85/h,128gpus,12mo; repeat for more.",
        ),
        click.option("--commitments", multiple=True, metavar="FILE", help="What is owned already."),
        click.option(
            "--limit",
            multiple=True,
            metavar="LIMIT",
            help="spot<=40%, spot.each<=10%, committed<=70%, provider.aws<=50%, upfront<=2M or term<=12mo.",
        ),
        click.option("--horizon", metavar="TIME", help="12mo (the default), 1y and so on, or history."),
        click.option(
            "--forecast",
            metavar="NAME",
            help="best, seasonal_mean, trend and so on, as tried on the past; else the history is typical.",
        ),
        click.option("--growth", metavar="PCT", help="What the forecast growth grows by in a month, such as 5%."),
        click.option("--ladder", metavar="TIME", help="Also buy at later dates, so far apart, such as 3mo; or none."),
        click.option("--capital", metavar="PCT", help="What capital costs in a year, such as 8%."),
        click.option(
            "--scenarios",
            metavar="FILE",
            help="Futures with probabilities, as TOML: changes of demand, price moves and spot droughts; or none.",
        ),
        click.option(
            "--risk",
            metavar="PCT",
            help="How much the worst outcomes count, 0 (the default) to 1; the rest is the mean.",
        ),
        click.option(
            "--tail", metavar="PCT", help="Where the worst outcomes begin: 95% (the default) is the worst twentieth."
        ),
        click.option(
            "--gap",
            type=click.FloatRange(1e-12, 0.1),
            metavar="SHARE",
            help="How far the plan's cost may be from its proven bound, relatively: 1e-9 unless said.",
        ),
        click.option("--commit-idle", is_flag=True, help="Plan for idle GPUs too, as the workload `idle`."),
        session_option,
        now_option,
        config_option,
        workspace_option,
    )
    return _all(command, options)


def session_option(command: F) -> F:
    """Add --session."""
    about = "What the terminal UI kept under this name: its files, options and edits; see tranche sessions."
    return click.option("--session", metavar="NAME", help=about)(command)


def now_option(command: F) -> F:
    """Add --now, which makes the outcome independent of the clock."""
    return click.option("--now", metavar="ISO", help="The time to plan at, such as 2026-11-21; else the clock.")(
        command
    )


def config_option(command: F) -> F:
    """Add --config."""
    return click.option("--config", metavar="FILE", help="Settings; else the nearest tranche.toml upward from here.")(
        command
    )


def workspace_option(command: F) -> F:
    """Add --workspace."""
    return click.option(
        "--workspace",
        metavar="DIR",
        help="Where fetched prices are kept; else [fetch] workspace, TRANCHE_WORKSPACE, or the user's data folder.",
    )(command)


def detailed_exitcode_option(command: F) -> F:
    """Add --detailed-exitcode."""
    return click.option("--detailed-exitcode", is_flag=True, help="Exit with 4 where the plans differ.")(command)


def format_option(*formats: str) -> Callable[[F], F]:
    """Add --format."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="What is written to stdout.",
    )


def request_of(given: dict[str, Any]) -> Request:
    """Return the request that the values of `input_options` make, apart from --session."""
    return Request(
        **{name: value for name, value in given.items() if name != "session"} | {"now": time_of(given["now"])}
    )


def only_session(given: dict[str, Any]) -> str | None:
    """Return the session that is to be planned, None where there is none.

    Raises:
        UsageError: inputs are given beside it, which it has already.
    """
    name: str | None = given["session"]
    beside = sorted(other for other, value in given.items() if value and other not in {"session", "now"})
    if name is not None and beside:
        said = ", ".join(f"--{other.replace('_', '-')}" if other != "usage" else "files" for other in beside)
        raise UsageError(f"--session {name}: holds its inputs already; leave out {said}, or edit the session")
    return name


def time_of(text: str | None) -> datetime:
    """Read a time, UTC unless it says otherwise; without one, ask the clock.

    Raises:
        UsageError: it is no time, or not of this age.
    """
    if text is None:
        return datetime.now(UTC).replace(microsecond=0)
    try:
        time = datetime.fromisoformat(text.strip())
        time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"--now: {text!r} is not a time; write 2026-11-21 or 2026-11-21T13:00:00Z") from None
    if not 1970 <= time.year < 2200:
        raise UsageError(f"--now: {text!r} is not between 1970 and 2200; correct the year")
    return time


def check_out(out: str | None, endings: Mapping[str, str] = ENDINGS) -> str | None:
    """Return the format that the ending of a file asks for, before anything is computed; None where there is no file.

    Raises:
        UsageError: the ending is unknown, or nothing can be written there.
    """
    if out is None:
        return None
    path = Path(out)
    form = endings.get(path.suffix.lower())
    if form is None:
        raise UsageError(f"--out {path.name}: has no known ending; use {', '.join(endings)}")
    if path.is_dir():
        raise UsageError(f"--out {path.name}: is a directory; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"--out {path.name}: its directory does not exist; create it first")
    return form


def write_out(out: str, content: bytes, voice: Voice) -> None:
    """Replace the file at once or not at all, and say so.

    Raises:
        UsageError: it cannot be written.
    """
    path = Path(out)
    try:
        replace_at_once(path, content, mode=0o666 & ~_umask())
    except OSError as error:
        raise UsageError(f"--out {path.name}: cannot be written ({error.strerror}); check the directory") from None
    voice.say("note", f"wrote {path.name}")


def rendered(plan: PlanFile, form: str, *, width: int) -> str:
    """Return a plan in one of the `FORMATS`."""
    from app.reports import csv, markdown, table
    from app.reports.planfile import encode

    writers = {"json": lambda plan: encode(plan).decode(), "csv": csv.render, "md": markdown.render}
    return writers[form](plan) if form in writers else table.render(plan, width=width)


def emit(text: str) -> None:
    """Write data to stdout as UTF-8, whatever the locale; a reader that has seen enough is no error."""
    try:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def terminal_width() -> int:
    """Return the columns to use: those of the terminal between 80 and 160, or 100 where there is none."""
    return min(max(shutil.get_terminal_size((100, 24)).columns, NARROW), WIDE)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _all(command: F, options: tuple[Callable[[F], F], ...]) -> F:
    return reduce(lambda wrapped, option: option(wrapped), reversed(options), command)
