"""The hours of a part: what it costs to serve them with given commitments, and how that changes with each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from optimizer.errors import InfeasibleError
from optimizer.problem import Bools, Floats, Ints
from optimizer.reduce import Part, alike
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

    def __init__(self, part: Part, cost: Floats | None = None) -> None:
        """Split the part into blocks that share no limited supply, and into stretches with the same ways to serve.

        Args:
            part: what to serve.
            cost: cost[p, c], $ per GPU-hour of each way in each stretch, where it is not the part's.
        """
        self._part = part
        self._pool = part.pools[:, None]
        self._limited = part.pools | np.asarray((np.isfinite(part.payg_cap) & (part.payg_cap > 0)).any(axis=1))
        self._uncommitted = np.minimum(np.where(self._pool, 0.0, part.payg_cap), part.enough[:, None] + 1.0)
        self._blocks = self._split(part.pair_cost if cost is None else cost)

    def serve(self, held: Floats) -> Evaluation:
        """Serve every slot at least cost with held[s, c] GPUs in each pool and stretch; 0 for other supplies."""
        part = self._part
        slots = len(part.weight)
        capacity = self._uncommitted + held
        served, base = np.zeros((len(part.pair_class), slots)), np.zeros(slots)
        price = np.zeros((len(part.supply_tariffs), slots))
        for block in self._blocks:
            needed = part.demand[np.ix_(block.classes, block.slots)]
            room = capacity[np.ix_(block.supplies, part.stretch[block.slots])]
            rhs = np.vstack([needed, room])
            result = block.program.solve(rhs)
            if result.lacking:
                return self._lack(block, result.lacking, rhs, capacity)
            served[np.ix_(block.ways, block.slots)] = result.use[: len(block.ways)]
            count = len(block.classes)
            base[block.slots] += (result.price[:count] * needed).sum(axis=0)
            price[np.ix_(block.supplies, block.slots)] = result.price[count:]
        return self._evaluation(served, base, price, capacity, complete=True)

    def _evaluation(
        self, served: Floats, base: Floats, price: Floats, capacity: Floats, *, complete: bool
    ) -> Evaluation:
        """Count what is not bought, such as the cap of a spot market, as given."""
        given = np.flatnonzero(~self._part.pools & price.any(axis=1))
        base = base + (price[given] * capacity[given][:, self._part.stretch]).sum(axis=0)
        return Evaluation(served=served, base=base, price=np.where(self._pool, price, 0.0), complete=complete)

    def _lack(self, block: _Block, lacking: dict[int, Floats], rhs: Floats, capacity: Floats) -> Evaluation:
        """Turn the ray of the slot that lacks most into the condition ray @ rhs >= 0 on the capacities.

        What serves that slot serves most of the others: a condition from a slot that lacks little would be followed by
        as many more as there are slots that lack more.
        """
        place, ray = min(lacking.items(), key=lambda one: float(one[1] @ rhs[:, one[0]]) / float(np.abs(one[1]).max()))
        slot, count = int(block.slots[place]), len(block.classes)
        slots = len(self._part.weight)
        price, base = np.zeros((len(capacity), slots)), np.zeros(slots)
        price[block.supplies, slot] = ray[count:]
        base[slot] = ray[:count] @ self._part.demand[block.classes, slot]
        nothing = np.zeros((len(self._part.pair_class), slots))
        return self._evaluation(nothing, base, price, capacity, complete=False)

    def _split(self, cost: Floats) -> list[_Block]:
        """Return a block for each group of classes that compete, and each kind of stretch."""
        part = self._part
        closed = ~part.pools[:, None] & (part.payg_cap == 0)
        kind = alike(np.vstack([closed, cost]))
        groups, slot_kind = self._connected(), kind[part.stretch]
        blocks = []
        for one in np.unique(slot_kind):
            column = int(np.flatnonzero(kind == one)[0])
            able = ~closed[part.pair_supply, column]
            slots = np.flatnonzero(slot_kind == one)
            blocks += [_Block(part, group, slots, able, cost[:, column], self._limited) for group in groups]
        return [block for block in blocks if len(block.classes)]

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
    """Return the GPUs in each pool and stretch when gpus[o] of each offer are held."""
    held = np.zeros((len(part.supply_tariffs), part.payg_cap.shape[1]))
    np.add.at(held, part.supply_of, part.calendar * gpus[:, None])
    return held


class _Block:
    """Classes that compete for the same limited supplies, in slots with the same ways to serve, as one program."""

    def __init__(self, part: Part, classes: Ints, slots: Ints, able: Bools, cost: Floats, limited: Bools) -> None:
        self.slots = slots
        self.ways = np.flatnonzero(np.isin(part.pair_class, classes) & able)
        self.classes = np.intersect1d(classes, part.pair_class[self.ways])
        if part.demand[np.ix_(np.setdiff1d(classes, self.classes), slots)].any():
            raise InfeasibleError
        used = part.pair_supply[self.ways]
        self.supplies = np.unique(used[limited[used]])
        rows, ways = len(self.classes) + len(self.supplies), len(self.ways)
        matrix = np.zeros((rows, ways + len(self.supplies)))
        matrix[np.searchsorted(self.classes, part.pair_class[self.ways]), np.arange(ways)] = part.pair_rate[self.ways]
        tied = np.flatnonzero(limited[used])
        matrix[len(self.classes) + np.searchsorted(self.supplies, used[tied]), tied] = 1.0
        matrix[len(self.classes) :, ways:] = np.eye(len(self.supplies))
        unit = cost[self.ways] / part.pair_rate[self.ways]
        self.program = HourlyProgram(
            rows=matrix,
            cost=np.r_[cost[self.ways], np.zeros(len(self.supplies))],
            start=self._cheapest(unit, part.pair_class[self.ways]),
        )

    def _cheapest(self, unit: Floats, mine: Ints) -> tuple[int, ...]:
        """Return the basis of endless capacity: each class by its cheapest way, all supplies spare."""
        ways = len(unit)
        best = [int(np.flatnonzero(mine == one)[np.argmin(unit[mine == one])]) for one in self.classes]
        return (*best, *range(ways, ways + len(self.supplies)))
