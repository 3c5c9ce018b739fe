"""What moving a workload away from home saves, and how much cheaper home would have to be to keep it.

With V the best cost, V₀ the best cost if moving this workload were free, and V_h the best cost with all of its H
GPU-hours at home: moving saves V_h - V₀ before moving costs and V_h - V after them. A deal for all of them at home is
worth it from (V_h - V) / H off on. A price list at home that is lower by δ keeps the last hour only later: let a(δ) be
the GPU-hours of its demand served away in the best plan when each of them costs δ more, which comes to the same but for
the constant δ H, and V(δ) that plan's cost. All of it stays from the least δ with V(δ) = V_h on. V is concave, being
the least of straight lines in δ, so that Newton's steps

    δ' = δ + (V_h - V(δ)) / a(δ)

climb to that δ and never beyond it, and each of them is one solve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from optimizer.dispatch import dispatch_of
from optimizer.eligibility import away, moving_of, rates_of
from optimizer.errors import InfeasibleError
from optimizer.problem import Bools, Problem
from optimizer.reasons import shares_cost
from optimizer.solve import Memory, Solution, solve
from optimizer.stated import Stated

MOST = 5  # workloads that are asked about: each takes a few solves
STEPS = 12
SAME = 1e-8  # of the best cost: a difference below which a workload is as well off at home
DUST = 1e-6  # GPU-hours over a whole horizon, as in a plan's mix


@dataclass(frozen=True, slots=True, kw_only=True)
class Staying:
    """What it means for one workload that some of it, or all, is served away from home; $ over the horizon.

    homes: the providers where it is at home. away_gpu_hours: GPU-hours of its demand that are served elsewhere, of
    gpu_hours in all. saves_before, saves: what moving saves without its costs, and with them; None where home cannot
    serve all of it. home_usd_per_gpu_hour: what its demand would cost at home, idle hours of commitments shared in.
    last_cut_usd_per_gpu_hour: how much lower the price list at home would have to be for the last hour to stay; None
    where nobody asked. exact: whether that is proven; else it is too low.
    """

    workload: str
    homes: tuple[str, ...]
    gpu_hours: float
    away_gpu_hours: float
    saves_before: float | None
    saves: float | None
    home_usd_per_gpu_hour: float | None
    last_cut_usd_per_gpu_hour: float | None = None
    exact: bool = False

    @property
    def cut_usd_per_gpu_hour(self) -> float | None:
        """What a deal for all of it at home would have to take off the price of each of its GPU-hours."""
        return None if self.saves is None else self.saves / self.gpu_hours

    @property
    def keeps_usd_per_gpu_hour(self) -> float | None:
        """The price of such a deal."""
        if self.home_usd_per_gpu_hour is None or self.cut_usd_per_gpu_hour is None:
            return None
        return self.home_usd_per_gpu_hour - self.cut_usd_per_gpu_hour


def staying(
    stated: Stated, memory: Memory | None = None, *, most: int = MOST, last_hour: bool = False
) -> tuple[Staying, ...]:
    """Ask what would keep the workloads that a plan moves, those with the most GPU-hours away first.

    Args:
        stated: what is planned.
        memory: what earlier solves found, so that the plan itself is not solved again.
        most: workloads that are asked about; each takes one solve, or two where moving costs something.
        last_hour: whether to find at which price list the last hour stays, which takes a few more.

    Raises:
        InfeasibleError: there is no plan.
    """
    memory = Memory() if memory is None else memory
    best = solve(stated.problem, memory)
    moves = _moved(stated, best)
    names = sorted(moves, key=lambda name: (-moves[name], name))[:most]
    return tuple(_asked(stated, best, name, memory, last_hour=last_hour) for name in names)


def _moved(stated: Stated, best: Solution) -> dict[str, float]:
    """Return the GPU-hours of demand of each workload that are served away from home."""
    found: dict[str, float] = {}
    served = dispatch_of(best).gpu_hours * best.problem.rates * away(stated.demand.streams, stated.tariffs)
    for stream, gpu_hours in zip(stated.demand.streams, served.sum(axis=1), strict=True):
        found[stream.workload] = found.get(stream.workload, 0.0) + float(gpu_hours)
    return {name: gpu_hours for name, gpu_hours in found.items() if gpu_hours > DUST}


def _asked(stated: Stated, best: Solution, workload: str, memory: Memory, *, last_hour: bool) -> Staying:
    rows = np.array([stream.workload == workload for stream in stated.demand.streams], dtype=bool)
    elsewhere = away(stated.demand.streams, stated.tariffs) & rows[:, None]
    homes = {stream.home for stream in stated.demand.streams if stream.workload == workload}
    found = Staying(
        workload=workload,
        homes=tuple(sorted(home for home in homes if home is not None)),
        gpu_hours=float((stated.demand.gpu_hours[rows] @ stated.demand.weight).sum()),
        away_gpu_hours=_served_at(best, elsewhere),
        saves_before=None,
        saves=None,
        home_usd_per_gpu_hour=None,
    )
    try:
        home = solve(_without(stated.problem, elsewhere), memory)
    except InfeasibleError:
        return found
    cut, exact = _last_cut(stated.problem, best, home.cost, elsewhere, memory) if last_hour else (None, False)
    return replace(
        found,
        saves_before=home.cost - _cost_for_free(stated, best, rows, memory),
        saves=home.cost - best.cost,
        home_usd_per_gpu_hour=float(shares_cost(home.problem, dispatch_of(home))[rows].sum()) / found.gpu_hours,
        last_cut_usd_per_gpu_hour=cut,
        exact=exact,
    )


def _without(problem: Problem, elsewhere: Bools) -> Problem:
    """Return the problem in which what is elsewhere serves nothing."""
    return replace(
        problem, rates=np.where(elsewhere, 0.0, problem.rates), moving=np.where(elsewhere, 0.0, problem.moving)
    )


def _cost_for_free(stated: Stated, best: Solution, rows: Bools, memory: Memory) -> float:
    """Return the best cost if moving some streams cost nothing."""
    streams = [stream for stream, chosen in zip(stated.demand.streams, rows, strict=True) if chosen]
    if not any(stream.leaving_usd_per_gpu_hour or stream.migration_usd or stream.overlap_hours for stream in streams):
        return best.cost
    return solve(_for_free(stated, rows), memory).cost


def _for_free(stated: Stated, rows: Bools) -> Problem:
    """Return the problem in which moving some streams costs nothing."""
    streams = tuple(
        replace(stream, leaving_usd_per_gpu_hour=0.0, migration_usd=0.0, overlap_hours=0.0) if free else stream
        for stream, free in zip(stated.demand.streams, rows, strict=True)
    )
    demand = replace(stated.demand, streams=streams)
    rates = rates_of(demand, stated.tariffs)
    moving = moving_of(demand, stated.tariffs, rates)
    chosen = rows[:, None]
    return replace(
        stated.problem,
        rates=np.where(chosen, rates, stated.problem.rates),
        moving=np.where(chosen, moving, stated.problem.moving),
    )


def _last_cut(problem: Problem, best: Solution, at_home: float, elsewhere: Bools, memory: Memory) -> tuple[float, bool]:
    """Return the least price cut at home at which nothing is served elsewhere, and whether it is that."""
    cut, cost, gpu_hours = 0.0, best.cost, _served_at(best, elsewhere)
    for _ in range(STEPS):
        if gpu_hours <= DUST or at_home - cost <= SAME * max(abs(at_home), 1e-6):
            return cut, True
        cut += (at_home - cost) / gpu_hours
        found = solve(_dearer(problem, elsewhere, cut), memory)
        cost, gpu_hours = found.cost, _served_at(found, elsewhere)
    return cut, False


def _dearer(problem: Problem, elsewhere: Bools, usd: float) -> Problem:
    """Return the problem in which each GPU-hour of demand that is served elsewhere costs so much more."""
    return replace(problem, moving=problem.moving + np.where(elsewhere, usd * problem.rates, 0.0))


def _served_at(solution: Solution, where: Bools) -> float:
    """Return the GPU-hours of demand that are served there."""
    return float((dispatch_of(solution).gpu_hours * solution.problem.rates * where).sum())
