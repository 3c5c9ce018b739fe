"""What a plan comes to where the demand is another: what it buys is kept, and what comes is served at least cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from optimizer.backtest import Outcome, outcome
from optimizer.errors import InfeasibleError
from optimizer.floors import Floor
from optimizer.plan import Plan
from optimizer.problem import Problem
from optimizer.solve import Memory, solve
from optimizer.stated import Inputs, Stated, stated_of
from optimizer.tariffs import Tariff

FACTORS = (0.8, 0.9, 1.0, 1.1, 1.2)  # of the demand planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """What a plan comes to at another demand, $ over the horizon; None where what is bought leaves no way to serve it.

    factor: of the demand planned. kept: with what the plan buys. best: the cheapest plan known for that demand alone.
    stranded: paid for held hours that are not used.
    """

    factor: float
    kept: float | None
    best: float | None
    stranded: float | None


def sensitivity(inputs: Inputs, plan: Plan, memory: Memory) -> tuple[Differing, ...]:
    """Keep what the plan buys, and the spend that it commits to, while the demand comes out lower or higher.

    Args:
        inputs: of the plan, without scenarios.
        plan: of them.
        memory: parts solved before; it says whether somebody still waits.

    Raises:
        AbandonedError: nobody does.
        InputError: a forecast cannot be made.
    """
    return tuple(_differing(inputs, plan, factor, memory) for factor in FACTORS)


def quantities_of(plan: Plan) -> dict[str, float]:
    """Return what the plan buys of each offer: GPUs, or dollars an hour where it is sold in dollars."""
    return {
        bought.tariff.offer_id: bought.gpus if bought.usd_per_hour is None else bought.usd_per_hour
        for bought in plan.purchases
    }


def _differing(inputs: Inputs, plan: Plan, factor: float, memory: Memory) -> Differing:
    usage = inputs.usage.with_columns(pl.col("gpu_hours") * factor)
    stated = stated_of(replace(inputs, usage=usage))
    found, best = _holding(stated, plan, memory), _best(stated.problem, memory)
    known = [cost for cost in (found.cost, best) if cost is not None]  # what is kept is a plan for that demand too
    return Differing(factor=factor, kept=found.cost, best=min(known, default=None), stranded=found.stranded)


def _holding(stated: Stated, plan: Plan, memory: Memory) -> Outcome:
    """Return what holding its quantities comes to, the GPUs that stand idle chosen as in the plan."""
    problem, decided = stated.problem, quantities_of(plan)
    quantities = np.array([_bought(tariff, decided) for tariff in stated.tariffs])
    pinned = np.where(problem.held & np.isnan(problem.pinned), quantities, problem.pinned)
    try:
        found = solve(replace(problem, pinned=pinned, floors=_signed(problem, _taken(plan))), memory)
    except InfeasibleError:
        return Outcome(rule="", cost=None, stranded=None, regret=None)
    return outcome("", replace(found, problem=replace(found.problem, pinned=problem.pinned)), 0.0)


def _bought(tariff: Tariff, decided: Mapping[str, float]) -> float:
    """Return what is bought of an offer; NaN, whatever is used, of GPUs above those bought: nobody signs for them."""
    return np.nan if tariff.beyond else decided.get(tariff.offer_id, 0.0)


def _taken(plan: Plan) -> Mapping[str, bool]:
    return {spending.floor.terms.offer_id: spending.taken for spending in plan.floors}


def _signed(problem: Problem, taken: Mapping[str, bool]) -> tuple[Floor, ...]:
    """Return the commitments to spend of the plan, none of which it may decide on any more."""
    return tuple(
        replace(floor, terms=replace(floor.terms, optional=False))
        for floor in problem.floors
        if not floor.terms.optional or taken.get(floor.terms.offer_id, False)
    )


def _best(problem: Problem, memory: Memory) -> float | None:
    try:
        return solve(problem, memory).cost
    except InfeasibleError:
        return None
