"""`tranche show`: a plan that was written, in another form."""

from __future__ import annotations

from pathlib import Path

import click

from app.commands import options


@click.command()
@click.argument("plan")
@options.format_option(*options.FORMATS)
@options.voice_options
def command(*, plan: str, form: str) -> None:
    """Show PLAN, a file that `tranche plan --out` wrote; nothing is solved again."""
    from app.reports.document import read

    options.emit(options.rendered(read(Path(plan)), form, width=options.terminal_width()))
