"""Several futures in one program: what is bought now is shared by all of them, what is bought later may differ.

Each future has its own demand, its own prices and its own stretches of time, which count with its probability. An offer
that is bought, or priced, at the start in every future is one tariff of all of them; anything that is decided later,
when more is known, is a tariff of its own in each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

import numpy as np

from optimizer.demand import Demand, Horizon
from optimizer.edits import Change
from optimizer.ladder import PriceMove, after
from optimizer.problem import Bools, Ints, Outlook, Timeline, stretches_of
from optimizer.streams import Stream
from optimizer.tariffs import Tariff, changes_in

NAMED = 3  # scenarios that a name lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Drought:
    """Spot that is not to be had from a month after the start until another; gpu_model, provider: globs."""

    gpu_model: str
    provider: str
    from_month: float
    until_month: float

    def spared(self, tariff: Tariff, horizon: Horizon) -> list[Tariff]:
        """Return what is left of a tariff: nothing of spot within the drought."""
        named = fnmatchcase(tariff.gpu_model, self.gpu_model) and fnmatchcase(tariff.provider, self.provider)
        if not tariff.spot or not named:
            return [tariff]
        dry, wet = after(horizon.start, self.from_month), after(horizon.start, self.until_month)
        before = replace(tariff, end=min(tariff.end or dry, dry))
        later = replace(tariff, start=max(tariff.start or wet, wet))
        return [one for one in (before, later) if _lasts(one, horizon)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One future and its probability: changes of the demand, price moves and droughts on top of what is expected."""

    name: str
    probability: float
    changes: tuple[Change, ...] = ()
    moves: tuple[PriceMove, ...] = ()
    droughts: tuple[Drought, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Future:
    """What a plan meets in one scenario."""

    scenario: Scenario
    demand: Demand
    tariffs: tuple[Tariff, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """All futures as one: demand whose hours count with their probability, tariffs, and when each is there."""

    demand: Demand
    tariffs: tuple[Tariff, ...]
    timeline: Timeline


def in_drought(tariffs: Sequence[Tariff], scenario: Scenario, horizon: Horizon) -> tuple[Tariff, ...]:
    """Return the tariffs without the spot that a scenario takes away."""
    for drought in scenario.droughts:
        tariffs = [left for tariff in tariffs for left in drought.spared(tariff, horizon)]
    return tuple(tariffs)


def joined(futures: Sequence[Future]) -> Joined:
    """Join futures of the same horizon, one for each scenario."""
    demand = _demand(futures)
    tariffs, present = _tariffs(futures)
    times = changes_in(tariffs)
    stretch: list[Ints] = []
    begins: list[datetime] = []
    outlook: list[int] = []
    for index, future in enumerate(futures):
        mine, starts = stretches_of(future.demand, times)
        stretch.append(mine + len(begins))
        begins += starts
        outlook += [index] * len(starts)
    scenario = np.array(outlook)
    names = tuple(future.scenario.name for future in futures)
    chances = np.array([future.scenario.probability for future in futures])
    return Joined(
        demand=demand,
        tariffs=tariffs,
        timeline=Timeline(
            stretch=np.concatenate(stretch),
            begins=tuple(begins),
            present=present[:, scenario],
            outlook=Outlook(names=names, probability=chances, scenario=scenario),
        ),
    )


def _demand(futures: Sequence[Future]) -> Demand:
    """Set the futures side by side; a stream that one of them lacks needs nothing there."""
    first = futures[0].demand
    place: dict[tuple[object, ...], int] = {}
    streams: list[Stream] = []
    for future in futures:
        for stream in future.demand.streams:
            if _identity(stream) not in place:
                place[_identity(stream)] = len(streams)
                streams.append(stream)
    blocks = []
    for future in futures:
        block = np.zeros((len(streams), len(future.demand.weight)))
        block[[place[_identity(stream)] for stream in future.demand.streams]] = future.demand.gpu_hours
        blocks.append(block)
    weights = [future.demand.weight * future.scenario.probability for future in futures]
    return replace(
        first,
        streams=tuple(streams),
        gpu_hours=np.hstack(blocks),
        weight=np.concatenate(weights),
        history_hour=np.concatenate([future.demand.history_hour for future in futures]),
        begins=tuple(time for future in futures for time in future.demand.begins),
        diagnostics=tuple(dict.fromkeys(found for future in futures for found in future.demand.diagnostics)),
    )


def _identity(stream: Stream) -> tuple[object, ...]:
    return (
        stream.workload,
        stream.gpu_model,
        stream.interruptible,
        stream.providers,
        stream.regions,
        tuple(sorted(stream.runs_on.items())),
        stream.home,
    )


def _tariffs(futures: Sequence[Future]) -> tuple[tuple[Tariff, ...], Bools]:
    """Return the tariffs of all futures, and present[o, s], whether each is one of scenario s.

    What is decided later is a tariff of its own in each future, and so is named.
    """
    place: dict[object, int] = {}
    found: list[Tariff] = []
    there: list[tuple[int, int]] = []
    for index, future in enumerate(futures):
        own = {tariff.offer_id for tariff in future.tariffs if tariff.later}
        for tariff in future.tariffs:
            apart = tariff.later or tariff.parent in own
            key = (tariff, index if apart else -1)
            if key not in place:
                place[key] = len(found)
                found.append(_named(tariff, future.scenario.name, own) if apart else tariff)
            there.append((place[key], index))
    present = np.zeros((len(found), len(futures)), dtype=bool)
    present[tuple(np.array(there).T)] = True
    names = np.array([future.scenario.name for future in futures])
    said = (_said(tariff, list(names[row]), of=len(names)) for tariff, row in zip(found, present, strict=True))
    return tuple(said), present


def _said(tariff: Tariff, scenarios: Sequence[str], *, of: int) -> Tariff:
    """Name pay-as-you-go whose price is that of some scenarios."""
    if tariff.held or len(scenarios) == of:
        return tariff
    few = " or ".join(scenarios) if len(scenarios) <= NAMED else f"one of {len(scenarios)} scenarios"
    return replace(tariff, offer_id=f"{tariff.offer_id} if {few}")


def _named(tariff: Tariff, scenario: str, own: set[str]) -> Tariff:
    parent = f"{tariff.parent} if {scenario}" if tariff.parent in own else tariff.parent
    exclusive = f"{tariff.exclusive} if {scenario}" if tariff.exclusive else None
    return replace(tariff, offer_id=f"{tariff.offer_id} if {scenario}", parent=parent, exclusive=exclusive)


def _lasts(tariff: Tariff, horizon: Horizon) -> bool:
    start, end = tariff.start or horizon.start, tariff.end or horizon.end
    return start < end and end > horizon.start and start < horizon.end
