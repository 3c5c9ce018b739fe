"""A plan as CSV: what is bought, owned and used as it goes, a line each, and the total at the end."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from app.reports.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.reports.planfile import PlanFile, Purchase, Service, Spend

COLUMNS = (
    "line", "offer_id", "provider", "region", "gpu_model", "purchase_option", "gpus", "lots", "gpu_hours", "start",
    "end", "term_months", "holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour", "upfront", "total_commitment",
    "utilization", "break_even_utilization", "walk_away_usd_per_gpu_hour", "currency", "cost",
    "existing_commitment_cost", "on_demand_cost", "current_cost", "savings", "effective_savings_rate", "coverage",
    "lower_bound", "because",
)  # fmt: skip
QUOTE_COLUMNS = (
    "offer_id", "provider", "gpu_model", "purchase_option", "gpus", "quoted_usd_per_gpu_hour",
    "walk_away_usd_per_gpu_hour", "next_gpu_usd_per_gpu_hour", "headroom", "verdict", "because", "next_because",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(plan: PlanFile) -> str:
    """Return the report; the costs of the lines add up to the cost of the line `total`."""
    held = {bought.offer_id for bought in (*plan.purchases, *plan.commitments)}
    hours = _hours(plan.mix)
    rows = [
        *(_bought("purchase", bought, hours) for bought in plan.purchases),
        *(_bought("commitment", owned, hours) for owned in plan.commitments),
        *_as_it_goes([service for service in plan.mix if service.offer_id not in held], hours),
        *(_spent(spend) for spend in plan.spends if spend.taken),
        _total(plan),
    ]
    return write(COLUMNS, ({**row, "currency": plan.currency} for row in rows))


def write(names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as CSV; no cell of text is a formula to a spreadsheet."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(name, value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _bought(line: str, bought: Purchase, hours: Mapping[str, float]) -> dict[str, object]:
    fields = {name: getattr(bought, name) for name in COLUMNS if hasattr(bought, name)}
    return {"line": line, **fields, "gpu_hours": hours.get(bought.offer_id, 0.0)}


def _as_it_goes(services: Sequence[Service], hours: Mapping[str, float]) -> list[dict[str, object]]:
    costs: defaultdict[str, Decimal] = defaultdict(Decimal)
    for service in services:
        costs[service.offer_id] += Decimal(service.cost)
    offers = {service.offer_id: service for service in services}
    return [
        {
            "line": "pay_as_you_go",
            **{name: getattr(offers[offer], name) for name in ("provider", "region", "gpu_model", "purchase_option")},
            "offer_id": offer,
            "gpu_hours": hours[offer],
            "cost": str(cost),
        }
        for offer, cost in sorted(costs.items())
    ]


def _spent(spend: Spend) -> dict[str, object]:
    option = "prepaid" if spend.prepaid else "spend_floor"
    given = {"offer_id": spend.offer_id, "provider": spend.provider, "cost": spend.cost}
    return {"line": "commitment_to_spend", "purchase_option": option, **given}


def _total(plan: PlanFile) -> dict[str, object]:
    return {"line": "total", **{name: getattr(plan.summary, name) for name in COLUMNS if hasattr(plan.summary, name)}}


def _hours(services: Iterable[Service]) -> dict[str, float]:
    hours: defaultdict[str, float] = defaultdict(float)
    for service in services:
        hours[service.offer_id] += service.gpu_hours
    return {offer: round(found, 6) for offer, found in hours.items()}


def _cell(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if _is_number(name):
        return value
    return ("'" if value.startswith(FORMULA) else "") + plain(value)


def _is_number(name: str) -> bool:
    """Whether a column holds amounts, which may begin with a minus; they are written by us and hold nothing else."""
    return "usd" in name or name in AMOUNTS


AMOUNTS = frozenset({
    "cost", "upfront", "total_commitment", "existing_commitment_cost", "on_demand_cost", "current_cost", "savings",
    "lower_bound", "headroom", "amount", "list_cost", "effective_cost",
})  # fmt: skip
