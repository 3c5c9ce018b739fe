"""When work that may wait runs: one linear program over all hours of the families that it is of.

To the program of `optimizer.program`, with every hour a slot of its own, comes the backlog of each class that may wait,
with the bounds of `optimizer.waiting`. Its optimum is the hours in which work runs, and no plan costs less. With those
hours the plan is found as any other is: where nothing is sold in lots or with a minimum, it costs as much as this
program says. Where something is, a small program is solved with them, and a large one without: then its optimum is a
lower bound only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array, hstack, vstack

from optimizer.errors import InfeasibleError
from optimizer.limits import Limits
from optimizer.problem import Bools, Floats, Ints, Problem
from optimizer.program import INTEGER, SEMI_INTEGER, SEMICONTINUOUS, Program, program_of, relaxed
from optimizer.reduce import Part, parts_of
from optimizer.shares import Shares
from optimizer.simplex import Optimum, optimum
from optimizer.tail import with_tail
from optimizer.turns import run
from optimizer.waiting import DUST, Waiting

if TYPE_CHECKING:
    from highspy import HighsBasis

WHOLE = 4000  # columns up to which lots and minimums are part of the program
FINE = 1e3  # branch and bound ends within 1e-6 of its objective: it is counted in tenths of a cent an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """When the work of one family runs.

    streams: that may wait; run[w, t]: GPU-hours of each that run in each hour of each slot. lower_bound: $ that the
    family costs at least. offers, worth: as of a PartSolution. parted: whether lots were left out of the program.
    basis: where the program ended, None of one with lots.
    """

    streams: Ints
    run: Floats
    lower_bound: float
    offers: Ints
    worth: Floats
    parted: bool
    basis: HighsBasis | None


def form_of(part: Part) -> tuple[Ints | tuple[int, ...], ...]:
    """Return what programs share that can begin where another one of them ended."""
    return part.offers, part.supply_of, part.pair_class, part.pair_supply, *part.members, part.demand.shape


def hourly(problem: Problem, waiting: Waiting) -> list[Part]:
    """Return the parts that have work that may wait, with every hour a slot and every window a class of its own."""
    parts = parts_of(replace(problem, demand=waiting.arrives))
    return [_hourly(problem, waiting, part) for part in parts if (waiting.window[_streams(part)] > 1).any()]


def shift(
    problem: Problem, part: Part, waiting: Waiting, *, basis: HighsBasis | None = None, guess: Floats | None = None
) -> Shift:
    """Return the hours in which the work of an hourly part runs at least cost.

    Args:
        problem: what to decide.
        part: of `hourly`.
        waiting: the work that may wait.
        basis: where a program of the same shape ended.
        guess: GPUs of each tariff that might be bought, to begin with where there is no basis.

    Raises:
        InfeasibleError: whenever it runs, something goes unserved, or a limit is broken.
        SolverError: HiGHS found no optimum for another reason.
    """
    if len(np.unique(part.pair_class)) < len(part.demand):
        raise InfeasibleError
    program, first = _program(problem, part, waiting)
    parted = program.whole and len(program.cost) > WHOLE
    program = relaxed(program) if parted else program
    start = None if guess is None else guess[part.offers] / program.step
    found, bound = _solved(program, basis, start)
    offers = len(part.offers)
    slope = found.slopes[:offers] * program.unit / program.step
    streams, ran = _runs(problem, part, waiting, found.values[first:])
    return Shift(
        streams=streams,
        run=ran,
        lower_bound=bound * program.unit,
        offers=part.offers,
        worth=np.where(np.isnan(problem.pinned[part.offers]), 0.0, slope),
        parted=parted,
        basis=None if program.whole else found.basis,
    )


def at_those_hours(problem: Problem, shifts: Iterable[Shift]) -> Problem:
    """Return the problem in which work is needed when it runs."""
    demand = problem.demand.copy() if problem.waiting is None else problem.waiting.arrives.copy()
    for each in shifts:
        demand[each.streams] = each.run
    return replace(problem, demand=demand)


def least_lacking(problem: Problem, waiting: Waiting) -> Problem:
    """Return the problem with work needed in the hours that leave the least of it unserved.

    Limits, lots, minimums and what excludes what are left out; work that nothing serves in any hour stays where it is.
    """
    moved = at_those_hours(problem, ())
    free = replace(problem, limits=Limits(), floors=(), exclusive=np.full_like(problem.exclusive, -1))
    for part in hourly(free, waiting):
        program, first = _program(free, part, waiting)
        rows, columns = program.equal.shape[0], len(program.cost)
        short = _wider(program, cost=np.ones(rows), upper=np.full(rows, np.inf))
        equal = hstack([program.equal, eye_array(rows)], format="csr")
        found = optimum(relaxed(replace(short, cost=np.r_[np.zeros(columns), np.ones(rows)], equal=equal)))
        streams, ran = _runs(problem, part, waiting, found.values[first:])
        moved.demand[streams] = ran
    return moved


def _streams(part: Part) -> Ints:
    return np.concatenate(part.members) if part.members else np.zeros(0, dtype=np.int64)


def _hourly(problem: Problem, waiting: Waiting, part: Part) -> Part:
    """Take merged hours and summed classes apart where work may wait; more may run in an hour than arrives in it."""
    split = [
        (index, members[waiting.window[members] == window])
        for index, members in enumerate(part.members)
        for window in np.unique(waiting.window[members])
    ]
    ways = [np.flatnonzero(part.pair_class == index) for index, _ in split]
    way = np.concatenate(ways) if ways else np.zeros(0, dtype=np.int64)
    most, before = waiting.most(problem.weight)[_streams(part)].sum(axis=0).max(), part.demand.sum(axis=0).max()
    return replace(
        part,
        demand=np.array([waiting.arrives[members].sum(axis=0) for _, members in split]),
        weight=problem.weight,
        stretch=problem.stretch,
        pair_class=np.repeat(np.arange(len(split)), [len(each) for each in ways]),
        pair_supply=part.pair_supply[way],
        pair_rate=part.pair_rate[way],
        pair_usage=part.pair_usage[way],
        pair_cost=part.pair_cost[way],
        enough=part.enough * max(float(most / before), 1.0),
        members=tuple(members for _, members in split),
        slot_of=np.arange(len(problem.weight)),
    )


# The program


def _program(problem: Problem, part: Part, waiting: Waiting) -> tuple[Program, int]:
    """Return the program of an hourly part, and the first column of the backlog.

    Every cost is counted for an hour of middling weight.
    """
    unit = float(problem.weight.mean())
    program = _with_floors(program_of(problem, part), problem, part)
    first = len(program.cost)
    program = _with_backlog(program, part, waiting, problem.weight)
    program = replace(program, cost=program.cost / unit, unit=unit)
    return (_with_tail(program, problem, part) if problem.averse else program), first


def _with_floors(program: Program, problem: Problem, part: Part) -> Program:
    """Pay what falls short of each commitment to spend: usd - what counts towards it <= short."""
    if not problem.floors:
        return program
    counts, most, held = (rows[-len(problem.floors) :] for rows in Shares(problem, part).rows)
    used = (counts[:, :, part.stretch] * part.weight).reshape(len(most), -1)
    rest = len(program.cost) - held.shape[1] - used.shape[1]
    rows = np.hstack([held * program.step, used, np.zeros((len(most), rest)), -np.eye(len(most))])
    return _wider(program, cost=np.ones(len(most)), upper=np.full(len(most), np.inf), rows=csr_array(rows), to=most)


def _with_backlog(program: Program, part: Part, waiting: Waiting, weight: Floats) -> Program:
    """Let work be left over: Σ_p∈c rate[p] · x[p, t] + (b[c, t] - b[c, t-1]) / length[t] = D[c, t].

    The columns b[c, t] come last, those of classes that never wait left out.
    """
    length, slots, classes = waiting.measure(weight), len(weight), _waits(part, waiting)
    left = np.array([waiting.left(part.members[index], weight) for index in classes])
    row = (classes[:, None] * slots + np.arange(slots)).ravel()
    column = np.arange(len(row))
    next_row = row.reshape(-1, slots)[:, 1:].ravel()
    kept = np.tile(waiting.follows[1:], len(classes))
    values = np.r_[np.tile(1 / length, len(classes)), -np.tile(1 / length[1:], len(classes))[kept]]
    at = np.r_[row, next_row[kept]], np.r_[column, column.reshape(-1, slots)[:, :-1].ravel()[kept]]
    backlog = csr_array(coo_array((values, at), shape=(program.equal.shape[0], len(row))))
    wider = _wider(program, cost=np.zeros(len(row)), upper=left.ravel())
    return replace(wider, equal=hstack([program.equal, backlog], format="csr"))


def _with_tail(program: Program, problem: Problem, part: Part) -> Program:
    """Count the cost of each stretch of time as one variable, and their tail instead of their sum."""
    offers, ways, stretches = len(part.offers), len(part.pair_class), part.calendar.shape[1]
    slots = len(part.weight)
    used = np.arange(offers, offers + ways * slots)
    at = np.tile(part.stretch, ways), used
    spent = coo_array((program.cost[used], at), shape=(stretches, len(program.cost)))
    rows = hstack([csr_array(spent), -csr_array(np.eye(stretches))], format="csr")
    cost = program.cost.copy()
    cost[used] = 0.0
    ones = np.ones(stretches)
    wider = _wider(replace(program, cost=cost), cost=ones, upper=ones * np.inf, rows=rows, to=np.zeros(stretches))
    return with_tail(wider, problem, replace(part, weight=ones, stretch=np.arange(stretches)))


def _wider(
    program: Program, *, cost: Floats, upper: Floats, rows: csr_array | None = None, to: Floats | None = None
) -> Program:
    """Return a program with more columns, from 0 up, and perhaps with more rows."""
    more = len(cost)
    above = hstack([program.above, csr_array((program.above.shape[0], more))], format="csr")
    return replace(
        program,
        cost=np.r_[program.cost, cost],
        equal=hstack([program.equal, csr_array((program.equal.shape[0], more))], format="csr"),
        above=above if rows is None else vstack([above, rows], format="csr"),
        above_to=program.above_to if to is None else np.r_[program.above_to, to],
        lower=np.r_[program.lower, np.zeros(more)],
        upper=np.r_[program.upper, upper],
        integrality=np.r_[program.integrality, np.zeros(more, dtype=np.int64)],
    )


def _waits(part: Part, waiting: Waiting) -> Ints:
    """Return the classes that may wait."""
    return np.flatnonzero([waiting.window[members[0]] > 1 for members in part.members])


# Its solution


def _solved(program: Program, basis: HighsBasis | None, guess: Floats | None) -> tuple[Optimum, float]:
    """Return an optimum of a program, whole quantities exactly whole, and the bound that HiGHS proved."""
    if not program.whole:
        found = optimum(program, basis=basis, guess=guess)
        return found, found.cost
    chosen = run(replace(program, cost=program.cost * FINE), gap=0.0)
    bound = chosen.get("mip_dual_bound")
    return optimum(_settled(program, chosen.x)), float(chosen.fun if bound is None else bound) / FINE


def _settled(program: Program, values: Floats) -> Program:
    """Return the program with what must be whole held at it, and what has a minimum held at 0 or above that."""
    kind, near = program.integrality, np.round(values)
    whole = np.isin(kind, (INTEGER, SEMI_INTEGER))
    none = (kind == SEMICONTINUOUS) & (values < program.lower / 2)
    return replace(
        program,
        lower=np.select([whole, none], [near, 0.0], program.lower),
        upper=np.select([whole, none], [near, 0.0], program.upper),
        integrality=np.zeros_like(kind),
    )


def _runs(problem: Problem, part: Part, waiting: Waiting, backlog: Floats) -> tuple[Ints, Floats]:
    """Return the streams of a part that may wait, and run[w, t] of each; the values begin with the backlog."""
    weight, length, classes = problem.weight, waiting.measure(problem.weight), _waits(part, waiting)
    runs = []
    for place, index in enumerate(classes):
        members, left = part.members[index], backlog[place * len(weight) : (place + 1) * len(weight)]
        ran = _run_of(part.demand[index], length, left, waiting.left(members, weight), waiting.follows)
        runs.append(waiting.shared(members, ran, weight))
    return np.concatenate([part.members[index] for index in classes]), np.vstack(runs)


def _run_of(arrives: Floats, length: Floats, left: Floats, most: Floats, follows: Bools) -> Floats:
    """Return when the work of a class runs, left[t] being left over, the solver's tolerance swept away.

    An hour in which next to nothing runs is one in which nothing does. What is swept away runs later, so that no work
    goes missing; what is not done at the end of a run of hours is done there.
    """
    ran = np.zeros_like(arrives)
    dust = DUST * max(1.0, float(most.max(initial=0.0)))
    ends = np.r_[~follows[1:], True]
    stays = 0.0
    for slot, given in enumerate(arrives * length):
        have = stays + float(given)
        stays = float(left[slot])
        if ends[slot] or stays < dust:
            stays = 0.0
        if have - stays < dust and not ends[slot]:
            stays = have
        ran[slot] = (have - stays) / length[slot]
    return ran
