"""`tranche usage`: bills and live clusters -> the Usage table, reconciled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.commands import options
from app.diagnostics import ExitCode, UsageError

if TYPE_CHECKING:
    from app.accounts import Accounts

ENDINGS = {".parquet": "parquet", ".csv": "csv"}
POLICIES = ("aws_scad", "gpu_weighted", "price_ratio", "requested", "used")


@click.command()
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option("--by", metavar="NAMES", help="Also roll up by these, such as team,project; any tag may be named.")
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    help="How a machine's cost is shared; else the bill's own split, and by GPUs where it has none.",
)
@click.option(
    "--idle",
    type=click.Choice(("separate", "weighted", "even")),
    default="separate",
    show_default=True,
    help="Who pays in the roll-up for GPUs that nobody held: nobody, or those who held the same kind.",
)
@click.option("--window", metavar="TIME", default="1d", show_default=True, help="How far back live sources are asked.")
@click.option("--out", metavar="FILE", help="Write the usage table here, .parquet or .csv: what `tranche plan` reads.")
@options.config_option
@options.now_option
@options.format_option("table", "json", "csv")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, sources: tuple[str, ...], form: str, **given: Any) -> ExitCode:  # noqa: ANN401 - click's own
    """Turn bills into GPU-hours and cost by hour, workload and team, and show that they add up to the bill.

    SOURCE is a file, folder, pattern or `-` (AWS CUR, Google Cloud, Azure, FOCUS, OpenCost: told apart by content), an
    address (s3://, gs://, az://), or something live: opencost+http://HOST:9003, prometheus+http://HOST:9090,
    bq://PROJECT.DATASET.TABLE, aws-cost-explorer:, azure-cost:/subscriptions/ID,
    azure-hourly:/subscriptions/ID (with a bill of GPU machines only: the hours in which they ran).
    """
    from app.accounts import accounts_of
    from app.quiet import hush_libraries

    hush_libraries()
    voice = options.voice_of(context)
    by = _names(given["by"])
    ending = options.check_out(given["out"], ENDINGS)
    with voice.progress("reading bills") as progress:
        accounts = accounts_of(
            sources,
            by=by,
            policy=given["policy"],
            window=given["window"],
            now=options.time_of(given["now"]),
            config=given["config"],
            progress=progress,
        )
    voice.report(accounts.diagnostics)
    if given["out"]:
        options.write_out(given["out"], _table(accounts, ending), voice)
    options.emit(_rendered(_with_idle(accounts, given["idle"], by), by, form))
    return _verdict(accounts, voice)


def _with_idle(accounts: Accounts, how: Any, by: tuple[str, ...]) -> Accounts:  # noqa: ANN401
    """Return the accounts with idle cost shared out; the table that is written keeps it apart."""
    from dataclasses import replace

    from optimizer.sharing import with_shared_idle

    usage = with_shared_idle(accounts.usage, how=how, among=by or ("workload",))
    return replace(accounts, usage=usage)


def _names(text: str | None) -> tuple[str, ...]:
    """Return the dimensions of --by, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",")))
    if text is not None and not all(names):
        raise UsageError(f"--by {text!r} has an empty name; write team or team,project")
    return names if text else ()


def _table(accounts: Accounts, ending: str | None) -> bytes:
    import io

    content = io.BytesIO()
    if ending == "parquet":
        accounts.usage.write_parquet(content)
        return content.getvalue()
    from app.reports.csv import write

    return write(accounts.usage.columns, accounts.usage.iter_rows(named=True)).encode()


def _rendered(accounts: Accounts, by: tuple[str, ...], form: str) -> str:
    from app.reports import accounts as report

    if form == "json":
        return report.as_json(accounts, by)
    if form == "csv":
        return report.as_csv(accounts, by)
    return report.as_table(accounts, by, width=options.terminal_width())


def _verdict(accounts: Accounts, voice: Any) -> ExitCode:  # noqa: ANN401
    """Say which bill does not add up, and by how much."""
    from app.reports.planfile import decimal
    from app.reports.text import money

    for one in accounts.reconciliations:
        if not one.holds:
            amount = money(decimal(one.difference), one.currency)
            voice.say("warning", f"{one.source}: {amount} of the bill is not in the table; please report this export")
    return ExitCode.DONE if accounts.holds else ExitCode.INCOMPLETE
