"""`tranche plan`: usage and offers -> the plan."""

from __future__ import annotations

from typing import Any

import click

from app.commands import options
from app.commands.planning import planned


@click.command()
@options.input_options
@options.format_option(*options.FORMATS)
@click.option("--out", metavar="FILE", help="Also write the plan here: .json is the plan file; .csv, .md and .txt too.")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, form: str, out: str | None, **given: Any) -> None:  # noqa: ANN401 - click's own
    """Plan what to buy for the GPU-hours in USAGE, CSV or Parquet files; with none, for the demo."""
    voice = options.voice_of(context)
    out_form = options.check_out(out)
    _, _, file = planned(voice, given, form)
    text = options.rendered(file, form, width=options.terminal_width())
    if out is not None and out_form is not None:
        options.write_out(out, options.rendered(file, out_form, width=options.WIDE).encode(), voice)
    options.emit(text)
