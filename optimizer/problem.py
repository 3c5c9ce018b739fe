"""What a plan has to decide, in numbers: the data of the program of design section 5, one array a symbol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optimizer.demand import Demand, Stream
from optimizer.limits import Limits
from optimizer.tariffs import Tariff

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def sum_by(label: Ints, values: Floats, count: int = 0) -> Floats:
    """Sum the values that share a label: result[i] is the sum over label == i, for at least `count` labels."""
    return np.asarray(np.bincount(label, values, count), dtype=float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """W streams, O tariffs and T slots.

    demand[w, t]: GPU-hours needed in each of the weight[t] hours of the slot; demanded: their sum over the horizon.
    rates[w, o]: how much of the stream's demand one GPU-hour of the tariff serves, 0 where it may not.
    running[o, t]: the share of its GPUs that is in force, 0 or 1 but where it ramps up; hours[o]: their sum over the
        hours of the horizon.
    holding[o], usage[o]: $ per GPU-hour of having it and of using it.
    lot[o]: 0 for any amount. minimum[o], maximum[o]: GPUs, the maximum infinite where there is none.
    pinned[o]: GPUs that are had in any case (owned, accepted, or asked about); NaN where the plan decides.
    upfront[o]: $ paid at the start per GPU bought. held[o], spot[o]: kind. provider[o]: name.
    gpus[o]: GPUs that one unit of the tariff is; of a commitment in dollars the most that a dollar an hour may be, so
    that wherever this says GPUs it says dollars an hour there.
    """

    demand: Floats
    demanded: float
    weight: Floats
    rates: Floats
    running: Floats
    hours: Floats
    holding: Floats
    usage: Floats
    lot: Floats
    minimum: Floats
    maximum: Floats
    pinned: Floats
    upfront: Floats
    held: Bools
    spot: Bools
    provider: npt.NDArray[np.str_]
    gpus: Floats
    limits: Limits

    @property
    def coupled(self) -> bool:
        """Whether a limit ties GPU families together that share no workload and no offer."""
        limits = self.limits
        return bool(limits.providers) or min(limits.spot, limits.committed, limits.upfront_usd) < np.inf

    @property
    def unit_price(self) -> Floats:
        """Usage $ per GPU-hour of demand of each stream at each tariff; infinite where it may not run."""
        prices = np.full_like(self.rates, np.inf)
        return np.divide(self.usage, self.rates, out=prices, where=self.rates > 0)

    @property
    def endless(self) -> Bools:
        """Which tariffs always have another GPU: paid as they are used, in force in every hour, without a cap."""
        return np.asarray(~self.held & np.isinf(self.maximum) & (self.running > 0).all(axis=1))

    def with_terms(self, tariff: int, **terms: float) -> Problem:
        """Return the same problem with other terms for one tariff: `pinned=64, holding=0` for 64 GPUs for nothing."""
        changed = {name: getattr(self, name).copy() for name in terms}
        for name, value in terms.items():
            changed[name][tariff] = value
        return replace(self, **changed)


def problem_of(demand: Demand, tariffs: Iterable[Tariff], limits: Limits) -> Problem:
    """Write demand, tariffs and limits as numbers."""
    tariffs = tuple(tariffs)
    horizon_hours = float(demand.weight.sum())
    begins = sorted(set(demand.begins))
    place = {time: index for index, time in enumerate(begins)}
    slots = np.array([place[time] for time in demand.begins])
    kind = float if any(tariff.ramp for tariff in tariffs) else bool  # a large price book takes eight times less so
    calendar = np.array([[tariff.running(time) for time in begins] for tariff in tariffs], dtype=kind)
    running = calendar.reshape(len(tariffs), len(begins))[:, slots]
    rates = _rates(demand.streams, tariffs)
    dollars = np.array([tariff.in_dollars for tariff in tariffs], dtype=bool)
    return Problem(
        demand=demand.gpu_hours,
        demanded=float(demand.gpu_hours.sum(axis=0) @ demand.weight),
        weight=demand.weight,
        rates=rates,
        running=running,
        hours=calendar.reshape(len(tariffs), len(begins)) @ np.bincount(slots, demand.weight, len(begins)),
        holding=_column(tariff.holding for tariff in tariffs),
        usage=_column(tariff.usage for tariff in tariffs),
        lot=_column((tariff.lot or 0.0) if tariff.held else 0.0 for tariff in tariffs),
        minimum=_column(tariff.minimum if tariff.held else 0.0 for tariff in tariffs),
        maximum=_column(tariff.maximum for tariff in tariffs),
        pinned=_column(_pinned(tariff) for tariff in tariffs),
        upfront=_column(_upfront(tariff, horizon_hours) for tariff in tariffs),
        held=np.array([tariff.held for tariff in tariffs], dtype=bool),
        spot=np.array([tariff.spot for tariff in tariffs], dtype=bool),
        provider=np.array([tariff.provider for tariff in tariffs], dtype=str),
        gpus=np.where(dollars, rates.max(axis=0, initial=0.0), 1.0),
        limits=limits,
    )


def _rates(streams: Sequence[Stream], tariffs: Sequence[Tariff]) -> Floats:
    """Return how much of each stream's demand an hour of each tariff serves; a price book has few kinds of tariffs."""
    kinds = [(tariff.gpu_model, tariff.provider, tariff.region, tariff.spot, tariff.rates) for tariff in tariffs]
    first = {kind: index for index, kind in reversed(list(enumerate(kinds)))}
    place = {kind: column for column, kind in enumerate(first)}
    found = np.array([[tariffs[index].rate_for(stream) for index in first.values()] for stream in streams], dtype=float)
    return found.reshape(len(streams), len(first))[:, [place[kind] for kind in kinds]]


def _column(values: Iterable[float]) -> Floats:
    return np.fromiter(values, dtype=float)


def _pinned(tariff: Tariff) -> float:
    if tariff.owned is not None:
        return tariff.owned
    if tariff.status == "accepted" and tariff.held and tariff.block is not None:
        return tariff.block
    return np.nan


def _upfront(tariff: Tariff, horizon_hours: float) -> float:
    if tariff.owned is not None or not tariff.held:
        return 0.0
    return tariff.upfront_share * tariff.stated_holding * (tariff.paid_hours or horizon_hours)
