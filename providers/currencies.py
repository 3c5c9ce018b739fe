"""Offers in several currencies -> one, at rates that somebody gives; nobody else's rate is ever taken."""

from collections.abc import Mapping

import polars as pl

from providers.names import few
from providers.tables import Diagnostic

PRICES = ("holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour", "salvage_usd_per_gpu_hour")


def converted(offers: pl.DataFrame, *, to: str, rates: Mapping[str, float]) -> tuple[pl.DataFrame, list[Diagnostic]]:
    """Convert every row whose currency has a rate, and show the conversion in its note.

    Args:
        offers: rows of Offers or Commitments.
        to: ISO code.
        rates: USD for one unit of each currency; USD itself is 1.
    """
    known = {"USD": 1.0, **rates}
    if to not in known:
        return offers, []
    factors = {code: rate / known[to] for code, rate in known.items() if code != to}
    mine = pl.col("currency").is_in(list(factors))
    if not offers.select(mine.any()).item():
        return offers, []
    factor = pl.col("currency").replace_strict(factors, default=None, return_dtype=pl.Float64)
    said = pl.format("converted from {} at {}", pl.col("currency"), factor.round(6))
    amounts = [name for name in (*PRICES, "usd_per_hour") if name in offers.columns]
    frame = offers.with_columns(
        *(pl.when(mine).then(pl.col(name) * factor).otherwise(name).alias(name) for name in amounts),
        pl.when(mine)
        .then(pl.concat_str(["note", said], separator="; ", ignore_nulls=True))
        .otherwise("note")
        .alias("note"),
        pl.when(mine).then(pl.lit(to)).otherwise("currency").alias("currency"),
    )
    counts = offers.filter(mine)["currency"].value_counts().sort("currency")
    return frame, [
        Diagnostic(
            level="note",
            code="converted",
            message=f"{count:,} prices converted from {code} to {to} at {factors[code]:.6g}, as tranche.toml says",
        )
        for code, count in counts.iter_rows()
    ]


def only(offers: pl.DataFrame, currency: str) -> tuple[pl.DataFrame, list[Diagnostic]]:
    """Leave out what is in another currency, and name it."""
    others = offers.filter(pl.col("currency") != currency)
    if others.is_empty():
        return offers, []
    codes = ", ".join(others["currency"].unique().sort())
    names = others["offer_id"].sort().to_list()
    return offers.filter(pl.col("currency") == currency), [
        Diagnostic(
            level="note",
            code="other-currency",
            message=f"{len(names):,} prices in {codes} are left out of a plan in {currency}: {few(names)}",
            hint="give a rate in tranche.toml, such as [currencies] EUR = 1.08, the USD that one euro is",
        )
    ]
