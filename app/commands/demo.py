"""`tranche demo`: a fictional month of GPU bills, in the form of every cloud's export."""

from __future__ import annotations

from pathlib import Path

import click

from app.commands import options
from app.diagnostics import UsageError


@click.command()
@click.option("--out", metavar="DIR", required=True, help="An empty or new directory to write into.")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, out: str) -> None:
    """Write one made-up month as AWS CUR 2.0, Google Cloud, Azure, FOCUS and OpenCost, to try every reader on.

    Read back with `tranche usage DIR/aws` and so on, the exports give the same GPU-hours and costs.
    """
    folder = _empty(out)
    from data.bills.write import write

    voice = options.voice_of(context)
    with voice.waiting("writing bills"):
        names = write(folder)
    options.emit("".join(f"{Path(out) / name}\n" for name in names))


def _empty(out: str) -> Path:
    """Return the directory, made if need be; nobody's files are written over.

    Raises:
        UsageError: it holds something already, or cannot be made.
    """
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be used as a directory ({error.strerror}); name another") from None
    if taken:
        raise UsageError(f"--out {out}: is not empty; name a new directory")
    return folder
