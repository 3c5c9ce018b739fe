"""The same optimum with less to decide: six reductions, each exact, each with its reason.

1. Dominated ways to serve are dropped (`useful_pairs`, and `without_spare_pools` under a limit on each spot pool).
2. Dominated or worthless commitments are dropped (`useful_offers`).
3. Workloads with the same ways to be served are summed into one class.
4. Commitments that serve the same classes at the same usage price share one pool.
5. Pay-as-you-go that differs in nothing but its price, and is never in force at the same time, is one supply.
6. Hours in which every class needs the same, the same offers run and the same spends count, are merged; families that
   share nothing are solved apart.

Limits on shares of the demand tell offers apart that are otherwise alike, and so do commitments to spend with one
provider. So each rule asks whether dropping one offer for another could use up a limit, or spend less where a least
spend is due, and does nothing where it could.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from optimizer.problem import Bools, Floats, Ints, Problem, sum_by

Labels = dict[bytes, Ints]
"""Labels of columns, by the digest of the columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A problem that shares nothing with the rest: C classes, S supplies, O offers to decide, K merged slots.

    demand[c, k], weight[k]: as in the problem, summed over the members of a class and over equal slots.
    stretch[k]: which of C stretches of time the slot is of.
    pair_class[p], pair_supply[p], pair_rate[p]: the P ways to serve. pair_usage[p, c]: $ that a GPU-hour costs at the
        provider; pair_cost[p, c]: what it costs in all.
    supply_of[o]: the pool each offer adds to. payg_cap[s, c]: most GPUs in use, infinite for none; NaN for a pool.
    offers[o]: index of the tariff in the problem; calendar[o, c] as there.
    enough[s]: GPUs of a supply beyond which no hour could use more. supply_tariffs[s]: the tariffs behind it.
    members[c]: the streams in each class. slot_of[t]: the merged slot of each slot of the problem.
    """

    demand: Floats
    weight: Floats
    stretch: Ints
    pair_class: Ints
    pair_supply: Ints
    pair_rate: Floats
    pair_usage: Floats
    pair_cost: Floats
    payg_cap: Floats
    offers: Ints
    supply_of: Ints
    calendar: Floats
    enough: Floats
    supply_tariffs: tuple[Ints, ...]
    members: tuple[Ints, ...]
    slot_of: Ints

    @property
    def pools(self) -> Bools:
        """Which supplies are pools of commitments."""
        return np.asarray(np.isnan(self.payg_cap).any(axis=1))

    def by_stretch(self, served: Floats) -> Floats:
        """Sum served[p, k] GPU-hours an hour to GPU-hours of each way in each stretch, [p, c]."""
        count = self.payg_cap.shape[1]
        found = np.array([sum_by(self.stretch, way * self.weight, count) for way in served])
        return found.reshape(len(served), count)

    @property
    def heads(self) -> Ints:
        """Return the first tariff behind each supply; what a limit asks of it holds for the others too."""
        return np.array([tariffs[0] for tariffs in self.supply_tariffs], dtype=np.int64)


def parts_of(problem: Problem, labels: Labels | None = None) -> list[Part]:
    """Split the problem into parts that can be solved apart, each reduced.

    Args:
        problem: what to decide.
        labels: of the slots of earlier problems, filled as it goes: problems that differ in prices alone ask for the
            same again and again.
    """
    labels = {} if labels is None else labels
    pairs = without_spare_pools(problem, useful_pairs(problem))
    offers = useful_offers(problem, pairs)
    pairs = in_chains(problem, pairs & (~problem.held | offers))
    return [
        part
        for streams, tariffs in _families(problem, pairs)
        if (part := _part(problem, pairs, streams, tariffs, labels)) is not None
    ]


def plain_part(problem: Problem) -> Part:
    """Return the whole problem as one part with nothing reduced: the reference that reductions are measured against."""
    streams, tariffs = np.arange(len(problem.demand)), np.arange(len(problem.usage))
    supplies = [tariffs[index : index + 1] for index in tariffs]
    classes = [streams[index : index + 1] for index in streams]
    return _assemble(problem, problem.rates > 0, classes, supplies, np.arange(len(problem.weight)))


def useful_pairs(problem: Problem) -> Bools:
    """Say which tariffs are worth considering for which stream.

    A stream whose demand can be served at e = usage / rate by pay-as-you-go capacity without a cap never needs a dearer
    way that is in force only when that is: moving the hour to the cheaper one keeps every constraint and lowers the
    cost. That holds only if the cheaper one uses up no limit that the dearer one leaves alone. Of two equally cheap
    ones the first stays; a pool whose usage price alone reaches e is dropped too.

    A cheap one that is itself dropped everywhere need not be looked at: whatever it would drop, the one that dropped it
    drops too, since the conditions carry over from one to the next.
    """
    eligible, unit, anchor, is_open = problem.rates > 0, problem.unit_price, problem.endless, problem.open
    keep = eligible.copy()
    anchors = np.flatnonzero(anchor)
    for cheap in anchors[np.argsort(unit[:, anchors].min(axis=0, initial=np.inf), kind="stable")]:
        if not keep[:, cheap].any():
            continue
        price = unit[:, cheap : cheap + 1]
        later = np.arange(len(anchor)) > cheap
        worse = (unit > price) | ((unit == price) & (later | problem.held | ~anchor))
        worse &= _no_harder_on_limits(problem, int(cheap)) & eligible[:, cheap : cheap + 1]
        worse &= (is_open <= is_open[cheap]).all(axis=1)
        worse[:, cheap] = False
        keep &= ~worse
    return keep


def without_spare_pools(problem: Problem, pairs: Bools) -> Bools:
    """Drop spot for a stream that has as much of cheaper spot as all who can use that could.

    Under a limit on each pool a cheaper pool stands in for a dearer one until it is full. Where the cheaper ones cannot
    all be full while the dearer one is used, one of them has room for what it serves.
    """
    if not np.isfinite(problem.limits.each):
        return pairs
    needed, unit, endless = problem.demand @ problem.weight, problem.unit_price, problem.endless
    keep, full = pairs.copy(), problem.limits.each * problem.demanded
    most = min(problem.limits.spot, 1.0) * problem.demanded
    stands_in = {int(one): _stands_in(problem, int(one)) for one in np.flatnonzero(problem.spot & endless)}
    for stream, price in enumerate(unit):
        spot = np.flatnonzero(problem.spot & pairs[stream])
        cheaper: list[int] = []
        for tariff in map(int, spot[np.argsort(price[spot], kind="stable")]):
            others = [one for one in cheaper if stands_in[one][tariff]]
            users = float(needed[(problem.rates[:, others] > 0).any(axis=1)].sum())
            if len(np.unique(problem.pool[others])) * full >= min(users, most) and others:
                keep[stream, tariff] = False
            elif endless[tariff]:
                cheaper.append(tariff)
    return keep


def _stands_in(problem: Problem, cheap: int) -> Bools:
    """Say for which tariffs a spot pool can stand in while it has room: those that are of other pools."""
    always = (problem.open <= problem.open[cheap]).all(axis=1)
    return np.asarray(always & _no_harder_on_the_rest(problem, cheap) & (problem.pool != problem.pool[cheap]))


def useful_offers(problem: Problem, pairs: Bools) -> Bools:
    """Say which commitments are worth considering.

    One that must be had in any case is. Of the others, one that serves nothing is not; nor is one whose holding price
    is at least what an hour of its best use saves over uncapped pay-as-you-go; nor one beside an uncapped offer
    without a minimum that serves exactly the same at no higher price, in lots that divide its own. What something else
    comes with may be worth having for that, and what cannot be had at will replaces nothing.
    """
    decided = np.isnan(problem.pinned)
    useful = problem.held & (~decided | pairs.any(axis=0))
    worthless = decided & (problem.holding >= _most_saved(problem, pairs)) & (problem.holding > 0)
    parents, bound = problem.parents, problem.bound
    worthless &= ~counted(problem)
    useful |= parents & problem.held
    if min(problem.limits.spot, problem.limits.each) == np.inf and not problem.limits.providers:
        useful &= ~worthless | parents
    for other in np.flatnonzero(useful & decided & ~parents):
        rivals = np.flatnonzero(useful & decided & ~bound)
        if any(_replaces(problem, pairs, int(rival), int(other)) for rival in rivals if rival != other):
            useful[other] = False
    return useful


def counted(problem: Problem) -> Bools:
    """Say for which tariffs something that is paid counts towards a commitment to spend."""
    found = np.zeros(len(problem.usage), dtype=bool)
    for floor in problem.floors:
        found |= floor.usage | floor.holding
    return found


def _most_saved(problem: Problem, pairs: Bools) -> Floats:
    """Return the most that a GPU-hour of each tariff saves over uncapped pay-as-you-go, in any stretch."""
    anchors = np.flatnonzero(problem.endless)
    saved = np.full(len(problem.usage), -np.inf)
    label = alike(problem.calendar[anchors] > 0)
    for same in range(label.max(initial=-1) + 1):
        there = problem.open[:, label == same]
        best = problem.unit_price[:, anchors[there[anchors, 0]]].min(axis=1, initial=np.inf)
        worth = np.multiply(problem.rates, best[:, None], out=np.full_like(problem.rates, -np.inf), where=pairs)
        most = (worth - problem.usage - problem.on_top).max(axis=0, initial=-np.inf)
        saved = np.where(there.any(axis=1), np.maximum(saved, most), saved)
    return saved


def _no_harder_on_limits(problem: Problem, cheap: int) -> Bools:
    """Say for which tariffs the cheap one can stand in without using up a limit that they do not."""
    same = _no_harder_on_the_rest(problem, cheap)
    if np.isfinite(problem.limits.each) and problem.spot[cheap]:
        same &= problem.pool == problem.pool[cheap]
    return same


def _no_harder_on_the_rest(problem: Problem, cheap: int) -> Bools:
    """Say the same where a limit on each spot pool is not asked about."""
    same = np.ones(len(problem.usage), dtype=bool)
    if np.isfinite(problem.limits.spot) and problem.spot[cheap]:
        same &= problem.spot
    if problem.provider[cheap] in problem.limits.providers:
        same &= problem.provider == problem.provider[cheap]
    for floor in problem.floors:
        same &= floor.usage[cheap] | ~floor.usage
    return same


def _replaces(problem: Problem, pairs: Bools, rival: int, other: int) -> bool:
    """Say whether every quantity of `other` could be had from `rival` at no higher cost."""
    price = problem.holding
    cheaper = price[rival] < price[other] or (price[rival] == price[other] and rival < other)
    lots = problem.lot[rival] == 0 or (problem.lot[other] > 0 and problem.lot[other] % problem.lot[rival] == 0)
    return bool(
        cheaper
        and lots
        and np.isinf(problem.maximum[rival])
        and problem.minimum[rival] <= max(problem.lot[rival], 0.0)
        and (problem.minimum[rival] == 0 or problem.lot[rival] > 0)
        and problem.usage[rival] <= problem.usage[other]
        and (problem.rates[:, rival] >= np.where(pairs[:, other], problem.rates[:, other], 0)).all()
        and (problem.moving[:, rival] <= np.where(pairs[:, other], problem.moving[:, other], np.inf)).all()
        and (problem.calendar[rival] == problem.calendar[other]).all()
        and all(floor.usage[rival] or not floor.usage[other] for floor in problem.floors)
        and all(floor.holding[rival] or not floor.holding[other] for floor in problem.floors)
        and (not problem.floors or _interest(problem, rival) <= _interest(problem, other))
        and (np.isinf(problem.limits.upfront_usd) or problem.upfront[rival] <= problem.upfront[other])
        and (np.isinf(problem.limits.committed) or problem.gpus[rival] <= problem.gpus[other])
        and (
            problem.provider[rival] not in problem.limits.providers
            or problem.provider[rival] == problem.provider[other]
        )
    )


def _interest(problem: Problem, tariff: int) -> float:
    """Return $ per GPU-hour of holding that are what capital costs, which counts towards no spend."""
    return float((problem.holding - problem.paid_holding)[tariff])


def chains(problem: Problem, pairs: Bools) -> Ints:
    """Number pay-as-you-go tariffs so that those of one number differ only in price, and never meet in time."""
    label = np.full(len(problem.usage), -1)
    found: dict[tuple[object, ...], list[tuple[int, Bools]]] = {}
    on_top, stalled = problem.on_top, problem.stalled
    for tariff in np.flatnonzero(~problem.held & pairs.any(axis=0)):
        counts = tuple((bool(floor.usage[tariff]), float(floor.discounts[tariff])) for floor in problem.floors)
        same = (problem.rates[:, tariff].tobytes(), on_top[:, tariff].tobytes(), stalled[:, tariff].tobytes())
        pool = int(problem.pool[tariff]) if np.isfinite(problem.limits.each) else -1
        key = (*same, str(problem.provider[tariff]), bool(problem.spot[tariff]), pool, counts)
        known = found.setdefault(key, [])
        there = problem.open[tariff]
        place = next((place for place, (_, taken) in enumerate(known) if not (taken & there).any()), len(known))
        head, taken = known.pop(place) if place < len(known) else (int(tariff), np.zeros_like(there))
        known.insert(place, (head, taken | there))
        label[tariff] = head
    return label


def in_chains(problem: Problem, pairs: Bools) -> Bools:
    """Let every tariff of a chain serve whom one of them is worth considering for, so that they are one supply."""
    chain = chains(problem, pairs)
    wider = pairs.copy()
    for head in np.unique(chain[chain >= 0]):
        mine = np.flatnonzero(chain == head)
        wider[:, mine] = pairs[:, mine].any(axis=1, keepdims=True)
    return wider


def _families(problem: Problem, pairs: Bools) -> list[tuple[Ints, Ints]]:
    streams, tariffs = pairs.shape
    if problem.coupled:
        return [(np.arange(streams), np.arange(tariffs))]
    shared = problem.held | np.isfinite(problem.maximum)  # what has no end is competed for by nobody
    links = np.vstack([np.argwhere(pairs & shared) + np.array([0, streams]), _bonds(problem) + streams])
    size = streams + tariffs
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(size, size))
    count, labels = connected_components(graph, directed=False)
    families = [(np.flatnonzero(labels[:streams] == label), labels[streams:] == label) for label in range(count)]
    return [(mine, np.flatnonzero((tied & shared) | (pairs[mine].any(axis=0) & ~shared))) for mine, tied in families]


def _bonds(problem: Problem) -> Ints:
    """Return pairs of tariffs that are bought together, or instead of each other."""
    ties = [(tie.parent, tie.rider) for tie in problem.ties]
    groups = [np.flatnonzero(problem.exclusive == group) for group in range(problem.exclusive.max(initial=-1) + 1)]
    return np.array([*ties, *(pair for group in groups for pair in pairwise(group))], dtype=np.int64).reshape(-1, 2)


def _part(problem: Problem, pairs: Bools, streams: Ints, tariffs: Ints, labels: Labels) -> Part | None:
    needed = streams[problem.demand[streams].any(axis=1)]
    if not len(needed) and not (~np.isnan(problem.pinned[tariffs])).any() and not problem.floors:
        return None
    classes = _classes(problem, pairs, needed)
    supplies = _supplies(problem, pairs, tariffs)
    windows: list[Floats] = [floor.window[None, :].astype(float) for floor in problem.floors]
    windows += [problem.outlook.scenario[None, :].astype(float)] if problem.averse and problem.outlook else []
    stretch = alike(np.vstack([problem.calendar[tariffs], *windows]))[problem.stretch]
    slot_of = _remembered(np.vstack([stretch, _summed(problem, classes)]), labels)
    return _assemble(problem, pairs, classes, supplies, slot_of)


def _classes(problem: Problem, pairs: Bools, streams: Ints) -> list[Ints]:
    """Sum streams that can be served in the same ways: what serves the sum serves each, in proportion."""
    if not len(streams):
        return []
    terms = [problem.rates, problem.moving, *([problem.stalled] if problem.stalling.any() else [])]
    ways = np.hstack([np.where(pairs[streams], each[streams], 0.0) for each in terms])
    _, label = np.unique(ways, axis=0, return_inverse=True)
    return [streams[label.ravel() == index] for index in range(label.max() + 1)]


def _summed(problem: Problem, classes: list[Ints]) -> Floats:
    demand = np.zeros((len(classes), len(problem.weight)))
    for index, members in enumerate(classes):
        demand[index] = problem.demand[members].sum(axis=0)
    return demand


def _supplies(problem: Problem, pairs: Bools, tariffs: Ints) -> list[Ints]:
    """Pool commitments that serve the same streams, at the same rates and usage price, under the same limits."""
    pools: dict[tuple[object, ...], list[int]] = {}
    parents, chain = problem.parents, chains(problem, pairs)
    for tariff in tariffs:
        if not problem.held[tariff]:
            if pairs[:, tariff].any():
                pools.setdefault(("chain", int(chain[tariff])), []).append(int(tariff))
            continue
        if not pairs[:, tariff].any() and np.isnan(problem.pinned[tariff]) and not parents[tariff]:
            continue
        limited = str(problem.provider[tariff]) if problem.limits.providers else ""
        spent = tuple(bool(floor.usage[tariff]) for floor in problem.floors)
        rates, moving = (np.where(pairs[:, tariff], each[:, tariff], 0.0) for each in (problem.rates, problem.moving))
        alike_in = (rates.tobytes(), moving.tobytes(), float(problem.usage[tariff]), limited, spent)
        pools.setdefault(alike_in, []).append(int(tariff))
    return [np.array(pool) for pool in pools.values()]


def alike(columns: Floats | Bools) -> Ints:
    """Label the columns of columns[i, t] so that equal ones share a label.

    Columns are sorted by one mixed number each, and compared in full with the first that has the same.
    """
    mixed = np.sin(np.arange(1, len(columns) + 1)) @ columns
    _, leader, found = np.unique(mixed, return_index=True, return_inverse=True)
    label = np.asarray(found, dtype=np.int64)
    unlike = np.flatnonzero((columns != columns[:, leader[label]]).any(axis=0))
    if len(unlike):
        label[unlike] = len(leader) + np.unique(columns[:, unlike], axis=1, return_inverse=True)[1].ravel()
        label = np.unique(label, return_inverse=True)[1]
    return label


def _remembered(columns: Floats, labels: Labels) -> Ints:
    """Return what `alike` does, from what is known where the same was asked for before."""
    key = blake2b(np.ascontiguousarray(columns).tobytes()).digest() + bytes(str(columns.shape), "ascii")
    if key not in labels:
        labels[key] = alike(columns)
    return labels[key]


def _assemble(problem: Problem, pairs: Bools, classes: list[Ints], supplies: list[Ints], slot_of: Ints) -> Part:
    first = np.unique(slot_of, return_index=True)[1]
    leaders = np.array([members[0] for members in classes], dtype=np.int64)
    heads = np.array([pool[0] for pool in supplies], dtype=np.int64)
    served = pairs[np.ix_(leaders, heads)]
    pair_class, pair_supply = np.nonzero(served)
    held = problem.held[heads]
    cap, usage = _over_time(problem, supplies)
    moving, stalled = (each[np.ix_(leaders, heads)][served][:, None] for each in (problem.moving, problem.stalled))
    pair_usage = usage[pair_supply] + stalled
    offers = [(tariff, index) for index, pool in enumerate(supplies) if held[index] for tariff in pool]
    demand = _summed(problem, classes)[:, first]
    least = np.where(served, problem.rates[np.ix_(leaders, heads)], 1.0).min(axis=0, initial=1.0)
    return Part(
        demand=demand,
        weight=sum_by(slot_of, problem.weight),
        stretch=problem.stretch[first],
        pair_class=pair_class,
        pair_supply=pair_supply,
        pair_rate=problem.rates[np.ix_(leaders, heads)][served],
        pair_usage=pair_usage,
        pair_cost=pair_usage + moving,
        payg_cap=cap,
        offers=np.array([tariff for tariff, _ in offers], dtype=np.int64),
        supply_of=np.array([index for _, index in offers], dtype=np.int64),
        calendar=problem.calendar[[tariff for tariff, _ in offers]],
        enough=demand.sum(axis=0).max(initial=0.0) / least,
        supply_tariffs=tuple(supplies),
        members=tuple(classes),
        slot_of=slot_of,
    )


def _over_time(problem: Problem, supplies: list[Ints]) -> tuple[Floats, Floats]:
    """Return cap[s, c] and $ per GPU-hour used of each supply in each stretch; a pool has no cap, and one price."""
    shape = (len(supplies), problem.calendar.shape[1])
    cap, usage = np.zeros(shape), np.zeros(shape)
    for index, tariffs in enumerate(supplies):
        if problem.held[tariffs[0]]:
            cap[index], usage[index] = np.nan, problem.usage[tariffs[0]]
            continue
        for tariff in tariffs:
            there = problem.open[tariff]
            cap[index, there], usage[index, there] = problem.maximum[tariff], problem.usage[tariff]
    return cap, usage
