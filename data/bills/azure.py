"""The month as Azure writes it: an actual and an amortised export by the day, each with its manifest."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.bills import company
from data.bills.company import CLUSTER, KINDS, START, Machine, Part

SUBSCRIPTION, GROUP = "00000000-0000-4000-8000-000000000001", "MC_acme_prod_eastus"
BENEFIT = f"/providers/Microsoft.Capacity/reservationOrders/{company.COMMITMENT}/reservations/{company.COMMITMENT}"
PRICING = {"on_demand": "OnDemand", "spot": "Spot", "reserved": "Reservation"}
COLUMNS = (
    "BillingPeriodStartDate", "BillingPeriodEndDate", "SubscriptionId", "SubscriptionName", "Date", "Product",
    "MeterId", "MeterCategory", "MeterSubCategory", "MeterName", "Quantity", "EffectivePrice", "Cost", "UnitPrice",
    "BillingCurrency", "ResourceLocation", "ConsumedService", "ResourceId", "ResourceName", "AdditionalInfo", "Tags",
    "UnitOfMeasure", "ResourceGroup", "ReservationId", "ChargeType", "PayGPrice", "PricingModel", "benefitId",
)  # fmt: skip
EXPORTS = {"actual": "ActualCost", "amortized": "AmortizedCost"}
PERIOD = "20261001-20261031"
Row = dict[str, Any]


def write(folder: Path) -> None:
    """Write both exports, each in a folder of one run with a manifest."""
    bills = {
        "actual": [*_machines(amortised=False), *_purchase()],
        "amortized": [*_machines(amortised=True), *_unused()],
    }
    for export, rows in bills.items():
        run = folder / f"gpu-{export}" / PERIOD / "9f1c"
        run.mkdir(parents=True)
        content = _csv([*rows, *_others()])
        (run / "part_0_0001.csv.gz").write_bytes(gzip.compress(content, mtime=0))
        _manifest(run / "manifest.json", export, len(rows))


def _machines(*, amortised: bool) -> Iterator[Row]:
    for day in _days():
        for machine in company.MACHINES:
            hours = sum(company.is_on(machine, day + timedelta(hours=hour)) for hour in range(24))
            for part in company.parts(machine) if hours else ():
                yield _machine(day, machine, part, hours * part.share, amortised=amortised)


def _machine(day: datetime, machine: Machine, part: Part, hours: float, *, amortised: bool) -> Row:
    """Price a machine's day; what a commitment covers is free in the actual export, and has no list price there."""
    kind, committed = KINDS[machine.kind], part.option == "reserved"
    price = 0.0 if committed and not amortised else kind.gpus * part.price
    resource = (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Compute"
        f"/virtualMachineScaleSets/aks-{machine.kind}-vmss"
    )
    info = {"UsageType": "ComputeHR", "ServiceType": kind.azure, "VMName": vm(machine),
            "VMProperties": "Microsoft.AKS.Compute.AKS.Linux.Billing", "VCPUs": kind.vcpus}  # fmt: skip
    return {
        "Date": f"{day:%m/%d/%Y}",
        "MeterCategory": "Virtual Machines",
        "MeterName": kind.azure.removeprefix("Standard_").replace("_", " ")
        + (" Spot" if part.option == "spot" else ""),
        "Quantity": hours,
        "EffectivePrice": price,
        "Cost": hours * price,
        "UnitOfMeasure": "1 Hour",
        "ResourceLocation": "EastUS",
        "ConsumedService": "Microsoft.Compute",
        "ResourceId": resource,
        "ResourceGroup": GROUP,
        "AdditionalInfo": json.dumps(info, separators=(",", ":")),
        "Tags": f'"aks-managed-cluster-name": "{CLUSTER}"',
        "ChargeType": "Usage",
        "PayGPrice": kind.gpus * kind.list_price,
        "PricingModel": PRICING[part.option],
        "benefitId": BENEFIT if committed else "",
    }


def vm(machine: Machine) -> str:
    """Return the name of a machine among the instances of its scale set."""
    return f"aks-{machine.kind}-vmss_{machine.name.rpartition('-')[2]}"


def _purchase() -> Iterator[Row]:
    cost = company.COMMITTED_GPUS * company.HOURS * KINDS["h100"].committed_price
    yield {"Date": f"{START:%m/%d/%Y}", "MeterCategory": "Virtual Machines", "Quantity": 1, "Cost": cost,
           "UnitOfMeasure": "1 Hour", "ChargeType": "Purchase", "PricingModel": "Reservation",
           "benefitId": BENEFIT}  # fmt: skip


def _unused() -> Iterator[Row]:
    for day in _days():
        hours = sum(company.unused_gpu_hours(day + timedelta(hours=hour)) for hour in range(24))
        if hours:
            yield {"Date": f"{day:%m/%d/%Y}", "MeterCategory": "Virtual Machines", "UnitOfMeasure": "1 Hour",
                   "Quantity": hours / KINDS["h100"].gpus, "Cost": hours * KINDS["h100"].committed_price,
                   "ChargeType": "UnusedReservation", "PricingModel": "Reservation", "benefitId": BENEFIT}  # fmt: skip


def _others() -> Iterator[Row]:
    info = json.dumps({"ServiceType": "Standard_D8s_v5", "VMName": company.CPU_MACHINE})
    for day in _days():
        yield {"Date": f"{day:%m/%d/%Y}", "MeterCategory": "Virtual Machines", "MeterName": "D8s v5", "Quantity": 24,
               "Cost": 24 * company.CPU_PRICE, "UnitOfMeasure": "1 Hour", "ChargeType": "Usage",
               "PricingModel": "OnDemand", "PayGPrice": company.CPU_PRICE,
               "AdditionalInfo": info}  # fmt: skip
    for kind, amount in (("Tax", company.TAX), ("Credit", company.CREDIT), ("Refund", company.CORRECTION)):
        yield {"Date": f"{START:%m/%d/%Y}", "Cost": amount, "ChargeType": kind, "PricingModel": "OnDemand"}


def _days() -> list[datetime]:
    return [START + timedelta(days=day) for day in range(company.HOURS // 24)]


def _csv(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    common = {"SubscriptionId": SUBSCRIPTION, "BillingCurrency": "USD", "BillingPeriodStartDate": "10/01/2026",
              "BillingPeriodEndDate": "10/31/2026"}  # fmt: skip
    writer.writerows(common | row for row in rows)
    return text.getvalue().encode()


def _manifest(path: Path, export: str, rows: int) -> None:
    scope = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CostManagement/exports/gpu-{export}"
    said = {
        "manifestVersion": "2024-04-01",
        "exportConfig": {"exportName": f"gpu-{export}", "type": EXPORTS[export], "dataVersion": "2021-10-01",
                         "resourceId": scope, "timeFrame": "Custom", "granularity": "Daily"},
        "deliveryConfig": {"partitionData": True, "dataOverwriteBehavior": "OverwritePreviousReport",
                           "fileFormat": "Csv", "compressionMode": "Gzip"},
        "runInfo": {"executionType": "Scheduled", "submittedTime": "2026-11-02T04:00:00Z", "runId": "9f1c",
                    "startDate": "2026-10-01T00:00:00", "endDate": "2026-10-31T00:00:00"},
        "blobCount": 1,
        "blobs": [{"blobName": f"gpu-{export}/{PERIOD}/9f1c/part_0_0001.csv.gz", "dataRowCount": rows}],
    }  # fmt: skip
    path.write_text(json.dumps(said, indent=2) + "\n")
