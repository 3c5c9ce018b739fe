"""Offers and commitments -> comparable terms: what a GPU-hour really costs, when, for whom, and in which quantities."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import polars as pl

from optimizer.demand import Horizon, Stream
from optimizer.limits import Limits
from providers.tables import HELD, HOURS_PER_MONTH, SPEND, Diagnostic


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
    ramp: tuple[RampStep, ...] = ()
    rates: tuple[Rate, ...] = ()

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
        return self.holding - self.adders + self.salvage if self.held else self.holding

    @property
    def stated_usage(self) -> float:
        """The price of using the capacity as the vendor states it."""
        return self.usage - self.salvage if self.held else self.advertised_usage

    @property
    def paid(self) -> float:
        """What is paid for having the capacity, whatever is resold of it."""
        return self.holding + self.salvage

    def as_stated(self, price: float) -> float:
        """Return a price that the program compares, of holding or else of usage, in the vendor's terms."""
        return (price - self.adders + self.salvage) / self.overhead

    def as_compared(self, price: float) -> float:
        """Return a price in the vendor's terms as the program compares it."""
        return price * self.overhead + self.adders - self.salvage

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

    def rate_for(self, stream: Stream) -> float:
        """Return how much of the stream's demand one GPU-hour serves, or one dollar; 0 where it may not."""
        if self.spot and not stream.interruptible:
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
    tau = checkpoint or 0.0
    saving = checkpoint_cost / tau if tau else 0.0
    losing = (tau / 2 + restart) / interruptions if interruptions else 0.0
    return 1.0 + saving + losing


def tariffs_of(
    offers: pl.DataFrame, commitments: pl.DataFrame | None, *, horizon: Horizon, limits: Limits
) -> tuple[tuple[Tariff, ...], list[Diagnostic]]:
    """Return the tariffs that a plan over the horizon may use, commitments first, and what was left out and why."""
    plans = _plans(offers)
    owned = [] if commitments is None else [_owned(row, plans) for row in commitments.iter_rows(named=True)]
    offered = [_tariff(row) for row in offers.iter_rows(named=True) if row["plan"] is None]
    offered += [_plan_tariff(rows[0] | {"offer_id": plan}, rows) for plan, rows in plans.items()]
    offered = [_from(tariff, horizon.start) for tariff in offered]
    owned = [_from(tariff, horizon.start) for tariff in owned]
    reasons = [(tariff, _reason_to_leave_out(tariff, horizon, limits)) for tariff in (*owned, *offered)]
    kept = tuple(tariff for tariff, reason in reasons if not reason)
    return kept, [_left_out(tariff, reason) for tariff, reason in reasons if reason]


def changes_in(tariffs: Iterable[Tariff]) -> set[datetime]:
    """Return every time at which some tariff begins or ends."""
    return {time for tariff in tariffs for time in tariff.changes}


def _reason_to_leave_out(tariff: Tariff, horizon: Horizon, limits: Limits) -> str:
    if tariff.status == "declined":
        return "it was declined"
    if unplanned := _unplanned(tariff):
        return unplanned
    if tariff.end is not None and tariff.end <= horizon.start:
        return f"it ended on {tariff.end:%Y-%m-%d}"
    if tariff.start is not None and tariff.start >= horizon.end:
        return f"it begins on {tariff.start:%Y-%m-%d}, after the plan ends"
    if tariff.owned is None and tariff.held and (tariff.term_months or 0) > limits.term_months:
        return f"its term of {tariff.term_months:g} months is above the limit term<={limits.term_months:g}mo"
    return ""


def _unplanned(tariff: Tariff) -> str:
    if tariff.purchase_option in SPEND:
        return "commitments to spend are not planned by this version"
    if tariff.owned is not None and math.isnan(tariff.owned):
        return "it is in dollars, and no offer names its plan, so that its rates are not known"
    return "it could be resold for more than it costs" if tariff.salvage and tariff.holding < 0 else ""


def _left_out(tariff: Tariff, reason: str) -> Diagnostic:
    level = "warning" if tariff.owned is not None or tariff.purchase_option in SPEND else "note"
    return Diagnostic(
        level=level,  # type: ignore[arg-type]
        code="offer-left-out",
        message=f"{tariff.offer_id} is not in the plan: {reason}",
        where=tariff.offer_id,
    )


def _from(tariff: Tariff, start: datetime) -> Tariff:
    """Let a ramp without a start begin with the plan; its end, where only a term says it, stays open to renewal."""
    return replace(tariff, start=start) if tariff.ramp and tariff.start is None else tariff


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


def _plans(offers: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return the rates of each commitment in dollars, by its name."""
    found: dict[str, list[dict[str, Any]]] = {}
    rates = offers.filter(pl.col("plan").is_not_null(), pl.col("status") != "declined")
    for row in rates.iter_rows(named=True):
        found.setdefault(row["plan"], []).append(row)
    return {plan: found[plan] for plan in sorted(found)}


def _owned(row: dict[str, Any], plans: Mapping[str, list[dict[str, Any]]]) -> Tariff:
    """Return a commitment; one in dollars at the rates at which its plan is on offer."""
    rates = plans.get(row["plan"] or "")
    return _plan_tariff(row, rates) if rates and row["gpus"] is None else _tariff(row)


def _plan_tariff(row: dict[str, Any], rates: Sequence[Mapping[str, Any]]) -> Tariff:
    """Return a commitment in dollars: a dollar costs a dollar, and of each GPU the cheapest machine counts."""
    prices: dict[tuple[str, str | None], float] = {}
    for rate in rates:
        place = (rate["gpu_model"], rate["region"])
        prices[place] = min(prices.get(place, math.inf), rate["holding_usd_per_gpu_hour"])
    regions = {region for _, region in prices}
    return replace(
        _tariff(row),
        provider=rates[0]["provider"],
        gpu_model="any",
        region=next(iter(regions)) if len(regions) == 1 else None,
        instance_type=None,
        holding=1.0,
        usage=0.0,
        adders=0.0,
        salvage=0.0,
        ramp=(),
        lot=None,
        minimum=0.0,
        maximum=math.inf,
        owned=row["usd_per_hour"] if "commitment_id" in row else None,
        rates=tuple(Rate(model, region, usd) for (model, region), usd in sorted(prices.items(), key=str) if usd > 0),
    )


def _tariff(row: Mapping[str, Any]) -> Tariff:
    owned = "commitment_id" in row
    overhead = spot_overhead(
        interruptions=row["mean_hours_between_interruptions"],
        restart=row["restart_hours"],
        checkpoint=row["checkpoint_hours"],
        checkpoint_cost=row["checkpoint_cost_hours"],
    )
    price, adders = row["usage_usd_per_gpu_hour"], row["adders_usd_per_gpu_hour"]
    held = row["purchase_option"] in HELD
    salvage = (row["salvage_usd_per_gpu_hour"] or 0.0) if held else 0.0
    start, term = row["start"], row["term_months"]
    end = row["end"] or (start + timedelta(hours=term * HOURS_PER_MONTH) if start and term else None)
    gpus = row["gpus"] if owned else None
    ramp, most = ramp_of(row["ramp"]) if held else ((), 0.0)
    return Tariff(
        offer_id=row["commitment_id"] if owned else row["offer_id"],
        provider=row["provider"],
        region=row["region"],
        gpu_model=row["gpu_model"],
        instance_type=row["instance_type"],
        purchase_option=row["purchase_option"],
        status=row["status"],
        holding=row["holding_usd_per_gpu_hour"] + (adders if held else 0.0) - salvage,
        usage=(price * overhead if row["purchase_option"] == "spot" else price) + (salvage if held else adders),
        advertised_usage=price,
        adders=adders,
        salvage=salvage,
        ramp=ramp,
        upfront_share=row["upfront_share"],
        term_months=term,
        start=start,
        end=end,
        lot=row["lot_gpus"],
        minimum=row["min_gpus"] or most,
        maximum=(most or math.inf) if row["max_gpus"] is None else row["max_gpus"],
        currency=row["currency"],
        owned=(math.nan if gpus is None else gpus) if owned else None,
    )
