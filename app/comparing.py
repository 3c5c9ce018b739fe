"""Two plan files -> what changed between them, and why."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from app.diagnostics import UsageError
from app.reports.outline import term
from optimizer.compare import Cause, Comparison, Held, Snapshot, Use, compared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    from app.reports.planfile import PlanFile, Purchase, Service

    K = TypeVar("K")

AT_ONCE_SAID = ("start", "end", "now", "demo", "config", "edits")
"""Options that have a cause of their own, or none."""


def comparison(old: PlanFile, new: PlanFile) -> Comparison:
    """Compare two plans.

    Raises:
        UsageError: they are in different currencies.
    """
    if old.currency != new.currency:
        raise UsageError(f"the plans are in {old.currency} and {new.currency}; compare plans in one currency")
    return compared(snapshot(old), snapshot(new))


def snapshot(plan: PlanFile) -> Snapshot:
    """Return what a comparison has to know of a plan."""
    held = {bought.offer_id for bought in (*plan.purchases, *plan.commitments)}
    going = [service for service in plan.mix if service.offer_id not in held]
    used: defaultdict[str, float] = defaultdict(float)
    for service in plan.mix:
        used[service.offer_id] += service.gpu_hours
    return Snapshot(
        cost=Decimal(plan.summary.cost),
        existing=Decimal(plan.summary.existing_commitment_cost),
        hours=plan.summary.hours,
        gpu_hours=plan.summary.gpu_hours,
        work=_added(plan.mix, lambda service: service.workload),
        spot_and_on_demand=_added(going, lambda service: (service.workload, service.offer_id)),
        purchases={bought.offer_id: _held(bought, used[bought.offer_id]) for bought in plan.purchases},
        commitments={owned.offer_id: _held(owned, used[owned.offer_id]) for owned in plan.commitments},
        limits=plan.inputs.limits,
        inputs=_fingerprints(plan),
    )


def _added(services: Iterable[Service], key: Callable[[Service], K]) -> dict[K, Use]:
    hours: defaultdict[K, float] = defaultdict(float)
    costs: defaultdict[K, Decimal] = defaultdict(Decimal)
    for service in services:
        hours[key(service)] += service.gpu_hours
        costs[key(service)] += Decimal(service.cost)
    return {name: Use(gpu_hours=hours[name], cost=costs[name]) for name in costs}


def _held(bought: Purchase, used_hours: float) -> Held:
    in_dollars = bought.usd_per_hour is not None
    return Held(
        quantity=float(bought.usd_per_hour) if bought.usd_per_hour is not None else bought.gpus,
        unit="an hour" if in_dollars else "GPUs",
        term=term(bought),
        holding=Decimal(bought.holding_usd_per_gpu_hour) + Decimal(bought.adders_usd_per_gpu_hour),
        usage=Decimal(bought.usage_usd_per_gpu_hour),
        paid_hours=used_hours / bought.utilization if bought.utilization else 0.0,
        used_hours=used_hours,
    )


def _fingerprints(plan: PlanFile) -> dict[Cause, str]:
    """Return what stands behind each cause; the start and the end of a history are those of its usage."""
    given, options = plan.inputs, plan.inputs.options
    said = {name: value for name, value in msgspec.to_builtins(options).items() if name not in AT_ONCE_SAID}
    history = options.horizon.strip().lower() == "history"
    return {
        "horizon": f"{plan.summary.hours} {'' if history else (options.start, options.end)}",
        "demand": str(sorted(file.sha256 for file in given.usage)),
        "price": str((sorted(file.sha256 for file in given.offers), *_edits_of_offers(options.edits))),
        "commitment": str(sorted(file.sha256 for file in given.commitments)),
        "limit": str(sorted(given.limits.items())),
        "settings": f"{said} {options.config.sha256 if options.config else ''}",
        "program": plan.tool.version,
    }


def _edits_of_offers(edits: Iterable[str]) -> list[str]:
    """Return the edits that change what is on offer; what the others change is counted where it is."""
    return [edit for edit in edits if edit.partition(" ")[0] not in {"limit", "note"}]
