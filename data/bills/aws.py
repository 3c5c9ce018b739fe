"""The month as AWS writes it: CUR 2.0 with split cost allocation, delivered twice, each time with a manifest."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from data.bills import company
from data.bills.company import CLUSTER, KINDS, START, Holding, Machine, Part

ACCOUNT, REGION = "111122223333", "us-east-1"
RESERVATION = f"arn:aws:ec2:{REGION}:{ACCOUNT}:reserved-instances/{company.COMMITMENT}"
PAIRS = pl.Map(pl.String(), pl.String())
WEIGHTS = {"Accelerator": 9.0, "vCPU": 0.9, "GB": 0.1}
EXECUTIONS = ("20261102T040000Z-0a1b", "20261110T040000Z-2c3d")
EXPORT = "gpu-costs"
Row = dict[str, Any]
TEXT = (
    "bill_invoice_id", "bill_payer_account_id", "identity_line_item_id", "identity_time_interval",
    "line_item_currency_code", "line_item_line_item_description", "line_item_line_item_type", "line_item_operation",
    "line_item_product_code", "line_item_resource_id", "line_item_usage_account_id", "line_item_usage_type",
    "product_instance_type", "product_product_family", "product_region_code", "reservation_reservation_a_r_n",
    "savings_plan_savings_plan_a_r_n", "split_line_item_parent_resource_id",
)  # fmt: skip
TIMES = tuple(
    f"{name}_date"
    for name in ("bill_billing_period_start", "bill_billing_period_end", "line_item_usage_start", "line_item_usage_end")
)
NUMBERS = (
    "line_item_usage_amount", "line_item_unblended_cost", "line_item_net_unblended_cost",
    "pricing_public_on_demand_cost", "reservation_effective_cost", "reservation_unused_recurring_fee",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_amortized_upfront_fee_for_billing_period", "savings_plan_savings_plan_effective_cost",
    "split_line_item_reserved_usage", "split_line_item_actual_usage", "split_line_item_split_usage",
    "split_line_item_split_usage_ratio", "split_line_item_split_cost", "split_line_item_unused_cost",
)  # fmt: skip
SCHEMA = {
    **dict.fromkeys(TEXT, pl.String()),
    **dict.fromkeys(TIMES, pl.Datetime("ms", "UTC")),
    **dict.fromkeys(NUMBERS, pl.Float64()),
}


def write(folder: Path) -> None:
    """Write both deliveries; the earlier one lacks the last days and must not be counted."""
    rows = [_whole(row) for row in (*_machines(), *_pods(), *_others())]
    data = _frame(rows)
    for execution, until in zip(EXECUTIONS, (START + timedelta(days=28), company.END), strict=True):
        name = f"{EXPORT}-00001.snappy.parquet"
        part = folder / EXPORT / "data" / "BILLING_PERIOD=2026-10" / execution / name
        part.parent.mkdir(parents=True)
        data.filter(pl.col("line_item_usage_start_date") < until).write_parquet(part, compression="snappy")
        _manifest(folder, execution, str(part.relative_to(folder)))


def _machines() -> Iterator[Row]:
    for hour in company.hours():
        for machine in company.MACHINES:
            if company.is_on(machine, hour):
                yield from (_machine(hour, machine, part) for part in company.parts(machine))


def _machine(hour: datetime, machine: Machine, part: Part) -> Row:
    kind = KINDS[machine.kind]
    cost, gpus = kind.gpus * part.share * part.price, kind.gpus * part.share
    row = {
        "line_item_resource_id": _id(machine),
        "line_item_operation": "RunInstances",
        "line_item_product_code": "AmazonEC2",
        "line_item_usage_amount": part.share,
        "line_item_unblended_cost": cost,
        "pricing_public_on_demand_cost": gpus * kind.list_price,
        "resource_tags": {"aws_eks_cluster_name": CLUSTER},
        **_span(hour),
    }
    if part.option == "spot":
        said = f"{kind.aws} Linux/UNIX Spot Instance-hour in US East (Virginia) in VPC Zone #1"
        return row | {"line_item_usage_type": f"USE1-SpotUsage:{kind.aws}", "line_item_line_item_description": said}
    row |= {"product_instance_type": kind.aws, "product_product_family": "Compute Instance",
            "line_item_usage_type": f"USE1-BoxUsage:{kind.aws}"}  # fmt: skip
    if part.option == "reserved":
        row |= {"line_item_line_item_type": "DiscountedUsage", "line_item_unblended_cost": 0.0,
                "reservation_effective_cost": cost, "reservation_reservation_a_r_n": RESERVATION}  # fmt: skip
    return row


def _pods() -> Iterator[Row]:
    """Split each machine-hour among its pods: what nobody asked for is shared out as unused cost."""
    held: dict[tuple[datetime, str], int] = {}
    pods = [one for one in company.holdings() if one.workload is not None]
    for one in pods:
        key = (one.hour, one.machine.name)
        held[key] = held.get(key, 0) + one.gpus
    for one in pods:
        yield from _pod(one, held[one.hour, one.machine.name])


def _pod(one: Holding, held: int) -> Iterator[Row]:
    kind, workload = KINDS[one.machine.kind], one.workload
    assert workload is not None  # noqa: S101 - for the type checker: idle GPUs have no pod
    cost = sum(kind.gpus * part.share * part.price for part in company.parts(one.machine))
    have = {"Accelerator": kind.gpus, "vCPU": kind.vcpus, "GB": kind.memory_gb}
    unit = cost / sum(have[name] * WEIGHTS[name] for name in have)
    pod = f"{workload.name}-7d4b9c6f5-{one.machine.name.translate(_LETTERS)}"
    tags = {f"user_{name}": value for name, value in workload.tags.items()}
    tags |= {"aws_eks_cluster_name": CLUSTER, "aws_eks_namespace": workload.namespace,
             "aws_eks_workload_name": workload.name, "aws_eks_workload_type": "Deployment"}  # fmt: skip
    for name, amount in have.items():
        price, share = amount * WEIGHTS[name] * unit, one.gpus / kind.gpus
        yield {
            "line_item_operation": "EKSPod-EC2",
            "line_item_product_code": "AmazonEKS",
            "line_item_usage_type": f"USE1-EKS-EC2-{name}-Hours",
            "line_item_resource_id": f"arn:aws:eks:{REGION}:{ACCOUNT}:pod/{CLUSTER}/{workload.namespace}/{pod}/{pod}",
            "line_item_unblended_cost": 0.0,
            "split_line_item_parent_resource_id": _id(one.machine),
            "split_line_item_reserved_usage": amount * share,
            "split_line_item_actual_usage": 0.0,
            "split_line_item_split_usage": amount * share,
            "split_line_item_split_usage_ratio": share,
            "split_line_item_split_cost": price * share,
            "split_line_item_unused_cost": price * (kind.gpus - held) / kind.gpus * one.gpus / held,
            "resource_tags": tags,
            **_span(one.hour),
        }


def _others() -> Iterator[Row]:
    """Return the fee of the commitment, a machine without GPUs, tax, a credit and a correction."""
    price = KINDS["h100"].committed_price
    unused = sum(map(company.unused_gpu_hours, company.hours()))
    yield {"line_item_line_item_type": "RIFee", "line_item_usage_type": "USE1-HeavyUsage:p5.48xlarge",
           "line_item_unblended_cost": company.COMMITTED_GPUS * company.HOURS * price,
           "reservation_unused_recurring_fee": unused * price,
           "reservation_unused_amortized_upfront_fee_for_billing_period": 0.0,
           "reservation_amortized_upfront_fee_for_billing_period": 0.0,
           "reservation_reservation_a_r_n": RESERVATION}  # fmt: skip
    for hour in company.hours():
        yield {"line_item_operation": "RunInstances", "line_item_usage_type": "USE1-BoxUsage:m7i.2xlarge",
               "product_instance_type": "m7i.2xlarge", "product_product_family": "Compute Instance",
               "line_item_resource_id": f"i-{company.CPU_MACHINE}", "line_item_unblended_cost": company.CPU_PRICE,
               "pricing_public_on_demand_cost": company.CPU_PRICE, **_span(hour)}  # fmt: skip
    yield {"line_item_line_item_type": "Tax", "line_item_unblended_cost": company.TAX}
    yield {"line_item_line_item_type": "Credit", "line_item_unblended_cost": company.CREDIT}
    yield {"line_item_line_item_type": "Refund", "line_item_unblended_cost": company.CORRECTION}


_LETTERS = str.maketrans("0123456789-", "bcdfghjklmx")  # pod names end in letters that Kubernetes draws


def _whole(row: Row) -> Row:
    """Return a row with what every row has."""
    return {
        "line_item_line_item_type": "Usage",
        "line_item_usage_account_id": ACCOUNT,
        "line_item_currency_code": "USD",
        "product_region_code": REGION,
        "bill_payer_account_id": ACCOUNT,
        "bill_billing_period_start_date": START,
        "bill_billing_period_end_date": company.END,
        "reservation_reservation_a_r_n": "",
        "savings_plan_savings_plan_a_r_n": "",
        "resource_tags": {},
        **_span(START),
        **row,
    }


def _span(hour: datetime) -> Row:
    until = hour + timedelta(hours=1)
    interval = f"{hour:%Y-%m-%dT%H:%M:%SZ}/{until:%Y-%m-%dT%H:%M:%SZ}"
    return {"line_item_usage_start_date": hour, "line_item_usage_end_date": until, "identity_time_interval": interval}


def _id(machine: Machine) -> str:
    return f"i-{machine.name}"


def _frame(rows: list[Row]) -> pl.DataFrame:
    columns = {name: pl.Series(name, [row.get(name) for row in rows], dtype=dtype) for name, dtype in SCHEMA.items()}
    pairs = [[{"key": key, "value": value} for key, value in row["resource_tags"].items()] for row in rows]
    listed = pl.Series("resource_tags", pairs, dtype=pl.List(pl.Struct({"key": pl.String, "value": pl.String})))
    return pl.DataFrame([*columns.values(), listed]).with_columns(pl.col("resource_tags").cast(PAIRS))


def _manifest(folder: Path, execution: str, name: str) -> None:
    path = folder / EXPORT / "metadata" / "BILLING_PERIOD=2026-10" / execution / f"{EXPORT}-Manifest.json"
    path.parent.mkdir(parents=True)
    said = {
        "executionId": execution,
        "exportArn": f"arn:aws:bcm-data-exports:{REGION}:{ACCOUNT}:export/{EXPORT}",
        "columns": [{"name": column, "type": "string"} for column in (*SCHEMA, "resource_tags")],
        "dataFiles": [f"s3://acme-billing/{name}"],
        "additionalOutputFiles": [],
    }
    path.write_text(json.dumps(said, indent=2) + "\n")
