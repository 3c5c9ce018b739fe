"""Solve a problem exactly, fast, and with the proof.

Commitments tie the hours together only through the quantities bought, so two programs take turns. The master chooses
quantities with HiGHS through scipy, knowing the hours only as groups with their mean demand, which costs no more than
the truth, and as cuts, the hourly prices found so far, which do not either: a lower bound. Then every hour is served
with those quantities: an upper bound, and a cut that is exact there. When the master's bound reaches the best cost
found, that cost is optimal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from optimizer.demand import History
from optimizer.dispatch import reached, stalled_by_stretch, used_by_stretch
from optimizer.errors import AbandonedError, InfeasibleError
from optimizer.limits import Limits
from optimizer.problem import Floats, Ints, Problem, sum_by
from optimizer.reduce import Labels, Part, alike, parts_of
from optimizer.shares import Shares
from optimizer.shifting import Shift, at_those_hours, form_of, hourly, shift
from optimizer.streams import WorkloadRule
from optimizer.turns import COARSE, GAP, Learned, PartSolution, nothing_known, solve_part
from optimizer.waiting import Waiting

if TYPE_CHECKING:
    from highspy import HighsBasis

SMALL = 200  # slots up to which the master knows each of them
GROUPS = 3  # stretches of the load-duration curve that the master knows in each stretch of the horizon
REBATES = (0.0, 0.5, 0.9, 1.0)  # shares of what counts towards a floor that are tried as given back
ROUNDS = 3  # times that work is moved again for what was bought in lots


@dataclass(slots=True)
class Memory:
    """What earlier solves found, so that an edit costs only what it touches.

    It changes no cost and no bound. Of equally cheap plans it may find another, unless a solve is to learn anew.

    gap: the relative distance of the bounds at which every search ends. abandoned: asked before each part is solved;
    where it says so the search ends with an AbandonedError, and what was found until then is kept. history: the usage
    and rules that were read last, and the history that they make.
    """

    gap: float = GAP
    abandoned: Callable[[], bool] = lambda: False
    solved: dict[tuple[bytes, bool], PartSolution] = field(default_factory=dict)
    learned: dict[bytes, Learned] = field(default_factory=dict)
    shifts: dict[tuple[bytes, bool], Shift] = field(default_factory=dict)
    bases: dict[bytes, HighsBasis] = field(default_factory=dict)
    labels: Labels = field(default_factory=dict)
    history: tuple[pl.DataFrame, tuple[WorkloadRule, ...], History] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The optimum of a problem, between its bounds.

    quantities[o]: GPUs of each tariff that are held; worth[o] as in PartSolution. cost and lower_bound in $.
    """

    problem: Problem
    parts: tuple[PartSolution, ...]
    quantities: Floats
    worth: Floats
    cost: float
    lower_bound: float

    @property
    def gap(self) -> float:
        """Relative distance between cost and lower bound; 0 is proven."""
        return max(0.0, self.cost - self.lower_bound) / max(abs(self.cost), 1e-12)


def solve(problem: Problem, memory: Memory | None = None, *, anew: bool = False) -> Solution:
    """Return the cheapest plan and its bounds.

    Commitments to spend that the plan decides on are taken or left whole, since they change prices: each choice is
    solved, and the cheapest counts, unless a bound says that it cannot be. The bound is the least of their bounds.

    Args:
        problem: what to decide.
        memory: what earlier solves found, filled as it goes.
        anew: learn parts again that were not solved before, so that of equally cheap plans always the same is found.

    Raises:
        InfeasibleError: no plan meets demand and limits.
        SolverError: HiGHS found none for another reason.
    """
    memory = Memory() if memory is None else memory
    if not problem.floors:
        return _decided(problem, memory, anew=anew)
    owed = tuple(floor for floor in problem.floors if not floor.terms.optional)
    optional = [floor for floor in problem.floors if floor.terms.optional]
    best, bound = _decided(problem.under(owed), memory, anew=anew), np.inf
    for taken in (some for count in range(1, len(optional) + 1) for some in combinations(optional, count)):
        asked = problem.under((*owed, *taken))
        least = cost_at_least(asked, memory)
        if least >= best.cost:
            bound = min(bound, least)
            continue
        found = _decided(asked, memory, anew=anew)
        bound = min(bound, found.lower_bound, best.lower_bound)
        best = min(best, found, key=lambda solution: solution.cost)
    return replace(best, lower_bound=min(bound, best.lower_bound))


def cost_at_least(problem: Problem, memory: Memory) -> float:
    """Return a bound on the cost with every floor in force, from plans without any, which fall apart into families."""
    if len(problem.floors) != 1 or not problem.floors[0].window.all():
        return -np.inf
    [floor] = problem.floors
    free = replace(problem, limits=Limits())
    plans = ((share, _solved(free.rebated(share), memory, anew=False)) for share in REBATES)
    return max(plan.lower_bound + share * floor.usd for share, plan in plans) - floor.given_back


def _decided(problem: Problem, memory: Memory, *, anew: bool) -> Solution:
    """Solve with every floor in force.

    Limits that the cheapest plan without them happens to meet cost nothing, so it is tried first: it falls apart into
    families, and if it is within the limits, and spends what is due, it is optimal with them too.
    """
    back = sum(floor.given_back for floor in problem.floors)
    free = _solved(replace(problem, limits=Limits(), floors=()), memory, anew=anew)
    kept = not problem.coupled or (within_limits(problem, free) and within_floors(problem, free))
    found = _told(free, problem) if kept else _solved(problem, memory, anew=anew)
    return replace(found, cost=found.cost - back, lower_bound=found.lower_bound - back)


def within_floors(problem: Problem, solution: Solution) -> bool:
    """Say whether a solution spends what is due."""
    return all(spent >= floor.usd for spent, floor in zip(spends(problem, solution), problem.floors, strict=True))


def spends(problem: Problem, solution: Solution) -> list[float]:
    """Return $ that a solution spends towards each floor of its problem."""
    if not problem.floors:
        return []
    lengths = sum_by(problem.stretch, problem.weight, problem.calendar.shape[1])
    paid = problem.paid_holding * solution.quantities
    used, stalled = used_by_stretch(solution), stalled_by_stretch(solution)
    return [
        float((paid * floor.holding) @ (problem.calendar @ (lengths * floor.window)))
        + float((problem.usage * floor.usage) @ used @ floor.window)
        + float(floor.usage @ stalled @ floor.window)
        for floor in problem.floors
    ]


def within_limits(problem: Problem, solution: Solution) -> bool:
    """Say whether a solution found without limits keeps them."""
    return all(at <= most for at, most in reached(problem, solution).values())


def _told(free: Solution, problem: Problem) -> Solution:
    """Return what was found without limits as a solution of the problem with them; work runs when it does there."""
    return replace(free, problem=replace(problem, demand=free.problem.demand))


def _solved(problem: Problem, memory: Memory, *, anew: bool) -> Solution:
    """Solve in families; where work may wait, with the hours in which it runs at least cost.

    What is bought in lots may be worth other hours: then work is moved again for what was bought, as long as that pays.
    """
    if problem.waiting is None:
        return _served(problem, memory, anew=anew)
    bases = {} if anew else memory.bases
    shifts = _shifts(problem, problem.waiting, memory, bases, anew=anew)
    if not shifts:
        return _served(problem, memory, anew=anew)
    best = _moved(problem, shifts, shifts, memory, anew=anew)
    for _ in range(ROUNDS if any(each.parted for each in shifts) else 0):
        bought = replace(problem, pinned=np.where(problem.held, best.quantities, problem.pinned))
        again = _shifts(bought, problem.waiting, memory, bases, anew=anew)
        found = _moved(problem, again, shifts, memory, anew=anew)
        if found.cost >= best.cost - COARSE * GAP * abs(best.cost):
            break
        best = found
    return best


def _shifts(
    problem: Problem, waiting: Waiting, memory: Memory, bases: dict[bytes, HighsBasis], *, anew: bool
) -> list[Shift]:
    """Return when the work of each family runs, from memory where it was asked for before; bases: to begin from."""
    found, guess = [], None
    for part in hourly(problem, waiting):
        streams = np.concatenate(part.members)
        work = waiting.arrives[streams], waiting.window[streams], waiting.follows
        key, like = _digest(_terms(problem, part)[1], streams, part.offers, *work), _digest(*form_of(part))
        known = memory.shifts.get((key, True)) or memory.shifts.get((key, anew))
        if known is None:
            if memory.abandoned():
                raise AbandonedError
            if guess is None and like not in bases:
                guess = _at_once(problem, waiting, memory, anew=anew)
            known = memory.shifts[key, anew] = shift(problem, part, waiting, basis=bases.get(like), guess=guess)
        if known.basis is not None:
            bases.setdefault(like, known.basis)
        found.append(known)
    memory.bases.update(bases)
    return found


def _at_once(problem: Problem, waiting: Waiting, memory: Memory, *, anew: bool) -> Floats | None:
    """Return the quantities of a plan, in parts of lots, in which no work waits and nothing is limited, if any."""
    none = np.zeros(len(problem.usage))
    free = replace(problem, demand=waiting.arrives, waiting=None, limits=Limits(), floors=(), lot=none, minimum=none)
    if problem.averse:
        return None
    try:
        return _served(free, memory, anew=anew).quantities
    except InfeasibleError:
        return None


def _moved(problem: Problem, shifts: list[Shift], bounds: list[Shift], memory: Memory, *, anew: bool) -> Solution:
    """Solve with work needed when it runs; no other hours bring the cost of its families below their bounds."""
    found = _served(at_those_hours(problem, shifts), memory, anew=anew)
    waits, worth = np.concatenate([each.streams for each in bounds]), found.worth.copy()
    free = [one for one in found.parts if not np.isin(waits, np.concatenate(one.part.members or [waits[:0]])).any()]
    for each in bounds:
        worth[each.offers] = each.worth
    bound = sum(each.lower_bound for each in bounds) + sum(one.lower_bound for one in free)
    return replace(found, worth=worth, lower_bound=min(bound, found.cost))


def _served(problem: Problem, memory: Memory, *, anew: bool) -> Solution:
    solved = [_remembered(problem, part, memory, anew=anew) for part in parts_of(problem, memory.labels)]
    quantities, worth = np.zeros(len(problem.usage)), np.zeros(len(problem.usage))
    for one in solved:
        quantities[one.part.offers] = one.quantities
        worth[one.part.offers] = one.worth
    return Solution(
        problem=problem,
        parts=tuple(solved),
        quantities=quantities,
        worth=worth,
        cost=sum(one.cost for one in solved),
        lower_bound=sum(one.lower_bound for one in solved),
    )


def _remembered(problem: Problem, part: Part, memory: Memory, *, anew: bool) -> PartSolution:
    """Solve the part, unless the same was solved before; start from what is known of its hours."""
    if len(np.unique(part.pair_class)) < len(part.demand):
        raise InfeasibleError
    hours, terms = _terms(problem, part)
    known = memory.solved.get((terms, True)) or memory.solved.get((terms, anew))
    if known is None:
        known = memory.solved[terms, anew] = _learning(problem, part, memory, hours, anew=anew)
    return replace(known, part=part)


def _terms(problem: Problem, part: Part) -> tuple[bytes, bytes]:
    """Return what tells the hours of a part from those of others, and what tells all of it from others."""
    limited = Shares(problem, part).rows if problem.coupled else ()
    ways = (part.pair_class, part.pair_supply, part.pair_rate, part.pair_cost, part.payg_cap, part.stretch)
    hours = _digest(part.demand, part.weight, *ways, repr(problem.limits), *limited)
    names = ("holding", "hours", "lot", "minimum", "maximum", "pinned", "upfront", "exclusive")
    bought = (getattr(problem, name)[part.offers] for name in names)
    tied = [
        (*np.flatnonzero(part.offers == tie.rider), *np.flatnonzero(part.offers == tie.parent), tie.ratio)
        for tie in problem.ties
        if tie.rider in part.offers
    ]
    future = problem.outlook if problem.averse else None
    tail = () if future is None else (future.probability, future.scenario, future.weight, future.tail)
    return hours, _digest(hours, part.supply_of, part.calendar, *bought, repr(tied), *tail)


def _learning(problem: Problem, part: Part, memory: Memory, hours: bytes, *, anew: bool) -> PartSolution:
    if memory.abandoned():
        raise AbandonedError
    group = _groups(problem, part)
    shape = _digest(hours, group)
    if anew or shape not in memory.learned:
        memory.learned[shape] = nothing_known(problem, part, group)
    return solve_part(problem, part, memory.learned[shape], gap=memory.gap)


def _digest(*values: object) -> bytes:
    digest = blake2b()
    for value in values:
        array = np.ascontiguousarray(value)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.digest()


def _groups(problem: Problem, part: Part) -> Ints:
    """Group hours of like total demand in which the same offers run at the same prices."""
    slots = len(part.weight)
    if slots <= SMALL:
        return np.arange(slots)
    order = np.empty(slots, dtype=np.int64)
    order[np.argsort(part.demand.sum(axis=0), kind="stable")] = np.arange(slots)
    futures = [problem.outlook.scenario[None, :]] if problem.averse and problem.outlook else []
    known = [part.calendar, np.nan_to_num(part.payg_cap, nan=-1.0, posinf=-2.0), part.pair_cost, *futures]
    pattern = alike(np.vstack(known))[part.stretch]
    return np.asarray(np.unique(pattern * GROUPS + order * GROUPS // slots, return_inverse=True)[1], dtype=np.int64)
