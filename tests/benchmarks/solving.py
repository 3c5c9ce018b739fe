"""Solve the instance in this process and print seconds and dollars: `python -m tests.benchmarks.solving ours 720`."""

import json
import sys
from functools import partial
from time import perf_counter
from unittest.mock import patch

from optimizer.problem import Problem
from optimizer.program import program_of
from optimizer.reduce import plain_part
from optimizer.shifting import shift
from optimizer.solve import Memory, solve
from optimizer.turns import run
from tests.benchmarks.cases import futures, ladder, problem, waiting

GAP = 1e-6  # what the budgets are for
STATES = {
    "ladder": ladder,
    "futures": futures,
    "risk": partial(futures, risk=0.5),
    "waiting": waiting,
    "waiting-plain": waiting,
}


def ours(stated: Problem) -> float:
    return solve(stated, Memory(gap=GAP)).cost


def edited(stated: Problem) -> float:
    """Return the seconds that one other price takes, once the plan is known: the mean of ten."""
    memory = Memory(gap=GAP)
    solution = solve(stated, memory)
    bought = int(solution.quantities.argmax())
    begun = perf_counter()
    for step in range(1, 11):
        price = float(stated.holding[bought]) * (1 + step / 200)
        solve(stated.with_terms(bought, holding=price), memory)
    return (perf_counter() - begun) / 10


def from_nothing(stated: Problem) -> float:
    """Solve with every large program begun with nothing, as it is through scipy."""
    with patch("optimizer.solve.shift", lambda *given, **_: shift(*given)):
        return ours(stated)


def plain(stated: Problem) -> float:
    """Solve one linear program with a variable per workload, offer and hour."""
    return float(run(program_of(stated, plain_part(stated))).fun)


if __name__ == "__main__":
    way, hours = sys.argv[1], int(sys.argv[2])
    stated = STATES.get(way, problem)(hours)
    begun = perf_counter()
    cost = {"plain": plain, "edited": edited, "waiting-plain": from_nothing}.get(way, ours)(stated)
    print(json.dumps({"seconds": perf_counter() - begun, "cost": cost}))
