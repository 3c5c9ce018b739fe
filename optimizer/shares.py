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
FINEST = 1e-6  # of the fine, below which costs do not count apart
TOLLS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The best mix: served[p, k], its cost with what falls short of a least spend, and its proof.

    With any capacities y[s, k] of the pools the hours of slot k cost at least base[k] + price[:, k] @ y[:, k] less
    tolls[r] for each unit of row r that they use; where possible is False, that must be 0 or less.
    """

    served: Floats
    cost: float
    base: Floats
    price: Floats
    tolls: Floats
    possible: bool


class Shares:
    """What the hours of a part share: rows  Σ counts[r, p, c] · used[p, c] + held[r] · q - over[r] <= most[r].

    A dollar short of a least spend costs a dollar; a share that is exceeded is fined so that it never pays. hard[r]:
    whether it is a share; scale[r]: what a unit of it is, in GPU-hours or dollars.
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
        self.most = np.array([*(share for _, share in capped), *(-floor.usd for floor in floors)])
        self.counts = np.array([*shares, *spent]).reshape(rows, *shape)
        self.held = np.array([*np.zeros((len(capped), offers)), *paid]).reshape(rows, offers)
        self.hard = np.arange(rows) < len(capped)
        self.fine = np.where(self.hard, (10.0 * dearest + 1.0) * problem.demanded, 1.0)
        self.scale = np.where(self.hard, problem.demanded or 1.0, 1.0)
        self._tolls = np.zeros(rows)

    @property
    def rows(self) -> tuple[Floats, ...]:
        """Everything that tells these rows from others."""
        return self.counts, self.most, self.held

    def kept_by(self, served: Floats, gpus: Floats) -> bool:
        """Say whether a way to serve keeps every share, and leaves nothing short."""
        return not len(self.most) or bool((self._used(self._part.by_stretch(served)) <= self._left(gpus)).all())

    def serve(self, held: Floats, gpus: Floats) -> Shared:
        """Serve every hour within the shares at least cost, or prove that these capacities cannot."""
        found, tolls = self._mixed(held, gpus, self._part.pair_cost, tolls=self._tolls, fine=self.fine)
        if not found.possible:
            hard = self.hard.astype(float)
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
            tried = tolls
            found = Hours(part, cost=cost + np.tensordot(tried, self.counts, axes=1)).serve(held)
            used = part.by_stretch(found.served)
            ways.append(found.served)
            costs.append(float((cost * used).sum()))
            uses.append(self._used(used))
            mix = _cheapest_mix(np.array(costs), np.array(uses), most, fine)
            hours = found.base + (found.price * held[:, part.stretch]).sum(axis=0)
            proven = float(hours @ part.weight - tried @ most)
            met = mix.value - proven <= SAME * max(float(fine.max()), abs(mix.value))
            if met or (mix.tolls == tried).all():  # the rest is the solver's tolerance
                break
            tolls = mix.tolls
        return Shared(
            served=np.tensordot(mix.shares, np.array(ways), axes=1),
            cost=float(costs @ mix.shares + (fine * mix.over)[~self.hard].sum()),
            base=found.base * part.weight,
            price=found.price * part.weight,
            tolls=tried,
            possible=float(mix.over[self.hard].sum()) <= KEPT,
        ), tolls

    def _left(self, gpus: Floats) -> Floats:
        """Return what the hours may use of each row; caps on shares are the same whatever is held."""
        return self.most if self.hard.all() else self.most - self.held @ gpus

    def _used(self, by_stretch: Floats) -> Floats:
        """Return what GPU-hours of each way in each stretch come to in each row."""
        return np.asarray((self.counts * by_stretch).sum(axis=(1, 2)))


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
    ways, limits, least = len(costs), len(most), float(costs.min())
    unit = max(float(costs.max()) - least, FINEST * float(fine.max()))  # tolls are found to 1e-7 of it
    result = linprog(
        np.r_[costs - least, fine] / unit,
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
        value=float(result.fun) * unit + least,
        tolls=np.clip(-result.ineqlin.marginals * unit, 0.0, fine),
    )
