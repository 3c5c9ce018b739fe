"""Commitments to spend: least spends that a provider's discounts hang on, and usage that is paid in advance.

Both come to one thing: what is spent with a provider in a window, but at least so much. A floor counts everything that
the plan pays the provider, after its discount, and so retires on net spend. A prepaid pool counts what is paid as it is
used; what it saves against the usage that it buys is given back whether it is used up or not.

A plan never buys capacity beyond the peak of its demand, not even where a provider holds two floors and a dollar spent
for nothing would count towards both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.demand import Floats
from optimizer.tariffs import Tariff
from providers.tables import HOURS_PER_MONTH, SPEND

Bools = npt.NDArray[np.bool_]
MOST_OPTIONAL = 6  # each doubles the plans that are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendTerms:
    """One commitment to spend, on offer or owned.

    usd: over its whole term, or else usd_per_hour: over each hour of it. term_hours: None for as long as the plan.
    discount: off list prices, or off its own price where it is prepaid. models: the GPU models that count, empty for
    all. optional: whether the plan decides. owned: whether it is no offer any more.
    """

    offer_id: str
    provider: str
    prepaid: bool
    usd: float | None
    usd_per_hour: float
    term_hours: float | None
    discount: float
    models: frozenset[str]
    start: datetime | None
    end: datetime | None
    status: str
    optional: bool
    owned: bool = False

    @property
    def changes(self) -> list[datetime]:
        """Times at which it begins or ends."""
        return [time for time in (self.start, self.end) if time is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A commitment to spend in the hours of a plan.

    usd: the least spend that falls into the horizon; given_back: $ returned in any case; per_usd: $ over its whole
    term for a dollar in the horizon. window[c]: whether stretch c counts. holding[o], usage[o]: whether what is paid
    for holding or for using a tariff counts. discounts[o]: the share taken off list prices.
    """

    terms: SpendTerms
    usd: float
    given_back: float
    per_usd: float
    window: Bools
    holding: Bools
    usage: Bools
    discounts: Floats


def spends_of(offers: pl.DataFrame, commitments: pl.DataFrame | None) -> tuple[SpendTerms, ...]:
    """Return the commitments to spend among offers and commitments, owned ones first, declined ones left out."""
    rows = [
        row
        for frame in (commitments, offers)
        if frame is not None
        for row in frame.filter(pl.col("purchase_option").is_in(SPEND), pl.col("status") != "declined").to_dicts()
    ]
    return tuple(_terms(row) for row in rows if row["spend_usd"] is not None or row.get("usd_per_hour") is not None)


def floors_of(
    spends: Iterable[SpendTerms],
    tariffs: Sequence[Tariff],
    *,
    begins: Sequence[datetime],
    hours: Floats,
) -> tuple[Floor, ...]:
    """Return what commitments to spend come to in a plan.

    Args:
        spends: the commitments.
        tariffs: what the plan may use.
        begins: when each stretch of the plan begins; no commitment begins or ends within one.
        hours: the hours of each stretch.
    """
    return tuple(_floor(terms, tariffs, begins, hours) for terms in spends)


def _terms(row: Mapping[str, Any]) -> SpendTerms:
    owned = "commitment_id" in row
    start, term = row["start"], row["term_months"]
    end = row["end"] or (start + timedelta(hours=term * HOURS_PER_MONTH) if start and term else None)
    hours = term * HOURS_PER_MONTH if term else (end - start) / timedelta(hours=1) if start and end else None
    return SpendTerms(
        offer_id=row["commitment_id"] if owned else row["offer_id"],
        provider=row["provider"],
        prepaid=row["purchase_option"] == "prepaid",
        usd=row["spend_usd"],
        usd_per_hour=row.get("usd_per_hour") or 0.0,
        term_hours=hours,
        discount=row["discount_share"],
        models=frozenset(name.strip() for name in (row["eligible_gpu_models"] or "").split(",") if name.strip()),
        start=start,
        end=end,
        status=row["status"],
        optional=not owned and row["status"] != "accepted",
        owned=owned,
    )


def _floor(terms: SpendTerms, tariffs: Sequence[Tariff], begins: Sequence[datetime], hours: Floats) -> Floor:
    window = np.array([_within(terms, time) for time in begins], dtype=bool)
    term = terms.term_hours or float(hours.sum())
    part = min(float(hours[window].sum()) / term, 1.0)
    theirs = np.array([tariff.provider == terms.provider for tariff in tariffs], dtype=bool)
    listed = np.array([tariff.listed for tariff in tariffs], dtype=bool)
    as_used = np.array([not tariff.held for tariff in tariffs], dtype=bool)
    known = np.array([not terms.models or not tariff.models.isdisjoint(terms.models) for tariff in tariffs], dtype=bool)
    usd = part * (terms.usd_per_hour * term if terms.usd is None else terms.usd)
    discounted = theirs & listed & (not terms.prepaid and bool(window.all()))
    return Floor(
        terms=terms,
        usd=usd,
        given_back=usd * terms.discount if terms.prepaid else 0.0,
        per_usd=1.0 / part if part else 0.0,
        window=window,
        holding=theirs & (not terms.prepaid),
        usage=theirs & ((as_used & known) if terms.prepaid else True),
        discounts=np.where(discounted, terms.discount, 0.0),
    )


def _within(terms: SpendTerms, time: datetime) -> bool:
    return (terms.start is None or terms.start <= time) and (terms.end is None or time < terms.end)


def discounted(tariff: Tariff, part: float) -> Tariff:
    """Return a tariff at this part of its list price, as `Problem.under` prices it."""
    if part == 1.0:
        return tariff
    if tariff.in_dollars:
        return replace(tariff, rates=tuple(rate._replace(usd=rate.usd * part) for rate in tariff.rates))
    price = tariff.advertised_usage * part
    if not tariff.held:
        return replace(tariff, usage=tariff.as_compared(price), advertised_usage=price)
    holding, usage = tariff.stated_holding * part, tariff.stated_usage * part
    return replace(tariff, holding=tariff.as_compared(holding), usage=usage + tariff.salvage, advertised_usage=price)
