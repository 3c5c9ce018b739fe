"""`tranche approve`: a draft becomes the plan that later ones are compared with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from app.commands import options
from app.diagnostics import UsageError
from app.reports.text import REPLACEMENT

LONGEST_NAME = 200


@click.command()
@click.argument("plan")
@click.option("--by", metavar="NAME", required=True, help="Who approves.")
@click.option(
    "--out", metavar="FILE", required=True, help="Write the approved plan here, as .json; may be PLAN itself."
)
@options.now_option
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, plan: str, by: str, out: str, now: str | None) -> None:
    """Write PLAN, a file that `tranche plan --out` wrote, with who approved it and the hash of what was approved."""
    name = _name(by)
    options.check_out(out, {".json": "json"})
    time = options.time_of(now)
    from app.reports.approval import approved, content_of, draft_of

    content = content_of(Path(plan))
    draft_of(content, where=Path(plan).name)
    options.write_out(out, approved(content, by=name, date=time), options.voice_of(context))


def _name(by: str) -> str:
    """Return a name as it was typed, whatever the locale.

    Raises:
        UsageError: it is empty, long, or holds what cannot be printed.
    """
    name = os.fsencode(by).decode("utf-8", "replace").strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or REPLACEMENT in name:
        raise UsageError(f"--by {by!r} is no name; write one of at most {LONGEST_NAME} printable characters")
    return name
