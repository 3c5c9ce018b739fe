"""The tail of the cost: expected cost and CVaR in one linear program, and the measures of a list of outcomes.

CVaR, the mean of the worst outcomes, is the least of  eta + Σ_s p[s] · max(cost[s] - eta, 0) / (1 - tail)  over eta
(Rockafellar and Uryasev, Journal of Risk 2, 2000), so that a plan can minimise it with one variable a scenario.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, hstack, vstack

from optimizer.problem import Floats, Outlook, Problem, sum_by
from optimizer.program import Program
from optimizer.reduce import Part


def cvar(costs: Floats, probability: Floats, tail: float) -> float:
    """Return the mean of the worst 1 - tail of the outcomes.

    Args:
        costs: of each scenario.
        probability: of each scenario; they add up to 1.
        tail: 0 for the mean of all, 0.95 for the mean of the worst twentieth.
    """
    order = np.argsort(-costs, kind="stable")
    left = 1.0 - tail
    before = np.cumsum(probability[order]) - probability[order]
    taken = np.clip(left - before, 0.0, probability[order])
    return float(costs[order] @ taken / left)


def percentile(costs: Floats, probability: Floats, share: float) -> float:
    """Return the least cost that is not exceeded with this probability."""
    order = np.argsort(costs, kind="stable")
    reached = np.cumsum(probability[order]) >= share - 1e-12
    return float(costs[order][np.argmax(reached)])


def valued(outlook: Outlook, weighted: Floats) -> float:
    """Return what a plan minimises: weighted[s] are costs times probability."""
    costs = weighted / outlook.probability
    worst = cvar(costs, outlook.probability, outlook.tail)
    return float((1.0 - outlook.weight) * weighted.sum() + outlook.weight * worst)


def costs_by_scenario(problem: Problem, part: Part, gpus: Floats, served: Floats) -> Floats:
    """Return the cost of each scenario times its probability, when gpus[o] are held and served[p, k] is used."""
    outlook = _outlook(problem)
    count = len(outlook.names)
    holding = holding_by_scenario(problem, part) @ gpus
    used = (part.pair_cost * part.by_stretch(served)).sum(axis=0)
    return np.asarray(holding + sum_by(outlook.scenario, used, count))


def holding_by_scenario(problem: Problem, part: Part) -> Floats:
    """Return $ that a GPU of each offer costs to hold in each scenario, [s, o], times the scenario's probability."""
    outlook = _outlook(problem)
    lengths = sum_by(problem.stretch, problem.weight, len(outlook.scenario))
    found = np.zeros((len(outlook.names), len(part.offers)))
    for index in range(len(outlook.names)):
        hours = part.calendar @ (lengths * (outlook.scenario == index))
        found[index] = problem.holding[part.offers] * hours
    return found


def with_tail(program: Program, problem: Problem, part: Part) -> Program:
    """Count expected cost and tail instead of the cost of a program with one variable theta[g] a group at its end.

    (1 - weight) · Σ_s z[s] + weight · (eta + Σ_s v[s] / (1 - tail)),  v[s] >= z[s] - p[s] · eta,  v >= 0,  where
    z[s] = Σ_o holding[s, o] · q[o] + Σ_g∈s theta[g]  is the cost of scenario s times p[s].

    Args:
        program: of a grouped part, with cuts.
        problem: with scenarios.
        part: the grouped part.
    """
    outlook = _outlook(problem)
    groups, count, width = len(part.weight), len(outlook.names), len(program.cost)
    offers = len(part.offers)
    of_group = outlook.scenario[part.stretch]
    costs = np.zeros((count, width))
    costs[:, :offers] = holding_by_scenario(problem, part) * program.step / program.unit
    costs[of_group, np.arange(width - groups, width)] = 1.0
    rows = hstack([csr_array(costs), csr_array(-outlook.probability[:, None]), -csr_array(np.eye(count))])
    wide = csr_array((program.above.shape[0], count + 1))
    tail = np.r_[outlook.weight, np.full(count, outlook.weight / (1.0 - outlook.tail))]
    return replace(
        program,
        cost=np.r_[program.cost * (1.0 - outlook.weight), tail],
        equal=hstack([program.equal, csr_array((program.equal.shape[0], count + 1))], format="csr"),
        above=vstack([hstack([program.above, wide]), rows], format="csr"),
        above_to=np.r_[program.above_to, np.zeros(count)],
        lower=np.r_[program.lower, -np.inf, np.zeros(count)],
        upper=np.r_[program.upper, np.full(count + 1, np.inf)],
        integrality=np.r_[program.integrality, np.zeros(count + 1, dtype=np.int64)],
    )


def _outlook(problem: Problem) -> Outlook:
    if problem.outlook is None:
        raise ValueError("the problem has but one future")
    return problem.outlook
