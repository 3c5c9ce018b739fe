"""What each limit costs: the saving if it gave way a little, found by solving again.

A dual of the limit would do only by luck: where the plan is degenerate it is one of many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from optimizer.dispatch import reached
from optimizer.limits import Limits
from optimizer.problem import Problem
from optimizer.solve import Memory, Solution, solve

POINT = 0.01  # by how much a share gives way
PART = 0.01  # by which part of itself an amount of cash gives way
REACHED = 1e-6  # relative distance from its limit at which a share or an amount binds


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitValue:
    """One limit on a share or on cash.

    at, most: what the plan comes to, and the limit: shares of the demand, or $. saving: $ over the horizon that the
    plan would cost less if the limit were higher by `step`; 0 where it does not bind.
    """

    name: str
    at: float
    most: float
    step: float
    saving: float


def limit_values(problem: Problem, solution: Solution, memory: Memory) -> tuple[LimitValue, ...]:
    """Say what each limit of the problem costs; the limit on terms is one on what is on offer, and is left out."""
    used = reached(problem, solution)
    return tuple(_valued(problem, solution, name, at, most, memory) for name, (at, most) in used.items())


def _valued(problem: Problem, solution: Solution, name: str, at: float, most: float, memory: Memory) -> LimitValue:
    step = max(most, 1.0) * PART if name == "upfront" else POINT
    saving = 0.0
    if at >= most - REACHED * max(most, 1.0):
        wider = replace(problem, limits=_wider(problem.limits, name, most + step))
        saving = max(solution.cost - solve(wider, memory).cost, 0.0)
    return LimitValue(name=name, at=at, most=most, step=step, saving=saving)


def _wider(limits: Limits, name: str, most: float) -> Limits:
    if name.startswith("provider."):
        return replace(limits, providers=limits.providers | {name.removeprefix("provider."): most})
    if name == "upfront":
        return replace(limits, upfront_usd=most)
    if name == "spot.each":
        return replace(limits, each=most)
    return replace(limits, spot=most) if name == "spot" else replace(limits, committed=most)
