"""Usage and what it cost as rows of the FOCUS CostAndUsage dataset, 1.2 or 1.3: cost allocated to workloads and teams.

In 1.3 a row says whose it is in the Allocated columns. Rows that a machine's cost was shared among, by hour, place,
kind of machine and list price, are one origin charge: they share ResourceId, and their AllocatedRatios add up to 1. In
1.2 the resource is the workload. What a usage table does not know has no column: zones, SKUs. Costs of a row
are those of the table; where it has no list or billed cost, the effective cost stands in.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from app.reports import csv
from providers.tables import PAY_AS_YOU_GO, USAGE, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

Version = Literal["1.2", "1.3"]
Row = dict[str, object]
COLUMNS_1_2 = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "CommitmentDiscountCategory", "CommitmentDiscountId", "CommitmentDiscountStatus", "CommitmentDiscountType",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId",
    "InvoiceIssuerName", "ListCost", "ListUnitPrice", "PricingCategory", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    "ServiceCategory", "ServiceName", "ServiceSubcategory", "SubAccountId", "SubAccountName", "Tags",
)  # fmt: skip
COLUMNS_1_3 = (
    *COLUMNS_1_2, "AllocatedMethodDetails", "AllocatedMethodId", "AllocatedResourceId", "AllocatedResourceName",
    "AllocatedTags", "HostProviderName", "ServiceProviderName",
)  # fmt: skip
OURS = ("x_Cluster", "x_GpuHours", "x_GpuModel", "x_InstanceType", "x_PurchaseOption", "x_Residual")
CATEGORIES = {"tax": "Tax", "credit": "Credit", "rounding": "Adjustment", "commitment_payment": "Purchase"}
TYPES = {"savings_plan": "Savings Plan", "cud": "Committed Use Discount", "reserved": "Reservation"}
TAGS = ("team", "project", "environment", "namespace")
ORIGIN = ("hour", "granularity", "provider", "region", "account", "instance_type", "gpu_model", "purchase_option",
          "commitment_id", "currency")  # fmt: skip
METHOD = "tranche"
SHARED = (None, "idle", "system", "unmatched")
"""Whose machine it was: residuals that are shares of a machine's cost."""


def render(usage: pl.DataFrame, version: Version, *, where: str) -> str:
    """Return a checked usage table as CSV, a row each, whose EffectiveCost, BilledCost and ListCost keep their sums.

    Raises:
        InputError: a row has no effective cost, so that it is no row of a bill.
    """
    unpriced = usage["effective_cost"].is_null() if "effective_cost" in usage.columns else None
    if unpriced is None or unpriced.any():
        row = 1 if unpriced is None else int(unpriced.arg_max() or 0) + 1
        raise InputError(where, f"row {row}: has no effective_cost", "give what tranche usage wrote from a bill")
    rows = list(usage.iter_rows(named=True))
    further = [name for name, dtype in usage.schema.items() if name not in _known() and str(dtype) == "String"]
    origins = _origins(rows) if version == "1.3" else {}
    columns = COLUMNS_1_3 if version == "1.3" else COLUMNS_1_2
    names = (*columns, *OURS)
    written = (_row(row, further, version, origins) for row in rows)
    return csv.write(names, ({name: value for name, value in row.items() if name in names} for row in written))


def _known() -> set[str]:
    return {column.name for column in USAGE.columns}


def _origins(rows: Sequence[Mapping[str, object]]) -> dict[tuple[object, ...], tuple[float, float]]:
    """Return effective cost and GPU-hours of each origin charge."""
    sums: defaultdict[tuple[object, ...], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for row in rows:
        if _is_shared(row):
            cost, hours = sums[_origin(row)]
            sums[_origin(row)] = (cost + _number(row, "effective_cost"), hours + _number(row, "gpu_hours"))
    return dict(sums)


def _is_shared(row: Mapping[str, object]) -> bool:
    return row.get("residual") in SHARED and row.get("gpu_model") is not None


def _origin(row: Mapping[str, object]) -> tuple[object, ...]:
    """Return what all rows of one origin charge share, its list price included."""
    hours = _number(row, "gpu_hours")
    return (*map(row.get, ORIGIN), round(_costs(row)["ListCost"] / hours, 6) if hours else None)


def _row(
    row: Mapping[str, object],
    further: Sequence[str],
    version: Version,
    origins: Mapping[tuple[object, ...], tuple[float, float]],
) -> Row:
    category = CATEGORIES.get(str(row.get("residual")), "Usage")
    said = {**_periods(row), **_places(row), **_costs(row), **_quantities(row, category), **_commitment(row, category)}
    said |= {"ChargeCategory": category, "ChargeDescription": _description(row), "BillingCurrency": row["currency"]}
    said |= {"ChargeFrequency": "Usage-Based" if category == "Usage" else "One-Time"}
    said |= {f"x_{name}": value for name, value in _ours(row)}
    if version == "1.3":
        return said | _allocated(row, _tags(row, ("cluster", *TAGS, *further)), origins)
    work = row.get("workload")
    resource = {"ResourceId": work, "ResourceName": work, "ResourceType": "Workload" if work else None}
    return said | resource | {"Tags": _tags(row, (*TAGS, *further))}


def _periods(row: Mapping[str, object]) -> Row:
    start = row["hour"]
    if not isinstance(start, datetime):
        raise TypeError(f"{start!r} is no time")
    end = start + timedelta(hours=24 if row.get("granularity") == "day" else 1)
    month = start.replace(day=1, hour=0)
    periods = (("Charge", start, end), ("Billing", month, (month + timedelta(days=32)).replace(day=1)))
    return {
        f"{name}Period{side}": f"{time:%Y-%m-%dT%H:%M:%SZ}"
        for name, *sides in periods
        for side, time in zip(("Start", "End"), sides, strict=True)
    }


def _places(row: Mapping[str, object]) -> Row:
    provider = row.get("provider") or "unknown"
    names = ("ProviderName", "PublisherName", "InvoiceIssuerName", "HostProviderName", "ServiceProviderName")
    gpu = row.get("gpu_model") is not None
    return {
        **dict.fromkeys(names, provider),
        "BillingAccountId": row.get("account") or provider,
        "BillingAccountName": row.get("account") or provider,
        "SubAccountId": row.get("account"),
        "SubAccountName": row.get("account"),
        "RegionId": row.get("region"),
        "RegionName": row.get("region"),
        "ServiceCategory": "Compute" if gpu else "Other",
        "ServiceName": "GPU machines" if gpu else "Without a GPU",
        "ServiceSubcategory": "Virtual Machines" if gpu else "Other (Other)",
    }


def _costs(row: Mapping[str, object]) -> dict[str, float]:
    """Return the four costs; on demand and spot nothing is known of a contract but what was paid."""
    effective = _number(row, "effective_cost")
    listed, billed = (row.get(name) for name in ("list_cost", "billed_cost"))
    listed = float(listed) if isinstance(listed, float) and (row.get("gpu_model") or listed) else effective
    paid_ahead = row.get("purchase_option") not in (*PAY_AS_YOU_GO, None)
    return {
        "BilledCost": float(billed) if isinstance(billed, float) else effective,
        "EffectiveCost": effective,
        "ListCost": listed,
        "ContractedCost": listed if paid_ahead else effective,
    }


def _quantities(row: Mapping[str, object], category: str) -> Row:
    """Return quantities in GPU-hours, and the unit prices that they make; a charge without a GPU is one unit."""
    if category not in {"Usage", "Purchase"}:
        return {}
    hours, costs = _number(row, "gpu_hours"), _costs(row)
    quantity, unit = (hours, "GPU-Hours") if hours else (1.0, "Units")
    unused = row.get("residual") == "unused_commitment"
    consumed = {} if unused or category == "Purchase" else {"ConsumedQuantity": quantity, "ConsumedUnit": unit}
    return consumed | {
        "PricingCategory": _pricing(row, category),
        "PricingQuantity": quantity,
        "PricingUnit": unit,
        "ListUnitPrice": costs["ListCost"] / quantity,
        "ContractedUnitPrice": costs["ContractedCost"] / quantity,
    }


def _pricing(row: Mapping[str, object], category: str) -> str:
    if category == "Purchase":
        return "Standard"
    if row.get("commitment_id"):
        return "Committed"
    return {"on_demand": "Standard", "spot": "Dynamic"}.get(str(row.get("purchase_option")), "Other")


def _commitment(row: Mapping[str, object], category: str) -> Row:
    option = str(row.get("purchase_option"))
    if not row.get("commitment_id"):
        return {}
    unused = row.get("residual") == "unused_commitment"
    return {
        "CommitmentDiscountId": row["commitment_id"],
        "CommitmentDiscountCategory": "Spend" if option == "savings_plan" else "Usage",
        "CommitmentDiscountType": TYPES.get(option, option),
        "CommitmentDiscountStatus": ("Unused" if unused else "Used") if category == "Usage" else None,
    }


def _description(row: Mapping[str, object]) -> str:
    what = row.get("workload") or str(row.get("residual") or "usage").replace("_", " ")
    return " ".join(str(part) for part in (what, row.get("gpu_model"), row.get("purchase_option")) if part)


def _ours(row: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    yield "GpuHours", _number(row, "gpu_hours")
    for name in ("cluster", "gpu_model", "instance_type", "purchase_option", "residual"):
        yield "".join(part.capitalize() for part in name.split("_")), row.get(name)


def _tags(row: Mapping[str, object], names: Sequence[str]) -> str:
    return json.dumps({name: row[name] for name in names if row.get(name) is not None}, ensure_ascii=False)


def _allocated(row: Mapping[str, object], named: str, origins: Mapping[tuple[object, ...], tuple[float, float]]) -> Row:
    """Return whose a share of an origin charge is; idle hours are a share that nobody has."""
    if not _is_shared(row):
        return {"Tags": named}
    cost, hours = origins[_origin(row)]
    share = _number(row, "effective_cost") / cost if cost else _number(row, "gpu_hours") / hours if hours else 1.0
    machine = "/".join(str(value) for value in (row.get("provider"), row.get("instance_type") or row["gpu_model"],
                                                row.get("purchase_option")) if value)  # fmt: skip
    element = {"AllocatedRatio": share, "UsageUnit": "GPU-Hours", "UsageQuantity": _number(row, "gpu_hours")}
    return {
        "ResourceId": machine,
        "ResourceName": machine,
        "ResourceType": "GPU machine",
        "AllocatedMethodId": METHOD,
        "AllocatedMethodDetails": json.dumps({"Elements": [element]}),
        "AllocatedResourceId": row.get("workload"),
        "AllocatedResourceName": row.get("workload"),
        "AllocatedTags": named if row.get("workload") else None,
    }


def _number(row: Mapping[str, object], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, float | int) else 0.0
