"""Where what a commitment serves runs, and what it would cost there on demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from optimizer.demand import Demand, Stream
from optimizer.eligibility import rates_of
from optimizer.problem import Bools, Problem
from optimizer.solve import Solution
from optimizer.tariffs import Rate, Tariff


class Place(NamedTuple):
    """A GPU model at a provider, in one region (None: in any)."""

    provider: str
    gpu_model: str
    region: str | None


class Way(NamedTuple):
    """Where a stream runs that a commitment serves, what a GPU-hour takes of it, and who else sells it on demand."""

    place: Place
    draws: float
    sold: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What is looked up of tariffs and streams.

    sold: on-demand tariffs without a cap by provider and model. unit[o]: `Cover.unit` of each tariff. best: the rates
    that serve a stream best, as far as they were asked for.
    """

    tariffs: Sequence[Tariff]
    streams: Sequence[Stream]
    solution: Solution
    open: Bools
    sold: dict[tuple[str, str], list[int]]
    unit: dict[int, float]
    best: dict[tuple[int, int], list[Rate]] = field(default_factory=dict)

    @property
    def problem(self) -> Problem:
        """What was solved."""
        return self.solution.problem

    def way(self, stream: int, index: int, stretch: int) -> Way:
        """Say where a commitment serves a stream: of equal rates where it would be cheapest on demand."""
        own = self.tariffs[index]
        rates = self._best(stream, index) if own.in_dollars else [Rate(own.gpu_model, own.region, 1.0)]
        unit = self.unit.get(index, 1.0)
        places = [(Place(own.provider, rate.gpu_model, rate.region), rate.usd * unit) for rate in rates]
        ways = [Way(place, draws, self._on_demand(stream, place, stretch)) for place, draws in places]
        return min(ways, key=lambda way: np.inf if way.sold is None else self.problem.usage[way.sold])

    def _best(self, stream: int, index: int) -> list[Rate]:
        if (stream, index) not in self.best:
            own = self.tariffs[index]
            served = [replace(own, rates=(rate,)).rate_for(self.streams[stream]) for rate in own.rates]
            self.best[stream, index] = [
                rate for rate, each in zip(own.rates, served, strict=True) if each == max(served)
            ]
        return self.best[stream, index]

    def _on_demand(self, stream: int, place: Place, stretch: int) -> int | None:
        """Return the cheapest on-demand tariff at a place that may serve the stream without end, None where none is."""
        there = [
            index
            for index in self.sold.get((place.provider, place.gpu_model), ())
            if self.open[index, stretch]
            and self.problem.rates[stream, index] > 0
            and (place.region is None or self.tariffs[index].region in (None, place.region))
        ]
        return min(there, key=lambda index: self.problem.usage[index], default=None)


def book_of(tariffs: Sequence[Tariff], demand: Demand, solution: Solution) -> Book:
    """Return what is looked up of a solution."""
    problem = solution.problem
    sold: dict[tuple[str, str], list[int]] = {}
    for index in map(int, np.flatnonzero(problem.endless & ~problem.spot)):
        sold.setdefault((tariffs[index].provider, tariffs[index].gpu_model), []).append(index)
    plans = [index for index in map(int, np.flatnonzero(solution.quantities > 0)) if tariffs[index].in_dollars]
    stated = rates_of(demand, [tariffs[index] for index in plans])
    unit = {}
    for column, index in enumerate(plans):
        serves = np.flatnonzero(problem.rates[:, index] > 0)
        unit[index] = float(stated[serves[0], column] / problem.rates[serves[0], index]) if len(serves) else 1.0
    return Book(tariffs=tariffs, streams=demand.streams, solution=solution, open=problem.open, sold=sold, unit=unit)
