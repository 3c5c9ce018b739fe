"""What a quote is worth: the highest price worth paying for its block, and for the first GPU of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from optimizer.dispatch import dispatch_of, spend_of, used_of
from optimizer.errors import InfeasibleError
from optimizer.problem import Floats, Problem
from optimizer.solve import Memory, Solution, solve

NEXT_GPU = 1e-3  # GPUs: small enough to stay on the first linear piece of the cost (optimisation notes, section 5)
FLIP = 1e-3  # the price move that must change the decision
STEPS = 50
SAME = 1e-9  # relative difference below which two costs are one

Verdict = Literal["accept", "counter", "decline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkAway:
    """The value of one quote, the other offers staying as they are; prices in $ per GPU-hour.

    block: GPUs asked about, None for pay-as-you-go. quoted, price: the quoted and the highest holding price worth
    paying for the block; for pay-as-you-go, usage prices. next_gpu: the same for the first GPU alone. error: how far
    `price` may be off, from the bounds of its solves. used: share of the block's hours that would be used if it were
    free. displaced[o]: $ over the horizon that each tariff would lose to the block if it were free. Where a price is
    None there is no such price, and `obstacle` says why.
    """

    tariff: int
    block: float | None
    quoted: float
    price: float | None
    next_gpu: float | None
    error: float
    used: float
    displaced: Floats
    verdict: Verdict
    obstacle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """The proof of a walk-away price: at `below` the block is bought, at `above` it is not."""

    below: float
    above: float
    bought_below: bool
    bought_above: bool

    @property
    def holds(self) -> bool:
        """Whether the decision turned."""
        return self.bought_below and not self.bought_above


def walk_away(
    problem: Problem, tariff: int, *, block: float | None, best: Solution, memory: Memory | None = None
) -> WalkAway:
    """Value a quote by (V - V0(q)) / (q · hours).

    V is the optimal cost without the quote, V0(q) with q GPUs of it at holding price 0; a two-part quote keeps its
    usage price. Where the quote names no quantity, q is what is planned or, if that is nothing, one GPU. Where a part
    of the block may be given back, its hours depend on the price: then the highest price is found by Newton's method.

    Args:
        problem: the whole problem, the quote in it at its quoted price.
        tariff: the quote.
        block: GPUs the vendor is talking about, None if open.
        best: the plan for the problem; a quote that it leaves alone is worth nothing to it, so it is V too.
        memory: parts solved before, so that only what the quote touches is solved again.
    """
    memory = Memory() if memory is None else memory
    if not problem.hours[tariff]:
        return _priceless(problem, tariff, block, "decline", "no hour of the plan falls into its window")
    planned = float(best.quantities[tariff])
    lacking = best if _unused(best, tariff) else _solved(without(problem, tariff), memory)
    if lacking is None:
        return _priceless(problem, tariff, block or planned, "accept", "without it there is no plan at all")
    if not problem.held[tariff]:
        return _usage_walk_away(problem, tariff, lacking, memory)
    if problem.exclusive[tariff] >= 0:
        return _exclusive_walk_away(problem, tariff, lacking, memory)
    first = _first_gpu(problem, tariff, lacking, memory)
    size = block or planned or 1.0
    taken = problem.with_terms(tariff, pinned=size)
    free = _solved(at_price(taken, tariff, 0.0), memory)
    if free is None:
        return _priceless(problem, tariff, size, "decline", "to take it would break a limit")
    price, found = _highest(taken, tariff, lacking, free, memory)
    slack = (lacking.cost - lacking.lower_bound) + (found.cost - found.lower_bound)
    return WalkAway(
        tariff=tariff,
        block=size,
        quoted=float(problem.holding[tariff]),
        price=price,
        next_gpu=first,
        error=slack / hours_paid(found, tariff),
        used=float(used_of(free)[tariff]) / (size * float(problem.hours[tariff])),
        displaced=spend_of(lacking) - spend_of(free),
        verdict=verdict_of(float(problem.holding[tariff]), price),
    )


def _highest(taken: Problem, tariff: int, lacking: Solution, free: Solution, memory: Memory) -> tuple[float, Solution]:
    """Return the price at which the plan with the block costs what the plan without it does, and that plan.

    The cost is concave in the price, with the GPU-hours that are paid as its slope, so a step by what is left over
    those hours never goes too far. Where they are given, the first step is the last.
    """
    price, found = 0.0, free
    for _ in range(STEPS):
        price += (lacking.cost - found.cost) / hours_paid(found, tariff)
        if not taken.riders_of(tariff, same_price=True):
            break
        found = solve(at_price(taken, tariff, price), memory)
        if lacking.cost - found.cost <= SAME * abs(lacking.cost):
            break
    return price, found


def at_price(problem: Problem, tariff: int, price: float) -> Problem:
    """Return the problem with another holding price of a quote, and of what costs the same."""
    for each in (tariff, *problem.riders_of(tariff, same_price=True)):
        problem = problem.with_terms(each, holding=price)
    return problem


def hours_paid(solution: Solution, tariff: int) -> float:
    """Return the GPU-hours for which the price of a quote is paid."""
    same = [tariff, *solution.problem.riders_of(tariff, same_price=True)]
    return float(solution.quantities[same] @ solution.problem.hours[same])


def _unused(best: Solution, tariff: int) -> bool:
    """Say whether a plan leaves a tariff, and what comes with it, alone."""
    mine = [tariff, *best.problem.riders_of(tariff)]
    return not used_of(best)[mine].any() and not best.quantities[mine].any()


def without(problem: Problem, tariff: int) -> Problem:
    """Return the problem without a tariff and what comes with it."""
    for each in (tariff, *problem.riders_of(tariff)):
        problem = problem.with_terms(each, pinned=0.0, maximum=0.0)
    return problem


def _solved(problem: Problem, memory: Memory) -> Solution | None:
    try:
        return solve(problem, memory)
    except InfeasibleError:
        return None


def _priceless(problem: Problem, tariff: int, block: float | None, verdict: Verdict, obstacle: str) -> WalkAway:
    """Return a verdict where there is no price: a quote that a plan cannot do without, or cannot have."""
    held = bool(problem.held[tariff])
    return WalkAway(
        tariff=tariff,
        block=(block or None) if held else None,
        quoted=float((problem.holding if held else problem.usage)[tariff]),
        price=None,
        next_gpu=None,
        error=0.0,
        used=0.0,
        displaced=np.zeros(len(problem.usage)),
        verdict=verdict,
        obstacle=obstacle,
    )


def verdict_of(quoted: float, price: float | None) -> Verdict:
    """Accept at or below the walk-away price, counter above it, decline what is worth nothing."""
    if price is None or price <= 0:
        return "decline"
    return "accept" if quoted <= price * (1 + SAME) else "counter"


def flip(problem: Problem, tariff: int, *, block: float | None, price: float, memory: Memory | None = None) -> Flip:
    """Prove a walk-away price: all or nothing 0.1 % below it, the block is bought; 0.1 % above, it is not."""
    memory = Memory() if memory is None else memory
    below, above = price * (1 - FLIP), price * (1 + FLIP)
    bought = [_taken(problem, tariff, block, offered, memory) for offered in (below, above)]
    return Flip(below=below, above=above, bought_below=bought[0], bought_above=bought[1])


def _taken(problem: Problem, tariff: int, block: float | None, price: float, memory: Memory) -> bool:
    if block is None:
        return bool(used_of(solve(problem.with_terms(tariff, usage=price), memory))[tariff] > 0)
    whole = {} if problem.exclusive[tariff] >= 0 else {"minimum": block, "maximum": block, "lot": 0.0}
    offer = problem.with_terms(tariff, pinned=np.nan, **whole)
    return bool(solve(at_price(offer, tariff, price), memory).quantities[tariff] > 0)


def _first_gpu(problem: Problem, tariff: int, lacking: Solution, memory: Memory) -> float | None:
    """Return minus the hourly slope of the cost at a pinned thousandth of a GPU at holding price 0; None if forbidden.

    What is bought in lots stays as it is in the plan without the quote: a thousandth of a GPU moves no whole lot. A raw
    dual of the plan would do only by luck: where the plan is degenerate it is one of many.
    """
    lots = (problem.lot > 0) | (problem.minimum > 0)
    near = replace(problem, pinned=np.where(lots & problem.held, lacking.quantities, problem.pinned))
    pinned = _solved(at_price(near.with_terms(tariff, pinned=NEXT_GPU), tariff, 0.0), memory)
    return None if pinned is None else -float(pinned.worth[tariff]) * NEXT_GPU / hours_paid(pinned, tariff)


def _exclusive_walk_away(problem: Problem, tariff: int, lacking: Solution, memory: Memory) -> WalkAway:
    """Value an offer that excludes others by the highest price at which any of it is still bought.

    Its least quantity alone would be no fair question: whoever takes one tier of a price list needs all its GPUs from
    that tier. Steps as in `_usage_walk_away`: the cost is concave in the price, with the hours paid as its slope.
    """
    free = found = solve(at_price(problem, tariff, 0.0), memory)
    last, price, hours = free, 0.0, hours_paid(free, tariff)
    while hours > 0 and lacking.cost - found.cost > SAME * abs(lacking.cost):
        last = found
        price += (lacking.cost - found.cost) / hours
        found = solve(at_price(problem, tariff, price), memory)
        hours = hours_paid(found, tariff)
    quoted, gpus = float(problem.holding[tariff]), float(last.quantities[tariff])
    taken = gpus * float(problem.hours[tariff])
    return WalkAway(
        tariff=tariff,
        block=gpus or None,
        quoted=quoted,
        price=price,
        next_gpu=None,
        error=(lacking.cost - lacking.lower_bound) / taken if taken else 0.0,
        used=float(used_of(last)[tariff]) / taken if taken else 0.0,
        displaced=spend_of(lacking) - spend_of(last),
        verdict=verdict_of(quoted, price),
    )


def _hours_as_used(solution: Solution, tariff: int) -> float:
    """Return the hours that pay-as-you-go is paid for: those used, and those that gangs lose."""
    stalling = solution.problem.stalling[:, tariff]
    if not stalling.any():
        return float(used_of(solution)[tariff])
    return float(dispatch_of(solution).gpu_hours[:, tariff] @ (1.0 + stalling))


def _usage_walk_away(problem: Problem, tariff: int, lacking: Solution, memory: Memory) -> WalkAway:
    """Value pay-as-you-go by the highest usage price at which some of it is still used.

    The cost is concave in the price with the hours used as its slope, so stepping from 0 by (V - cost) / hours used
    never steps past that price, and lands on it after finitely many pieces. Where gangs use it, it is concave from the
    adders on, below which a vendor would have to pay for the hours that gangs lose.
    """
    price = float(problem.beside[tariff]) if problem.stalling[:, tariff].any() else 0.0
    free = priced = solve(problem.with_terms(tariff, usage=price), memory)
    hours = _hours_as_used(free, tariff)
    wanted = hours > 0
    while hours > 0 and lacking.cost - priced.cost > SAME * abs(lacking.cost):
        price += (lacking.cost - priced.cost) / hours
        priced = solve(problem.with_terms(tariff, usage=price), memory)
        hours = _hours_as_used(priced, tariff)
    quoted = float(problem.usage[tariff])
    return WalkAway(
        tariff=tariff,
        block=None,
        quoted=quoted,
        price=price,
        next_gpu=price,
        error=0.0,
        used=1.0 if wanted else 0.0,
        displaced=spend_of(lacking) - spend_of(free),
        verdict=verdict_of(quoted, price),
    )
