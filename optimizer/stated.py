"""What is to be planned, and the same as numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from optimizer.conflict import conflict_in
from optimizer.demand import Demand, History, Horizon, demand_from, history_of
from optimizer.edits import Change
from optimizer.errors import InfeasibleError
from optimizer.floors import SpendTerms, discounted, spends_of
from optimizer.gangs import notes_on_gangs
from optimizer.ladder import AT_THE_START, Buying
from optimizer.limits import Limits
from optimizer.problem import Problem, problem_of
from optimizer.scenarios import Future, Scenario, in_drought, joined
from optimizer.shifting import least_lacking
from optimizer.solve import Memory, Solution, solve
from optimizer.streams import WorkloadRule
from optimizer.tariffs import Tariff, changes_in
from optimizer.terms import tariffs_of
from providers.tables import Diagnostic, InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything a plan follows from; the same inputs give the same plan.

    usage, offers, commitments: checked tables. months: length of the horizon, None for exactly the hours of the
    history. now: the time at which a horizon of months begins. ladder_months: time between two dates at which a plan
    may buy, None for all at the start. moves: how list prices are expected to move.
    """

    usage: pl.DataFrame
    offers: pl.DataFrame
    commitments: pl.DataFrame | None
    rules: tuple[WorkloadRule, ...]
    limits: Limits
    months: float | None
    now: datetime
    buying: Buying = AT_THE_START
    forecast: str | None = None
    growth_per_month: float = 0.0
    changes: tuple[Change, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    risk: float = 0.0
    tail: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """The inputs as numbers, with the names that go with them."""

    horizon: Horizon
    demand: Demand
    tariffs: tuple[Tariff, ...]
    problem: Problem
    found: tuple[Diagnostic, ...]

    def priced_by(self, solution: Solution) -> Stated:
        """Return the same with the prices that a solution pays: discounts hang on commitments to spend."""
        parts = [1.0 - floor.discounts for floor in solution.problem.floors]
        part = np.prod([np.ones(len(self.tariffs)), *parts], axis=0)
        tariffs = tuple(discounted(tariff, float(each)) for tariff, each in zip(self.tariffs, part, strict=True))
        return replace(self, tariffs=tariffs, problem=solution.problem)


def stated_of(inputs: Inputs, memory: Memory | None = None) -> Stated:
    """Write the inputs as the program of design section 5.

    Args:
        inputs: what is to be planned.
        memory: of earlier plans: the same usage and rules are not read again.

    Raises:
        InputError: something that was asked for cannot be planned together.
    """
    history = _history(inputs, Memory() if memory is None else memory)
    horizon = Horizon.of(history.hours, months=inputs.months, now=inputs.now)
    spends = spends_of(inputs.offers, inputs.commitments)
    if inputs.scenarios:
        return _uncertain(inputs, history, horizon, spends)
    tariffs, demand, found = _terms(inputs, history, horizon, spends)
    problem = problem_of(demand, tariffs, inputs.limits, spends)
    known = (*found, *demand.diagnostics, *notes_on_gangs(demand.streams, tariffs))
    return Stated(horizon=horizon, demand=demand, tariffs=tariffs, problem=problem, found=known)


def _history(inputs: Inputs, memory: Memory) -> History:
    """Return the history of the usage: edits of offers leave it as it is."""
    known = memory.history
    if known is None or known[0] is not inputs.usage or known[1] != inputs.rules:
        known = memory.history = inputs.usage, inputs.rules, history_of(inputs.usage, inputs.rules)
    return known[2]


def _terms(
    inputs: Inputs, history: History, horizon: Horizon, spends: Sequence[SpendTerms], scenario: Scenario | None = None
) -> tuple[tuple[Tariff, ...], Demand, list[Diagnostic]]:
    """Return what may serve, and what has to be served."""
    tariffs, found = tariffs_of(
        inputs.offers, inputs.commitments, horizon=horizon, limits=inputs.limits, buying=inputs.buying
    )
    tariffs = tariffs if scenario is None else in_drought(tariffs, scenario, horizon)
    demand = demand_from(
        history,
        horizon=horizon,
        changes=changes_in((*tariffs, *spends)),
        forecast=inputs.forecast,
        per_month=inputs.growth_per_month,
        planned=inputs.changes,
    )
    return tariffs, demand, found


def _uncertain(inputs: Inputs, history: History, horizon: Horizon, spends: Sequence[SpendTerms]) -> Stated:
    """State all scenarios as one program."""
    shared = inputs.limits.providers or math.isfinite(min(inputs.limits.spot, inputs.limits.each))
    if spends or (inputs.risk and shared):
        what = "commitments to spend" if spends else "limits on shares under a weight of risk"
        raise InputError("scenarios", f"do not go with {what}", "take one of the two out of the plan")
    futures, found = [], []
    for scenario in inputs.scenarios:
        moves = (*inputs.buying.moves, *scenario.moves)
        changed = replace(
            inputs,
            buying=replace(inputs.buying, moves=moves),
            changes=(*inputs.changes, *scenario.changes),
        )
        tariffs, demand, left_out = _terms(changed, history, horizon, spends, scenario)
        futures.append(Future(scenario=scenario, demand=demand, tariffs=tariffs))
        found += left_out
    whole = joined(futures)
    outlook = replace(whole.timeline.outlook, weight=inputs.risk, tail=inputs.tail)
    timeline = replace(whole.timeline, outlook=outlook)
    problem = problem_of(whole.demand, whole.tariffs, inputs.limits, spends, timeline)
    gangs = notes_on_gangs(whole.demand.streams, whole.tariffs)
    known = tuple(dict.fromkeys((*found, *whole.demand.diagnostics, *gangs)))
    return Stated(horizon=horizon, demand=whole.demand, tariffs=whole.tariffs, problem=problem, found=known)


def solved(stated: Stated, memory: Memory) -> Solution:
    """Solve, or say why there is no plan."""
    try:
        return solve(stated.problem, memory, anew=True)
    except InfeasibleError:
        raise InfeasibleError(_conflict(stated)) from None


def _conflict(stated: Stated) -> str:
    """Say why there is no plan; where work may wait, why there is none even if it runs when it lacks least."""
    problem, demand = stated.problem, stated.demand
    if problem.waiting is not None:
        limits = ", ".join(f"{name}<={value}" for name, value in problem.limits.described().items())
        if limits and _feasible(replace(problem, limits=Limits())):
            return f"work may wait, and still no plan meets the demand within {limits}: raise or drop one of them"
        problem = least_lacking(problem, problem.waiting)
        demand = replace(demand, gpu_hours=problem.demand)
    return conflict_in(problem, demand, stated.tariffs, stated.found)


def _feasible(problem: Problem) -> bool:
    try:
        solve(problem)
    except InfeasibleError:
        return False
    return True
