"""Offers for one GPU in one order: what a useful GPU-hour costs, all in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from app.diagnostics import UsageError
from optimizer.tariffs import spot_overhead
from providers.accelerators import canonical, did_you_mean, is_ambiguous
from providers.names import may_mean

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One offer: all_in is $ per useful GPU-hour at full use; advertised, what the vendor shows, is less for spot."""

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
    offers: pl.DataFrame, gpu_model: str, *, region: str | None, option: str | None, now: datetime
) -> list[Price]:
    """Return the offers of a GPU model, cheapest first.

    Args:
        offers: a checked Offers table with canonical GPU models.
        gpu_model: its canonical name.
        region: a glob, None for any.
        option: a purchase option, None for any.
        now: what the age of a price is measured from.
    """
    prices = [
        _price(row, now)
        for row in offers.iter_rows(named=True)
        if row["gpu_model"] == gpu_model
        and (region is None or fnmatchcase(row["region"] or "", region))
        and (option is None or row["purchase_option"] == option)
    ]
    return sorted(prices, key=lambda price: (price.all_in, price.offer_id))


def _price(row: dict[str, Any], now: datetime) -> Price:
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
    )
    return Price(
        **{name: row[name] for name in same},
        all_in=advertised * overhead if spot else advertised,
        advertised=advertised,
        age_days=_age(row["as_of"], now),
    )


def _age(as_of: str | None, now: datetime) -> int | None:
    try:
        return None if as_of is None else (now.date() - date.fromisoformat(as_of)).days
    except ValueError:
        return None
