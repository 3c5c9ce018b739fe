"""The hours of a part: what it costs to serve them with given commitments, and how that changes with each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from optimizer.problem import Bools, Floats, Ints
from optimizer.reduce import Part
from optimizer.serve import HourlyProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Every hour served: served[p, k] GPU-hours an hour, and the hourly cost as seen from nearby capacities.

    With any capacities y[s, k] of the pools slot k costs at least base[k] + price[:, k] @ y[:, k] an hour, and
    exactly that with those evaluated. complete: whether every hour could be served; if not, base + price * y, summed,
    must be at least 0 for it to be possible.
    """

    served: Floats
    base: Floats
    price: Floats
    complete: bool


class Hours:
    """Serves the slots of one part, block by block, keeping what it learned for the next quantities."""

    def __init__(self, part: Part) -> None:
        """Split the part into blocks that share no limited supply."""
        self._part = part
        self._pool = part.pools[:, None]
        self._limited = part.pools | np.asarray(np.isfinite(part.payg_cap).any(axis=1))
        self._uncommitted = np.minimum(np.where(self._pool, 0.0, part.payg_cap), part.enough[:, None] + 1.0)
        self._blocks = [_Block(part, classes, self._limited) for classes in self._connected()]

    def serve(self, held: Floats) -> Evaluation:
        """Serve every slot at least cost with held[s, k] GPUs in each pool; rows of other supplies are 0."""
        part = self._part
        slots = len(part.weight)
        capacity = self._uncommitted + held
        served, base, price = (
            np.zeros((len(part.pair_class), slots)),
            np.zeros(slots),
            np.zeros_like(capacity),
        )
        for block in self._blocks:
            result = block.program.solve(np.vstack([part.demand[block.classes], capacity[block.supplies]]))
            if result.lacking:
                return self._lack(block, result.lacking, capacity)
            served[block.ways] = result.use[: len(block.ways)]
            count = len(block.classes)
            base += (result.price[:count] * part.demand[block.classes]).sum(axis=0)
            price[block.supplies] = result.price[count:]
        return self._evaluation(served, base, price, capacity, complete=True)

    def _evaluation(
        self, served: Floats, base: Floats, price: Floats, capacity: Floats, *, complete: bool
    ) -> Evaluation:
        """Count what is not bought, such as the cap of a spot market, as given."""
        base = base + np.where(self._pool, 0.0, price * capacity).sum(axis=0)
        return Evaluation(served=served, base=base, price=np.where(self._pool, price, 0.0), complete=complete)

    def _lack(self, block: _Block, lacking: dict[int, Floats], capacity: Floats) -> Evaluation:
        """Turn the ray of the first unserved slot into the condition ray @ rhs >= 0 on the capacities."""
        slot, ray = min(lacking.items())
        count = len(block.classes)
        price, base = np.zeros_like(capacity), np.zeros(capacity.shape[1])
        price[block.supplies, slot] = ray[count:]
        base[slot] = ray[:count] @ self._part.demand[block.classes, slot]
        nothing = np.zeros((len(self._part.pair_class), len(base)))
        return self._evaluation(nothing, base, price, capacity, complete=False)

    def _connected(self) -> list[Ints]:
        """Return the classes that compete with each other, group by group."""
        part = self._part
        classes, supplies = len(part.demand), len(part.supply_tariffs)
        tied = self._limited[part.pair_supply]
        links = coo_array(
            (np.ones(int(tied.sum())), (part.pair_class[tied], classes + part.pair_supply[tied])),
            shape=(classes + supplies, classes + supplies),
        )
        count, labels = connected_components(links, directed=False)
        groups = [np.flatnonzero(labels[:classes] == label) for label in range(count)]
        return [group for group in groups if len(group)]


def held_by(part: Part, gpus: Floats) -> Floats:
    """Return the GPUs in each pool and slot when gpus[o] of each offer are held."""
    held = np.zeros((len(part.supply_tariffs), len(part.weight)))
    np.add.at(held, part.supply_of, part.running * gpus[:, None])
    return held


class _Block:
    """Classes that compete for the same limited supplies, as one hourly program."""

    def __init__(self, part: Part, classes: Ints, limited: Bools) -> None:
        self.classes = classes
        self.ways = np.flatnonzero(np.isin(part.pair_class, classes))
        used = part.pair_supply[self.ways]
        self.supplies = np.unique(used[limited[used]])
        rows, ways = len(classes) + len(self.supplies), len(self.ways)
        matrix = np.zeros((rows, ways + len(self.supplies)))
        matrix[np.searchsorted(classes, part.pair_class[self.ways]), np.arange(ways)] = part.pair_rate[self.ways]
        tied = np.flatnonzero(limited[used])
        matrix[len(classes) + np.searchsorted(self.supplies, used[tied]), tied] = 1.0
        matrix[len(classes) :, ways:] = np.eye(len(self.supplies))
        cost = np.r_[part.pair_cost[self.ways], np.zeros(len(self.supplies))]
        self.program = HourlyProgram(rows=matrix, cost=cost, start=self._cheapest(part, ways))

    def _cheapest(self, part: Part, ways: int) -> tuple[int, ...]:
        """Return the basis of endless capacity: each class by its cheapest way, all supplies spare."""
        unit = part.pair_cost[self.ways] / part.pair_rate[self.ways]
        mine = part.pair_class[self.ways]
        best = [int(np.flatnonzero(mine == one)[np.argmin(unit[mine == one])]) for one in self.classes]
        return (*best, *range(ways, ways + len(self.supplies)))
