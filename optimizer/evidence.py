"""What a plan rests on, small enough to keep with it: the load-duration curve, and what serves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optimizer.problem import Floats
    from optimizer.solve import Solution
    from optimizer.stated import Stated
    from optimizer.turns import PartSolution

STEPS = 100
KINDS = ("committed", "spot", "on_demand")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """GPUs needed at once, the busiest hours first: a step is the mean over a hundredth of the hours planned.

    hours: of the horizon. peak_gpus: of the busiest hour. demand: its mean over all steps, times hours, is all
    GPU-hours of the plan. served: the same hours by what serves them, one curve a kind of `KINDS`, which add up to
    demand. gpu_models: one curve each, its own busiest hours first.
    """

    hours: float
    peak_gpus: float
    demand: tuple[float, ...]
    served: Mapping[str, tuple[float, ...]]
    gpu_models: Mapping[str, tuple[float, ...]]


def load_of(stated: Stated, solution: Solution) -> Load:
    """Return the load-duration curve of a plan."""
    problem = stated.problem
    total = problem.demand.sum(axis=0)
    order = np.argsort(-total, kind="stable")
    models = np.array([stream.gpu_model for stream in stated.demand.streams], dtype=str)
    needs = {str(name): problem.demand[models == name].sum(axis=0) for name in np.unique(models)}
    return Load(
        hours=float(problem.weight.sum()),
        peak_gpus=float(total.max(initial=0.0)),
        demand=_steps(total[order], problem.weight[order]),
        served={kind: _steps(gpus[order], problem.weight[order]) for kind, gpus in _served(solution).items()},
        gpu_models={name: _falling(need, problem.weight) for name, need in needs.items()},
    )


def _falling(gpus: Floats, weight: Floats) -> tuple[float, ...]:
    order = np.argsort(-gpus, kind="stable")
    return _steps(gpus[order], weight[order])


def _steps(gpus: Floats, weight: Floats) -> tuple[float, ...]:
    """Return the mean over each hundredth of the hours; hours are split, so that no GPU-hour goes missing."""
    hours = np.concatenate([[0.0], np.cumsum(weight)])
    gpu_hours = np.concatenate([[0.0], np.cumsum(weight * gpus)])
    edges = np.linspace(0.0, hours[-1], STEPS + 1)
    return tuple(map(float, np.diff(np.interp(edges, hours, gpu_hours)) * STEPS / hours[-1]))


def _served(solution: Solution) -> dict[str, Floats]:
    """Return the GPUs of demand that each kind serves in every slot of the problem."""
    found = {kind: np.zeros(len(solution.problem.weight)) for kind in KINDS}
    for solved in solution.parts:
        for way, supply in enumerate(solved.part.pair_supply):
            tariff = solved.part.supply_tariffs[supply][0]
            found[_kind(solution, int(tariff))] += _by_way(solution, solved, way)
    return found


def _kind(solution: Solution, tariff: int) -> str:
    if solution.problem.held[tariff] and solution.problem.gpus[tariff] > 0:
        return "committed"
    return "spot" if solution.problem.spot[tariff] else "on_demand"


def _by_way(solution: Solution, solved: PartSolution, way: int) -> Floats:
    """Return what one way serves in every slot: its share of the need of its class, slot by slot."""
    part = solved.part
    served, need = solved.served[way] * part.pair_rate[way], part.demand[part.pair_class[way]]
    share = np.divide(served, need, out=np.zeros_like(need), where=need > 0)
    members = solution.problem.demand[part.members[part.pair_class[way]]].sum(axis=0)
    return np.asarray(members * share[part.slot_of])
