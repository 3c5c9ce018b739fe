"""One part of a problem: the master chooses quantities, the hours are served with them, until the bounds meet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeResult, linprog

from optimizer.cuts import Cut, cuts_alone, with_cuts
from optimizer.errors import InfeasibleError, SolverError
from optimizer.hours import Hours, held_by
from optimizer.problem import Bools, Floats, Ints, Problem, sum_by
from optimizer.program import CONTINUOUS, Program, grouped, program_of, relaxed
from optimizer.reduce import Part
from optimizer.shares import Shares
from optimizer.tail import costs_by_scenario, valued, with_tail

GAP = 1e-9  # relative distance of the bounds at which the search ends
COARSE = 1e-3  # relative distance of the bounds at which whole lots begin to matter
TURNS = 400
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


def nothing_known(problem: Problem, part: Part, group: Ints) -> Learned:
    """Return what is known of the hours of a part before anything is tried."""
    return Learned(hours=Hours(part), shares=Shares(problem, part), group=group, cuts=[])


def solve_part(problem: Problem, part: Part, learned: Learned, *, gap: float = GAP) -> PartSolution:
    """Let master and hours take turns until their bounds meet."""
    master = _Master(problem, part, learned)
    best, bound, turns = _meet(problem, part, learned, master, gap)
    # Served once more from scratch, so that what was learned earlier cannot choose among equally cheap ways to serve.
    fresh = _tried(problem, part, nothing_known(problem, part, learned.group), best.gpus)
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
        self._shares = Shares(problem, part)  # what was learned may be of a part with other offers
        self._bare = program_of(problem, self.coarse)

    def program(self) -> Program:
        program = with_cuts(self._bare, self.coarse, self._cuts, self._shares)
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
    none = np.zeros(len(learned.shares.most))
    if not found.complete:
        cut = Cut(kind="needed", base=np.array([found.base.sum()]), price=_summed(found.price, group), tolls=none)
        return _Tried(gpus=gpus, served=found.served, cost=np.inf, cut=cut)
    if learned.shares.kept_by(found.served, gpus):
        base = sum_by(group, found.base * part.weight)
        cut = Cut(kind="cost", base=base, price=_summed(found.price * part.weight, group), tolls=none)
        cost = holding + float((part.pair_cost * part.by_stretch(found.served)).sum())
        return _Tried(gpus=gpus, served=found.served, cost=_valued(problem, part, gpus, found.served, cost), cut=cut)
    mixed = learned.shares.serve(held, gpus)
    cut = Cut(
        kind="cost" if mixed.possible else "use",
        base=sum_by(group, mixed.base),
        price=_summed(mixed.price, group),
        tolls=mixed.tolls,
    )
    return _Tried(gpus=gpus, served=mixed.served, cost=holding + mixed.cost if mixed.possible else np.inf, cut=cut)


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
