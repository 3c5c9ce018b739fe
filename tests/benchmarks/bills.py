"""A CUR 2.0 month of any size: a cluster of GPU machines, six pods a machine, three split rows a pod-hour."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

START, HOURS = datetime(2026, 10, 1, tzinfo=UTC), 744
PODS_A_MACHINE, WORKLOADS, TEAMS, OTHERS = 6, 300, 20, 0.2
KINDS = ("vCPU", "GB", "Accelerator")
WEIGHTS = {"vCPU": 192 * 0.9, "GB": 2048 * 0.1, "Accelerator": 8 * 9}
PRICE = 55.04
GROUP_ROWS = 250_000
TEXT = (
    "line_item_operation", "line_item_usage_type", "line_item_line_item_type", "line_item_resource_id",
    "line_item_usage_account_id", "line_item_currency_code", "product_instance_type", "product_product_family",
    "product_region_code", "split_line_item_parent_resource_id",
)  # fmt: skip
NUMBERS = (
    "line_item_usage_amount", "line_item_unblended_cost", "pricing_public_on_demand_cost", "split_line_item_split_cost",
    "split_line_item_unused_cost", "split_line_item_split_usage", "split_line_item_reserved_usage",
    "split_line_item_actual_usage",
)  # fmt: skip
TIMES = ("line_item_usage_start_date", "line_item_usage_end_date")
SCHEMA = pa.schema(
    [
        *((name, pa.timestamp("ms", "UTC")) for name in TIMES),
        *((name, pa.string()) for name in TEXT),
        *((name, pa.float64()) for name in NUMBERS),
        ("resource_tags", pa.map_(pa.string(), pa.string())),
    ]
)


def cur(path: Path, rows: int, *, labels: int = 0) -> None:
    """Write about so many rows in groups of about `GROUP_ROWS`, as exports do; the same rows every time.

    Machines have one tag and pods five, and so many labels that nobody asks for, as AWS takes them over from clusters.
    """
    pods = max(int(rows * (1 - OTHERS) / 3 / HOURS), 1)
    machines = -(-pods // PODS_A_MACHINE)
    others = max(int(rows * OTHERS / HOURS) - machines, 0)
    hour = _Hour(pods, machines, others, labels)
    at_once = max(GROUP_ROWS // hour.rows, 1)
    with parquet.ParquetWriter(path, SCHEMA, compression="snappy") as writer:
        for first in range(0, HOURS, at_once):
            hours = range(first, min(first + at_once, HOURS))
            tables = [hour.table(START + timedelta(hours=index)) for index in hours]
            writer.write_table(pa.concat_tables(tables), row_group_size=GROUP_ROWS)


class _Hour:
    """The rows of any hour, of which only the time changes."""

    def __init__(self, pods: int, machines: int, others: int, labels: int) -> None:
        rng = np.random.default_rng(20261001)
        work = rng.integers(0, WORKLOADS, pods)
        nodes = [f"i-{index:017x}" for index in range(machines)]
        self._columns = {name: [*split, *plain] for name, (split, plain) in _texts(work, nodes, others).items()}
        cost = np.full(machines, PRICE)
        split = np.tile([WEIGHTS[kind] for kind in KINDS], pods) / sum(WEIGHTS.values()) * PRICE / PODS_A_MACHINE
        one, none = np.ones(3 * pods), np.zeros(3 * pods)
        plain = np.concatenate([cost, np.full(others, 0.01)])
        numbers = {
            "line_item_usage_amount": (one, np.ones(len(plain))),
            "line_item_unblended_cost": (none, plain),
            "pricing_public_on_demand_cost": (none, plain),
            "split_line_item_split_cost": (split, np.full(len(plain), np.nan)),
            "split_line_item_unused_cost": (none, np.full(len(plain), np.nan)),
            "split_line_item_split_usage": (one, np.full(len(plain), np.nan)),
            "split_line_item_reserved_usage": (one, np.full(len(plain), np.nan)),
            "split_line_item_actual_usage": (none, np.full(len(plain), np.nan)),
        }
        self._columns |= {name: pa.array(np.concatenate(both), from_pandas=True) for name, both in numbers.items()}
        more = [(f"user_label_{index}", f"value-{index}") for index in range(labels)]
        tags = [[*some, *more] for some in _tags(work, machines + others)]
        self._columns["resource_tags"] = pa.array(tags, SCHEMA.field("resource_tags").type)
        self.rows = 3 * pods + machines + others

    def table(self, hour: datetime) -> pa.Table:
        """Return the rows of one hour."""
        times = (hour, hour + timedelta(hours=1))
        span = {
            name: pa.array([time] * self.rows, SCHEMA.field(name).type) for name, time in zip(TIMES, times, strict=True)
        }
        return pa.table({**span, **self._columns}, schema=SCHEMA)


def _texts(work: np.ndarray, nodes: list[str], others: int) -> dict[str, tuple[list, list]]:
    """Return each column of text: the split rows, and the machines followed by everything else."""
    pods, machines = len(work), len(nodes)
    arns = [
        f"arn:aws:eks:us-east-1:111122223333:pod/prod/{_team(one)}/job-{one}-7d4b9c6f5-{index:05d}/uid-{index:012x}"
        for index, one in enumerate(work)
    ]
    rest = machines + others
    buckets = [f"bucket-{one}" for one in range(others)]
    return {
        "line_item_operation": (["EKSPod-EC2"] * (3 * pods), ["RunInstances"] * machines + ["PutObject"] * others),
        "line_item_usage_type": ([f"USE1-EKS-EC2-{kind}-Hours" for kind in KINDS] * pods,
                                 ["USE1-BoxUsage:p5.48xlarge"] * machines + ["Requests-Tier1"] * others),
        "line_item_line_item_type": (["Usage"] * (3 * pods), ["Usage"] * rest),
        "line_item_resource_id": ([arn for arn in arns for _ in KINDS], [*nodes, *buckets]),
        "line_item_usage_account_id": (["111122223333"] * (3 * pods), ["111122223333"] * rest),
        "line_item_currency_code": (["USD"] * (3 * pods), ["USD"] * rest),
        "product_instance_type": ([""] * (3 * pods), ["p5.48xlarge"] * machines + [""] * others),
        "product_product_family": ([""] * (3 * pods), ["Compute Instance"] * machines + ["Storage"] * others),
        "product_region_code": (["us-east-1"] * (3 * pods), ["us-east-1"] * rest),
        "split_line_item_parent_resource_id": (
            [nodes[index // PODS_A_MACHINE] for index in range(pods) for _ in KINDS], [""] * rest),
    }  # fmt: skip


def _tags(work: np.ndarray, rest: int) -> list[list[tuple[str, str]]]:
    pods = [
        [("user_team", _team(one)), ("user_project", f"p{one % 40}"), ("user_environment", "prod"),
         ("aws_eks_cluster_name", "prod"), ("aws_eks_workload_name", f"job-{one}")]
        for one in work
    ]  # fmt: skip
    return [*(tags for tags in pods for _ in KINDS), *([[("aws_eks_cluster_name", "prod")]] * rest)]


def _team(workload: int) -> str:
    return f"team-{workload % TEAMS}"
