"""`tranche diff`: what changed between two plans, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands import options
from app.diagnostics import ExitCode

if TYPE_CHECKING:
    from app.reports.planfile import Approval, PlanFile
    from optimizer.compare import Comparison


@click.command()
@click.argument("old")
@click.argument("new")
@options.detailed_exitcode_option
@options.format_option("table", "json", "md")
@options.voice_options
def command(*, old: str, new: str, form: str, detailed_exitcode: bool) -> ExitCode:
    """Explain what changed from OLD to NEW, two plan files, and why; nothing is solved again.

    The parts of the difference add up to it exactly. Where several inputs changed, what they do together is a part too.
    """
    from app.comparing import comparison
    from app.reports.approval import read

    before, approval = read(Path(old))
    after, _ = read(Path(new))
    found = comparison(before, after)
    options.emit(rendered(before, after, found, approval, form))
    return ExitCode.DIFFERS if detailed_exitcode and found.differs else ExitCode.DONE


def rendered(old: PlanFile, new: PlanFile, found: Comparison, approval: Approval, form: str) -> str:
    """Write what differs between two plans, in one of the forms of the command."""
    from app.reports import diff

    if form == "json":
        return diff.as_json(old, new, found, approval)
    if form == "md":
        return diff.as_markdown(old, new, found, approval)
    return diff.as_table(old, new, found, approval, width=options.terminal_width())
