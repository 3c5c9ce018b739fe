"""Serve every hour within shares of the demand that all hours have together.

A share of spot, or of one provider, ties the hours of a part together even when the commitments are given. It is taken
apart again by price: at a toll on every GPU-hour that counts towards a share, each hour can be served by itself.
Every toll tried gives one way to serve all hours; a mix of such ways keeps the shares at least cost, and the tolls of
the best mix are the next ones to try (Dantzig and Wolfe, Operations Research 8, 1960). When a toll finds nothing
cheaper than the mix, the mix is optimal, and the hours at that toll are the proof.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog

from optimizer.hours import Hours
from optimizer.problem import Floats, Problem
from optimizer.reduce import Part

SAME = 1e-12  # of the fine: a difference below which a toll has found nothing cheaper
KEPT = 1e-9  # of the demand: the solver's tolerance on a share
TOLLS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The best mix: served[p, k], its cost, and what it proves for other capacities y[s, k] of the pools.

    Serving costs at least base + Σ price * y over the horizon; where possible is False, that sum must be 0 or less.
    """

    served: Floats
    cost: float
    base: float
    price: Floats
    possible: bool


class Shares:
    """The shares that limits set on a part, and the tolls that last kept them, $ per unit of share."""

    def __init__(self, problem: Problem, part: Part) -> None:
        """Take the limits on spot and on providers."""
        limits, heads = problem.limits, part.heads[part.pair_supply]
        capped = [(problem.spot[heads], limits.spot)] if np.isfinite(limits.spot) else []
        capped += [(problem.provider[heads] == name, share) for name, share in limits.providers.items()]
        rate = part.pair_rate / (problem.demanded or 1.0)
        self._part = part
        self._most = np.array([share for _, share in capped])
        self._counts = np.array([rate * counted for counted, _ in capped]).reshape(len(capped), len(rate))
        self._fine = (10.0 * float((part.pair_cost / part.pair_rate).max(initial=0.0)) + 1.0) * problem.demanded
        self._tolls = np.zeros(len(self._most))

    def kept_by(self, served: Floats) -> bool:
        """Say whether a way to serve keeps every share."""
        return bool((self._used(served) <= self._most).all())

    def serve(self, held: Floats) -> Shared:
        """Serve every hour within the shares at least cost, or prove that these capacities cannot."""
        found, tolls = self._mixed(held, self._part.pair_cost, tolls=self._tolls, fine=self._fine)
        if not found.possible:
            return self._mixed(held, np.zeros_like(self._part.pair_cost), tolls=0 * tolls, fine=1.0)[0]
        self._tolls = tolls
        return found

    def _mixed(self, held: Floats, cost: Floats, *, tolls: Floats, fine: float) -> tuple[Shared, Floats]:
        """Mix the ways that tolls find; what exceeds a share is fined, so that there always is a mix."""
        part = self._part
        ways: list[Floats] = []
        for _ in range(TOLLS):
            found = Hours(replace(part, pair_cost=cost + tolls @ self._counts)).serve(held)
            ways.append(found.served)
            costs = np.array([cost @ way @ part.weight for way in ways])
            mix = _cheapest_mix(costs, np.array([self._used(way) for way in ways]), self._most, fine)
            base = float(found.base @ part.weight - tolls @ self._most)
            proven = base + float((found.price * held).sum(axis=0) @ part.weight)
            if mix.value - proven <= SAME * max(fine, abs(mix.value)):
                break
            tolls = mix.tolls
        return Shared(
            served=np.tensordot(mix.shares, np.array(ways), axes=1),
            cost=float(costs @ mix.shares),
            base=base,
            price=found.price * part.weight,
            possible=mix.over <= KEPT,
        ), tolls

    def _used(self, served: Floats) -> Floats:
        return np.asarray(self._counts @ (served @ self._part.weight))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mix:
    shares: Floats
    over: float
    value: float
    tolls: Floats


def _cheapest_mix(costs: Floats, used: Floats, most: Floats, fine: float) -> _Mix:
    """Return the shares of the ways in the mix, by how much it exceeds the limits, its value, and the tolls it implies.

    min costs·mix + fine·Σ over  subject to  used·mix - over <= most,  Σ mix = 1,  mix, over >= 0.
    """
    ways, limits = len(costs), len(most)
    result = linprog(
        np.r_[costs / fine, np.ones(limits)],
        A_ub=np.hstack([used.T, -np.eye(limits)]),
        b_ub=most,
        A_eq=np.r_[np.ones(ways), np.zeros(limits)][None, :],
        b_eq=[1.0],
        bounds=(0, None),
        method="highs-ds",
    )
    return _Mix(
        shares=result.x[:ways],
        over=float(result.x[ways:].sum()),
        value=float(result.fun) * fine,
        tolls=np.maximum(-result.ineqlin.marginals, 0.0) * fine,
    )
