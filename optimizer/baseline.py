"""What the demand costs without a plan: all of it on demand, and as it is billed today."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from optimizer.demand import Demand, work_of
from optimizer.problem import Bools, Problem
from optimizer.tariffs import Tariff

Pair = tuple[str, str]  # workload, or provider, and GPU model
PLACE = ("workload", "gpu_model", "provider", "region")


def on_demand_rates(
    usage: pl.DataFrame, demand: Demand, tariffs: Sequence[Tariff], problem: Problem
) -> dict[Pair, float]:
    """Return the on-demand $ per GPU-hour of each workload and GPU model, averaged over where it runs today.

    Where the usage names a provider that sells the model on demand, its price counts, in the same region if it names
    one there; elsewhere, and for what is yet to be launched or moved, the cheapest price at which the workload may be
    served. Prices that move count by the demand that meets them. NaN where nobody sells it on demand.
    """
    sold = np.array([tariff.purchase_option == "on_demand" for tariff in tariffs], dtype=bool)
    places = work_of(usage).group_by(PLACE).agg(pl.col("gpu_hours").sum()).sort(PLACE)
    spent: dict[Pair, float] = {}
    needed: dict[Pair, float] = {}
    for slots, there in _in_force(problem, sold):
        weights = demand.gpu_hours[:, slots] @ demand.weight[slots]
        rates = _rates(places, demand, tariffs, problem, np.flatnonzero(there).tolist())
        for stream, gpu_hours in zip(demand.streams, weights, strict=True):
            pair = (stream.workload, stream.gpu_model)
            if gpu_hours:
                spent[pair] = spent.get(pair, 0.0) + float(gpu_hours) * rates[pair]
            needed[pair] = needed.get(pair, 0.0) + float(gpu_hours)
    return {pair: spent[pair] / hours if hours else math.nan for pair, hours in needed.items()}


def billed_cost(usage: pl.DataFrame) -> float | None:
    """Return what the bill says of the work of the history; None where some of it has no cost."""
    work = work_of(usage)
    if work.filter(pl.col("gpu_hours") > 0)["effective_cost"].null_count():
        return None
    return float(work["effective_cost"].sum())


def current_cost(usage: pl.DataFrame, demand: Demand, rates: Mapping[Pair, float]) -> float | None:
    """Return what the demand would cost if each GPU-hour cost what the bill says of it today.

    A workload that is not on the bill yet, or moves to another GPU model, is bought on demand, at `rates`. Without a
    forecast and planned changes this is the bill, scaled to the horizon. None where some of it has no price.
    """
    work = work_of(usage)
    if work.filter(pl.col("gpu_hours") > 0)["effective_cost"].null_count():
        return None
    sums = work.group_by("workload", "gpu_model").agg(pl.col("gpu_hours", "effective_cost").sum())
    billed = {(name, model): cost / hours for name, model, hours, cost in sums.iter_rows() if hours}
    needed = demand.gpu_hours @ demand.weight
    pairs = [(stream.workload, stream.gpu_model) for stream in demand.streams]
    costs = [hours * billed.get(pair, rates[pair]) for pair, hours in zip(pairs, needed, strict=True) if hours]
    return None if any(math.isnan(cost) for cost in costs) else float(sum(costs))


def _in_force(problem: Problem, sold: Bools) -> list[tuple[Bools, Bools]]:
    """Return slots during which the same on-demand offers are in force, and which these are; all where none is."""
    there: Bools = problem.open & sold[:, None]
    there[:, ~there.any(axis=0)] = sold[:, None]
    patterns, which = np.unique(there, axis=1, return_inverse=True)
    return [(which.ravel()[problem.stretch] == place, pattern) for place, pattern in enumerate(patterns.T)]


def _rates(
    places: pl.DataFrame, demand: Demand, tariffs: Sequence[Tariff], problem: Problem, sold: Sequence[int]
) -> dict[Pair, float]:
    """Return the rates at which so many of the tariffs sell on demand."""
    cheapest: dict[Pair, float] = {}
    for stream, price in zip(demand.streams, problem.unit_price[:, sold].min(axis=1, initial=math.inf), strict=True):
        pair = (stream.workload, stream.gpu_model)
        cheapest[pair] = min(float(price), cheapest.get(pair, math.inf))
    sellers: dict[Pair, list[Tariff]] = {}
    for index in sold:
        sellers.setdefault((tariffs[index].provider, tariffs[index].gpu_model), []).append(tariffs[index])
    totals: dict[Pair, list[float]] = {}
    for workload, model, provider, region, gpu_hours in places.iter_rows():
        here = _price_in(region, sellers.get((provider, model), []))
        price = cheapest.get((workload, model), math.inf) if here is None else here
        spent, hours = totals.get((workload, model), [0.0, 0.0])
        totals[workload, model] = [spent + price * gpu_hours if gpu_hours else spent, hours + gpu_hours]
    today = {pair: spent / hours for pair, (spent, hours) in totals.items() if hours}
    found = {**cheapest, **today}
    return {pair: price if math.isfinite(price) else math.nan for pair, price in found.items()}


def _price_in(region: str | None, sellers: Sequence[Tariff]) -> float | None:
    """Return the lowest price in a region, or of all where nobody sells in it; None where nobody sells."""
    same = [tariff for tariff in sellers if region is not None and tariff.region == region]
    return min((tariff.usage for tariff in same or sellers), default=None)
