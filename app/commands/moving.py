"""`tranche moving`: what moving workloads away from home saves, and which price at home would keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.commands import options
from app.commands.planning import session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optimizer.staying import Staying

TITLES = ("Workload", "At home at", "GPU-hours", "Away", "Saves if moving is free", "Saves", "At home", "Stays at")
COLUMNS = (
    "workload", "homes", "gpu_hours", "away_gpu_hours", "saves_before", "saves", "home_usd_per_gpu_hour",
    "keeps_usd_per_gpu_hour", "last_cut_usd_per_gpu_hour", "exact", "currency",
)  # fmt: skip
MONEY = ("saves_before", "saves", "home_usd_per_gpu_hour", "keeps_usd_per_gpu_hour", "last_cut_usd_per_gpu_hour")


@click.command()
@click.option("--most", type=click.IntRange(1, 100), default=5, show_default=True, help="Ask about so many workloads.")
@click.option("--last-hour", is_flag=True, help="Also find how far the price list at home must fall to keep all of it.")
@options.input_options
@options.format_option("table", "json", "csv")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, form: str, most: int, last_hour: bool, **given: Any) -> None:  # noqa: ANN401 - click's own
    """Say what the plan saves by moving workloads to other providers, with and without what moving costs.

    Home is where a workload's data is, or else where it runs today. It stays there at the price of the last column, for
    all of its GPU-hours.
    """
    voice = options.voice_of(context)
    with voice.waiting("reading"):
        session = session_of(given)
    voice.report(session.diagnostics)
    with voice.waiting("asking what would keep them at home"):
        found = session.moving(most=most, last_hour=last_hour)
    if not found:
        voice.say("note", "the plan moves nothing away from where it is at home")
    options.emit(_rendered(found, session.currency, form))


def _rendered(found: Sequence[Staying], currency: str, form: str) -> str:
    import json

    from app.reports import csv
    from app.reports.planfile import harmless

    rows = [_row(one, currency) for one in found]
    if form == "csv":
        return csv.write(COLUMNS, [row | {"homes": " ".join(one.homes)} for row, one in zip(rows, found, strict=True)])
    if form == "json":
        return harmless(json.dumps({"moving": rows}, indent=2, ensure_ascii=False)) + "\n"
    return _table(found, currency)


def _row(one: Staying, currency: str) -> dict[str, object]:
    from app.reports.planfile import decimal

    amounts = {name: decimal(getattr(one, name)) for name in MONEY}
    known = {name: getattr(one, name) for name in COLUMNS if name not in {*MONEY, "currency", "homes"}}
    row = {**known, **amounts, "homes": list(one.homes), "currency": currency}
    return {name: row[name] for name in COLUMNS}


def _table(found: Sequence[Staying], currency: str) -> str:
    from app.reports.planfile import decimal
    from app.reports.text import columns, count, money, plain, rate

    cells = [
        [
            one.workload,
            " ".join(one.homes),
            count(one.gpu_hours),
            count(one.away_gpu_hours),
            money(decimal(one.saves_before), currency),
            money(decimal(one.saves), currency),
            rate(decimal(one.home_usd_per_gpu_hour), currency),
            rate(decimal(one.keeps_usd_per_gpu_hour), currency),
        ]
        for one in found
    ]
    return "".join(f"{plain(line)}\n" for line in columns(TITLES, cells, width=options.terminal_width()))
