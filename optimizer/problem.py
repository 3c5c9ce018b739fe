"""What a plan has to decide, in numbers: the data of the program of design section 5, one array a symbol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from optimizer.demand import Demand
from optimizer.eligibility import moving_of, rates_of, stalling_of
from optimizer.floors import Floor, SpendTerms, floors_of
from optimizer.limits import Limits
from optimizer.tariffs import Tariff, changes_in
from optimizer.waiting import Waiting, waiting_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def sum_by(label: Ints, values: Floats, count: int = 0) -> Floats:
    """Sum the values that share a label: result[i] is the sum over label == i, for at least `count` labels."""
    return np.asarray(np.bincount(label, values, count), dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """No more than `ratio` GPUs of a rider for each GPU of its parent; infinite where it is there in any case.

    same_price: whether what is paid for holding the parent is paid for the rider too.
    """

    rider: int
    parent: int
    ratio: float
    same_price: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """S scenarios: names, probability[s], and scenario[c], which of them each stretch is of.

    weight: how much the tail counts against the expected cost, 0 to 1. tail: the share of outcomes that it leaves out.
    """

    names: tuple[str, ...]
    probability: Floats
    scenario: Ints
    weight: float = 0.0
    tail: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The stretch of each slot, when each stretch begins, and present[o, c], whether a tariff is one of it at all."""

    stretch: Ints
    begins: tuple[datetime, ...]
    present: Bools
    outlook: Outlook


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """W streams, O tariffs and T slots.

    demand[w, t]: GPU-hours needed in each of the weight[t] hours of the slot; demanded: their sum over the horizon.
    waiting: work that may run in other hours than it arrives in, which a plan moves; None where all runs at once.
    rates[w, o]: how much of the stream's demand one GPU-hour of the tariff serves, 0 where it may not.
    stretch[t]: which stretch of time the slot is of. calendar[o, c]: the share of its GPUs that is in force in stretch
        c, 0 or 1 but where it ramps up; hours[o]: their sum over the hours of the horizon.
    holding[o], usage[o]: $ per GPU-hour of having it and of using it. moving[w, o]: $ per GPU-hour on top, for serving
        the stream away from where it is at home.
    beside[o]: $ per GPU-hour of holding, or of usage, that are no price: adders, less what is resold. stalling[w, o]:
        hours that the stream's gangs lose, and pay at the price, per hour used. tied[o]: the share of the price of
        holding that is not paid to the provider, but is what capital costs.
    lot[o]: 0 for any amount. minimum[o], maximum[o]: GPUs, the maximum infinite where there is none.
    pinned[o]: GPUs that are had in any case (owned, accepted, or asked about); NaN where the plan decides.
    upfront[o]: $ paid at the start per GPU bought. held[o], spot[o]: kind. provider[o]: name. pool[o]: the number of
        the spot pool that it is of; -1 for what is not spot.
    gpus[o]: GPUs that one unit of the tariff is; of a commitment in dollars the most that a dollar an hour may be, so
        that wherever this says GPUs it says dollars an hour there. 0 for what is used beyond what is held.
    dollars[o]: whether its unit is a dollar an hour. list_holding[o], list_usage[o]: the parts of holding and usage
        that a discount is taken off. floors: commitments to spend, those that the plan decides on among them.
    outlook: the scenarios, None where there is but one future. With them everything that adds up over hours is an
        expected value, since hours weigh as much as their scenario is probable.
    ties: between what is bought and what comes with it. exclusive[o]: of the tariffs with the same number at most one
        is bought; -1 for those that stand in nobody's way.
    """

    demand: Floats
    demanded: float
    weight: Floats
    rates: Floats
    stretch: Ints
    calendar: Floats
    hours: Floats
    holding: Floats
    usage: Floats
    moving: Floats
    beside: Floats
    stalling: Floats
    tied: Floats
    lot: Floats
    minimum: Floats
    maximum: Floats
    pinned: Floats
    upfront: Floats
    held: Bools
    spot: Bools
    provider: npt.NDArray[np.str_]
    pool: Ints
    gpus: Floats
    dollars: Bools
    list_holding: Floats
    list_usage: Floats
    floors: tuple[Floor, ...]
    outlook: Outlook | None
    ties: tuple[Tie, ...]
    exclusive: Ints
    limits: Limits
    waiting: Waiting | None = None

    @property
    def coupled(self) -> bool:
        """Whether a limit, or a floor, ties GPU families together that share no workload and no offer."""
        limits = self.limits
        return (
            bool(limits.providers or self.floors or self.averse)
            or min(limits.spot, limits.each, limits.committed, limits.upfront_usd) < np.inf
        )

    @property
    def averse(self) -> bool:
        """Whether the tail of the cost counts, so that the scenarios cannot be told apart from their mean."""
        return self.outlook is not None and self.outlook.weight > 0 and len(self.outlook.names) > 1

    @property
    def unit_price(self) -> Floats:
        """Usage $ per GPU-hour of demand of each stream at each tariff; infinite where it may not run."""
        prices = np.full_like(self.rates, np.inf)
        return np.divide(self.usage + self.on_top, self.rates, out=prices, where=self.rates > 0)

    @property
    def stalled(self) -> Floats:
        """$ per GPU-hour that are paid to the provider for the hours that a stream's gangs lose, on top of usage."""
        return np.asarray(self.stalling * np.maximum(self.usage - self.beside, 0.0))

    @property
    def paid_holding(self) -> Floats:
        """$ per GPU-hour of having it that are paid to the provider: what capital costs is not."""
        return np.asarray(self.holding - self.tied * np.maximum(self.holding - self.beside, 0.0))

    @property
    def on_top(self) -> Floats:
        """$ per GPU-hour on top of usage, of each stream at each tariff: to be away from home, and for its gangs."""
        return self.moving + self.stalled if self.stalling.any() else self.moving

    @property
    def endless(self) -> Bools:
        """Which tariffs have another GPU in every hour in which they are in force: paid as they are used, no cap."""
        return np.asarray(~self.held & np.isinf(self.maximum))

    @property
    def open(self) -> Bools:
        """open[o, c]: whether the tariff is in force in the stretch."""
        return np.asarray(self.calendar > 0)

    def under(self, floors: tuple[Floor, ...]) -> Problem:
        """Return the problem with these commitments to spend in force, and no others.

        What is resold never brings more than the discounted price that was paid for it.
        """
        part = np.prod([np.ones(len(self.usage)), *(1.0 - floor.discounts for floor in floors)], axis=0)
        more = np.where(self.dollars, 1.0 / part, 1.0)  # a dollar goes further where its rates fall
        return replace(
            self,
            floors=floors,
            holding=np.maximum(self.holding - (1.0 - part) * self.list_holding, np.minimum(self.holding, 0.0)),
            usage=self.usage - (1.0 - part) * self.list_usage,
            rates=self.rates * more,
            moving=self.moving * more,
            gpus=self.gpus * more,
        )

    def rebated(self, share: float) -> Problem:
        """Return the problem without floors, but with this share of what counts towards them given back.

        Its cost, and that share of the floors, is at most the cost with them: a dollar short costs a dollar, so that
        no rebate below a dollar a dollar is worth more than the floor (Lagrange). Only for floors that count always.
        """
        holding = np.any([np.zeros(len(self.usage)), *(floor.holding for floor in self.floors)], axis=0)
        usage = np.any([np.zeros(len(self.usage)), *(floor.usage for floor in self.floors)], axis=0)
        interest = self.holding - self.paid_holding
        return replace(
            self,
            floors=(),
            holding=np.where(holding, self.holding * (1.0 - share) + share * interest, self.holding),
            usage=np.where(usage, self.usage * (1.0 - share), self.usage),
        )

    @property
    def parents(self) -> Bools:
        """Which tariffs have something that comes with them."""
        return np.isin(np.arange(len(self.usage)), [tie.parent for tie in self.ties])

    @property
    def bound(self) -> Bools:
        """Which tariffs cannot be had at will, since others must be bought too, or must not."""
        tied = [tie.rider for tie in self.ties if np.isfinite(tie.ratio)]
        return np.isin(np.arange(len(self.usage)), tied) | (self.exclusive >= 0)

    def riders_of(self, tariff: int, *, same_price: bool = False) -> list[int]:
        """Return what comes with a tariff; only what costs the same to hold, if asked for that."""
        return [tie.rider for tie in self.ties if tie.parent == tariff and (tie.same_price or not same_price)]

    def with_terms(self, tariff: int, **terms: float) -> Problem:
        """Return the same problem with other terms for one tariff: `pinned=64, holding=0` for 64 GPUs for nothing."""
        changed = {name: getattr(self, name).copy() for name in terms}
        for name, value in terms.items():
            changed[name][tariff] = value
        return replace(self, **changed)


def problem_of(
    demand: Demand,
    tariffs: Iterable[Tariff],
    limits: Limits,
    spends: Iterable[SpendTerms] = (),
    timeline: Timeline | None = None,
) -> Problem:
    """Write demand, tariffs, limits and commitments to spend as numbers.

    Args:
        demand: what has to be served.
        tariffs: what may serve it.
        limits: caps.
        spends: commitments to spend.
        timeline: of several futures; None where there is but one, in which every tariff is there in its own time.
    """
    tariffs, spends = tuple(tariffs), tuple(spends)
    horizon_hours = float(demand.weight.sum())
    if timeline is None:
        stretch, begins = stretches_of(demand, changes_in((*tariffs, *spends)))
        calendar, outlook = _calendar(tariffs, begins), None
    else:
        stretch, begins, outlook = timeline.stretch, list(timeline.begins), timeline.outlook
        calendar = np.asarray(_calendar(tariffs, begins) * timeline.present)
    hours = sum_by(stretch, demand.weight, len(begins))
    rates = rates_of(demand, tariffs)
    dollars, beyond = np.array([(tariff.in_dollars, tariff.beyond) for tariff in tariffs], dtype=bool).reshape(-1, 2).T
    return Problem(
        demand=demand.gpu_hours,
        demanded=float(demand.gpu_hours.sum(axis=0) @ demand.weight),
        weight=demand.weight,
        rates=rates,
        stretch=stretch,
        calendar=calendar,
        hours=calendar @ hours,
        holding=_column(tariff.holding for tariff in tariffs),
        usage=_column(tariff.usage for tariff in tariffs),
        moving=moving_of(demand, tariffs, rates),
        beside=_column(tariff.adders - tariff.salvage for tariff in tariffs),
        stalling=stalling_of(demand, tariffs, rates),
        tied=_column(1.0 - 1.0 / tariff.capital for tariff in tariffs),
        lot=_column((tariff.lot or 0.0) if tariff.held else 0.0 for tariff in tariffs),
        minimum=_column(tariff.minimum if tariff.held else 0.0 for tariff in tariffs),
        maximum=_column(tariff.maximum for tariff in tariffs),
        pinned=_column(_pinned(tariff) for tariff in tariffs),
        upfront=_column(_upfront(tariff, horizon_hours) for tariff in tariffs),
        held=np.array([tariff.held for tariff in tariffs], dtype=bool),
        spot=np.array([tariff.spot for tariff in tariffs], dtype=bool),
        provider=np.array([tariff.provider for tariff in tariffs], dtype=str),
        pool=_pools(tariffs),
        gpus=np.where(beyond, 0.0, np.where(dollars, rates.max(axis=0, initial=0.0), 1.0)),
        dollars=dollars,
        list_holding=_column(_listed(tariff, tariff.stated_holding * tariff.capital) for tariff in tariffs),
        list_usage=_column(_listed(tariff, tariff.stated_usage * tariff.overhead) for tariff in tariffs),
        floors=floors_of(spends, tariffs, begins=begins, hours=hours),
        outlook=outlook,
        ties=_ties(tariffs, demand, rates),
        exclusive=_exclusive(tariffs),
        limits=limits,
        waiting=waiting_of(demand),
    )


def stretches_of(demand: Demand, changes: Iterable[datetime]) -> tuple[Ints, list[datetime]]:
    """Return the stretch of each slot, in which nothing that is on offer changes, and when each stretch begins."""
    times = sorted(time.timestamp() for time in changes)
    begun = np.searchsorted(times, [time.timestamp() for time in demand.begins], side="right")
    _, first, stretch = np.unique(begun, return_index=True, return_inverse=True)
    return np.asarray(stretch, dtype=np.int64).ravel(), [demand.begins[index] for index in first]


def _calendar(tariffs: Sequence[Tariff], begins: Sequence[datetime]) -> Floats:
    """Return the share of each tariff's GPUs that is in force in each stretch."""
    kind = float if any(tariff.ramp for tariff in tariffs) else bool  # a large price book takes eight times less so
    calendar = np.array([[tariff.running(time) for time in begins] for tariff in tariffs], dtype=kind)
    return calendar.reshape(len(tariffs), len(begins))


def _listed(tariff: Tariff, price: float) -> float:
    """Return the part of a price that a discount is taken off; rates of dollars fall instead of their price."""
    return price if tariff.listed and not tariff.in_dollars else 0.0


def _ties(tariffs: Sequence[Tariff], demand: Demand, rates: Floats) -> tuple[Tie, ...]:
    """Tie riders to their parents.

    Where a rider asks for no more than that the parent is bought at all, its maximum, or what all hours could use at
    most, is there from the least quantity of the parent on.
    """
    place = {tariff.offer_id: index for index, tariff in enumerate(tariffs) if not tariff.rider}
    waiting = waiting_of(demand)
    most = demand.gpu_hours if waiting is None else waiting.most(demand.weight)
    peak = float(most.sum(axis=0).max(initial=0.0))
    enough = peak / float(rates[rates > 0].min(initial=1.0)) + 1.0
    ties = []
    for index, tariff in enumerate(tariffs):
        if tariff.parent is not None and tariff.parent in place:
            whole = min(tariff.maximum, enough) / tariff.least if tariff.least else np.inf
            ratio = min(tariff.ratio, whole)
            ties.append(Tie(rider=index, parent=place[tariff.parent], ratio=ratio, same_price=tariff.rider == "kept"))
    return tuple(ties)


def _exclusive(tariffs: Sequence[Tariff]) -> Ints:
    """Number the groups of tariffs of which at most one is bought."""
    names = [tariff.exclusive for tariff in tariffs if tariff.exclusive and not tariff.rider]
    place = {name: index for index, name in enumerate(sorted({name for name in names if names.count(name) > 1}))}
    return np.array([-1 if tariff.rider else place.get(tariff.exclusive or "", -1) for tariff in tariffs], dtype=int)


def _pools(tariffs: Sequence[Tariff]) -> Ints:
    """Number the spot pools."""
    place = {name: index for index, name in enumerate(sorted({tariff.pool for tariff in tariffs if tariff.spot}))}
    return np.array([place[tariff.pool] if tariff.spot else -1 for tariff in tariffs], dtype=int)


def _column(values: Iterable[float]) -> Floats:
    return np.fromiter(values, dtype=float)


def _pinned(tariff: Tariff) -> float:
    if tariff.owned is not None:
        return tariff.owned
    if tariff.status == "accepted" and tariff.held and not tariff.rider and tariff.block is not None:
        return tariff.block
    return np.nan


def _upfront(tariff: Tariff, horizon_hours: float) -> float:
    if tariff.owned is not None or not tariff.held:
        return 0.0
    return tariff.upfront_share * tariff.stated_holding * (tariff.paid_hours or horizon_hours)
