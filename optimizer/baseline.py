"""What the demand costs without a plan: all of it on demand, and as it is billed today."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from optimizer.demand import Demand, hourly, work_of
from optimizer.problem import Problem
from optimizer.tariffs import Tariff

PLACE = ("workload", "gpu_model", "provider", "region")


def on_demand_rates(
    usage: pl.DataFrame, demand: Demand, tariffs: Sequence[Tariff], problem: Problem
) -> dict[tuple[str, str], float]:
    """Return the on-demand $ per GPU-hour of each workload and GPU model, averaged over where it runs today.

    Where the usage names a provider that sells the model on demand, its price counts, in the same region if it names
    one there; elsewhere the cheapest price at which the workload may be served. NaN where nobody sells it on demand.
    """
    sold = [index for index, tariff in enumerate(tariffs) if tariff.purchase_option == "on_demand"]
    anywhere = problem.unit_price[:, sold].min(axis=1, initial=math.inf)
    cheapest: dict[tuple[str, str], float] = {}
    for stream, price in zip(demand.streams, anywhere, strict=True):
        key = (stream.workload, stream.gpu_model)
        cheapest[key] = min(price, cheapest.get(key, math.inf))
    places = hourly(work_of(usage)).group_by(PLACE).agg(pl.col("gpu_hours").sum()).sort(PLACE)
    totals: dict[tuple[str, str], list[float]] = {}
    for workload, model, provider, region, gpu_hours in places.iter_rows():
        here = _price_at([tariffs[index] for index in sold], model, provider, region)
        price = cheapest.get((workload, model), math.inf) if here is None else here
        spent, hours = totals.get((workload, model), [0.0, 0.0])
        totals[workload, model] = [spent + price * gpu_hours if gpu_hours else spent, hours + gpu_hours]
    return {
        key: spent / hours if hours and math.isfinite(spent) else math.nan for key, (spent, hours) in totals.items()
    }


def billed_cost(usage: pl.DataFrame) -> float | None:
    """Return what the bill says of the work of the history; None where some of it has no cost."""
    work = work_of(usage)
    if work.filter(pl.col("gpu_hours") > 0)["effective_cost"].null_count():
        return None
    return float(work["effective_cost"].sum())


def _price_at(sold: Sequence[Tariff], model: str, provider: str | None, region: str | None) -> float | None:
    there = [tariff for tariff in sold if tariff.provider == provider and tariff.gpu_model == model]
    same = [tariff for tariff in there if region is not None and tariff.region == region]
    return min((tariff.usage for tariff in same or there), default=None)
