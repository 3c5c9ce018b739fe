"""What comes with an offer: cheaper tiers, a way out, GPUs beyond those bought, and rights to add some."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from optimizer.ladder import after
from optimizer.tariffs import RampStep, Rider, Tariff


def tiers_of(tariff: Tariff, text: str | None, factor: float = 1.0) -> list[Tariff]:
    """Return an offer as one for each price of all its GPUs, of which one is bought at most.

    "64@2.20 256@1.95" is its own price for less than 64 GPUs, 2.20 for each from 64 on and 1.95 from 256 on. An
    accepted offer has the price of the quantity that was accepted. Prices in the text are multiplied by the factor.
    """
    steps = sorted((float(gpus), float(price)) for gpus, price in (step.split("@") for step in (text or "").split()))
    if not steps:
        return [tariff]
    tiers = [tariff, *(_tier(tariff, gpus, price * factor) for gpus, price in steps if gpus <= tariff.maximum)]
    if tariff.status == "accepted" and tariff.block is not None:
        within = [tier for tier in tiers if tier is tariff or tier.minimum <= max(tariff.block, tariff.minimum)]
        return [replace(within[-1], offer_id=tariff.offer_id, minimum=tariff.minimum)]
    group = tariff.exclusive or tariff.offer_id
    return [replace(tier, exclusive=group) for tier in tiers]


def with_riders(tariff: Tariff, row: Mapping[str, Any], start: datetime) -> list[Tariff]:
    """Return an offer, or a commitment, and what comes with it; `start` is when the plan begins."""
    if not tariff.held or tariff.in_dollars:
        return [tariff]
    overage, most = row["overage_usd_per_gpu_hour"], row["burst_gpus"]
    riders = [] if overage is None else [_rider(tariff, "overage", 0.0, overage, math.inf)]
    if most:
        fee, price = row["burst_fee_usd_per_gpu_hour"] or 0.0, row["burst_usd_per_gpu_hour"] or 0.0
        riders.append(_rider(tariff, "burst", fee, price, most))
    return [*_with_exit(tariff, row["exit_after_months"], start), *(riders if tariff.owned != 0 else [])]


def _tier(tariff: Tariff, gpus: float, price: float) -> Tariff:
    return replace(
        tariff,
        offer_id=f"{tariff.offer_id}@{gpus:g}",
        holding=tariff.as_compared(price),
        minimum=max(tariff.minimum, gpus),
    )


def _with_exit(tariff: Tariff, months: float | None, start: datetime) -> list[Tariff]:
    """Return what must be held until the exit, and what may be kept of it from then on."""
    if months is None:
        return [tariff]
    begins = tariff.start or start
    leaves = after(begins, months)
    if tariff.end is not None and leaves >= tariff.end:
        return [tariff]
    kept = replace(
        _of(tariff, "kept"),
        start=leaves,
        holding=tariff.holding,
        usage=tariff.usage,
        advertised_usage=tariff.advertised_usage,
        salvage=tariff.salvage,
        maximum=tariff.maximum if tariff.owned is None else tariff.owned,
        ratio=1.0 if tariff.owned is None else math.inf,
    )
    return [replace(tariff, start=begins, end=leaves, term_months=months), kept]


def _rider(tariff: Tariff, kind: Rider, holding: float, usage: float, most: float) -> Tariff:
    """Return GPUs that may be added while the offer runs, if some of it was bought.

    Where the offer is sold in any amount, a sliver of it would do: then they are there in any case.
    """
    lot = tariff.lot or 0.0
    least = math.ceil(tariff.minimum / lot - 1e-9) * lot if lot and tariff.minimum else tariff.minimum or lot
    return replace(
        _of(tariff, kind),
        holding=holding,
        usage=usage + tariff.adders,
        advertised_usage=usage,
        adders=0.0,
        maximum=most,
        least=least if tariff.owned is None else 0.0,
        ramp=tuple(RampStep(step.months, float(step.share > 0)) for step in tariff.ramp),
    )


def _of(tariff: Tariff, kind: Rider) -> Tariff:
    """Return a rider: bought by its own quantity, in any amount, never at the start."""
    return replace(
        tariff,
        offer_id=f"{tariff.offer_id} {kind}",
        rider=kind,
        parent=tariff.offer_id if tariff.owned is None else None,
        status=tariff.status if tariff.owned is None else "accepted",
        owned=None,
        lot=None,
        minimum=0.0,
        upfront_share=0.0,
        term_months=None,
        capital=1.0,
        salvage=0.0,
        exclusive=None,
    )
