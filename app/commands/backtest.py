"""`tranche backtest`: rules for buying decide on the first part of the history, and live through the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from app.commands import options
from app.diagnostics import UsageError

if TYPE_CHECKING:
    from optimizer.backtest import Backtest

COLUMNS = ("rule", "cost", "regret", "stranded", "currency")


@click.command()
@click.option(
    "--train", metavar="SHARE", default="2/3", show_default=True, help="How much of the history rules decide on."
)
@options.input_options
@options.format_option("table", "json", "csv")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, form: str, **given: Any) -> None:  # noqa: ANN401 - click's own
    """Compare the plan with simpler rules and with hindsight, on USAGE.

    A rule decides on the first part; what it buys is held through the rest, and all else is bought as it is used. Costs
    are those of the horizon if the rest is typical of it. Hindsight decides on the rest itself.
    """
    from app.session import load

    voice, train = options.voice_of(context), _share(given.pop("train"))
    with voice.waiting("reading"):
        session = load(options.request_of(given))
    voice.report(session.diagnostics)
    with voice.waiting("trying rules on the past"):
        found = session.backtest(train=train)
    options.emit(_rendered(found, session.currency, form))


def _share(text: str) -> float:
    """Read 2/3, 0.67 or 67%."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*(\d+(?:\.\d+)?)|(%))?\s*", text)
    share = float(found[1]) / float(found[2] or (100 if found[3] else 1) or 1) if found and found[2] != "0" else 0.0
    if not 0 < share < 1:
        raise UsageError(f"--train {text!r} is no share between 0 and 1; write 2/3, 0.67 or 67%")
    return share


def _rendered(found: Backtest, currency: str, form: str) -> str:
    import json

    from app.reports import csv
    from app.reports.planfile import decimal
    from app.reports.text import columns, money, plain

    rows = [
        {"rule": one.rule, **{name: decimal(getattr(one, name)) for name in COLUMNS[1:4]}, "currency": currency}
        for one in found.outcomes
    ]
    if form == "csv":
        return csv.write(COLUMNS, rows)
    if form == "json":
        hours = {"decided_on_hours": found.decided_on, "lived_through_hours": found.lived_through}
        return json.dumps({**hours, "outcomes": rows}, indent=2) + "\n"
    head = f"Decided on {found.decided_on:,} hours, lived through {found.lived_through:,}; cost of the horizon"
    cells = [[row["rule"] or "", *(money(row[name], currency) for name in COLUMNS[1:4])] for row in rows]
    lines = columns(("Rule", "Cost", "Regret", "Stranded"), cells, width=options.terminal_width())
    return "\n".join(plain(line) for line in (head, "", *lines)) + "\n"
