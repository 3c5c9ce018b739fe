"""`tranche open`: the screens, on given files."""

from __future__ import annotations

from typing import Any

import click

from app.commands import options


@click.command()
@options.input_options
@options.voice_options
def command(**given: Any) -> None:  # noqa: ANN401 - click's own
    """Open the terminal UI on USAGE, CSV or Parquet files; with none, on the demo."""
    from app.tui.app import run

    run(options.request_of(given), given["session"])
