"""`tranche open`: the screens, on given files."""

from __future__ import annotations

from typing import Any

import click

from app.commands import options


@click.command()
@click.option(
    "--live",
    multiple=True,
    metavar="SOURCE",
    help="Where to ask what runs now: opencost+http://HOST:9003 or prometheus+http://HOST:9090; else [sources] usage.",
)
@options.input_options
@options.voice_options
def command(*, live: tuple[str, ...], **given: Any) -> None:  # noqa: ANN401 - click's own
    """Open the terminal UI on USAGE, CSV or Parquet files; with none, on the demo."""
    from app.tui.app import run

    run(options.request_of(given), given["session"], sources=live)
