"""Prices of one GPU, and what other GPUs can do of its work, in each form."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.reports import csv
from app.reports.planfile import decimal, harmless
from app.reports.text import UNKNOWN, columns, count, plain, rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.prices import Price
    from providers.equivalents import Equivalent

NAMES = (
    "offer_id", "provider", "region", "zone", "gpu_model", "purchase_option", "all_in_usd_per_gpu_hour",
    "advertised_usd_per_gpu_hour", "data_usd_per_gpu_hour", "lot_gpus", "min_gpus", "term_months", "status", "as_of",
    "age_days", "source", "confidence", "availability", "marks", "note", "currency",
)  # fmt: skip
ROOMY = 120
ROOMY_ONLY = ("Option", "Lot", "Term", "As of", "Source")
"""Columns that a narrow terminal has no room for; the name of an offer says most of it."""
BARS = "▁▂▃▄▅▆▇█"
CELLS = 24


def as_json(prices: Sequence[Price], currency: str) -> str:
    """Return the prices as JSON; with the price of each day where a history was asked for."""
    rows = [_row(price, currency) | _days(price) for price in prices]
    return harmless(json.dumps(rows, indent=2, ensure_ascii=False)) + "\n"


def as_csv(prices: Sequence[Price], currency: str) -> str:
    """Return the prices as CSV."""
    return csv.write(NAMES, [_row(price, currency) for price in prices])


def as_table(
    prices: Sequence[Price], currency: str, *, missing: Mapping[str, Sequence[str]], history: bool, width: int
) -> str:
    """Return the prices as text for a terminal; columns that say nothing of any offer are left out."""
    data = any(price.data is not None for price in prices)
    cells = {
        "Offer": [price.offer_id for price in prices],
        "Option": [price.purchase_option for price in prices],
        "All-in": [rate(decimal(price.whole), currency) for price in prices],
        "Advertised": [rate(decimal(price.advertised), currency) for price in prices],
        **({"Data": [_data(price, currency) for price in prices]} if data else {}),
        "Lot": [count(price.lot_gpus) for price in prices],
        "Term": [_term(price) for price in prices],
        "As of": [(price.as_of or UNKNOWN)[:10] for price in prices],
        "Days": [count(price.age_days) for price in prices],
        **({"History": [sparkline(price) for price in prices]} if history else {}),
        "Source": [price.source or UNKNOWN for price in prices],
        **({"Careful": [price.marks for price in prices]} if any(price.marks for price in prices) else {}),
    }
    if width < ROOMY:
        cells = {title: column for title, column in cells.items() if title not in ROOMY_ONLY}
    head = f"{prices[0].gpu_model if prices else 'No offers'}, {currency} per GPU-hour"
    rows = list(zip(*cells.values(), strict=True))
    foot = [f"No price known: {option} at {', '.join(sellers)}" for option, sellers in missing.items()]
    if width < ROOMY:
        foot.insert(
            0, f"A terminal of {ROOMY} columns, or --format json, also shows option, lot, term, day and source."
        )
    lines = [head, "", *columns(tuple(cells), rows, width=width), *(["", *foot] if foot else [])]
    return "\n".join(plain(line) for line in lines) + "\n"


def sparkline(price: Price) -> str:
    """Draw the days of a price, the lowest lowest, and how it changed from the first to the last.

    Only the newest days are drawn where there are more than fit.
    """
    values = [value for _, value in price.history][-CELLS:]
    if not values:
        return UNKNOWN
    low, high = min(values), max(values)
    steps = [round((value - low) / (high - low) * (len(BARS) - 1)) if high > low else 0 for value in values]
    return f"{''.join(BARS[step] for step in steps)} {values[-1] / values[0] - 1:+.1%}"


def equivalents_as_json(equivalents: Sequence[Equivalent]) -> str:
    """Return what other GPUs can do as JSON."""
    return json.dumps([asdict(one) | {"suggestion": one.suggestion} for one in equivalents], indent=2) + "\n"


def equivalents_as_table(equivalents: Sequence[Equivalent], *, width: int) -> str:
    """Return what other GPUs can do as text, and what it suggests for tranche.toml."""
    works = sorted({work for one in equivalents for work in one.ratios})
    titles = ("GPU", "GB", "TFLOPS", "GB/s", *(f"({index})" for index, _ in enumerate(works, 1)), "Suggests")
    rows = [
        (
            one.gpu_model,
            count(one.memory_gb),
            count(one.tflops),
            count(one.bandwidth),
            *(_ratio(one.ratios.get(work)) for work in works),
            _ratio(one.suggestion) if one.fits else "too small",
        )
        for one in equivalents
    ]
    mine = equivalents[0].gpu_model
    legend = [f"({index}) {work}" for index, work in enumerate(works, 1)]
    head = f"GPU-hours of {mine} that one GPU-hour does, as measured; TFLOPS are peak dense BF16"
    return "\n".join([head, "", *columns(titles, rows, width=width), "", *legend, "", *_suggested(equivalents)]) + "\n"


def hidden_costs(rows: Sequence[Mapping[str, str | None]], form: str, *, width: int) -> str:
    """Return what a price of GPUs does not hold, a line a tier."""
    if form == "json":
        return json.dumps(rows, indent=2) + "\n"
    if form == "csv":
        return csv.write(tuple(rows[0]) if rows else (), rows)
    titles = ("Provider", "Cost", "From GB", "Until GB", "USD", "Per", "As of", "Confidence", "Source")
    cells = [[value or UNKNOWN for value in row.values()] for row in rows]
    return "\n".join(plain(line) for line in columns(titles, cells, width=width)) + "\n"


def _suggested(equivalents: Sequence[Equivalent]) -> list[str]:
    """Return lines for tranche.toml; nothing takes them but a person."""
    found = {one.gpu_model: one.suggestion for one in equivalents[1:] if one.suggestion}
    if not found:
        return ["Nothing was measured on both it and a GPU that holds as much."]
    ratios = ", ".join(f'"{model}" = {ratio:.2f}' for model, ratio in found.items())
    return [
        "The lowest ratios, for workloads that may move; nothing uses them until they stand in tranche.toml:",
        '[workloads."NAME"]',
        f"runs_on = {{ {ratios} }}",
    ]


def _row(price: Price, currency: str) -> dict[str, Any]:
    found = asdict(price) | {
        "all_in_usd_per_gpu_hour": decimal(price.all_in),
        "advertised_usd_per_gpu_hour": decimal(price.advertised),
        "data_usd_per_gpu_hour": None if price.data is None else decimal(price.data),
        "marks": price.marks,
        "currency": currency,
    }
    return {name: found[name] for name in NAMES}


def _days(price: Price) -> dict[str, Any]:
    if not price.history:
        return {}
    return {"history": [{"day": f"{day}", "usd_per_gpu_hour": decimal(value)} for day, value in price.history]}


def _data(price: Price, currency: str) -> str:
    return UNKNOWN if price.data is None else rate(decimal(price.data), currency)


def _term(price: Price) -> str:
    return UNKNOWN if price.term_months is None else f"{count(price.term_months)} mo"


def _ratio(ratio: float | None) -> str:
    return UNKNOWN if ratio is None else f"{ratio:.2f}"
