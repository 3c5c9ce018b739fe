"""What a plan comes to in each scenario, and what less risk costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from optimizer.dispatch import used_by_stretch
from optimizer.problem import Floats, Outlook, Problem, sum_by
from optimizer.solve import Memory, Solution, solve
from optimizer.tail import cvar, percentile

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 0.99)  # at 1 the expected cost would count for nothing, and could be anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One scenario, in $ over the horizon.

    stranded: paid for holding what is not used. regret: how much dearer than the best plan for it alone.
    """

    scenario: str
    probability: float
    cost: float
    stranded: float
    regret: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A plan on the frontier: how much its tail counted, what it is expected to cost, and the mean of its tail."""

    weight: float
    expected: float
    cvar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """The costs of a plan over its scenarios, in $.

    cvar, stranded_cvar: the mean of the worst outcomes, those beyond the share `tail`. p5, p50, p95: costs that are
    not exceeded with that probability. frontier: the least risk for each expected cost, the cheapest first.
    """

    weight: float
    tail: float
    expected: float
    cvar: float
    p5: float
    p50: float
    p95: float
    stranded_cvar: float
    outcomes: tuple[Outcome, ...]
    frontier: tuple[Point, ...]

    @property
    def weighed(self) -> float:
        """What the plan minimises."""
        return (1.0 - self.weight) * self.expected + self.weight * self.cvar


def risk_of(problem: Problem, solution: Solution, memory: Memory) -> Risk | None:
    """Return what a solution comes to in each scenario of its problem; None where there is but one future."""
    outlook = problem.outlook
    if outlook is None:
        return None
    costs, stranded = costs_in(solution, outlook), _stranded(solution, outlook)
    best = [solve(alone(problem, index), memory).cost for index in range(len(outlook.names))]
    return Risk(
        weight=outlook.weight,
        tail=outlook.tail,
        expected=float(outlook.probability @ costs),
        cvar=cvar(costs, outlook.probability, outlook.tail),
        p5=percentile(costs, outlook.probability, 0.05),
        p50=percentile(costs, outlook.probability, 0.50),
        p95=percentile(costs, outlook.probability, 0.95),
        stranded_cvar=cvar(stranded, outlook.probability, outlook.tail),
        outcomes=tuple(
            Outcome(
                scenario=name,
                probability=float(outlook.probability[index]),
                cost=float(costs[index]),
                stranded=float(stranded[index]),
                regret=float(costs[index]) - best[index],
            )
            for index, name in enumerate(outlook.names)
        ),
        frontier=tuple(_point(problem, outlook, weight, memory) for weight in WEIGHTS),
    )


def neutral(problem: Problem) -> Problem:
    """Return the problem with the expected cost alone to minimise."""
    return problem if problem.outlook is None else replace(problem, outlook=replace(problem.outlook, weight=0.0))


def alone(problem: Problem, scenario: int) -> Problem:
    """Return one scenario as if it were sure to come."""
    outlook = problem.outlook
    if outlook is None:
        return problem
    mine = outlook.scenario[problem.stretch] == scenario
    columns = np.flatnonzero(outlook.scenario == scenario)
    stretch = np.searchsorted(columns, problem.stretch[mine])
    weight = problem.weight[mine] / outlook.probability[scenario]
    demand, calendar = problem.demand[:, mine], problem.calendar[:, columns]
    return replace(
        problem,
        demand=demand,
        demanded=float(demand.sum(axis=0) @ weight),
        weight=weight,
        stretch=stretch,
        calendar=calendar,
        hours=calendar @ sum_by(stretch, weight, len(columns)),
        outlook=None,
        waiting=None if problem.waiting is None else problem.waiting.at(mine),
    )


def costs_in(solution: Solution, outlook: Outlook) -> Floats:
    """Return the cost of each scenario."""
    problem, count = solution.problem, len(outlook.names)
    of_slot = outlook.scenario[problem.stretch]
    weighted = _held(solution, outlook) @ problem.holding
    for solved in solution.parts:
        part = solved.part
        hourly = np.zeros(len(part.weight))
        for cost, used in zip(part.pair_cost, solved.served, strict=True):
            hourly += cost[part.stretch] * used
        weighted = weighted + sum_by(of_slot, hourly[part.slot_of] * problem.weight, count)
    return np.asarray(weighted / outlook.probability)


def _held(solution: Solution, outlook: Outlook) -> Floats:
    """Return GPU-hours that are paid for in each scenario, [s, o], times its probability."""
    problem = solution.problem
    hours = problem.calendar * sum_by(problem.stretch, problem.weight, problem.calendar.shape[1])
    quantities = np.where(problem.held, solution.quantities, 0.0)
    return _by_scenario(hours * quantities[:, None], outlook)


def _stranded(solution: Solution, outlook: Outlook) -> Floats:
    problem = solution.problem
    idle = _held(solution, outlook) - _by_scenario(used_by_stretch(solution), outlook)
    paid = np.where(problem.held, problem.holding, 0.0)
    return np.asarray((np.maximum(idle, 0.0) @ paid) / outlook.probability)


def _by_scenario(by_stretch: Floats, outlook: Outlook) -> Floats:
    """Sum values by stretch over the stretches of each scenario: [o, c] -> [s, o]."""
    member = outlook.scenario[:, None] == np.arange(len(outlook.names))
    return np.asarray((by_stretch @ member).T)


def _point(problem: Problem, outlook: Outlook, weight: float, memory: Memory) -> Point:
    found = solve(replace(problem, outlook=replace(outlook, weight=weight)), memory)
    costs = costs_in(found, outlook)
    return Point(
        weight=weight,
        expected=float(outlook.probability @ costs),
        cvar=cvar(costs, outlook.probability, outlook.tail),
    )
