"""Offers for one GPU in one order: what a useful GPU-hour costs, all in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import polars as pl

from app.diagnostics import UsageError
from optimizer.tariffs import spot_overhead
from providers.accelerators import canonical, did_you_mean, is_ambiguous
from providers.book import ABOVE_ON_DEMAND
from providers.hidden_costs import egress_usd_per_gb
from providers.names import may_mean
from providers.tables import HOURS_PER_MONTH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


STALE_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One offer: all_in is $ per useful GPU-hour at full use; advertised, what the vendor shows, is less for spot.

    data: $ per GPU-hour for data that has to travel, None where nobody asked or knows. marks: what to be careful of.
    history: the advertised price by day, as it was fetched.
    """

    offer_id: str
    provider: str
    region: str | None
    gpu_model: str
    purchase_option: str
    all_in: float
    advertised: float
    lot_gpus: float | None
    min_gpus: float
    term_months: float | None
    status: str
    source: str | None
    as_of: str | None
    age_days: int | None
    zone: str | None
    confidence: str | None
    availability: str | None
    note: str | None
    above_on_demand: bool
    data: float | None = None
    history: tuple[tuple[date, float], ...] = ()

    @property
    def marks(self) -> str:
        """Return what to be careful of, in words."""
        said = (
            ("stale", self.age_days is not None and self.age_days > STALE_DAYS),
            ("of unknown age", self.age_days is None),
            ("above on-demand", self.above_on_demand),
            ("low confidence", self.confidence == "low"),
            ("may not be had", self.availability == "unknown"),
        )
        return ", ".join(words for words, holds in said if holds)

    @property
    def whole(self) -> float:
        """Return $ per GPU-hour, data included where it is known."""
        return self.all_in + (self.data or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Data that stays with one provider and is read by GPUs elsewhere: GB per GPU-hour, for so many GPUs."""

    provider: str
    gb: float
    gpus: float = 1.0

    def usd_per_gpu_hour(self, target: str) -> float | None:
        """Return what it costs per GPU-hour at another provider; None where nobody knows."""
        rate = egress_usd_per_gb(self.provider, target, gb=self.gb * self.gpus * HOURS_PER_MONTH)
        return None if rate is None else rate * self.gb


def model_of(gpu: str, offers: pl.DataFrame) -> str:
    """Return the GPU model that somebody means, in any spelling.

    Raises:
        UsageError: it may mean several, or none that is known or on offer.
    """
    if model := canonical(gpu):
        return model
    if is_ambiguous(gpu):
        raise UsageError(f"{gpu} may mean {' or '.join(may_mean(gpu))}; write one of them")
    sold = offers["gpu_model"].unique().sort().to_list()
    if gpu in sold:
        return gpu
    close = did_you_mean(gpu)
    remedy = f"did you mean {close}?" if close else f"on offer are {', '.join(sold)}"
    raise UsageError(f"{gpu} is no GPU that is known; {remedy}")


def prices_of(
    offers: pl.DataFrame,
    gpu_model: str,
    *,
    region: str | None,
    option: str | None,
    now: datetime,
    data: Data | None = None,
) -> list[Price]:
    """Return the offers of a GPU model, cheapest first.

    Args:
        offers: a checked Offers table with canonical GPU models.
        gpu_model: its canonical name.
        region: a glob, None for any.
        option: a purchase option, None for any.
        now: what the age of a price is measured from.
        data: what has to travel to where the GPUs are.
    """
    prices = [
        _price(row, now, data)
        for row in offers.iter_rows(named=True)
        if row["gpu_model"] == gpu_model
        and (region is None or fnmatchcase(row["region"] or "", region))
        and (option is None or row["purchase_option"] == option)
    ]
    return sorted(prices, key=lambda price: (price.whole, price.offer_id))


def with_history(prices: Sequence[Price], known: pl.DataFrame) -> list[Price]:
    """Add to each price what `providers.book.history` knows of its offer."""
    advertised = pl.col("holding_usd_per_gpu_hour") + pl.col("usage_usd_per_gpu_hour")
    days: dict[str, list[tuple[date, float]]] = {}
    for offer, day, price in known.select("offer_id", "day", advertised).iter_rows():
        days.setdefault(offer, []).append((day, price))
    return [replace(price, history=tuple(days.get(price.offer_id, ()))) for price in prices]


def unpriced(offers: pl.DataFrame, gpu_model: str) -> dict[str, list[str]]:
    """Return by purchase option the providers that sell it, and sell this GPU, but give no price for both at once."""
    mine = offers.filter(pl.col("gpu_model") == gpu_model)
    sellers = mine["provider"].unique()
    sold = offers.filter(pl.col("provider").is_in(sellers.implode())).select("purchase_option", "provider").unique()
    priced = mine.select("purchase_option", "provider").unique()
    left = sold.join(priced, on=["purchase_option", "provider"], how="anti").sort("purchase_option", "provider")
    return {
        str(option[0]): rows["provider"].to_list()
        for option, rows in left.group_by("purchase_option", maintain_order=True)
    }


def _price(row: dict[str, Any], now: datetime, data: Data | None) -> Price:
    spot = row["purchase_option"] == "spot"
    overhead = spot_overhead(
        interruptions=row["mean_hours_between_interruptions"],
        restart=row["restart_hours"],
        checkpoint=row["checkpoint_hours"],
        checkpoint_cost=row["checkpoint_cost_hours"],
    )
    advertised = row["holding_usd_per_gpu_hour"] + row["usage_usd_per_gpu_hour"]
    same = (
        "offer_id",
        "provider",
        "region",
        "gpu_model",
        "purchase_option",
        "lot_gpus",
        "min_gpus",
        "term_months",
        "status",
        "source",
        "as_of",
        "zone",
        "confidence",
        "availability",
        "note",
    )
    return Price(
        **{name: row[name] for name in same},
        all_in=(advertised * overhead if spot else advertised) + row["adders_usd_per_gpu_hour"],
        advertised=advertised,
        age_days=_age(row["as_of"], now),
        above_on_demand=(row["note"] or "").endswith(ABOVE_ON_DEMAND),
        data=data.usd_per_gpu_hour(row["provider"]) if data else None,
    )


def _age(as_of: str | None, now: datetime) -> int | None:
    try:
        return None if as_of is None else (now.date() - date.fromisoformat(as_of[:10])).days
    except ValueError:
        return None
