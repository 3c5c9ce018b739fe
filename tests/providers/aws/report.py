"""A Cost and Usage Report in code: rows that differ from an hour of one on-demand p5.48xlarge."""

import gzip
from pathlib import Path
from typing import Any

import polars as pl

from optimizer.allocation import Allocation, allocate
from optimizer.reconcile import Reconciliation, reconcile
from providers.aws.usage import read
from providers.charges import CLAIMS, DEFAULT_TAGS, Reading, together
from providers.recognise import File

MAP = pl.Map(pl.String(), pl.String())
MACHINE: dict[str, Any] = {
    "line_item_usage_start_date": "2026-10-01T00:00:00Z",
    "line_item_usage_end_date": "2026-10-01T01:00:00Z",
    "line_item_line_item_type": "Usage",
    "line_item_operation": "RunInstances",
    "line_item_usage_type": "USE1-BoxUsage:p5.48xlarge",
    "line_item_line_item_description": "$55.04 per On Demand Linux p5.48xlarge Instance Hour",
    "line_item_resource_id": "i-0a",
    "line_item_product_code": "AmazonEC2",
    "line_item_usage_account_id": "111122223333",
    "line_item_currency_code": "USD",
    "line_item_usage_amount": 1.0,
    "line_item_unblended_cost": 55.04,
    "line_item_net_unblended_cost": None,
    "pricing_public_on_demand_cost": 55.04,
    "product_region_code": "us-east-1",
    "product_product_family": "Compute Instance",
    "product_instance_type": "p5.48xlarge",
    "reservation_reservation_a_r_n": "",
    "reservation_effective_cost": None,
    "reservation_amortized_upfront_fee_for_billing_period": None,
    "reservation_unused_amortized_upfront_fee_for_billing_period": None,
    "reservation_unused_recurring_fee": None,
    "savings_plan_savings_plan_a_r_n": "",
    "savings_plan_savings_plan_effective_cost": None,
    "savings_plan_total_commitment_to_date": None,
    "savings_plan_used_commitment": None,
    "savings_plan_amortized_upfront_commitment_for_billing_period": None,
    "savings_plan_recurring_commitment_for_billing_period": None,
    "capacity_reservation_capacity_reservation_arn": None,
    "capacity_reservation_capacity_reservation_status": None,
    "capacity_reservation_capacity_reservation_type": None,
    "split_line_item_parent_resource_id": "",
    "split_line_item_split_cost": None,
    "split_line_item_unused_cost": None,
    "split_line_item_split_usage": None,
    "split_line_item_reserved_usage": None,
    "split_line_item_actual_usage": None,
    "resource_tags": {},
}
NUMBERS = [
    name for name, value in MACHINE.items() if isinstance(value, float) or (value is None and "capacity" not in name)
]


def pod(name: str, kind: str, split: float, unused: float = 0.0, **cells: Any) -> dict[str, Any]:
    """Return a split row of namespace/pod for one kind of resource: vCPU, GB or Accelerator."""
    return {
        "line_item_operation": "EKSPod-EC2",
        "line_item_usage_type": f"USE1-EKS-EC2-{kind}-Hours",
        "line_item_resource_id": f"arn:aws:eks:us-east-1:111122223333:pod/prod/{name}/0123-uid",
        "line_item_unblended_cost": 0.0,
        "pricing_public_on_demand_cost": None,
        "product_instance_type": "",
        "product_product_family": "",
        "split_line_item_parent_resource_id": "i-0a",
        "split_line_item_split_cost": split,
        "split_line_item_unused_cost": unused,
        **cells,
    }


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    whole = [{**MACHINE, **row} for row in rows]
    texts = {name: pl.String for name in MACHINE if name not in NUMBERS and name != "resource_tags"}
    data = pl.DataFrame(
        [{name: value for name, value in row.items() if name != "resource_tags"} for row in whole],
        schema={name: pl.Float64 if name in NUMBERS else texts[name] for name in MACHINE if name != "resource_tags"},
    )
    pairs = [[{"key": key, "value": value} for key, value in row["resource_tags"].items()] for row in whole]
    tags = pl.Series("resource_tags", pairs, dtype=pl.List(pl.Struct({"key": pl.String, "value": pl.String})))
    return data.with_columns(tags.cast(MAP))


def legacy(data: pl.DataFrame, path: Path) -> Path:
    """Write a report as legacy CUR writes it: gzipped CSV, sections and camel case, a column for each tag."""
    keys = sorted(
        {
            key
            for tags in data["resource_tags"].cast(pl.List(pl.Struct({"key": pl.String, "value": pl.String})))
            for key in tags.struct.field("key")
        }
    )
    flat = data.with_columns(
        pl.col("resource_tags").map.get(key).alias(f"resourceTags/{key.replace('_', ':', 1)}") for key in keys
    ).drop("resource_tags")
    named = flat.rename({name: slashed(name) for name in flat.columns if "/" not in name})
    path.write_bytes(gzip.compress(named.write_csv().encode()))
    return path


def slashed(name: str) -> str:
    sections = (
        "line_item",
        "pricing",
        "product",
        "reservation",
        "savings_plan",
        "capacity_reservation",
        "split_line_item",
    )
    section = max((one for one in sections if name.startswith(f"{one}_")), key=len)
    words = [word.split("_") for word in (section, name.removeprefix(f"{section}_"))]
    camel = ["".join([first, *(part.capitalize() for part in rest)]) for first, *rest in words]
    return f"{camel[0]}/{camel[1][0].upper()}{camel[1][1:]}".replace("ProductFamily", "productFamily")


def reading(*paths: Path) -> Reading:
    return read([File(path=str(path), name=path.name, kind="aws_cur") for path in paths], DEFAULT_TAGS)


def shared(one: Reading, policy: str | None = None) -> tuple[Allocation, Reconciliation]:
    """Share what was read, and reconcile it with its own totals."""
    assert one.charges is not None
    assert one.totals is not None
    claims = together([] if one.claims is None else [one.claims], CLAIMS, DEFAULT_TAGS)
    found = allocate(one.charges, claims, policy=policy, dimensions=list(DEFAULT_TAGS.chains))
    totals = one.totals.collect().select(pl.lit("aws_cur").alias("source"), "currency", "rows", "billed_cost")
    (reconciled,) = reconcile(found.usage, totals, found.timing)
    return found, reconciled
