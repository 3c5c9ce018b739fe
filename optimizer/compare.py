"""Plan against plan: what changed, and how much of the difference in cost each cause explains.

Two plans say what they were made from and what they came to; they do not hold the inputs, so nothing is solved again.
Where one input differs, the whole difference is due to it. Where several do, each part is what that input alone does to
the old plan's quantities (Laspeyres), and what remains, since the plan was rearranged, is due to all of them together.
The parts always add up to the difference exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Cause = Literal["horizon", "demand", "price", "commitment", "limit", "settings", "program", "together"]
What = Literal["purchase", "commitment", "price", "served", "limit"]
CAUSES: tuple[Cause, ...] = ("horizon", "demand", "price", "commitment", "limit", "settings", "program")
STEP = Decimal("0.000001")  # what a plan file writes money in
LARGEST = 1e20  # $: beyond it a decimal of 28 digits no longer holds the cents
SAME_PRICE = 2e-6  # $ per GPU-hour: what writing money so may change a price by
SAME_HOURS = 0.01  # GPU-hours over the horizon: less is not written
SAME = 1e-9  # relative difference below which two quantities are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A purchase or a commitment: GPUs (dollars an hour if sold in them), and its prices in $ per GPU-hour.

    paid_hours, used_hours: GPU-hours over the horizon.
    """

    quantity: float
    unit: str
    term: str
    holding: Decimal
    usage: Decimal
    paid_hours: float
    used_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """GPU-hours over the horizon, and what they cost."""

    gpu_hours: float
    cost: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a comparison has to know of a plan.

    cost, existing: over the horizon, and what owned commitments are of it. hours, gpu_hours: planned and demanded.
    work: what serves each workload. spot_and_on_demand: the same by workload and offer, where it is paid as it is used.
    inputs: a fingerprint of what stands behind each cause.
    """

    cost: Decimal
    existing: Decimal
    hours: float
    gpu_hours: float
    work: Mapping[str, Use]
    spot_and_on_demand: Mapping[tuple[str, str], Use]
    purchases: Mapping[str, Held]
    commitments: Mapping[str, Held]
    limits: Mapping[str, str]
    inputs: Mapping[Cause, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The $ of the difference that a cause explains, and how that was found."""

    cause: Cause
    usd: Decimal
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not as it was; None where it is new or gone."""

    what: What
    name: str
    before: float | str | None
    after: float | str | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """New against old: the difference in cost, its parts, the inputs that differ, and everything that changed."""

    difference: Decimal
    parts: tuple[Part, ...]
    causes: tuple[Cause, ...]
    changes: tuple[Change, ...]

    @property
    def differs(self) -> bool:
        """Whether anything is not as it was, or the cost differs by a cent."""
        return bool(self.changes) or abs(self.difference) >= Decimal("0.01")


def compared(old: Snapshot, new: Snapshot) -> Comparison:
    """Compare two plans in one currency."""
    causes = tuple(cause for cause in CAUSES if old.inputs.get(cause) != new.inputs.get(cause))
    difference = new.cost - old.cost
    parts = tuple(part for part in _parts(old, new, causes) if part.usd)
    return Comparison(difference=difference, parts=parts, causes=causes, changes=tuple(_changes(old, new)))


def _parts(old: Snapshot, new: Snapshot, causes: tuple[Cause, ...]) -> list[Part]:
    difference = new.cost - old.cost
    if not causes:
        return [Part(cause="together", usd=difference, because="no input differs: within the gap of the two plans")]
    if len(causes) == 1:
        return [Part(cause=causes[0], usd=difference, because="nothing else differs")]
    direct = [
        _part("horizon", _longer(old, new), "other hours planned, at the old cost an hour"),
        _part("demand", _demanded(old, new), "more or fewer GPU-hours, at the old cost of each workload"),
        _part("price", _priced(old, new), "other prices of what was in use, at the old quantities"),
        _part("commitment", _owned(old, new), "what is paid for commitments that are owned"),
    ]
    rest = difference - sum((part.usd for part in direct), Decimal(0))
    names = " and ".join(", ".join(causes).rsplit(", ", 1))
    return [
        *direct,
        Part(cause="together", usd=rest, because=f"what is bought and used otherwise, after {names} changed"),
    ]


def _part(cause: Cause, usd: float, because: str) -> Part:
    """Return a part; figures that no plan has come to nothing, and so to what is due to all together."""
    known = Decimal(usd).quantize(STEP) if abs(usd) < LARGEST else Decimal(0)
    return Part(cause=cause, usd=known, because=because)


def _scale(old: Snapshot, new: Snapshot) -> float:
    return new.hours / old.hours if old.hours else 1.0


def _longer(old: Snapshot, new: Snapshot) -> float:
    """Return C · (H' / H - 1), for the cost C of the H hours of the old plan and the H' hours of the new one."""
    return float(old.cost) * (_scale(old, new) - 1)


def _demanded(old: Snapshot, new: Snapshot) -> float:
    """Return the sum of (G' - G · H' / H) · c / G over workloads; those that are new cost what they do now.

    Where GPU-hours served are not GPU-hours demanded, because some run on another model, only the totals are compared.
    """
    scale = _scale(old, new)
    if not (_counts_demand(old) and _counts_demand(new)):
        return _rate(old.gpu_hours, float(old.cost)) * (new.gpu_hours - old.gpu_hours * scale)
    return sum(_moved(old.work.get(name), new.work.get(name), scale) for name in sorted({*old.work, *new.work}))


def _counts_demand(plan: Snapshot) -> bool:
    served = sum(use.gpu_hours for use in plan.work.values())
    return abs(served - plan.gpu_hours) <= 1e-6 * max(plan.gpu_hours, 1.0)


def _moved(before: Use | None, after: Use | None, scale: float) -> float:
    if before is None or not before.gpu_hours:
        return float(after.cost) if after else 0.0
    now = after.gpu_hours if after else 0.0
    return _rate(before.gpu_hours, float(before.cost)) * (now - before.gpu_hours * scale)


def _rate(gpu_hours: float, cost: float) -> float:
    return cost / gpu_hours if gpu_hours else 0.0


def _priced(old: Snapshot, new: Snapshot) -> float:
    """Return the sum of (price' - price) · old GPU-hours, over what both plans use or buy."""
    scale = _scale(old, new)
    going = sum(
        _step(old.spot_and_on_demand[key], new.spot_and_on_demand[key]) * old.spot_and_on_demand[key].gpu_hours
        for key in sorted(old.spot_and_on_demand.keys() & new.spot_and_on_demand.keys())
    )
    held = sum(
        float(new.purchases[name].holding - old.purchases[name].holding) * old.purchases[name].paid_hours
        + float(new.purchases[name].usage - old.purchases[name].usage) * old.purchases[name].used_hours
        for name in sorted(old.purchases.keys() & new.purchases.keys())
        if old.purchases[name].unit == new.purchases[name].unit == "GPUs"
    )
    return scale * (going + held)


def _step(before: Use, after: Use) -> float:
    """Return how much dearer a GPU-hour became; 0 where it is only written differently."""
    step = _rate(after.gpu_hours, float(after.cost)) - _rate(before.gpu_hours, float(before.cost))
    return step if abs(step) > SAME_PRICE and min(before.gpu_hours, after.gpu_hours) >= 1 else 0.0


def _owned(old: Snapshot, new: Snapshot) -> float:
    return float(new.existing) - float(old.existing) * _scale(old, new)


def _changes(old: Snapshot, new: Snapshot) -> Iterator[Change]:
    yield from _held_changes("purchase", old.purchases, new.purchases)
    yield from _held_changes("commitment", old.commitments, new.commitments)
    yield from _price_changes(old, new)
    for name in sorted({*old.work, *new.work}):
        before, after = (plan.work[name].gpu_hours if name in plan.work else None for plan in (old, new))
        if not _same(before, after, within=SAME_HOURS):
            yield Change(what="served", name=name, before=before, after=after, unit="GPU-hours")
    for name in sorted({*old.limits, *new.limits}):
        if old.limits.get(name) != new.limits.get(name):
            yield Change(what="limit", name=name, before=old.limits.get(name), after=new.limits.get(name), unit="")


def _held_changes(what: What, old: Mapping[str, Held], new: Mapping[str, Held]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        sizes = [None if held is None else held.quantity for held in (before, after)]
        if not _same(*sizes):
            yield Change(what=what, name=name, before=sizes[0], after=sizes[1], unit=(after or before or _NOTHING).unit)
        if before and after and before.term != after.term:
            yield Change(what=what, name=name, before=before.term, after=after.term, unit="")


def _price_changes(old: Snapshot, new: Snapshot) -> Iterator[Change]:
    before, after = _prices(old), _prices(new)
    for name in sorted(before.keys() & after.keys()):
        if abs(before[name] - after[name]) > SAME_PRICE:
            yield Change(what="price", name=name, before=before[name], after=after[name], unit="per GPU-hour")


def _prices(plan: Snapshot) -> dict[str, float]:
    """Return the price of each offer in use: of holding it, or on average of using it."""
    used: dict[str, list[Use]] = {}
    for (_, offer), use in sorted(plan.spot_and_on_demand.items()):
        used.setdefault(offer, []).append(use)
    going = {offer: _mean(uses) for offer, uses in used.items() if sum(use.gpu_hours for use in uses) >= 1}
    held = {**plan.commitments, **plan.purchases}
    return going | {name: float(one.holding) for name, one in held.items() if one.unit == "GPUs"}


def _mean(uses: Iterable[Use]) -> float:
    uses = list(uses)
    return _rate(sum(use.gpu_hours for use in uses), float(sum((use.cost for use in uses), Decimal(0))))


def _same(before: float | None, after: float | None, *, within: float = 0.0) -> bool:
    if before is None or after is None:
        return before is after
    return abs(after - before) <= max(within, SAME * max(abs(before), abs(after)))


_NOTHING = Held(
    quantity=0.0, unit="GPUs", term="", holding=Decimal(0), usage=Decimal(0), paid_hours=0.0, used_hours=0.0
)
