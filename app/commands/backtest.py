"""`tranche backtest`: rules for buying decide on the first part of the history, and live through the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from app.commands import options
from app.commands.planning import session_of
from app.diagnostics import UsageError

if TYPE_CHECKING:
    from app.session import Session
    from optimizer.backtest import Backtest

COLUMNS = ("rule", "cost", "regret", "stranded", "currency")


@click.command()
@click.option(
    "--train", metavar="SHARE", default="2/3", show_default=True, help="How much of the history rules decide on."
)
@click.option("--every", metavar="TIME", help="Let rules decide again and again, such as every 3mo, and live with it.")
@options.input_options
@options.format_option("table", "json", "csv")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, form: str, **given: Any) -> None:  # noqa: ANN401 - click's own
    """Compare the plan with simpler rules and with hindsight, on USAGE.

    A rule decides on the first part; what it buys is held through the rest, and all else is bought as it is used. Costs
    are those of the horizon if the rest is typical of it. Hindsight decides on the rest itself.

    With --every rules buy as they go: at each date they see the usage until then and what they hold, and buy for the
    terms of the offers. Costs are those of the hours lived through; hindsight may buy at the same dates.
    """
    voice, train, every = options.voice_of(context), _share(given.pop("train")), _months(given.pop("every"))
    with voice.waiting("reading"):
        session = session_of(given)
    voice.report(session.diagnostics)
    with voice.waiting("trying rules on the past"):
        found = session.backtest(train=train) if every is None else _rolling(session, train, every)
    options.emit(_rendered(found, session.currency, form))


def _share(text: str) -> float:
    """Read 2/3, 0.67 or 67%."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:/\s*(\d+(?:\.\d+)?)|(%))?\s*", text)
    share = float(found[1]) / float(found[2] or (100 if found[3] else 1) or 1) if found and found[2] != "0" else 0.0
    if not 0 < share < 1:
        raise UsageError(f"--train {text!r} is no share between 0 and 1; write 2/3, 0.67 or 67%")
    return share


def _months(text: str | None) -> float | None:
    """Read 3mo or 1y."""
    from app.future import months

    return None if text is None else months(text, where="--every")


def _rolling(session: Session, train: float, every: float) -> Backtest:
    from app.quiet import hushed
    from optimizer.rolling import rolling
    from providers.tables import InputError

    try:
        with hushed():
            return rolling(session.past, train=train, every_months=every)
    except InputError as error:
        raise UsageError(str(error)) from None
    except ValueError as error:
        raise UsageError(f"--train, --every: {error}") from None


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
        hours: dict[str, float] = {"decided_on_hours": found.decided_on, "lived_through_hours": found.lived_through}
        if found.every_months is not None:
            hours["every_months"] = found.every_months
        return json.dumps({**hours, "outcomes": rows}, indent=2) + "\n"
    head = f"Decided on {found.decided_on:,} hours, lived through {found.lived_through:,}; {_said(found)}"
    cells = [[row["rule"] or "", *(money(row[name], currency) for name in COLUMNS[1:4])] for row in rows]
    lines = columns(("Rule", "Cost", "Regret", "Stranded"), cells, width=options.terminal_width())
    return "\n".join(plain(line) for line in (head, "", *lines)) + "\n"


def _said(found: Backtest) -> str:
    """Say what the costs are."""
    if found.every_months is None:
        return "cost of the horizon"
    return f"bought every {found.every_months:g} months; cost of the hours lived through"
