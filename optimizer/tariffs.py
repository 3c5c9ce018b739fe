"""Comparable terms: what a GPU-hour really costs, when, for whom, and in which quantities."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, Protocol

from optimizer.demand import Stream
from providers.tables import HELD, HOURS_PER_MONTH

Rider = Literal["", "overage", "burst", "kept"]


class RampStep(NamedTuple):
    """From so many months after the start on, this share of the GPUs bought is there."""

    months: float
    share: float


class Rate(NamedTuple):
    """What a GPU-hour of a model in a region (None: in all) draws from a commitment in dollars."""

    gpu_model: str
    region: str | None
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """One offer, or one commitment already owned, in the terms the program compares.

    holding: $ per GPU and hour of having the capacity.
    usage: $ per useful GPU-hour, for spot the effective rate; advertised_usage is what the provider shows.
    adders: $ per GPU-hour that the vendor takes beside its price, for support or storage; part of holding where the
        capacity is held, of usage where it is not.
    start, end: the hours it can serve; None for as long as the plan.
    term_hours: what one commitment is paid for; None where it has no term.
    lot: sold in whole multiples of this; None for any amount.
    owned: the GPUs of a commitment that already runs; None for an offer.
    ramp: shares of the GPUs bought that are there, and paid for, from a month after the start on; empty where all are.
    salvage: $ per GPU-hour that is held and not used, for which it is resold. It is taken off holding and added to
        usage, which comes to the same.
    capital: what a dollar of the price costs with the capital that paying some of it at the start ties up.
    rider, parent: what it is of another offer: "overage", GPUs above those that are bought, paid as they are used;
        "burst", a right to add some; "kept", those that are not given back when they may be. No more than `ratio` can
        be had for each GPU of the parent. Where `least` is not 0 all can be had, but only if so much of the parent is.
    exclusive: of the offers that share this name at most one is bought.
    month: how many months after the start of the plan it is bought.
    lost: of spot, the part of its overhead that interruptions of one node cause: hours lost per useful hour.
    node_gpus: GPUs of one node. room: the most GPUs that are there at once: a gang that is larger does not fit.
    pool: which spot pool it is of, at whatever price and time; empty for what is not spot.
    rates: of a commitment in dollars, what a GPU-hour draws from it, by GPU model and region. Its unit is a dollar an
        hour instead of a GPU: holding is $ per dollar, and quantities of it are dollars an hour.
    """

    offer_id: str
    provider: str
    region: str | None
    gpu_model: str
    instance_type: str | None
    purchase_option: str
    status: str
    holding: float
    usage: float
    advertised_usage: float
    upfront_share: float
    term_months: float | None
    start: datetime | None
    end: datetime | None
    lot: float | None
    minimum: float
    maximum: float
    owned: float | None
    currency: str
    adders: float = 0.0
    salvage: float = 0.0
    capital: float = 1.0
    ramp: tuple[RampStep, ...] = ()
    rider: Rider = ""
    parent: str | None = None
    ratio: float = math.inf
    least: float = 0.0
    exclusive: str | None = None
    month: float = 0.0
    lost: float = 0.0
    node_gpus: float = 1.0
    room: float = math.inf
    pool: str = ""
    rates: tuple[Rate, ...] = ()

    @property
    def later(self) -> bool:
        """Whether it is decided on after the start, when more is known."""
        return self.held and self.owned is None and (self.month > 0 or self.rider == "kept")

    @property
    def beyond(self) -> bool:
        """Whether it is used beyond what is held, and paid as it is used."""
        return self.rider == "overage"

    @property
    def listed(self) -> bool:
        """Whether its price is a list price, which a vendor takes a discount off."""
        return self.status == "list" and self.owned is None and self.rider in ("", "kept")

    @property
    def in_dollars(self) -> bool:
        """Whether dollars an hour are committed, not GPUs."""
        return bool(self.rates)

    @property
    def models(self) -> frozenset[str]:
        """The GPU models that it gives."""
        return frozenset(rate.gpu_model for rate in self.rates) or frozenset({self.gpu_model})

    @property
    def held(self) -> bool:
        """Whether the capacity is paid for as long as it is held."""
        return self.purchase_option in HELD

    @property
    def spot(self) -> bool:
        """Whether the capacity may be taken away."""
        return self.purchase_option == "spot"

    @property
    def overhead(self) -> float:
        """Hours paid per useful hour: above 1 on spot, whose price a vendor states per hour paid."""
        if self.held or not self.advertised_usage:
            return 1.0
        return (self.usage - self.adders) / self.advertised_usage

    @property
    def stated_holding(self) -> float:
        """The price of having the capacity as the vendor states it."""
        return (self.holding - self.adders + self.salvage) / self.capital if self.held else self.holding

    @property
    def stated_usage(self) -> float:
        """The price of using the capacity as the vendor states it."""
        return self.usage - self.salvage if self.held else self.advertised_usage

    @property
    def paid(self) -> float:
        """What is paid for having the capacity, whatever is resold of it and whenever it is paid."""
        return self.stated_holding + self.adders if self.held else self.holding

    def as_stated(self, price: float) -> float:
        """Return a price that the program compares, of holding or else of usage, in the vendor's terms."""
        return (price - self.adders + self.salvage) / (self.overhead * self.capital)

    def as_compared(self, price: float) -> float:
        """Return a price in the vendor's terms as the program compares it."""
        return price * self.overhead * self.capital + self.adders - self.salvage

    @property
    def term_hours(self) -> float | None:
        """Hours that one commitment is paid for: its term, or else its dated window."""
        if self.term_months is not None:
            return self.term_months * HOURS_PER_MONTH
        if self.start is not None and self.end is not None:
            return (self.end - self.start) / timedelta(hours=1)
        return None

    @property
    def paid_hours(self) -> float | None:
        """Hours of its term that one GPU of it is paid for: fewer than all where it ramps up."""
        term = self.term_hours
        if term is None or not self.ramp:
            return term
        begins = [step.months * HOURS_PER_MONTH for step in self.ramp]
        spans = zip(self.ramp, begins, [*begins[1:], term], strict=True)
        return sum(step.share * max(min(until, term) - min(since, term), 0.0) for step, since, until in spans)

    @property
    def changes(self) -> list[datetime]:
        """Times at which it begins, ends, or has another number of GPUs."""
        ramped = [self._after(step) for step in self.ramp] if self.start else []
        return [time for time in (self.start, self.end, *ramped) if time is not None]

    @property
    def block(self) -> float | None:
        """The quantity the vendor is talking about: the minimum, else one lot, else the maximum; None if open."""
        lot = self.lot or 0.0
        if self.minimum > 0:
            return math.ceil(self.minimum / lot - 1e-9) * lot if lot else self.minimum
        if lot > 1:
            return lot
        return self.maximum if math.isfinite(self.maximum) else None

    def running(self, begins: datetime) -> float:
        """Return the share of its GPUs that can serve in the hour or stretch that begins then."""
        if (self.start is not None and begins < self.start) or (self.end is not None and self.end <= begins):
            return 0.0
        there = [step.share for step in self.ramp if self._after(step) <= begins]
        return there[-1] if there else float(not self.ramp)

    def _after(self, step: RampStep) -> datetime:
        if self.start is None:
            raise ValueError(f"{self.offer_id} ramps up from a start that nobody set")
        return self.start + timedelta(hours=step.months * HOURS_PER_MONTH)

    def nodes_of(self, stream: Stream) -> float:
        """Return how many of its nodes a gang of the stream takes, so that it is interrupted as many times as often."""
        return max(stream.gang_gpus / self.node_gpus, 1.0)

    def rate_for(self, stream: Stream) -> float:
        """Return how much of the stream's demand one GPU-hour serves, or one dollar; 0 where it may not."""
        return self._served(stream) * stream.quality.get(self.provider, 1.0)

    def _served(self, stream: Stream) -> float:
        if (self.spot and not stream.interruptible) or self.room < stream.gang_gpus:
            return 0.0
        if stream.providers is not None and self.provider not in stream.providers:
            return 0.0
        if self.in_dollars:
            served = (
                stream.runs_on.get(rate.gpu_model, 0.0) / rate.usd for rate in self.rates if _may(stream, rate.region)
            )
            return max(served, default=0.0)
        return stream.runs_on.get(self.gpu_model, 0.0) if _may(stream, self.region) else 0.0


def _may(stream: Stream, region: str | None) -> bool:
    """Return whether a stream may be served in a region."""
    if stream.regions is None or region is None:
        return True
    return any(fnmatchcase(region, pattern) for pattern in stream.regions)


def spot_overhead(
    *, interruptions: float | None, restart: float, checkpoint: float | None, checkpoint_cost: float
) -> float:
    """Return hours paid per useful hour on spot: 1 + δ/τ + (τ/2 + r)/M.

    Args:
        interruptions: M, mean hours between interruptions; None where nobody knows, then none are counted.
        restart: r, hours to come back after one.
        checkpoint: τ, hours between two checkpoints; None where there are none to lose or to pay.
        checkpoint_cost: δ, hours that one checkpoint costs.
    """
    saving = checkpoint_cost / checkpoint if checkpoint else 0.0
    return 1.0 + saving + spot_lost(interruptions=interruptions, restart=restart, checkpoint=checkpoint)


def spot_lost(*, interruptions: float | None, restart: float, checkpoint: float | None) -> float:
    """Return hours lost to interruptions of one node per useful hour: (τ/2 + r)/M, as in `spot_overhead`."""
    return ((checkpoint or 0.0) / 2 + restart) / interruptions if interruptions else 0.0


class Dated(Protocol):
    """Something that begins, ends or changes at known times."""

    @property
    def changes(self) -> list[datetime]:
        """Those times."""
        ...


def changes_in(dated: Iterable[Dated]) -> set[datetime]:
    """Return every time at which something changes."""
    return {time for each in dated for time in each.changes}


def ramp_of(text: str | None) -> tuple[tuple[RampStep, ...], float]:
    """Read a ramp, and the most GPUs that it comes to.

    >>> ramp_of("64@1 128@4")
    ((RampStep(months=0.0, share=0.5), RampStep(months=3.0, share=1.0)), 128.0)
    """
    if not text:
        return (), 0.0
    steps = sorted((float(month) - 1, float(gpus)) for gpus, month in (step.split("@") for step in text.split()))
    most = max(gpus for _, gpus in steps)
    return tuple(RampStep(month, gpus / most) for month, gpus in steps), most
