"""What commitments to spend come to in a plan, and the largest least spend worth signing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from scipy.optimize import brentq

from optimizer.floors import Floor
from optimizer.limits import Limits
from optimizer.problem import Problem
from optimizer.solve import REBATES, Memory, Solution, solve, spends

RELATIVE = 1e-9  # of the largest least spend, to which it is found
CENT = 0.01  # $ to which the largest least spend is found


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """One commitment to spend; money in $ over the horizon.

    usd: the least spend. spent: what counts towards it; shortfall: what is paid for nothing. given_back: what usage
    paid in advance costs less. taken: whether it is in force in the plan. worth: what the plan without it costs more
    than the plan with it, None where it is in force in any case. largest_usd: over its whole term, the least spend at
    which it is worth nothing any more; 0 where it never is, None for what is prepaid or in force in any case.
    """

    floor: Floor
    taken: bool
    spent: float
    shortfall: float
    given_back: float
    worth: float | None
    largest_usd: float | None

    @property
    def cost(self) -> float:
        """$ that it adds to what the plan pays for capacity."""
        return self.shortfall - self.given_back if self.taken else 0.0


def spending_of(problem: Problem, solution: Solution, memory: Memory) -> tuple[Spending, ...]:
    """Say what each commitment to spend comes to.

    Args:
        problem: with every commitment to spend, those that the plan decides on among them.
        solution: the plan for it.
        memory: parts solved before.
    """
    names = [floor.terms.offer_id for floor in solution.problem.floors]
    paid = dict(zip(names, spends(solution.problem, solution), strict=True))
    return tuple(_spending(problem, floor, paid.get(floor.terms.offer_id), memory) for floor in problem.floors)


def _spending(problem: Problem, floor: Floor, spent: float | None, memory: Memory) -> Spending:
    optional = floor.terms.optional
    without = _cost(problem, floor, None, memory) if optional else 0.0
    worth = without - _cost(problem, floor, floor.usd, memory) if optional else None
    return Spending(
        floor=floor,
        taken=spent is not None,
        spent=spent or 0.0,
        shortfall=0.0 if spent is None else max(floor.usd - spent, 0.0),
        given_back=floor.given_back,
        worth=worth,
        largest_usd=_largest(problem, floor, without, memory) if optional and not floor.terms.prepaid else None,
    )


def _largest(problem: Problem, floor: Floor, without: float, memory: Memory) -> float:
    """Return the largest least spend at which the plan costs no more than without it.

    The cost grows with it, by a dollar a dollar in the end: no more than the whole plan costs is ever worth spending.
    """

    def dearer(usd: float) -> float:
        return _cost(problem, floor, usd, memory) - without

    if dearer(0.0) > 0:
        return 0.0
    most = min([without, *_most(problem, floor, without, memory)])
    if dearer(most) > 0:
        most = float(brentq(dearer, 0.0, most, xtol=CENT, rtol=RELATIVE))
    return most * floor.per_usd


def _most(problem: Problem, floor: Floor, without: float, memory: Memory) -> list[float]:
    """Return least spends that are too high for sure: at each share of it given back, f(F) >= share · F + the rest."""
    if len(problem.floors) != 1 or not floor.window.all():
        return []
    free = replace(problem.under((floor,)), limits=Limits())
    plans = ((share, solve(free.rebated(share), memory)) for share in REBATES if share)
    return [max((without - plan.lower_bound) / share, 0.0) + CENT for share, plan in plans]


def _cost(problem: Problem, floor: Floor, usd: float | None, memory: Memory) -> float:
    """Return the cost of the best plan with a floor of so much in force, or without it."""
    others = tuple(one for one in problem.floors if one is not floor)
    if usd is None:
        return solve(replace(problem, floors=others), memory).cost
    forced = replace(floor, usd=usd, terms=replace(floor.terms, optional=False))
    return solve(replace(problem, floors=(forced, *others)), memory).cost
