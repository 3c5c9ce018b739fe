"""Solve the instance in this process and print seconds and dollars: `python -m tests.benchmarks.solving ours 720`."""

import json
import sys
from time import perf_counter

from optimizer.problem import Problem
from optimizer.program import program_of
from optimizer.reduce import plain_part
from optimizer.solve import run, solve
from tests.benchmarks.cases import problem


def ours(stated: Problem) -> float:
    return solve(stated).cost


def plain(stated: Problem) -> float:
    """Solve one linear program with a variable per workload, offer and hour."""
    return float(run(program_of(stated, plain_part(stated))).fun)


if __name__ == "__main__":
    way, hours = {"ours": ours, "plain": plain}[sys.argv[1]], int(sys.argv[2])
    stated = problem(hours)
    begun = perf_counter()
    cost = way(stated)
    print(json.dumps({"seconds": perf_counter() - begun, "cost": cost}))
