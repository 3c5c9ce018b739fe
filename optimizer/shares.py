"""Serve every hour within what all hours share: caps on shares of the demand, and least spends with a provider.

A share of spot, or of one provider, ties the hours of a part together even when the commitments are given, and so does
a least spend. It is taken apart again by price: at a toll on every GPU-hour that counts towards a share, or a rebate on
every dollar that counts towards a least spend, each hour can be served by itself. Every set of tolls tried gives one
way to serve all hours; a mix of such ways keeps what is shared at least cost, and the tolls of the best mix are the
next ones to try (Dantzig and Wolfe, Operations Research 8, 1960). When a toll finds nothing cheaper than the mix, the
mix is optimal, and the hours at that toll are the proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from optimizer.hours import Hours
from optimizer.problem import Bools, Floats, Problem, sum_by
from optimizer.program import capped_pools
from optimizer.reduce import Part

SAME = 1e-12  # of the fine: a difference below which a toll has found nothing cheaper
KEPT = 1e-9  # of the demand: the solver's tolerance on a share
TOLLS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The best mix: served[p, k], its cost, and what it proves for other capacities y[s, k] of the pools.

    Serving, with what falls short of a least spend, costs at least base + Σ price * y + Σ offer * q over the horizon,
    where q[o] GPUs are held (None: nothing that is held counts); where possible is False, that sum must be 0 or less.
    """

    served: Floats
    cost: float
    base: float
    price: Floats
    offer: Floats | None
    possible: bool


class Shares:
    """What the hours of a part share: rows  Σ counts[r, p, c] · used[p, c] + held[r] · q - over[r] <= most[r].

    A dollar short of a least spend costs a dollar; a share that is exceeded is fined so that it never pays.
    """

    def __init__(self, problem: Problem, part: Part) -> None:
        """Take the limits on spot, on each pool of it and on providers, and the commitments to spend."""
        limits, heads = problem.limits, part.heads[part.pair_supply]
        capped = [(problem.spot[heads], limits.spot)] if np.isfinite(limits.spot) else []
        capped += [(problem.pool[heads] == pool, limits.each) for pool in capped_pools(problem, part)]
        capped += [(problem.provider[heads] == name, share) for name, share in limits.providers.items()]
        rate, floors = part.pair_rate / (problem.demanded or 1.0), problem.floors
        shape, offers = part.pair_cost.shape, len(part.offers)
        shares = [np.broadcast_to((rate * counted)[:, None], shape) for counted, _ in capped]
        spent = [-part.pair_usage * floor.usage[heads][:, None] * floor.window for floor in floors]
        holding = problem.paid_holding[part.offers]
        paid = [-holding * floor.holding[part.offers] * _hours(part, floor.window) for floor in floors]
        rows = len(capped) + len(floors)
        dearest = float((part.pair_cost / part.pair_rate[:, None]).max(initial=0.0))
        self._part = part
        self._most = np.array([*(share for _, share in capped), *(-floor.usd for floor in floors)])
        self._counts = np.array([*shares, *spent]).reshape(rows, *shape)
        self._held = np.array([*np.zeros((len(capped), offers)), *paid]).reshape(rows, offers)
        self._hard = np.arange(rows) < len(capped)
        self._fine = np.where(self._hard, (10.0 * dearest + 1.0) * problem.demanded, 1.0)
        self._tolls = np.zeros(rows)

    @property
    def rows(self) -> tuple[Floats, ...]:
        """Everything that tells these rows from others."""
        return self._counts, self._most, self._held

    def kept_by(self, served: Floats, gpus: Floats) -> bool:
        """Say whether a way to serve keeps every share, and leaves nothing short."""
        return not len(self._most) or bool((self._used(self._part.by_stretch(served)) <= self._left(gpus)).all())

    def serve(self, held: Floats, gpus: Floats) -> Shared:
        """Serve every hour within the shares at least cost, or prove that these capacities cannot."""
        found, tolls = self._mixed(held, gpus, self._part.pair_cost, tolls=self._tolls, fine=self._fine)
        if not found.possible:
            hard = self._hard.astype(float)
            return self._mixed(held, gpus, np.zeros_like(self._part.pair_cost), tolls=0 * tolls, fine=hard)[0]
        self._tolls = tolls
        return found

    def _mixed(self, held: Floats, gpus: Floats, cost: Floats, *, tolls: Floats, fine: Floats) -> tuple[Shared, Floats]:
        """Mix the ways that tolls find; what exceeds a row is fined, so that there always is a mix."""
        part, most = self._part, self._left(gpus)
        ways: list[Floats] = []
        costs: list[float] = []
        uses: list[Floats] = []
        for _ in range(TOLLS):
            found = Hours(part, cost=cost + np.tensordot(tolls, self._counts, axes=1)).serve(held)
            used = part.by_stretch(found.served)
            ways.append(found.served)
            costs.append(float((cost * used).sum()))
            uses.append(self._used(used))
            mix = _cheapest_mix(np.array(costs), np.array(uses), most, fine)
            base, offer = float(found.base @ part.weight - tolls @ self._most), tolls @ self._held
            paid = float(tolls @ (self._most - most))
            proven = base + paid + float((found.price * held[:, part.stretch]).sum(axis=0) @ part.weight)
            if mix.value - proven <= SAME * max(float(fine.max()), abs(mix.value)):
                break
            tolls = mix.tolls
        return Shared(
            served=np.tensordot(mix.shares, np.array(ways), axes=1),
            cost=float(costs @ mix.shares + (fine * mix.over)[~self._hard].sum()),
            base=base,
            price=found.price * part.weight,
            offer=None if self._hard.all() else offer,
            possible=float(mix.over[self._hard].sum()) <= KEPT,
        ), tolls

    def _left(self, gpus: Floats) -> Floats:
        """Return what the hours may use of each row; caps on shares are the same whatever is held."""
        return self._most if self._hard.all() else self._most - self._held @ gpus

    def _used(self, by_stretch: Floats) -> Floats:
        """Return what GPU-hours of each way in each stretch come to in each row."""
        return np.asarray((self._counts * by_stretch).sum(axis=(1, 2)))


def _hours(part: Part, window: Bools) -> Floats:
    """Return the hours of a window for which one GPU of each offer is paid."""
    lengths = sum_by(part.stretch, part.weight, len(window))
    return np.asarray(part.calendar @ (lengths * window))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mix:
    shares: Floats
    over: Floats
    value: float
    tolls: Floats


def _cheapest_mix(costs: Floats, used: Floats, most: Floats, fine: Floats) -> _Mix:
    """Return the shares of the ways in the mix, by how much it exceeds each row, its value, and the tolls it implies.

    min costs·mix + fine·over  subject to  used·mix - over <= most,  Σ mix = 1,  mix, over >= 0.
    """
    ways, limits, unit = len(costs), len(most), float(fine.max())
    result = linprog(
        np.r_[costs, fine] / unit,
        A_ub=np.hstack([used.T, -np.eye(limits)]),
        b_ub=most,
        A_eq=np.r_[np.ones(ways), np.zeros(limits)][None, :],
        b_eq=[1.0],
        bounds=(0, None),
        method="highs-ds",
    )
    return _Mix(
        shares=result.x[:ways],
        over=result.x[ways:],
        value=float(result.fun) * unit,
        tolls=np.clip(-result.ineqlin.marginals * unit, 0.0, fine),
    )
