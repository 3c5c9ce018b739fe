"""The options for a GPU, cheapest first, what the plan makes of them, and where their prices come from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from app.session import Session
    from app.tui.state import Desk
    from optimizer.plan import Plan, QuoteValue
    from optimizer.tariffs import Tariff

STALE_DAYS = 30
FORMS = re.compile(r"@[\d.e+]+$|\+[\d.]+mo$| (?:overage|burst|kept)$")  # a tier, a later date, a rider of an offer
ORIGINS = ("offer_id", "plan", "as_of", "source", "confidence", "holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a price comes from: the day on which it was true, None where nobody knows, its age then, and its source.

    typed: whether it is another than the one that was read.
    """

    day: date | None = None
    age_days: int | None = None
    source: str = ""
    confidence: str = ""
    typed: bool = False

    @property
    def stale(self) -> bool:
        """Whether the price is old, or of unknown age."""
        return self.age_days is None or self.age_days > STALE_DAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One tariff on the market.

    listed, effective: $ per GPU-hour, as its vendor states it, and of a useful hour if all is used.
    gpus: what the plan has of it, for pay-as-you-go on average over the hours; None before there is a plan.
    value: what a quote is worth. was, value_was: the same before the last change.
    """

    tariff: Tariff
    listed: float
    effective: float
    origin: Origin
    gpus: float | None
    value: QuoteValue | None
    was: Tariff | None
    value_was: QuoteValue | None

    @property
    def quote(self) -> bool:
        """Whether its price can still move."""
        return self.tariff.status == "quote"


def listed(tariff: Tariff, gpu_model: str | None = None) -> float:
    """Return what its vendor states for a GPU-hour that is used; of a commitment in dollars, what it draws."""
    if tariff.in_dollars:
        return _rate(tariff, gpu_model)
    return tariff.stated_holding + tariff.stated_usage if tariff.held else tariff.advertised_usage


def effective(tariff: Tariff, gpu_model: str | None = None) -> float:
    """Return what a useful GPU-hour costs if all of it is used."""
    return _rate(tariff, gpu_model) if tariff.in_dollars else tariff.holding + tariff.usage


def _rate(tariff: Tariff, gpu_model: str | None) -> float:
    """Return the lowest rate of a commitment in dollars, for one GPU model or for any."""
    rates = [rate.usd for rate in tariff.rates if gpu_model in {None, rate.gpu_model}]
    return min(rates or [rate.usd for rate in tariff.rates])


def options_of(desk: Desk, gpu_model: str | None) -> list[Option]:
    """Return what is on offer for a GPU model, or every quote where none is given."""
    offers = [tariff for tariff in desk.tariffs if tariff.owned is None]
    quotes = [tariff for tariff in offers if tariff.status == "quote"]
    chosen = quotes if gpu_model is None else [tariff for tariff in offers if gpu_model in tariff.models]
    gpus = gpus_in(desk.plan)
    values, values_before = values_of(desk.plan), values_of(desk.plan_before)
    solved_before = desk.before.solved if desk.before else None
    before = {tariff.offer_id: tariff for tariff in (solved_before.tariffs if solved_before else ())}
    origins = origins_of(desk, {tariff.offer_id for tariff in chosen})
    return [
        Option(
            tariff=tariff,
            listed=listed(tariff, gpu_model),
            effective=effective(tariff, gpu_model),
            origin=origins[tariff.offer_id],
            gpus=gpus.get(tariff.offer_id, 0.0) if desk.plan else None,
            value=values.get(tariff.offer_id),
            was=before.get(tariff.offer_id),
            value_was=values_before.get(tariff.offer_id),
        )
        for tariff in sorted(chosen, key=lambda tariff: (effective(tariff, gpu_model), tariff.offer_id))
    ]


def origins_of(desk: Desk, names: Collection[str]) -> dict[str, Origin]:
    """Return where the prices of tariffs come from; those of which no offer is known come from nowhere."""
    session = desk.shown.session if desk.shown else desk.session
    if desk.history is None or session is None:
        return dict.fromkeys(names, Origin())
    bases = {name: _bases(name) for name in names}
    wanted = {base for each in bases.values() for base in each}
    rows, read = _rows(session, wanted), _rows(desk.history.steps[0].session, wanted)
    places = {name: next((base for base in each if base in rows), None) for name, each in bases.items()}
    return {
        name: _origin(rows[place], read.get(place), session.inputs.now.date()) if place is not None else Origin()
        for name, place in places.items()
    }


def _bases(name: str) -> list[str]:
    """Return a tariff's name, and those of the offers that it may be a form of: `quote+3mo@64 kept` of `quote`."""
    found = [name]
    while (base := FORMS.sub("", found[-1])) != found[-1]:
        found.append(base)
    return found


def _rows(session: Session, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the rows of offers; of a commitment in dollars its first rate."""
    import polars as pl

    offers = session.inputs.offers
    mine = offers.filter(
        pl.col("offer_id").is_in(list(names)) | pl.col("plan").is_in(list(names)).fill_null(value=False)
    )
    found: dict[str, dict[str, Any]] = {}
    for row in mine.select(ORIGINS).sort("offer_id").iter_rows(named=True):
        found.setdefault(row["plan"] or row["offer_id"], row)
    return found


def _origin(row: Mapping[str, Any], read: Mapping[str, Any] | None, now: date) -> Origin:
    day = _day(row["as_of"])
    return Origin(
        day=day,
        age_days=None if day is None else (now - day).days,
        source=row["source"] or "",
        confidence=row["confidence"] or "",
        typed=read is None or any(row[name] != read[name] for name in ORIGINS[-2:]),
    )


def _day(as_of: str | None) -> date | None:
    try:
        return date.fromisoformat((as_of or "")[:10])
    except ValueError:
        return None


def values_of(plan: Plan | None) -> dict[str, QuoteValue]:
    """Return what each quote is worth."""
    return {value.tariff.offer_id: value for value in plan.walk_away} if plan else {}


def gpus_in(plan: Plan | None) -> dict[str, float]:
    """Return the GPUs bought of each offer; of pay-as-you-go, the mean in use."""
    if plan is None:
        return {}
    found: dict[str, float] = {}
    for service in plan.mix:
        if not service.tariff.held:
            offer, gpus = service.tariff.offer_id, service.gpu_hours / plan.summary.hours
            found[offer] = found.get(offer, 0.0) + gpus
    return found | {purchase.tariff.offer_id: purchase.gpus for purchase in plan.purchases}
