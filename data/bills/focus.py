"""The month as a fictional GPU cloud writes it: FOCUS 1.3 with allocated charges, and its contract."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.bills import company
from data.bills.company import CLUSTER, KINDS, START, Holding, Part

PROVIDER, COMMITMENT = "Acme GPU Cloud", f"contract-{company.COMMITMENT}"
COLUMNS = (
    "BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "ChargeClass",
    "ChargeDescription", "ChargeFrequency", "BillingAccountId", "SubAccountId", "InvoiceIssuerName",
    "ServiceProviderName", "HostProviderName", "ServiceName", "ServiceCategory", "RegionId", "BilledCost",
    "EffectiveCost", "ListCost", "ContractedCost", "BillingCurrency", "PricingCategory", "PricingQuantity",
    "PricingUnit", "ConsumedQuantity", "ConsumedUnit", "ResourceId", "ResourceName", "SkuId", "SkuPriceDetails", "Tags",
    "CommitmentDiscountId", "CommitmentDiscountCategory", "CommitmentDiscountType", "CommitmentDiscountStatus",
    "AllocatedMethodId", "AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName", "AllocatedTags",
)  # fmt: skip
CONTRACT = (
    "BillingCurrency", "ContractCommitmentCategory", "ContractCommitmentCost", "ContractCommitmentDescription",
    "ContractCommitmentId", "ContractCommitmentPeriodStart", "ContractCommitmentPeriodEnd",
    "ContractCommitmentQuantity", "ContractCommitmentType", "ContractCommitmentUnit", "ContractId",
    "ContractPeriodStart", "ContractPeriodEnd",
)  # fmt: skip
OPTIONS = {"on_demand": "Standard", "spot": "Dynamic", "reserved": "Committed"}
Row = dict[str, Any]


def write(folder: Path) -> None:
    """Write the bill and the contract."""
    folder.mkdir(parents=True)
    rows = [_common(START) | row for row in (*_usage(), *_commitment(), *_others())]
    (folder / "focus-2026-10.csv.gz").write_bytes(gzip.compress(_csv(COLUMNS, rows), mtime=0))
    (folder / "contract-commitments.csv").write_bytes(_csv(CONTRACT, [_contract()]))


def _usage() -> Iterator[Row]:
    """Allocate each machine's charge to its workloads; what is idle stays on the origin of the charge."""
    for one in company.holdings():
        for part in company.parts(one.machine):
            yield _charge(one, part)


def _charge(one: Holding, part: Part) -> Row:
    kind, workload = KINDS[one.machine.kind], one.workload
    cost, share = one.gpus * part.share * part.price, one.gpus * part.share / kind.gpus
    committed = part.option == "reserved"
    elements = [{"AllocatedRatio": share, "UsageUnit": "GPU-Hours", "UsageQuantity": one.gpus * part.share}]
    row = _common(one.hour) | {
        "ChargeDescription": f"{kind.gpus} GPU node {kind.gpu_model}",
        "PricingCategory": OPTIONS[part.option],
        "BilledCost": 0.0 if committed else cost,
        "EffectiveCost": cost,
        "ListCost": one.gpus * part.share * kind.list_price,
        "PricingQuantity": share,
        "PricingUnit": "Hours",
        "ConsumedQuantity": share,
        "ConsumedUnit": "Hours",
        "ResourceId": one.machine.name,
        "ResourceName": one.machine.name,
        "SkuId": f"node-{one.machine.kind}",
        "SkuPriceDetails": json.dumps({"GpuCount": kind.gpus, "x_GpuModel": kind.gpu_model}),
        "Tags": json.dumps({"cluster": CLUSTER}),
        "AllocatedMethodId": "gpu-weighted",
        **(_covered("Used") if committed else {}),
    }
    if workload is None:
        return row
    tags = {**workload.tags, "namespace": workload.namespace, "cluster": CLUSTER}
    return row | {
        "AllocatedMethodDetails": json.dumps({"Elements": elements}),
        "AllocatedResourceId": f"{CLUSTER}/{workload.namespace}/{workload.name}",
        "AllocatedResourceName": workload.name,
        "AllocatedTags": json.dumps(tags),
    }


def _commitment() -> Iterator[Row]:
    """Return the purchase of the commitment for the month, and the hours in which nobody used all of it."""
    price = KINDS["h100"].committed_price
    cost = company.COMMITTED_GPUS * company.HOURS * price
    yield {"ChargeCategory": "Purchase", "ChargeFrequency": "Recurring", "ChargePeriodEnd": _time(company.END),
           "BilledCost": cost, "EffectiveCost": 0.0, "PricingCategory": "Standard",
           "ChargeDescription": "Committed GPUs", **_covered("")}  # fmt: skip
    for hour in company.hours():
        gpu_hours = company.unused_gpu_hours(hour)
        if gpu_hours:
            yield _common(hour) | {"BilledCost": 0.0, "EffectiveCost": gpu_hours * price,
                                   "PricingCategory": "Committed", "ChargeDescription": "Committed GPUs",
                                   "PricingUnit": "GPU-Hours", "PricingQuantity": gpu_hours,
                                   **_covered("Unused")}  # fmt: skip


def _covered(status: str) -> Row:
    return {"CommitmentDiscountId": COMMITMENT, "CommitmentDiscountCategory": "Usage",
            "CommitmentDiscountType": "Reservation", "CommitmentDiscountStatus": status}  # fmt: skip


def _others() -> Iterator[Row]:
    for hour in company.hours():
        yield _common(hour) | {"ChargeDescription": "CPU node", "ResourceId": company.CPU_MACHINE,
                               "BilledCost": company.CPU_PRICE, "EffectiveCost": company.CPU_PRICE,
                               "ListCost": company.CPU_PRICE, "PricingCategory": "Standard", "PricingQuantity": 1.0,
                               "PricingUnit": "Hours"}  # fmt: skip
    for category, amount in (("Tax", company.TAX), ("Credit", company.CREDIT), ("Credit", company.CORRECTION)):
        yield {"ChargeCategory": category, "BilledCost": amount, "EffectiveCost": amount}


def _contract() -> Row:
    hours = company.COMMITTED_GPUS * company.HOURS
    return {
        "BillingCurrency": "USD",
        "ContractCommitmentCategory": "Usage",
        "ContractCommitmentCost": hours * KINDS["h100"].committed_price,
        "ContractCommitmentDescription": "H100-SXM-80GB reservation",
        "ContractCommitmentId": COMMITMENT,
        "ContractCommitmentPeriodStart": _time(START),
        "ContractCommitmentPeriodEnd": _time(company.END),
        "ContractCommitmentQuantity": hours,
        "ContractCommitmentType": "Capacity Reservation",
        "ContractCommitmentUnit": "GPU-Hours",
        "ContractId": "agreement-1",
        "ContractPeriodStart": _time(START),
        "ContractPeriodEnd": _time(company.END),
    }


def _common(hour: datetime) -> Row:
    return {
        "BillingPeriodStart": _time(START),
        "BillingPeriodEnd": _time(company.END),
        "ChargePeriodStart": _time(hour),
        "ChargePeriodEnd": _time(hour + timedelta(hours=1)),
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "BillingAccountId": "acme",
        "SubAccountId": "acme-gpu",
        "InvoiceIssuerName": PROVIDER,
        "ServiceProviderName": PROVIDER,
        "HostProviderName": PROVIDER,
        "ServiceName": "GPU nodes",
        "ServiceCategory": "Compute",
        "RegionId": "eu-1",
        "BillingCurrency": "USD",
    }


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def _csv(names: tuple[str, ...], rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
