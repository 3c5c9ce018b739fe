"""The options for a GPU, cheapest first, and what the plan makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.tui.state import Desk
    from optimizer.plan import Plan, QuoteValue
    from optimizer.tariffs import Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One tariff on the market.

    gpus: what the plan has of it, for pay-as-you-go on average over the hours; None before there is a plan.
    value: what a quote is worth. was, value_was: the same before the last change.
    """

    tariff: Tariff
    gpus: float | None
    value: QuoteValue | None
    was: Tariff | None
    value_was: QuoteValue | None

    @property
    def quote(self) -> bool:
        """Whether its price can still move."""
        return self.tariff.status == "quote"


def effective(tariff: Tariff) -> float:
    """Return what a useful GPU-hour costs if all of it is used."""
    return tariff.holding + tariff.usage


def options_of(desk: Desk, gpu_model: str | None) -> list[Option]:
    """Return what is on offer for a GPU model, or every quote where none is given."""
    offers = [tariff for tariff in desk.tariffs if tariff.owned is None]
    quotes = [tariff for tariff in offers if tariff.status == "quote"]
    chosen = quotes if gpu_model is None else [tariff for tariff in offers if tariff.gpu_model == gpu_model]
    gpus = gpus_in(desk.plan)
    values, values_before = values_of(desk.plan), values_of(desk.plan_before)
    solved_before = desk.before.solved if desk.before else None
    before = {tariff.offer_id: tariff for tariff in (solved_before.tariffs if solved_before else ())}
    return [
        Option(
            tariff=tariff,
            gpus=gpus.get(tariff.offer_id, 0.0) if desk.plan else None,
            value=values.get(tariff.offer_id),
            was=before.get(tariff.offer_id),
            value_was=values_before.get(tariff.offer_id),
        )
        for tariff in sorted(chosen, key=lambda tariff: (effective(tariff), tariff.offer_id))
    ]


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
