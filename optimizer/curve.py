"""How many GPUs of a quote are worth buying at each price: its demand curve, whose steps are the negotiation.

The least cost V is the smallest of as many straight lines in the quote's holding price as there are plans, whole lots
or not, so it is concave and the quantity bought is its slope. Where two lines meet, either the cost there lies on both,
and the price is a step of the curve, or some third plan is cheaper there and its line is looked at in turn (Eisner and
Severance, Journal of the ACM 23, 1976).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace

import numpy as np

from optimizer.errors import InfeasibleError
from optimizer.problem import Problem
from optimizer.solve import Memory, solve
from optimizer.walkaway import at_price, hours_paid, without

SAME_COST = 4e-9  # of the cost: what two solves, each proven to 1e-9, may differ by
SAME_GPUS = 1e-6
SOLVES = 64
LOW = (
    1e-4  # of the highest price: the curve at 0 itself is undecided, since a GPU that costs nothing may as well be had
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From `low` to `high` $ per GPU-hour the plan buys `gpus`; where `exact` is False, it buys at most so many."""

    low: float
    high: float
    gpus: float
    exact: bool = True


@dataclass(frozen=True, slots=True)
class _Point:
    """A plan: the price it was found at, the GPUs it buys, and what it costs."""

    price: float
    gpus: float
    cost: float

    def at(self, price: float, hours: float) -> float:
        """Return what the same plan costs at another price."""
        return self.cost + self.gpus * hours * (price - self.price)


def demand_curve(problem: Problem, tariff: int, *, solves: int = SOLVES, memory: Memory | None = None) -> list[Step]:
    """Return the steps of the curve, the lowest price first; it ends where nothing is bought.

    The quantity is open: the quote's minimum and maximum are set aside, its lots are kept. The steps are exact until
    the number of solves is used up, the widest ones first.

    Args:
        problem: the whole problem.
        tariff: a quote for capacity that is held.
        solves: how often to solve at most.
        memory: parts solved before.
    """
    memory = Memory() if memory is None else memory
    hours = _hours(problem, tariff)
    free = problem.with_terms(tariff, minimum=0.0, maximum=float("inf"))
    top = _never(free, tariff, memory)
    if top is None or not hours or not problem.held[tariff]:
        return []
    low, high = _point(free, tariff, LOW * top.price, memory), top
    return _steps(_refined(free, tariff, (low, high), solves, memory))


def vendor_value(problem: Problem, provider: str, *, cost: float, memory: Memory | None = None) -> float | None:
    """Return what the best plan without any offer of a provider costs more; None where there is no such plan.

    Args:
        problem: the whole problem.
        provider: whose offers, not yet owned or accepted, are set aside.
        cost: of the best plan with them.
        memory: parts solved before.
    """
    theirs = (problem.provider == provider) & np.isnan(problem.pinned)
    without = replace(problem, rates=np.where(theirs, 0.0, problem.rates))
    try:
        return solve(without, Memory() if memory is None else memory).cost - cost
    except InfeasibleError:
        return None


def _never(problem: Problem, tariff: int, memory: Memory) -> _Point | None:
    """Return the plan without the quote, at a price at which the first GPU is already too dear; None if none can be."""
    try:
        lacking = solve(without(problem, tariff), memory)
    except InfeasibleError:
        return None
    price = float(problem.usage.max(initial=0.0) + problem.holding.max(initial=0.0)) + 1.0
    while _point(problem, tariff, price, memory).gpus > SAME_GPUS:
        price *= 4
    return _Point(price, 0.0, lacking.cost)


def _point(problem: Problem, tariff: int, price: float, memory: Memory) -> _Point:
    found = solve(at_price(problem, tariff, price), memory)
    return _Point(price, hours_paid(found, tariff) / _hours(problem, tariff), found.cost)


def _hours(problem: Problem, tariff: int) -> float:
    """Return the hours for which one GPU of a quote is paid, those included from which on it may be given back."""
    return float(problem.hours[[tariff, *problem.riders_of(tariff, same_price=True)]].sum())


def _refined(
    problem: Problem, tariff: int, ends: tuple[_Point, _Point], solves: int, memory: Memory
) -> list[tuple[_Point, _Point, float | None]]:
    """Return neighbouring plans and the price at which one takes over from the other, None where that is not known."""
    hours = _hours(problem, tariff)
    waiting = [_waiting(*ends)]
    settled: list[tuple[_Point, _Point, float | None]] = []
    while waiting:
        _, _, low, high = heapq.heappop(waiting)
        if low.gpus - high.gpus <= SAME_GPUS:
            settled.append((low, high, high.price))
            continue
        meets = (high.at(0.0, hours) - low.at(0.0, hours)) / (hours * (low.gpus - high.gpus))
        if solves <= 0:
            settled.append((low, high, None))
            continue
        solves -= 1
        found = _point(problem, tariff, meets, memory)
        if found.cost >= low.at(meets, hours) - SAME_COST * abs(low.at(meets, hours)) or _same(found, low, high):
            settled.append((low, high, meets))
            continue
        heapq.heappush(waiting, _waiting(low, found))
        heapq.heappush(waiting, _waiting(found, high))
    return sorted(settled, key=lambda one: one[0].price)


def _same(found: _Point, low: _Point, high: _Point) -> bool:
    return min(abs(found.gpus - low.gpus), abs(found.gpus - high.gpus)) <= SAME_GPUS


def _waiting(low: _Point, high: _Point) -> tuple[float, float, _Point, _Point]:
    """Order gaps by how many dollars an hour lie between their ends, the widest first."""
    return -(low.gpus - high.gpus) * (high.price - low.price), low.price, low, high


def _steps(neighbours: list[tuple[_Point, _Point, float | None]]) -> list[Step]:
    """Turn neighbouring plans into steps; what lies between two that were not settled is bounded by the lower one."""
    steps: list[Step] = []
    begins = 0.0
    for low, high, meets in neighbours:
        ends = high.price if meets is None else meets
        if low.gpus > SAME_GPUS and ends > begins:
            steps.append(Step(low=begins, high=ends, gpus=low.gpus, exact=meets is not None))
        begins = ends
    return _joined(steps)


def _joined(steps: list[Step]) -> list[Step]:
    """Join neighbouring steps of one quantity."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if last and abs(last.gpus - step.gpus) <= SAME_GPUS and last.exact == step.exact:
            found[-1] = Step(low=last.low, high=step.high, gpus=last.gpus, exact=last.exact)
        else:
            found.append(step)
    return found
