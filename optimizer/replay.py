"""A plan's cost as its providers would bill it.

The program lets every GPU-hour be paid by whatever makes the whole cheapest; a provider applies what was bought in an
order of its own (`replay_orders`). What runs where stays as planned. Where one kind of commitment is held, both come to
the same; with two kinds the provider's order may be dearer. It is never cheaper, since the program has the least of all
orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from optimizer.demand import Demand
from optimizer.dispatch import Dispatch, filling_order, shares_of
from optimizer.problem import Floats, Ints, sum_by
from optimizer.reasons import money
from optimizer.replay_orders import ORDERED, Cover, Use, kind_of, left_on_demand
from optimizer.replay_places import Book, Place, book_of
from optimizer.solve import Solution, spends
from optimizer.tariffs import Tariff
from optimizer.turns import PartSolution

SAME = 1e-9  # of the cost: a difference below which it is the solver's tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one provider is paid over the horizon, $, as planned and as billed.

    covered_gpu_hours, on_demand_gpu_hours: what its order lets commitments pay for, and what is left; 0 where it has no
    order. What was put to use by the plan, such as spot, is in neither.
    """

    provider: str
    planned_usd: float
    billed_usd: float
    covered_gpu_hours: float
    on_demand_gpu_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A plan's cost as billed, provider by provider in the order of their names."""

    bills: tuple[Bill, ...]

    @property
    def planned_usd(self) -> float:
        """The cost as the program has it."""
        return sum(bill.planned_usd for bill in self.bills)

    @property
    def billed_usd(self) -> float:
        """The cost in the providers' own order."""
        return sum(bill.billed_usd for bill in self.bills)

    @property
    def difference_usd(self) -> float:
        """What the providers' order costs more."""
        return self.billed_usd - self.planned_usd

    @property
    def sentence(self) -> str:
        """Say what the providers' order changes, and whose."""
        least = SAME * max(abs(self.planned_usd), 1.0)
        dearer = [bill.provider for bill in self.bills if bill.billed_usd - bill.planned_usd > least]
        if not dearer:
            return "billed in each provider's own order, it costs the same"
        share = f" ({self.difference_usd / self.planned_usd * 100:.2g} %)" if self.planned_usd > 0 else ""
        return (
            f"billed in each provider's own order, it costs {money(round(self.billed_usd, 2))}, "
            f"{money(round(self.difference_usd, 2))}{share} more: {', '.join(dearer)} would not apply what was bought "
            "where it saves most"
        )


def replay(tariffs: Sequence[Tariff], demand: Demand, solution: Solution, dispatch: Dispatch) -> Replay:
    """Bill a solution in each provider's own order.

    Args:
        tariffs: what the plan may use, as in the solution's problem.
        demand: what it serves.
        solution: what it bought, and what is served by which way; owned commitments are among it.
        dispatch: the same, taken apart.
    """
    problem = solution.problem
    book = book_of(tariffs, demand, solution)
    more = np.zeros(problem.calendar.shape)
    hours: dict[str, Floats] = {}
    for solved in solution.parts:
        for stretch in np.unique(solved.part.stretch):
            _bill(book, _ran(book, solved, int(stretch)), more, hours)
    planned, billed = _costs(solution, dispatch, more)
    none = np.zeros(2)
    return Replay(
        bills=tuple(
            Bill(
                provider=name,
                planned_usd=planned[name],
                billed_usd=billed[name],
                covered_gpu_hours=float(hours.get(name, none)[0]),
                on_demand_gpu_hours=float(hours.get(name, none)[1]),
            )
            for name in sorted(planned)
            if planned[name] or billed[name] or name in hours
        )
    )


def _costs(solution: Solution, dispatch: Dispatch, more: Floats) -> tuple[dict[str, float], dict[str, float]]:
    """Return $ by provider, as planned and with more[o, c] GPU-hours of tariff o in stretch c.

    What falls short of a least spend is paid to its provider, and falls with what is spent beyond the plan.
    """
    problem = solution.problem
    names, label = np.unique(problem.provider, return_inverse=True)
    planned = dict(zip(map(str, names), sum_by(label, dispatch.cost, len(names)).tolist(), strict=True))
    added = sum_by(label, problem.usage * more.sum(axis=1), len(names))
    billed = {name: planned[name] + extra for name, extra in zip(planned, added.tolist(), strict=True)}
    for floor, spent in zip(problem.floors, spends(problem, solution), strict=True):
        counted = float((problem.usage * floor.usage) @ more @ floor.window)
        name = floor.terms.provider
        planned[name] = planned.get(name, 0.0) + max(floor.usd - spent, 0.0) - floor.given_back
        billed[name] = billed.get(name, 0.0) + max(floor.usd - spent - counted, 0.0) - floor.given_back
    return planned, billed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    """What ran in the slots of one part in one stretch, as providers see it; the arrays are by slot.

    hours: GPU-hours by place and the tariff that they cost on demand; planned: of these, those on demand as planned.
    kept: GPUs or $ of a commitment for what is sold by nobody on demand, so that it stays; kept_hours: its GPU-hours.
    """

    stretch: int
    weight: Floats
    offers: Ints
    hours: dict[tuple[Place, int], Floats] = field(default_factory=dict)
    planned: dict[tuple[Place, int], Floats] = field(default_factory=dict)
    kept: dict[int, Floats] = field(default_factory=dict)
    kept_hours: dict[str, float] = field(default_factory=dict)


def _ran(book: Book, solved: PartSolution, stretch: int) -> _Ran:
    """Sort what a part serves in a stretch; streams of a class are alike, so that the first stands for all."""
    part = solved.part
    at = np.flatnonzero(part.stretch == stretch)
    ran = _Ran(stretch=stretch, weight=part.weight[at], offers=part.offers)
    for supply in range(len(part.supply_tariffs)):
        for way, index, given in _given(book.solution, solved, supply, at):
            _sort(book, ran, int(part.members[part.pair_class[way]][0]), index, given)
    return ran


def _given(solution: Solution, solved: PartSolution, supply: int, at: Ints) -> Iterator[tuple[int, int, Floats]]:
    """Yield way, tariff and units[k] given in some slots."""
    part, problem = solved.part, solution.problem
    ways = np.flatnonzero(part.pair_supply == supply)
    served = solved.served[np.ix_(ways, at)]
    drawn = served.sum(axis=0)
    if not drawn.any():
        return
    order = filling_order(problem, part.supply_tariffs[supply])
    shares = shares_of(solution, part, drawn, order, at)
    for way, each in zip(ways, served, strict=True):
        for index, share in zip(order, shares, strict=True):
            if (each * share).any():
                yield int(way), int(index), each * share


def _sort(book: Book, ran: _Ran, stream: int, index: int, given: Floats) -> None:
    own = book.tariffs[index]
    if own.provider not in ORDERED or own.spot:
        return
    if not own.held:
        key = (Place(own.provider, own.gpu_model, own.region), index)
        _add(ran.hours, key, given)
        _add(ran.planned, key, given)
    elif kind_of(own) is not None:
        way = book.way(stream, index, ran.stretch)
        if way.sold is not None:
            _add(ran.hours, (way.place, way.sold), given / way.draws)
            return
        ran.kept[index] = ran.kept.get(index, 0.0) + given
        kept = ran.kept_hours.get(own.provider, 0.0)
        ran.kept_hours[own.provider] = kept + float(given @ ran.weight) / way.draws


def _add(found: dict[tuple[Place, int], Floats], key: tuple[Place, int], given: Floats) -> None:
    found[key] = found[key] + given if key in found else given


def _bill(book: Book, ran: _Ran, more: Floats, hours: dict[str, Floats]) -> None:
    """Let the providers bill what ran; add to more[o, c], and to hours, covered and on demand, of each provider."""
    usage, none = book.problem.usage, np.zeros(len(ran.weight))
    keys = list(ran.hours)
    uses = [Use(**place._asdict(), usd=float(usage[sold]), gpu_hours=ran.hours[place, sold]) for place, sold in keys]
    for key, use, left in zip(keys, uses, left_on_demand(uses, _covers(book, ran)), strict=True):
        more[key[1], ran.stretch] += (left - ran.planned.get(key, none)) @ ran.weight
        split = np.array([(use.gpu_hours - left) @ ran.weight, left @ ran.weight])
        hours[use.provider] = hours.get(use.provider, 0.0) + split
    for provider, kept in ran.kept_hours.items():
        hours[provider] = hours.get(provider, 0.0) + np.array([kept, 0.0])


def _covers(book: Book, ran: _Ran) -> list[Cover]:
    """Return what was bought or is owned, and in force, less what of it stays where it is."""
    found = []
    for index in map(int, ran.offers):
        amount = float(book.solution.quantities[index] * book.problem.calendar[index, ran.stretch])
        if amount > 0 and kind_of(book.tariffs[index]) is not None:
            left = np.maximum(amount - ran.kept.get(index, np.zeros(len(ran.weight))), 0.0)
            found.append(Cover(tariff=book.tariffs[index], amount=left, unit=book.unit.get(index, 1.0)))
    return found
