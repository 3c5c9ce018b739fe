"""Split rows: AWS's published examples read back to the cent, and whom each row belongs to."""

import csv
from pathlib import Path

import polars as pl
import pytest

SAMPLES = Path(__file__).parents[3] / "../shared/data/billing/aws"
WEIGHTS = {"Accelerator": 9.0, "vCPU": 0.9, "GB": 0.1}
# Allocated GPUs, vCPUs and GB; split and unused cost as AWS's documentation rounds them: a p3.16xlarge at $10 an hour,
# an m5.xlarge at $1.
ACCELERATED = {
    "ns1/one": ((1, 16, 100), 1.85, 0.06), "ns2/two": ((3, 18, 140), 3.18, 0.09),
    "ns1/three": ((2, 16, 100), 2.35, 0.06), "ns2/four": ((2, 16, 100), 2.35, 0.06),
}  # fmt: skip
CPU_ONLY = {
    "ns1/one": ((0, 1, 4), 0.22, 0.01), "ns2/two": ((0, 1.9, 6), 0.38, 0.02),
    "ns1/three": ((0, 1, 2), 0.18, 0.01), "ns1/four": ((0, 1, 2), 0.18, 0.01),
}  # fmt: skip


def split_rows(pod, published, *, have, cost, weights=None):
    """Split each pod by resource as AWS's formula does, worked out in plain Python."""
    weights = weights or WEIGHTS
    unit = cost / sum(weights[kind] * amount for kind, amount in have.items())
    for index, (kind, amount) in enumerate(have.items()):
        held = {name: amounts[index] for name, (amounts, _, _) in published.items() if amounts[index]}
        whole, rest = max(amount, sum(held.values())), max(amount - sum(held.values()), 0)
        for name, one in held.items():
            price = unit * weights[kind]
            yield pod(
                f"{name}-7d4b9c6f5-x2vkq", kind, split=one / whole * amount * price,
                split_line_item_unused_cost=one / sum(held.values()) * rest * price,
                split_line_item_split_usage=float(one), split_line_item_reserved_usage=float(one),
            )  # fmt: skip


@pytest.mark.parametrize(
    ("published", "kind", "have", "cost", "weights"),
    [
        (ACCELERATED, "p3.16xlarge", {"Accelerator": 8, "vCPU": 64, "GB": 488}, 10.0, WEIGHTS),
        (CPU_ONLY, "m5.xlarge", {"Accelerator": 0, "vCPU": 4, "GB": 16}, 1.0, {**WEIGHTS, "vCPU": 9.0, "GB": 1.0}),
    ],
    ids=["accelerated", "CPU only"],
)
def test_published_examples(told, cur, published, kind, have, cost, weights):
    rows = split_rows(cur.pod, published, have=have, cost=cost, weights=weights)
    one = told(cur.machine(product_instance_type=kind, line_item_unblended_cost=cost), *rows)
    sums = one.claims.group_by("workload").agg(pl.selectors.float().sum()).sort("workload")
    for row in sums.iter_rows(named=True):
        (gpus, vcpus, gb), split, unused = published[row["workload"]]
        assert (row["gpu_hours"], row["vcpu_hours"], row["gb_hours"]) == pytest.approx((gpus, vcpus, gb))
        assert (row["split_cost"], row["unused_cost"]) == pytest.approx((split, unused), abs=0.006)
    assert sums["split_cost"].sum() + sums["unused_cost"].sum() == pytest.approx(cost)


def test_the_published_table_itself_when_it_is_here(told, cur):
    path = SAMPLES / "scad_worked_example_accelerated_p3_16xlarge.csv"
    if not path.exists():
        pytest.skip("the shared sample is not here")
    with path.open() as file:
        assert len(list(csv.DictReader(file))) >= len(ACCELERATED)


def test_a_tag_names_the_workload_before_the_pod_does(told, cur):
    tags = {"aws_eks_workload_name": "trainer", "user_team": "vision"}
    one = told(
        cur.pod("ns/rank-7d4b9c6f5-x2vkq", "Accelerator", resource_tags=tags, split_line_item_split_usage=2.0),
        cur.pod("ns/llm-worker-3", "Accelerator", split_line_item_split_usage=2.0),
    )
    assert set(one.claims.select("workload", "team", "pod", "node", "cluster").rows()) == {
        ("ns/trainer", "vision", "rank-7d4b9c6f5-x2vkq", "i-0a", "prod"),
        ("ns/llm", None, "llm-worker-3", "i-0a", "prod"),
    }  # fmt: skip


def test_a_pod_has_the_tags_that_it_had_last(told, cur):
    later = {"line_item_usage_start_date": "2026-04-01T14:00:00Z", "line_item_usage_end_date": "2026-04-01T15:00:00Z"}
    one = told(
        cur.pod("ns/a-x2vkq", "vCPU", resource_tags={}),
        cur.pod("ns/a-x2vkq", "vCPU", resource_tags={"user_team": "search"}, **later),
    )
    assert one.claims["team"].to_list() == ["search", "search"]


def test_helpers_of_the_cluster_are_system_unless_they_hold_a_gpu(told, cur):
    one = told(
        cur.pod("kube-system/agent-x2vkq", "vCPU"),
        cur.pod("monitoring/eval-x2vkq", "vCPU"),
        cur.pod("monitoring/eval-x2vkq", "Accelerator", split_line_item_split_usage=1.0),
    )
    assert set(one.claims.select("workload", "residual").rows()) == {
        ("kube-system/agent", "system"),
        ("monitoring/eval", None),
    }


def test_tasks_of_ecs_are_named_by_their_service(told, cur):
    task = {"line_item_operation": "ECSTask-EC2", "line_item_usage_type": "USE1-ECS-EC2-vCPU-Hours",
            "line_item_resource_id": "arn:aws:ecs:us-east-1:111122223333:task/farm/0123"}  # fmt: skip
    one = told(cur.pod("", "vCPU", **task, resource_tags={"aws_ecs_service_name": "render"}))
    assert one.claims.select("workload", "cluster", "namespace", "pod").rows() == [("render", "farm", None, "0123")]


def test_rows_without_a_pod_are_no_claims_and_said(told, cur):
    unused = cur.pod("", "vCPU", line_item_resource_id="Unused", split=4.0)
    one = told(cur.machine(), unused, cur.pod("ns/a-x2vkq", "vCPU", split=6.0))
    assert one.claims["split_cost"].to_list() == [6.0]
    assert "split-rows-without-pod" in one.codes
    assert one.sums() == (55.04, 55.04, 0.0)


def test_net_split_costs_count_where_there_are_any(told, cur):
    one = told(cur.pod("ns/a-x2vkq", "vCPU", split=6.0, split_line_item_net_split_cost=5.0))
    assert one.claims["split_cost"].to_list() == [5.0]


def test_fargate_is_billed_and_split_by_the_same_row(told, cur):
    one = told(cur.pod("ns/a", "vCPU", line_item_operation="FargatePod", line_item_unblended_cost=2.0))
    assert (one.claims.height, one.charges["residual"].to_list(), one.sums()[0]) == (0, ["other"], 2.0)


def test_a_pod_whose_rows_have_no_time_is_not_lost(told, cur):
    timed = cur.pod("ns/a-x2vkq", "vCPU", split=6.0, resource_tags={"user_team": "x"})
    untimed = cur.pod(
        "ns/b-x2vkq", "vCPU", split=4.0, line_item_usage_start_date=None, resource_tags={"user_team": "y"}
    )
    one = told(cur.machine(), timed, untimed)
    assert sorted(one.claims["split_cost"]) == [4.0, 6.0]
    alone = told(cur.machine(), untimed)
    assert alone.claims["split_cost"].to_list() == [4.0]
