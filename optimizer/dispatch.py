"""Who is served by what: a solution's pools and classes taken apart again into tariffs and streams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, csr_array

from optimizer.problem import Floats, Ints, Problem, sum_by
from optimizer.reduce import Part

if TYPE_CHECKING:  # solve takes its own solutions apart to see whether they keep the limits
    from optimizer.solve import Solution
    from optimizer.turns import PartSolution


DENSE = 1_000_000  # numbers of a table above which most of them are 0 and left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """GPU-hours over the horizon.

    gpu_hours[w, o]: of tariff o, used by stream w. used[o]: their sum. held[o]: GPU-hours paid for, used or not, 0 for
    pay-as-you-go. cost[o]: $ that each tariff costs, with what is on top for those whom it serves. first_gpu[o]: how
    many GPUs of its pool are filled before it.
    """

    gpu_hours: Floats
    used: Floats
    held: Floats
    cost: Floats
    first_gpu: Floats


def dispatch_of(solution: Solution) -> Dispatch:
    """Take the solution apart: a class in proportion to demand, a pool in the order of `filling_order`."""
    problem = solution.problem
    gpu_hours = np.zeros((len(problem.demand), len(problem.usage)))
    first_gpu = np.zeros(len(problem.usage))
    for solved in solution.parts:
        needs = [_needs(problem, solved.part, members) for members in solved.part.members]
        for supply, tariffs in enumerate(solved.part.supply_tariffs):
            order = filling_order(problem, tariffs)
            first_gpu[order] = np.cumsum(solution.quantities[order]) - solution.quantities[order]
            _add_supply(gpu_hours, solution, solved, supply, order, needs)
    used = gpu_hours.sum(axis=0)
    held = np.where(problem.held, solution.quantities * problem.hours, 0.0)
    return Dispatch(
        gpu_hours=gpu_hours,
        used=used,
        held=held,
        cost=problem.holding * held + problem.usage * used + (problem.on_top * gpu_hours).sum(axis=0),
        first_gpu=first_gpu,
    )


def used_of(solution: Solution) -> Floats:
    """Return the GPU-hours used of each tariff over the horizon, without saying by whom."""
    return np.asarray(used_by_stretch(solution).sum(axis=1))


def used_by_stretch(solution: Solution) -> Floats:
    """Return used[o, c]: the GPU-hours used of each tariff in each stretch, without saying by whom."""
    problem = solution.problem
    used = np.zeros((len(solution.quantities), problem.calendar.shape[1]))
    for solved in solution.parts:
        part = solved.part
        hours = _hours_in(problem, part)
        for supply, tariffs in enumerate(part.supply_tariffs):
            drawn = solved.served[part.pair_supply == supply].sum(axis=0)
            order = filling_order(problem, tariffs)
            used[order] += (shares_of(solution, part, drawn, order) * drawn) @ hours
    return used


def stalled_by_stretch(solution: Solution) -> Floats:
    """Return $[o, c] paid to each tariff in each stretch for hours that gangs lose, on top of its usage price."""
    problem = solution.problem
    paid = np.zeros((len(solution.quantities), problem.calendar.shape[1]))
    if not problem.stalling.any():
        return paid
    for solved in solution.parts:
        part, stalled = solved.part, problem.stalled
        hours = _hours_in(problem, part)
        for way, supply in enumerate(part.pair_supply):
            order = filling_order(problem, part.supply_tariffs[supply])
            dollars = stalled[part.members[part.pair_class[way]][0], order]
            if dollars.any():
                given = shares_of(solution, part, solved.served[way], order) * solved.served[way]
                paid[order] += (dollars[:, None] * given) @ hours
    return paid


def _hours_in(problem: Problem, part: Part) -> Floats | csr_array:
    """Return hours[k, c] of each merged slot in each stretch, sparse where there are many."""
    slots, stretches = len(part.weight), problem.calendar.shape[1]
    if slots * stretches > DENSE:
        places = (part.slot_of, problem.stretch)
        return csr_array(coo_array((problem.weight, places), shape=(slots, stretches)))
    return sum_by(part.slot_of * stretches + problem.stretch, problem.weight, slots * stretches).reshape(
        slots, stretches
    )


def spend_of(solution: Solution) -> Floats:
    """Return $ paid to each tariff over the horizon."""
    problem = solution.problem
    held = np.where(problem.held, solution.quantities * problem.hours, 0.0)
    return np.asarray(problem.holding * held + problem.usage * used_of(solution))


def reached(problem: Problem, solution: Solution) -> dict[str, tuple[float, float]]:
    """Return what a solution comes to for each limit that is set, and the limit."""
    dispatch, limits = dispatch_of(solution), problem.limits
    demanded = problem.demanded or 1.0
    served = (dispatch.gpu_hours * problem.rates).sum(axis=0)
    found = {
        "spot": (float(served[problem.spot].sum()) / demanded, limits.spot),
        "spot.each": (float(_by_pool(problem, served).max(initial=0.0)) / demanded, limits.each),
        "committed": (float(dispatch.held @ problem.gpus) / demanded, limits.committed),
        "upfront": (float(problem.upfront @ solution.quantities), limits.upfront_usd),
    }
    for name, most in sorted(limits.providers.items()):
        found[f"provider.{name}"] = (float(served[problem.provider == name].sum()) / demanded, most)
    return {name: (at, most) for name, (at, most) in found.items() if np.isfinite(most)}


def _by_pool(problem: Problem, served: Floats) -> Floats:
    """Return the GPU-hours of demand that each spot pool serves."""
    return sum_by(problem.pool[problem.spot], served[problem.spot])


def filling_order(problem: Problem, tariffs: Ints) -> Ints:
    """Order the tariffs of a pool: what is had in any case first, then the cheapest to hold.

    A pool's tariffs serve the same hours at the same usage price, so the order moves no cost; it only says whose GPUs
    are the idle ones.
    """
    return tariffs[np.lexsort((tariffs, problem.holding[tariffs], np.isnan(problem.pinned[tariffs])))]


def _add_supply(
    gpu_hours: Floats, solution: Solution, solved: PartSolution, supply: int, order: Ints, needs: list[Floats]
) -> None:
    part = solved.part
    ways = np.flatnonzero(part.pair_supply == supply)
    drawn = solved.served[ways].sum(axis=0)
    if not drawn.any():
        return
    shares = shares_of(solution, part, drawn, order)
    for way in ways:
        members = part.members[part.pair_class[way]]
        need = part.demand[part.pair_class[way]]
        per_need = np.divide(solved.served[way], need, out=np.zeros_like(need), where=need > 0)
        gpu_hours[np.ix_(members, order)] += needs[part.pair_class[way]] @ (per_need * shares).T


def shares_of(solution: Solution, part: Part, drawn: Floats, order: Ints, at: Ints | None = None) -> Floats:
    """Return the share of what is drawn from a supply in each slot that each of its tariffs gives.

    Args:
        solution: what is held.
        part: whose slots are meant.
        drawn: GPUs in use in each slot.
        order: the tariffs of the supply, the first to be filled first.
        at: the slots; None for all.
    """
    problem, stretch = solution.problem, part.stretch if at is None else part.stretch[at]
    there = problem.calendar[order][:, stretch]
    if not problem.held[order[0]]:
        return np.asarray(there > 0, dtype=float)  # of pay-as-you-go one tariff at a time is in force
    capacity = solution.quantities[order, None] * there
    before = np.cumsum(capacity, axis=0) - capacity
    given = np.clip(drawn - before, 0.0, capacity)
    given[-1] += drawn - given.sum(axis=0)  # the solver's tolerance, so that nothing served goes missing
    return np.divide(given, drawn, out=np.zeros_like(given), where=drawn > 0)


def _needs(problem: Problem, part: Part, members: Ints) -> Floats:
    """Return GPU-hours of demand over the horizon of each member in each merged slot."""
    slots = len(part.weight)
    return np.array([sum_by(part.slot_of, problem.weight * problem.demand[member], slots) for member in members])
