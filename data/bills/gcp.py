"""The month as Google Cloud writes it: the detailed export as newline JSON, split among the workloads of a cluster."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.bills import company
from data.bills.company import CLUSTER, KINDS, START, Holding, Kind, Part

PROJECT, REGION, ZONE = "acme-gpu", "us-central1", "us-central1-a"
SUBSCRIPTION = f"projects/{PROJECT}/regions/{REGION}/commitments/{company.COMMITMENT}"
SHARES = {"gpu": 0.8, "core": 0.12, "ram": 0.08}  # a VM is billed in parts, each with a SKU of its own
GPUS = {"h100": "Nvidia H100 80GB GPU", "a100": "Nvidia Tesla A100 80GB GPU", "t4": "Nvidia Tesla T4 GPU"}
FAMILIES = {"h100": "A3", "a100": "A2", "t4": "N1"}
Row = dict[str, Any]


def write(folder: Path) -> None:
    """Write the export as one gzipped file of JSON objects."""
    folder.mkdir(parents=True)
    lines = "\n".join(json.dumps(row, separators=(",", ":")) for row in (*_usage(), *_fees(), *_others()))
    with (folder / "gcp_billing_export_resource_v1.json.gz").open("wb") as file:
        file.write(gzip.compress((lines + "\n").encode(), mtime=0))


def _usage() -> Iterator[Row]:
    for one in company.holdings():
        for part in company.parts(one.machine):
            yield from (_row(one, part, name) for name in SHARES)


def _row(one: Holding, part: Part, name: str) -> Row:
    """Price one part of a VM for one holder; committed usage has its list price and a credit of the same amount."""
    kind, committed = KINDS[one.machine.kind], part.option == "reserved"
    cost = one.gpus * part.share * (kind.list_price if committed else part.price) * SHARES[name]
    amount = _amount(kind, name) * one.gpus / kind.gpus * part.share
    credit = {"id": "", "full_name": "Committed use discount", "type": "COMMITTED_USAGE_DISCOUNT",
              "name": "Committed use discount", "amount": -cost}  # fmt: skip
    return _common(one.hour) | {
        "sku": {"id": f"{one.machine.kind}-{name}-{part.option}", "description": _description(one, part, name)},
        "labels": [{"key": key, "value": value} for key, value in _labels(one).items()],
        "system_labels": [{"key": "compute.googleapis.com/machine_spec", "value": kind.gcp}],
        "resource": _resource(one.machine.name),
        "cost": cost,
        "cost_at_list": one.gpus * part.share * kind.list_price * SHARES[name],
        "credits": [credit] if committed else [],
        "usage": _used(amount),
        "subscription": {"instance_id": SUBSCRIPTION if committed else None},
    }


def _description(one: Holding, part: Part, name: str) -> str:
    family = FAMILIES[one.machine.kind]
    text = {"gpu": GPUS[one.machine.kind], "core": f"{family} Instance Core", "ram": f"{family} Instance Ram"}[name]
    return f"{'Spot Preemptible ' if part.option == 'spot' else ''}{text} running in Iowa"


def _resource(name: str) -> Row:
    place = f"//compute.googleapis.com/projects/{PROJECT}/zones/{ZONE}/instances"
    return {"name": name, "global_name": f"{place}/{name}"}


def _used(amount: float) -> Row:
    return {"amount": amount * 3600, "unit": "seconds", "amount_in_pricing_units": amount, "pricing_unit": "hour"}


def _labels(one: Holding) -> dict[str, str]:
    cluster = {"goog-k8s-cluster-name": CLUSTER, "goog-k8s-cluster-location": ZONE}
    if one.workload is None:
        return cluster | {"k8s-namespace": "kube:unallocated"}
    named = {"k8s-namespace": one.workload.namespace, "k8s-workload-name": one.workload.name}
    return cluster | named | {f"k8s-label/{key}": value for key, value in one.workload.tags.items()}


def _fees() -> Iterator[Row]:
    """Return the hourly fees of the commitment: one for the GPUs, one for the cores, one for the memory."""
    kind = KINDS["h100"]
    texts = {"gpu": GPUS["h100"], "core": "A3 Cpu", "ram": "A3 Ram"}
    for hour in company.hours():
        for name, share in SHARES.items():
            amount = _amount(kind, name) * company.COMMITTED_GPUS / kind.gpus
            yield _common(hour) | {
                "sku": {"id": f"fee-{name}", "description": f"Commitment v1: {texts[name]} running in Iowa for 1 Year"},
                "cost": company.COMMITTED_GPUS * kind.committed_price * share,
                "usage": _used(amount),
                "subscription": {"instance_id": SUBSCRIPTION},
            }


def _others() -> Iterator[Row]:
    for hour in company.hours():
        yield _common(hour) | {
            "sku": {"id": "n2-core", "description": "N2 Instance Core running in Iowa"},
            "resource": _resource(company.CPU_MACHINE),
            "cost": company.CPU_PRICE,
            "cost_at_list": company.CPU_PRICE,
        }
    yield _common(START) | {"sku": {"id": "tax", "description": "Tax"}, "cost": company.TAX, "cost_type": "tax"}
    for amount in (company.CREDIT, company.CORRECTION):
        yield _common(START) | {
            "sku": {"id": "x", "description": "Adjustment"},
            "cost": amount,
            "cost_type": "adjustment",
        }


def _amount(kind: Kind, name: str) -> float:
    """Return what a whole machine has of one of its parts."""
    return {"gpu": kind.gpus, "core": kind.vcpus, "ram": kind.memory_gb}[name]


def _common(hour: datetime) -> Row:
    """Return what every row has; every field of the export stands in each, so that all rows have one schema."""
    return {
        "billing_account_id": "0A1B2C-3D4E5F-6A7B8C",
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "sku": {"id": "", "description": ""},
        "usage_start_time": f"{hour:%Y-%m-%d %H:%M:%S} UTC",
        "usage_end_time": f"{hour + timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC",
        "export_time": f"{company.END:%Y-%m-%d %H:%M:%S} UTC",
        "project": {"id": PROJECT, "name": PROJECT, "labels": []},
        "labels": [],
        "system_labels": [],
        "location": {"location": REGION, "region": REGION, "zone": ZONE},
        "tags": [],
        "resource": {"name": None, "global_name": None},
        "cost": 0.0,
        "cost_at_list": None,
        "currency": "USD",
        "currency_conversion_rate": 1.0,
        "credits": [],
        "usage": _used(0.0),
        "invoice": {"month": "202610"},
        "cost_type": "regular",
        "consumption_model": {"id": "7754-699E-0EBF", "description": "Default"},
        "subscription": {"instance_id": None},
    }
