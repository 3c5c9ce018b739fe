"""Why there is no plan: the workloads, hours and limits that contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, eye_array, hstack

from optimizer.demand import Demand, Stream
from optimizer.errors import InfeasibleError
from optimizer.limits import Limits
from optimizer.problem import Floats, Problem
from optimizer.program import CONTINUOUS, Program, program_of
from optimizer.reasons import gpus
from optimizer.reduce import Part, parts_of
from optimizer.tariffs import Tariff
from optimizer.turns import run
from providers.tables import Diagnostic

NAMED = 3  # workloads that a message names before it only counts


def conflict_in(problem: Problem, demand: Demand, tariffs: Sequence[Tariff], left_out: Sequence[Diagnostic]) -> str:
    """Return one sentence on why nothing serves the demand within the limits."""
    return (
        _without_an_offer(problem, demand, tariffs, left_out)
        or _excluded(problem, tariffs)
        or _beyond_capacity(problem, demand)
        or _beyond_limits(problem)
        or "no plan meets the demand within the limits; take one limit away at a time to find the one that binds"
    )


def _without_an_offer(
    problem: Problem, demand: Demand, tariffs: Sequence[Tariff], left_out: Sequence[Diagnostic]
) -> str:
    """Name workloads for which, in some hour, nothing at all is on offer."""
    able = ((problem.rates > 0) & (problem.maximum > 0) & (problem.pinned != 0)).astype(float) @ (problem.open) > 0
    bare = (demand.gpu_hours > 0) & ~able[:, problem.stretch]
    missing = np.flatnonzero(bare.any(axis=1))
    if not len(missing):
        return ""
    stream = demand.streams[missing[0]]
    slots = np.flatnonzero(bare[missing[0]])
    when = (
        f"{len(slots)} hours from {demand.begins[slots[0]]:%Y-%m-%dT%H:%MZ}"
        if len(slots) < bare.shape[1]
        else "every hour"
    )
    more = len(missing) - 1
    others = f" (and {more} more workload{'s' if more > 1 else ''})" if more else ""
    need = f"{stream.workload}{others} needs {stream.gpu_model} in {when}"
    return f"{need}, and {_why_none(stream, tariffs)}{_also(left_out)}"


def _excluded(problem: Problem, tariffs: Sequence[Tariff]) -> str:
    """Name offers that are had in any case though they exclude each other."""
    had = np.flatnonzero((problem.exclusive >= 0) & (np.nan_to_num(problem.pinned) > 0))
    for group in np.unique(problem.exclusive[had]):
        clash = [tariffs[index].offer_id for index in had[problem.exclusive[had] == group]]
        if len(clash) > 1:
            return f"{' and '.join(clash[:NAMED])} exclude each other, and are accepted: decline all but one"
    return ""


def _also(left_out: Sequence[Diagnostic]) -> str:
    """Add what was left out: it may be what is missing."""
    return "".join(f"; {found.message}" for found in left_out[:NAMED] if found.code != "gang")


def _why_none(stream: Stream, tariffs: Sequence[Tariff]) -> str:
    models = " or ".join(sorted(stream.runs_on))
    same = [tariff for tariff in tariffs if not tariff.models.isdisjoint(stream.runs_on)]
    if not same:
        return f"no offer has {models}: add one with --offers or --offer, or name another GPU in runs_on"
    if all(tariff.room < stream.gang_gpus for tariff in same):
        gangs = f"its gangs of {gpus(stream.gang_gpus)}"
        return f"no offer of {models} has room for {gangs}: raise max_gpus, or correct gang_gpus"
    if all(tariff.spot for tariff in same):
        return f"{models} is on offer as spot only: mark the workload interruptible, or add another offer"
    if stream.providers is not None or stream.regions is not None:
        places = ", ".join(sorted(stream.providers or ()) + sorted(stream.regions or ()))
        return f"no offer of {models} is at {places}, where it must stay: add one, or let it move"
    return f"no offer of {models} is in force then: add one that is"


def _beyond_capacity(problem: Problem, demand: Demand) -> str:
    """Name the demand that the maximums of all offers together leave unserved, limits aside."""
    free = replace(problem, limits=Limits())
    short: list[tuple[float, Part, int]] = []
    for part in parts_of(free):
        try:
            run(program_of(free, part))
        except InfeasibleError:
            lacking = _unserved(free, part)
            short += [(float(row.max()), part, index) for index, row in enumerate(lacking) if row.max() > 1e-6]
    if not short:
        return ""
    names = [demand.streams[stream].workload for _, part, index in short for stream in part.members[index]]
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    lack = max(short, key=lambda found: found[0])[0]
    return (
        f"the offers end before the demand does: {shown} would lack {gpus(lack)} in the worst hour; "
        "raise max_gpus or add an offer"
    )


def _unserved(problem: Problem, part: Part) -> Floats:
    """Return the least demand per class and slot that must go unserved."""
    program = program_of(problem, part)
    rows, columns = program.equal.shape[0], len(program.cost)
    elastic = Program(
        cost=np.r_[np.zeros(columns), np.ones(rows)],
        equal=hstack([program.equal, eye_array(rows)], format="csr"),
        equal_to=program.equal_to,
        above=hstack([program.above, csr_array((program.above.shape[0], rows))], format="csr"),
        above_to=program.above_to,
        lower=np.r_[program.lower, np.zeros(rows)],
        upper=np.r_[program.upper, np.full(rows, np.inf)],
        integrality=np.r_[program.integrality, np.full(rows, CONTINUOUS)],
        step=program.step,
        limit_names=program.limit_names,
    )
    return np.asarray(run(elastic).x[columns:]).reshape(part.demand.shape)


def _beyond_limits(problem: Problem) -> str:
    """For each limit, say how far it would have to give if the others stay."""
    program = program_of(problem, parts_of(problem)[0])
    set_to = problem.limits.described()
    ways = [
        f"{name}<={set_to[name]} would have to be at least {_in_its_unit(name, least, problem)}"
        for name in dict.fromkeys(program.limit_names)
        if (least := _least(program, name)) is not None
    ]
    if ways:
        return "the limits cannot all be met: " + ", or ".join(ways)
    return "the limits " + ", ".join(f"{name}<={value}" for name, value in set_to.items()) + " contradict each other"


def _least(program: Program, limit: str) -> float | None:
    """Return the least that a limit could be: the least z that none of its rows exceeds."""
    rows, columns = program.above.shape
    mine = np.zeros(rows, dtype=bool)
    mine[rows - len(program.limit_names) :] = [name == limit for name in program.limit_names]
    measured = replace(
        program,
        cost=np.r_[np.zeros(columns), 1.0],
        equal=hstack([program.equal, csr_array((program.equal.shape[0], 1))], format="csr"),
        above=hstack([program.above, csr_array(np.where(mine, -1.0, 0.0)[:, None])], format="csr"),
        above_to=np.where(mine, 0.0, program.above_to),
        lower=np.r_[program.lower, 0.0],
        upper=np.r_[program.upper, np.inf],
        integrality=np.r_[program.integrality, CONTINUOUS],
    )
    try:
        return float(run(measured).fun)
    except InfeasibleError:
        return None


def _in_its_unit(name: str, least: float, problem: Problem) -> str:
    if name == "upfront":
        return f"${least:,.2f}"
    if not problem.demanded:
        return "lifted, since nothing is demanded"
    return f"{np.ceil(least / problem.demanded * 1e4 - 1e-6) / 100:g}%"
