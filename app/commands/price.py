"""`tranche price`: offers for one GPU, cheapest first."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from app.commands import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.prices import Price

TITLES = ("Offer", "Option", "All-in", "Advertised", "Lot", "Term", "As of", "Days", "Source")
NAMES = ("offer_id", "provider", "region", "gpu_model", "purchase_option", "all_in_usd_per_gpu_hour",
         "advertised_usd_per_gpu_hour", "lot_gpus", "min_gpus", "term_months", "status", "as_of", "age_days", "source",
         "currency")  # fmt: skip


@click.command()
@click.argument("gpu")
@click.option("--region", metavar="GLOB", help="Only regions such as us-*.")
@click.option("--option", metavar="OPTION", help="Only one purchase option, such as spot.")
@click.option("--offers", multiple=True, metavar="FILE", help="A table of offers; else the price book.")
@options.workspace_option
@options.config_option
@options.now_option
@options.format_option("table", "json", "csv")
@options.voice_options
@click.pass_context
def command(context: click.Context, /, *, gpu: str, form: str, **given: Any) -> None:  # noqa: ANN401 - click's own
    """List the offers for GPU, in any spelling, by what a useful hour costs: for spot, interruptions counted."""
    from app.loading import offers_of
    from app.prices import model_of, prices_of

    voice, now = options.voice_of(context), options.time_of(given["now"])
    _check_option(given["option"])
    offers, currency, found = offers_of(given["offers"], now=now, config=given["config"], workspace=given["workspace"])
    model = model_of(gpu, offers)
    voice.report(found)
    prices = prices_of(offers, model, region=given["region"], option=given["option"], now=now)
    if not prices:
        voice.say("warning", f"no offer of {model} is like that; take --region or --option away, or add --offers")
    options.emit(_rendered(prices, form, currency))


def _check_option(option: str | None) -> None:
    from app.diagnostics import UsageError
    from providers.tables import PURCHASE_OPTIONS

    if option is not None and option not in PURCHASE_OPTIONS:
        raise UsageError(f"--option {option!r} is not known; use one of {', '.join(PURCHASE_OPTIONS)}")


def _rendered(prices: Sequence[Price], form: str, currency: str) -> str:
    from app.reports import csv
    from app.reports.planfile import harmless
    from app.reports.text import columns, plain

    rows = [_row(price, currency) for price in prices]
    if form == "csv":
        return csv.write(NAMES, rows)
    if form == "json":
        import json

        return harmless(json.dumps(rows, indent=2, ensure_ascii=False)) + "\n"
    lines = columns(TITLES, [_cells(price, currency) for price in prices], width=options.terminal_width())
    head = f"{prices[0].gpu_model if prices else 'No offers'}, {currency} per GPU-hour"
    return "\n".join(plain(line) for line in (head, "", *lines)) + "\n"


def _row(price: Price, currency: str) -> dict[str, object]:
    from app.reports.planfile import decimal

    found = asdict(price) | {
        "all_in_usd_per_gpu_hour": decimal(price.all_in),
        "advertised_usd_per_gpu_hour": decimal(price.advertised),
        "currency": currency,
    }
    return {name: found[name] for name in NAMES}


def _cells(price: Price, currency: str) -> list[str]:
    from app.reports.text import UNKNOWN, count, rate

    return [
        price.offer_id,
        price.purchase_option,
        rate(str(price.all_in), currency),
        rate(str(price.advertised), currency),
        count(price.lot_gpus),
        "-" if price.term_months is None else f"{count(price.term_months)} mo",
        price.as_of or UNKNOWN,
        count(price.age_days),
        price.source or UNKNOWN,
    ]
