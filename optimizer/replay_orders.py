"""The order in which a provider lets what was bought pay for what ran, hour by hour.

AWS takes reserved instances and capacity blocks first, then EC2 Instance Savings Plans, then Compute Savings Plans;
Azure reservations, then savings plans; Google Cloud resource commitments, then flexible ones. Within a kind of plan the
use with the highest saving goes first, of equal ones the one with the lowest rate; what an hour does not use is lost.

Sources: AWS, "How Savings Plans apply to your usage"; Azure, "How saving plan discount is applied". Of Google Cloud the
order within a kind is assumed, and of reservations everywhere: the highest saving first too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.problem import Floats
from optimizer.tariffs import Tariff

ORDERED = ("aws", "gcp", "azure")
RESOURCES, INSTANCE_PLANS, PLANS = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What ran at a provider: gpu_hours[k], GPU-hours an hour of one model in one region (None: in any) in slot k.

    usd: $ per GPU-hour of it on demand.
    """

    provider: str
    gpu_model: str
    region: str | None
    usd: float
    gpu_hours: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What was bought and is billed by an order: amount[k], GPUs or $ an hour, in slot k.

    unit: $ of it that a dollar of its stated rates takes: below 1 where a discount makes its dollars go further.
    """

    tariff: Tariff
    amount: Floats
    unit: float = 1.0

    def draws(self, use: Use) -> float | None:
        """Return what a GPU-hour of the use takes of it, None where it does not pay for that.

        What runs in a region that nobody stated is only paid by what is good for every region.
        """
        tariff = self.tariff
        if tariff.provider != use.provider:
            return None
        if not tariff.in_dollars:
            return 1.0 if tariff.gpu_model == use.gpu_model and tariff.region in (None, use.region) else None
        rates = [
            rate.usd for rate in tariff.rates if rate.gpu_model == use.gpu_model and rate.region in (None, use.region)
        ]
        return min(rates) * self.unit if rates else None


def kind_of(tariff: Tariff) -> int | None:
    """Return the place of a tariff in its provider's order; None for what its owner puts to use, not the bill.

    Such is everything of the GPU clouds, and what is paid for again as it is used or resold while it is not. A plan is
    an EC2 Instance Savings Plan where its rates are of one family of GPUs in one region.
    """
    if tariff.provider not in ORDERED or not tariff.held or tariff.usage != 0.0:
        return None
    if not tariff.in_dollars:
        return RESOURCES
    families = {rate.gpu_model.split("-")[0] for rate in tariff.rates}
    regions = {rate.region for rate in tariff.rates}
    narrow = tariff.provider == "aws" and len(families) == len(regions) == 1 and None not in regions
    return INSTANCE_PLANS if narrow else PLANS


def left_on_demand(uses: Sequence[Use], covers: Sequence[Cover]) -> Floats:
    """Return left[u, k]: the GPU-hours of each use in each slot that nothing bought pays for."""
    left = np.array([use.gpu_hours for use in uses], dtype=float)
    spare = [cover.amount.copy() for cover in covers]
    for use, cover, draws in _in_order(uses, covers):
        taken = np.minimum(left[use], spare[cover] / draws)
        left[use] -= taken
        spare[cover] = np.maximum(spare[cover] - taken * draws, 0.0)
    return left


def _in_order(uses: Sequence[Use], covers: Sequence[Cover]) -> Iterator[tuple[int, int, float]]:
    """Yield use, cover, and what a GPU-hour takes of it, in the order of the bill."""
    found = [
        (_rank(cover.tariff, use, draws), place, number, draws)
        for number, cover in enumerate(covers)
        for place, use in enumerate(uses)
        if (draws := cover.draws(use)) is not None
    ]
    for _, place, number, draws in sorted(found):
        yield place, number, draws


def _rank(tariff: Tariff, use: Use, draws: float) -> tuple[float, ...]:
    """Return what the order goes by, the least first.

    A reservation saves all of the price; one for a region goes before one that is good for every region, as zonal ones
    go before regional ones.
    """
    kind = kind_of(tariff)
    if kind is None:
        raise ValueError(f"{tariff.offer_id} is not billed by an order")
    if kind == RESOURCES:
        return kind, float(tariff.region is None), -use.usd, 0.0
    return kind, 0.0, draws / use.usd if use.usd > 0 else np.inf, draws
