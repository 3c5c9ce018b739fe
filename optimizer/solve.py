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

import numpy as np
import polars as pl
from scipy.optimize import OptimizeResult, linprog

from optimizer.demand import History
from optimizer.dispatch import reached, used_by_stretch
from optimizer.errors import AbandonedError, InfeasibleError, SolverError
from optimizer.hours import Hours, held_by
from optimizer.limits import Limits
from optimizer.problem import Bools, Floats, Ints, Problem, sum_by
from optimizer.program import CONTINUOUS, Cut, Program, cuts_alone, grouped, program_of, relaxed, with_cuts
from optimizer.reduce import Labels, Part, alike, parts_of
from optimizer.shares import Shares
from optimizer.streams import WorkloadRule
from optimizer.tail import costs_by_scenario, valued, with_tail

GAP = 1e-9  # relative distance of the bounds at which the search ends
SMALL = 200  # slots up to which the master knows each of them
GROUPS = 3  # stretches of the load-duration curve that the master knows in each stretch of the horizon
COARSE = 1e-3  # relative distance of the bounds at which whole lots begin to matter
TURNS = 400
REBATES = (0.0, 0.5, 0.9, 1.0)  # shares of what counts towards a floor that are tried as given back
KEPT = 60  # cuts that an edit starts from
OPTIMAL, INFEASIBLE = 0, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSolution:
    """How one part is served: served[p, k] GPU-hours an hour by way p in slot k.

    worth[o]: what one more GPU of a pinned offer would change in the cost, $ over the horizon; 0 for others.
    """

    part: Part
    quantities: Floats
    served: Floats
    worth: Floats
    cost: float
    lower_bound: float
    turns: int


@dataclass(slots=True)
class Learned:
    """What is known of the hours of a part, whatever is bought and at whatever holding price."""

    hours: Hours
    shares: Shares
    group: Ints
    cuts: list[Cut]


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
    found = replace(free, problem=problem) if kept else _solved(problem, memory, anew=anew)
    return replace(found, cost=found.cost - back, lower_bound=found.lower_bound - back)


def within_floors(problem: Problem, solution: Solution) -> bool:
    """Say whether a solution spends what is due."""
    return all(spent >= floor.usd for spent, floor in zip(spends(problem, solution), problem.floors, strict=True))


def spends(problem: Problem, solution: Solution) -> list[float]:
    """Return $ that a solution spends towards each floor of its problem."""
    if not problem.floors:
        return []
    lengths = sum_by(problem.stretch, problem.weight, problem.calendar.shape[1])
    paid = problem.holding * solution.quantities
    used = used_by_stretch(solution)
    return [
        float((paid * floor.holding) @ (problem.calendar @ (lengths * floor.window)))
        + float((problem.usage * floor.usage) @ used @ floor.window)
        for floor in problem.floors
    ]


def within_limits(problem: Problem, solution: Solution) -> bool:
    """Say whether a solution found without limits keeps them."""
    return all(at <= most for at, most in reached(problem, solution).values())


def _solved(problem: Problem, memory: Memory, *, anew: bool) -> Solution:
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
    terms = _digest(hours, part.supply_of, part.calendar, *bought, repr(tied), *tail)
    known = memory.solved.get((terms, True)) or memory.solved.get((terms, anew))
    if known is None:
        known = memory.solved[terms, anew] = _learning(problem, part, memory, hours, anew=anew)
    return replace(known, part=part)


def _learning(problem: Problem, part: Part, memory: Memory, hours: bytes, *, anew: bool) -> PartSolution:
    if memory.abandoned():
        raise AbandonedError
    group = _groups(problem, part)
    shape = _digest(hours, group)
    if anew or shape not in memory.learned:
        memory.learned[shape] = _nothing_known(problem, part, group)
    return solve_part(problem, part, memory.learned[shape], gap=memory.gap)


def _nothing_known(problem: Problem, part: Part, group: Ints) -> Learned:
    return Learned(hours=Hours(part), shares=Shares(problem, part), group=group, cuts=[])


def _digest(*values: object) -> bytes:
    digest = blake2b()
    for value in values:
        array = np.ascontiguousarray(value)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.digest()


def solve_part(problem: Problem, part: Part, learned: Learned, *, gap: float = GAP) -> PartSolution:
    """Let master and hours take turns until their bounds meet."""
    master = _Master(problem, part, learned)
    best, bound, turns = _meet(problem, part, learned, master, gap)
    # Served once more from scratch, so that what was learned earlier cannot choose among equally cheap ways to serve.
    fresh = _tried(problem, part, _nothing_known(problem, part, learned.group), best.gpus)
    return PartSolution(
        part=part,
        quantities=best.gpus,
        served=fresh.served,
        worth=_worth(problem, master.program(), part, best.gpus),
        cost=fresh.cost,
        lower_bound=min(bound, fresh.cost),
        turns=turns,
    )


class _Master:
    """The program that chooses quantities: what it knows of the hours grows, the rest of it stays."""

    def __init__(self, problem: Problem, part: Part, learned: Learned) -> None:
        self.coarse = grouped(part, learned.group)
        self._problem, self._cuts = problem, learned.cuts
        self._bare = program_of(problem, self.coarse)

    def program(self) -> Program:
        program = with_cuts(self._bare, self.coarse, self._cuts)
        return with_tail(program, self._problem, self.coarse) if self._problem.averse else program


def _meet(problem: Problem, part: Part, learned: Learned, master: _Master, gap: float) -> tuple[_Tried, float, int]:
    """Return the best quantities, the lower bound and the turns it took.

    While the bounds are far apart the master may buy parts of a lot: its cuts hold just as well, and come cheaper.
    """
    bound, best, in_lots = -np.inf, None, False
    seen: set[bytes] = set()
    del learned.cuts[:-KEPT]
    for turn in range(1, TURNS + 1):
        program = master.program()
        asked = cuts_alone(program, master.coarse) if in_lots else relaxed(program)
        chosen = run(asked, gap=gap / 10)
        bound = max(bound, asked.unit * _proven(asked, chosen))
        tried = _tried(problem, part, learned, _tidied(asked, chosen.x[: len(part.offers)]))
        learned.cuts.append(tried.cut)
        again = tried.gpus.tobytes() in seen  # the cut is there already: what is left is the solver's tolerance
        seen.add(tried.gpus.tobytes())
        if program.whole and not in_lots:
            near = np.isfinite(tried.cost) and tried.cost - bound <= COARSE * max(abs(tried.cost), 1.0)
            in_lots = again or bool(near)
            seen = set() if in_lots else seen
            continue
        if np.isfinite(tried.cost) and (best is None or tried.cost < best.cost):
            best = tried
        if best is not None and (again or best.cost - bound <= gap * max(abs(best.cost), 1e-6)):
            return best, bound, turn
    raise SolverError(f"the bounds did not meet in {TURNS} turns: {bound!r} and {best and best.cost!r}")


def run(program: Program, *, gap: float = GAP / 10) -> OptimizeResult:
    """Solve one program with HiGHS: dual simplex, or branch and bound where quantities are whole.

    Raises:
        InfeasibleError: nothing meets the constraints.
        SolverError: HiGHS ended in any other way than with an optimum.
    """
    for presolve in (True, False):  # now and then presolve gives up on a program that can be solved without it
        result = _linprog(program, gap, presolve=presolve)
        if result.status == OPTIMAL:
            return result
        if result.status == INFEASIBLE:
            raise InfeasibleError
    raise SolverError(result.message)


def _proven(program: Program, result: OptimizeResult) -> float:
    """Return the bound that HiGHS proved: of branch and bound if there was any, else the optimum itself."""
    bound = result.get("mip_dual_bound") if program.whole else None
    return float(result.fun if bound is None else bound)


def _linprog(program: Program, gap: float, *, presolve: bool) -> OptimizeResult:
    return linprog(
        program.cost,
        A_ub=program.above,
        b_ub=program.above_to,
        A_eq=program.equal,
        b_eq=program.equal_to,
        bounds=np.c_[program.lower, program.upper],
        method="highs" if program.whole else "highs-ds",
        integrality=program.integrality if program.whole else None,
        options={"presolve": presolve} | ({"mip_rel_gap": gap} if program.whole else {}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    gpus: Floats
    served: Floats
    cost: float
    cut: Cut


def _tried(problem: Problem, part: Part, learned: Learned, gpus: Floats) -> _Tried:
    """Serve every hour with these quantities; at infinite cost where that cannot be done."""
    held, group = held_by(part, gpus), learned.group
    holding = float(problem.holding[part.offers] * problem.hours[part.offers] @ gpus)
    found = learned.hours.serve(held)
    if not found.complete:
        cut = Cut(kind="needed", base=np.array([found.base.sum()]), price=_summed(found.price, group))
        return _Tried(gpus=gpus, served=found.served, cost=np.inf, cut=cut)
    if learned.shares.kept_by(found.served, gpus):
        base = sum_by(group, found.base * part.weight)
        cut = Cut(kind="hourly", base=base, price=_summed(found.price * part.weight, group))
        cost = holding + float((part.pair_cost * part.by_stretch(found.served)).sum())
        return _Tried(gpus=gpus, served=found.served, cost=_valued(problem, part, gpus, found.served, cost), cut=cut)
    mixed = learned.shares.serve(held, gpus)
    if not mixed.possible:
        cut = Cut(kind="needed", base=np.array([-mixed.base]), price=-_summed(mixed.price, group))
        return _Tried(gpus=gpus, served=mixed.served, cost=np.inf, cut=cut)
    cut = Cut(kind="total", base=np.array([mixed.base]), price=_summed(mixed.price, group), offer=mixed.offer)
    return _Tried(gpus=gpus, served=mixed.served, cost=holding + mixed.cost, cut=cut)


def _valued(problem: Problem, part: Part, gpus: Floats, served: Floats, cost: float) -> float:
    """Return what a plan minimises: its cost, or that and its tail."""
    if not problem.averse or problem.outlook is None:
        return cost
    return valued(problem.outlook, costs_by_scenario(problem, part, gpus, served))


def _summed(price: Floats, group: Ints) -> Floats:
    """Sum price[s, k] over the slots of each group."""
    return np.array([sum_by(group, row) for row in price])


def _worth(problem: Problem, program: Program, part: Part, gpus: Floats) -> Floats:
    """Return the slope of the cost in each pinned quantity, other whole quantities staying as they are.

    The master costs as much as the hours at these quantities and nowhere more, so its slope is one of theirs.
    """
    pinned = ~np.isnan(problem.pinned[part.offers])
    if not pinned.any():
        return np.zeros(len(gpus))
    whole = (program.integrality[: len(gpus)] != CONTINUOUS) | (problem.exclusive[part.offers] >= 0)
    result = run(_fixed(program, gpus, only=whole | pinned))
    slope = (result.lower.marginals + result.upper.marginals)[: len(gpus)] * program.unit / program.step
    return np.where(pinned, slope, 0.0)


def _fixed(program: Program, gpus: Floats, *, only: Bools) -> Program:
    """Return the program with the quantities in `only` held at `gpus`, and nothing left to choose."""
    which = np.flatnonzero(only)
    lower, upper, integrality = program.lower.copy(), program.upper.copy(), program.integrality.copy()
    lower[which] = upper[which] = (gpus / program.step)[which]
    integrality[which] = integrality[len(gpus) :] = CONTINUOUS
    return replace(program, lower=lower, upper=upper, integrality=integrality)


def _tidied(program: Program, lots: Floats) -> Floats:
    """Return GPUs, with whole numbers of lots made exactly whole and dust below the tolerance swept away."""
    offers = len(program.step)
    near = np.round(lots)
    whole = program.integrality[:offers] != CONTINUOUS
    snapped = np.where(whole & (np.abs(lots - near) < 1e-5), near, lots)
    snapped = np.where(np.abs(snapped) < 1e-9, 0.0, snapped)
    return np.clip(snapped, np.minimum(program.lower[:offers], 0), program.upper[:offers]) * program.step


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
