"""What a price of GPUs does not hold: moving data out, between zones and regions, and keeping it."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import polars as pl

OUT = "internet_egress"


class Tier(NamedTuple):
    """The price of the gigabytes of a month from one amount to another."""

    from_gb: float
    until_gb: float
    usd: float
    confidence: str
    source: str


def tiers(provider: str, item: str) -> tuple[Tier, ...]:
    """Return the tiers of one cost at a provider, the first first; none where nobody knows it."""
    return _tiers().get((provider, item), ())


def cost(provider: str, item: str, *, gb: float) -> float | None:
    """Return what so many gigabytes of one month cost, USD; None where nobody knows.

    >>> cost("aws", "internet_egress", gb=10_100)
    900.0
    """
    found = tiers(provider, item)
    if not found or gb > found[-1].until_gb:
        return None
    return sum((min(gb, tier.until_gb) - tier.from_gb) * tier.usd for tier in found if gb > tier.from_gb)


def egress_usd_per_gb(source: str, target: str, *, gb: float) -> float | None:
    """Return what a gigabyte costs on average when so many a month go from one provider to another; None if unknown.

    What leaves is paid to the provider it leaves; within one provider it is taken to stay in its region and zone.
    """
    if source == target or gb <= 0:
        return 0.0
    whole = cost(source, OUT, gb=gb)
    return None if whole is None else whole / gb


def rows() -> list[dict[str, str | None]]:
    """Return the whole table as text: provider, item, from_gb, until_gb, usd, unit, as_of, confidence, source."""
    return list(_table().iter_rows(named=True))


def _table() -> pl.DataFrame:
    return pl.read_csv(files("data").joinpath("hidden_costs.csv").read_bytes(), infer_schema=False)


@cache
def _tiers() -> dict[tuple[str, str], tuple[Tier, ...]]:
    table = _table()
    endless = pl.col("until_gb").cast(pl.Float64).fill_null(float("inf"))
    amounts = (pl.col("from_gb").cast(pl.Float64), endless, pl.col("usd").cast(pl.Float64))
    columns = table.select("provider", "item", *amounts, "confidence", "source")
    found: dict[tuple[str, str], tuple[Tier, ...]] = {}
    for provider, item, *tier in columns.sort("provider", "item", "from_gb").iter_rows():
        found[provider, item] = (*found.get((provider, item), ()), Tier(*tier))
    return found
