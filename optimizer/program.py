"""A part of the problem -> the linear program, one function a constraint.

Variables, in this order: n[o], lots of each commitment (GPUs where it is sold in any amount), then x[p, k], GPU-hours
an hour served by way p in slot k, at position O + p * K + k, then z[i], whether an offer is bought that may exclude
others. GPUs of an offer are q[o] = step[o] * n[o].
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array, hstack, kron, vstack

from optimizer.problem import Bools, Floats, Ints, Problem, sum_by
from optimizer.reduce import Part

CONTINUOUS, INTEGER, SEMICONTINUOUS, SEMI_INTEGER = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """min cost·v  subject to  equal v = equal_to,  above v <= above_to,  lower <= v <= upper,  v whole where told.

    The first C·K rows of `equal` are the demand of each class in each slot; the first rows of `above` are the pools
    in each slot. `step` turns the first variables into GPUs. `limit_names` name the last rows of `above`. The cost is
    counted in units of `unit` dollars.
    """

    cost: Floats
    equal: csr_array
    equal_to: Floats
    above: csr_array
    above_to: Floats
    lower: Floats
    upper: Floats
    integrality: Ints
    step: Floats
    limit_names: tuple[str, ...]
    unit: float = 1.0

    @property
    def whole(self) -> bool:
        """Whether some quantity must be whole or nothing, which takes branch and bound."""
        return bool((self.integrality != CONTINUOUS).any())


def program_of(problem: Problem, part: Part) -> Program:
    """Write the part as a program."""
    step = np.where(problem.lot[part.offers] > 0, problem.lot[part.offers], 1.0)
    lower, upper, integrality = quantities(problem, part, step)
    pools = pool_rows(part, step)
    caps, cap_to = cap_rows(part)
    limit_rows, limit_to, names = limits(problem, part, step)
    ways, chosen = len(part.pair_class) * len(part.weight), choices(problem, part)
    alone = np.where(np.isnan(part.payg_cap), np.inf, part.payg_cap)[part.pair_supply][:, part.stretch]
    ties, exclusions = tie_rows(problem, part, step), exclusive_rows(problem, part, upper)
    free = np.zeros(len(chosen))
    return Program(
        cost=np.r_[
            problem.holding[part.offers] * problem.hours[part.offers] * step,
            (part.pair_cost[:, part.stretch] * part.weight).ravel(),
            free,
        ],
        equal=_widened(demand_rows(part), len(chosen)),
        equal_to=part.demand.ravel(),
        above=vstack(
            [*(_widened(rows, len(chosen)) for rows in (pools, caps, ties)), exclusions]
            + [_widened(row, len(chosen)) for row in limit_rows],
            format="csr",
        ),
        above_to=np.r_[
            np.zeros(pools.shape[0]), cap_to, np.zeros(ties.shape[0]), exclusive_to(problem, part), limit_to
        ],
        lower=np.r_[lower, np.zeros(ways), free],
        upper=np.r_[upper, alone.ravel(), free + 1.0],
        integrality=np.r_[integrality, np.zeros(ways, dtype=np.int64), np.full(len(chosen), INTEGER)],
        step=step,
        limit_names=names,
    )


def quantities(problem: Problem, part: Part, step: Floats) -> tuple[Floats, Floats, Ints]:
    """Bound n[o]:  n = 0 or least <= n <= most, whole where sold in lots, fixed where it is had in any case.

    More than the peak of all demand is never worth paying for, which gives every quantity the finite bound that a
    minimum needs.
    """
    offers = part.offers
    pinned = problem.pinned[offers]
    least_there = np.where(part.calendar > 0, part.calendar, 1.0).min(axis=1, initial=1.0)
    peak = part.enough[part.supply_of] / least_there
    lot = problem.lot[offers]
    least = _whole(problem.minimum[offers] / step, lot, np.ceil)
    enough = np.maximum(_whole(peak / step, lot, np.ceil), least)
    most = np.minimum(_whole(problem.maximum[offers] / step, lot, np.floor), enough)
    impossible = least > most
    fixed = ~np.isnan(pinned)
    minimum = (least > 0) & ~fixed
    whole = (lot > 0) & ~fixed
    kind = np.select([whole & minimum, minimum, whole], [SEMI_INTEGER, SEMICONTINUOUS, INTEGER], CONTINUOUS)
    lower = np.where(fixed, pinned / step, np.where(impossible, 0.0, least))
    upper = np.where(fixed, pinned / step, np.where(impossible, 0.0, most))
    return lower, upper, np.where(impossible & ~fixed, CONTINUOUS, kind).astype(np.int64)


def demand_rows(part: Part) -> csr_array:
    """Σ_p∈c rate[p] · x[p, k] = demand[c, k] for every class c and slot k."""
    classes, slots, ways = len(part.demand), len(part.weight), len(part.pair_class)
    served = coo_array((part.pair_rate, (part.pair_class, np.arange(ways))), shape=(classes, ways))
    none = csr_array((classes * slots, len(part.offers)))
    return hstack([none, kron(served, eye_array(slots), format="csr")], format="csr")


def pool_rows(part: Part, step: Floats) -> csr_array:
    """Σ_p∈s x[p, k] - Σ_o∈s calendar[o, stretch[k]] · step[o] · n[o] <= 0 for every pool s and slot k."""
    pools, slots = np.flatnonzero(part.pools), len(part.weight)
    place = np.full(len(part.supply_tariffs), -1)
    place[pools] = np.arange(len(pools))
    there = part.calendar[:, part.stretch]
    offer, slot = np.nonzero(there)
    row = place[part.supply_of[offer]] * slots + slot
    given = coo_array((-step[offer] * there[offer, slot], (row, offer)), shape=(len(pools) * slots, len(part.offers)))
    return hstack([given, _draws(part, pools)], format="csr")


def cap_rows(part: Part) -> tuple[csr_array, Floats]:
    """Σ_p∈s x[p, k] <= cap[s, k] for pay-as-you-go with a cap, or a window, that several classes share."""
    users = np.bincount(part.pair_supply, minlength=len(part.supply_tariffs))
    capped = np.flatnonzero(~part.pools & np.isfinite(part.payg_cap).any(axis=1) & (users > 1))
    drawn = _draws(part, capped)
    none = csr_array((drawn.shape[0], len(part.offers)))
    most = np.minimum(part.payg_cap, part.enough[:, None] + 1.0)
    return hstack([none, drawn], format="csr"), most[capped][:, part.stretch].ravel()


def tie_rows(problem: Problem, part: Part, step: Floats) -> csr_array:
    """step[r] · n[r] - ratio · step[o] · n[o] <= 0 for every rider r of an offer o that is not there in any case."""
    place = {int(tariff): index for index, tariff in enumerate(part.offers)}
    ties = [tie for tie in problem.ties if np.isfinite(tie.ratio) and tie.rider in place]
    rider, parent = ([place[getattr(tie, end)] for tie in ties] for end in ("rider", "parent"))
    ratio = np.array([tie.ratio for tie in ties])
    rows = np.arange(len(ties))
    values = np.r_[step[rider], -ratio * step[parent]] if ties else np.zeros(0)
    shape = (len(ties), len(part.offers) + len(part.pair_class) * len(part.weight))
    return csr_array(coo_array((values, (np.r_[rows, rows], np.array([*rider, *parent], dtype=int))), shape=shape))


def choices(problem: Problem, part: Part) -> Ints:
    """Return the offers of the part that may exclude others: places in the part."""
    return np.flatnonzero(problem.exclusive[part.offers] >= 0)


def exclusive_rows(problem: Problem, part: Part, most: Floats) -> csr_array:
    """n[o] - most[o] · z[o] <= 0 for each of them, and Σ_o∈group z[o] <= 1 for each group."""
    chosen = choices(problem, part)
    groups, label = np.unique(problem.exclusive[part.offers[chosen]], return_inverse=True)
    count, width = len(chosen), len(part.offers) + len(part.pair_class) * len(part.weight)
    each = np.arange(count)
    bought = coo_array((np.ones(count), (each, chosen)), shape=(count, width))
    at_all = coo_array((-most[chosen], (each, each)), shape=(count, count))
    one = coo_array((np.ones(count), (label, each)), shape=(len(groups), count))
    return csr_array(vstack([hstack([bought, at_all]), hstack([coo_array((len(groups), width)), one])]))


def exclusive_to(problem: Problem, part: Part) -> Floats:
    """Return the right-hand sides of `exclusive_rows`."""
    chosen = choices(problem, part)
    groups = np.unique(problem.exclusive[part.offers[chosen]])
    return np.concatenate([np.zeros(len(chosen)), np.ones(len(groups))])


def _widened(rows: csr_array, columns: int) -> csr_array:
    """Return rows with as many empty columns more."""
    return hstack([rows, csr_array((rows.shape[0], columns))], format="csr")


def limits(problem: Problem, part: Part, step: Floats) -> tuple[list[csr_array], Floats, tuple[str, ...]]:
    """Return the rows of each limit that is set, their right-hand sides and its name; `spot.each` has one a pool."""
    set_limits = problem.limits
    rows: list[tuple[str, Floats, float]] = []
    if np.isfinite(set_limits.spot):
        rows.append(("spot", share_row(part, problem.spot), set_limits.spot * problem.demanded))
    each = [problem.pool == pool for pool in capped_pools(problem, part)]
    rows += [("spot.each", share_row(part, pool), set_limits.each * problem.demanded) for pool in each]
    for name, share in sorted(set_limits.providers.items()):
        rows.append((f"provider.{name}", share_row(part, problem.provider == name), share * problem.demanded))
    if np.isfinite(set_limits.committed):
        rows.append(("committed", committed_row(problem, part, step), set_limits.committed * problem.demanded))
    if np.isfinite(set_limits.upfront_usd):
        rows.append(("upfront", upfront_row(problem, part, step), set_limits.upfront_usd))
    kept = [csr_array(row.reshape(1, -1)) for _, row, _ in rows]
    return kept, np.array([most for _, _, most in rows]), tuple(name for name, _, _ in rows)


def capped_pools(problem: Problem, part: Part) -> list[int]:
    """Return the spot pools of a part that may serve no more than a share of the demand each."""
    pools = problem.pool[part.heads] if np.isfinite(problem.limits.each) else np.zeros(0, dtype=int)
    return [int(pool) for pool in np.unique(pools[pools >= 0])]


def share_row(part: Part, chosen: Bools) -> Floats:
    """Σ_p∈chosen Σ_k weight[k] · rate[p] · x[p, k] <= share · demanded: a share of the demand in GPU-hours."""
    mine = chosen[part.heads][part.pair_supply]
    return np.concatenate([np.zeros(len(part.offers)), ((mine * part.pair_rate)[:, None] * part.weight).ravel()])


def committed_row(problem: Problem, part: Part, step: Floats) -> Floats:
    """Σ_o hours[o] · gpus[o] · step[o] · n[o] <= share · demanded: what is held, old and new, used or not."""
    held = problem.hours[part.offers] * problem.gpus[part.offers] * step
    return np.concatenate([held, np.zeros(len(part.pair_class) * len(part.weight))])


def upfront_row(problem: Problem, part: Part, step: Floats) -> Floats:
    """Σ_o upfront[o] · step[o] · n[o] <= cash."""
    return np.concatenate([problem.upfront[part.offers] * step, np.zeros(len(part.pair_class) * len(part.weight))])


def grouped(part: Part, group: Ints) -> Part:
    """Return the part with slots merged into groups that need their mean demand.

    Every plan for the slots, averaged over each group, serves the groups at the same cost, so the optimum of the
    groups is a lower bound. A group may only join slots in which the same offers run at the same prices.
    """
    weight = sum_by(group, part.weight)
    first = np.unique(group, return_index=True)[1]
    demand = np.zeros((len(part.demand), len(weight)))
    for index, row in enumerate(part.demand):
        demand[index] = sum_by(group, row * part.weight) / weight
    return replace(
        part,
        weight=weight,
        demand=demand,
        stretch=part.stretch[first],
    )


def relaxed(program: Program) -> Program:
    """Return the program with quantities in parts of a lot and below their minimum: never dearer, and a linear one."""
    minimum = np.isin(program.integrality, (SEMICONTINUOUS, SEMI_INTEGER))
    return replace(
        program,
        lower=np.where(minimum, 0.0, program.lower),
        integrality=np.zeros_like(program.integrality),
    )


def _draws(part: Part, supplies: Ints) -> csr_array:
    """Return the rows Σ_p∈s x[p, k], one for each of the supplies and each slot."""
    place = np.full(len(part.supply_tariffs), -1)
    place[supplies] = np.arange(len(supplies))
    drawing = np.flatnonzero(place[part.pair_supply] >= 0)
    shape = (len(supplies), len(part.pair_class))
    drawn = coo_array((np.ones(len(drawing)), (place[part.pair_supply[drawing]], drawing)), shape=shape)
    return kron(drawn, eye_array(len(part.weight)), format="csr")


def _whole(values: Floats, lot: Floats, rounding: np.ufunc) -> Floats:
    near = np.round(values)
    close = np.isclose(values, near, rtol=0, atol=1e-9)
    return np.where(lot > 0, np.where(close, near, rounding(values)), values)
