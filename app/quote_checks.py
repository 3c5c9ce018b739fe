"""What a person should know of the offers given before planning with them: expired, converted, odd, not yet planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from providers.offers import HIGHEST, LOWEST
from providers.tables import SPEND, Diagnostic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NOT_PLANNED = {"egress_usd_per_gb": "egress price", "price_protection": "price protection"}
"""Terms that are kept with an offer, and do not change the plan yet."""


def unexpired(offers: pl.DataFrame, now: datetime) -> tuple[pl.DataFrame, list[Diagnostic]]:
    """Leave out what could no longer be accepted, and name it."""
    over = pl.col("valid_until").str.head(10) < f"{now:%Y-%m-%d}"
    found = [
        Diagnostic(
            level="warning",
            code="expired-quote",
            message=f"{name} is left out: it was valid until {day}",
            hint="ask the vendor to renew it, and change valid_until",
            where=name,
        )
        for name, day in offers.filter(over).select("offer_id", "valid_until").iter_rows()
    ]
    return offers.filter(over.fill_null(value=False).not_()), found


def about_quotes(offers: pl.DataFrame, usual: Mapping[str, float]) -> list[Diagnostic]:
    """Say how prices were converted, which look like those of whole nodes, and which terms are not planned.

    Args:
        offers: rows of Offers.
        usual: what a GPU-hour of each model usually costs on demand.
    """
    quotes = offers.filter(pl.col("status") != "list")
    return [
        found
        for row in quotes.iter_rows(named=True)
        for found in (*_converted(row), *_odd(row, usual), *_lots(row), *_left(row))
    ]


def _converted(row: Mapping[str, object]) -> list[Diagnostic]:
    if not row["note"] or not str(row["source"]).endswith(("typed", ".toml")):
        return []
    return [
        Diagnostic(level="note", code="quote", message=f"{row['offer_id']}: {row['note']}", where=str(row["offer_id"]))
    ]


def _odd(row: Mapping[str, object], usual: Mapping[str, float]) -> list[Diagnostic]:
    price = float(row["holding_usd_per_gpu_hour"]) + float(row["usage_usd_per_gpu_hour"])  # type: ignore[arg-type]
    known = usual.get(str(row["gpu_model"]))
    if known is None or row["purchase_option"] in SPEND or LOWEST * known <= price <= HIGHEST * known:
        return []
    message = f"{row['offer_id']} asks {price:,.4g} per GPU-hour, where {row['gpu_model']} usually costs {known:,.4g}"
    hint = "if that is the price of a node, write 29.52/node-h and 8/node"
    return [Diagnostic(level="warning", code="odd-quote", message=message, hint=hint, where=str(row["offer_id"]))]


def _lots(row: Mapping[str, object]) -> list[Diagnostic]:
    lot, node = row["lot_gpus"], row["gpus_per_node"]
    if not isinstance(lot, float) or not isinstance(node, float) or not (lot % node and node % lot):
        return []
    message = f"{row['offer_id']} is sold by {lot:g} GPUs, which is no whole number of nodes of {node:g}"
    hint = "ask the vendor which of the two holds"
    return [Diagnostic(level="warning", code="odd-lot", message=message, hint=hint, where=str(row["offer_id"]))]


def _left(row: Mapping[str, object]) -> list[Diagnostic]:
    terms = [words for name, words in NOT_PLANNED.items() if row[name] is not None]
    if not terms:
        return []
    message = f"{row['offer_id']}: the plan does not count its {', '.join(terms)}"
    hint = "they are kept with the offer; weigh them by hand"
    return [
        Diagnostic(level="warning", code="terms-not-planned", message=message, hint=hint, where=str(row["offer_id"]))
    ]
