"""`tranche price`: offers for one GPU, cheapest first, and what other GPUs can do of its work."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from app.commands import options
from app.diagnostics import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from app.prices import Data, Price

DAYS = {"d": 1, "w": 7, "mo": 30, "y": 365}


@click.command()
@click.argument("gpu")
@click.option("--region", metavar="GLOB", help="Only regions such as us-*.")
@click.option("--option", metavar="OPTION", help="Only one purchase option, such as spot.")
@click.option("--offers", multiple=True, metavar="FILE", help="A table of offers; else the price book.")
@click.option("--history", metavar="TIME", help="How prices moved since, such as 90d, as far as they were fetched.")
@click.option("--data-at", metavar="PROVIDER", help="Where the data stays that the GPUs read.")
@click.option(
    "--egress", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="GB", help="Per GPU-hour."
)
@click.option(
    "--gpus", type=click.FloatRange(min=0, min_open=True), default=8.0, show_default=True, help="For tiers of egress."
)
@click.option("--hidden-costs", is_flag=True, help="Show what a price of GPUs does not hold: egress, storage, traffic.")
@click.option("--equivalents", is_flag=True, help="Show what other GPUs can do of its work, instead of prices.")
@options.workspace_option
@options.config_option
@options.now_option
@options.format_option("table", "json", "csv")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, gpu: str, form: str, **given: Any) -> None:  # noqa: ANN401 - click's own
    """List the offers for GPU, in any spelling, by what a useful hour costs: for spot, interruptions counted."""
    from app.loading import offers_of
    from app.prices import model_of, prices_of, unpriced

    voice, now = options.voice_of(context), options.time_of(given["now"])
    _check_option(given["option"])
    offers, currency, found = offers_of(given["offers"], now=now, config=given["config"], workspace=given["workspace"])
    model = model_of(gpu, offers)
    if given["equivalents"]:
        return options.emit(_equivalents(model, form))
    if given["hidden_costs"]:
        return options.emit(_hidden(offers, model, form))
    voice.report(found)
    data = _data(given)
    prices = prices_of(offers, model, region=given["region"], option=given["option"], now=now, data=data)
    if not prices:
        voice.say("warning", f"no offer of {model} is like that; take --region or --option away, or add --offers")
    if given["history"]:
        prices = _with_history(prices, model, given)
    missing = {} if given["option"] or given["region"] else unpriced(offers, model)
    options.emit(_rendered(prices, form, currency, missing, history=bool(given["history"])))
    return None


def _check_option(option: str | None) -> None:
    from providers.tables import PURCHASE_OPTIONS

    if option is not None and option not in PURCHASE_OPTIONS:
        raise UsageError(f"--option {option!r} is not known; use one of {', '.join(PURCHASE_OPTIONS)}")


def _data(given: Mapping[str, Any]) -> Data | None:
    from app.prices import Data
    from providers.hidden_costs import OUT, tiers

    if given["data_at"] is None:
        return None
    if not tiers(given["data_at"], OUT):
        raise UsageError(
            f"--data-at {given['data_at']!r}: nobody knows what egress costs there; put it into the offers"
        )
    return Data(provider=given["data_at"], gb=given["egress"], gpus=given["gpus"])


def _with_history(prices: Sequence[Price], model: str, given: Mapping[str, Any]) -> list[Price]:
    from app import settings
    from app.loading import workspace_of
    from app.prices import with_history
    from providers.book import history

    workspace = workspace_of(given["workspace"], settings.find(given["config"]) or settings.Settings())
    since = (options.time_of(given["now"]) - _span(given["history"])).date()
    return with_history(prices, history(workspace, model, since=since))


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})(d|w|mo|y)", text.strip().lower())
    if found is None:
        raise UsageError(f"--history {text!r} is no length of time; write 90d, 12w, 6mo or 1y")
    return timedelta(days=int(found[1]) * DAYS[found[2]])


def _equivalents(model: str, form: str) -> str:
    from app.reports import prices as report
    from providers.equivalents import equivalents_of

    found = equivalents_of(model)
    if not found:
        raise UsageError(f"{model} is in no table of GPUs, so nothing can be said of others; write a known model")
    if form == "csv":
        raise UsageError("--equivalents is a table or JSON; use --format json")
    return (
        report.equivalents_as_json(found)
        if form == "json"
        else report.equivalents_as_table(found, width=options.terminal_width())
    )


def _hidden(offers: pl.DataFrame, model: str, form: str) -> str:
    from app.reports import prices as report
    from providers.hidden_costs import rows

    sellers = offers.filter(offers["gpu_model"] == model)["provider"].unique().sort().to_list()
    found = [row for row in rows() if row["provider"] in sellers]
    return report.hidden_costs(found, form, width=options.terminal_width())


def _rendered(
    prices: Sequence[Price], form: str, currency: str, missing: Mapping[str, Sequence[str]], *, history: bool
) -> str:
    from app.reports import prices as report

    if form == "csv":
        return report.as_csv(prices, currency)
    if form == "json":
        return report.as_json(prices, currency)
    return report.as_table(prices, currency, missing=missing, history=history, width=options.terminal_width())
