"""What AWS and OpenCost publish as worked examples comes out of the one formula."""

import csv
from pathlib import Path

import polars as pl
import pytest

from optimizer.policies import POLICIES, RESOURCES, Policy, rates, split
from providers.accelerators import instance_capacity

AWS_TYPES = Path(__file__).parents[2] / "../shared/data/billing/aws/ec2_accelerator_instance_types_moto_5_2_5.csv"
SCAD = POLICIES["aws_scad"]
# Requested and used, as in the AWS page on accelerated instances: vCPU, GPU, GB.
PODS = [
    ((16, 4), (1, 1), (100, 60)),
    ((16, 18), (2, 3), (100, 140)),
    ((16, 4), (2, 1), (100, 60)),
    ((16, 4), (2, 2), (100, 40)),
]


def claims_of(pods):
    rows = [
        {
            "node": "n", "hour": 0, "vcpu_hours": float(vcpu[0]), "vcpu_hours_used": float(vcpu[1]),
            "gpu_hours": float(gpu[0]), "gpu_hours_used": float(gpu[1]), "gb_hours": float(gb[0]),
            "gb_hours_used": float(gb[1]),
        }
        for vcpu, gpu, gb in pods
    ]  # fmt: skip
    return pl.DataFrame(rows)


def machine(cost, *, gpu, vcpu, gb):
    return pl.DataFrame(
        {
            "node": "n",
            "hour": 0,
            "effective_cost": cost,
            "gpu_available": gpu,
            "vcpu_available": vcpu,
            "gb_available": gb,
        },
        schema_overrides={f"{name}_available": pl.Float64 for name in RESOURCES},
    )


P3 = machine(10.0, gpu=8.0, vcpu=64.0, gb=488.0)


def costs(frame):
    return frame["split_cost"].to_list(), frame["unused_cost"].to_list()


@pytest.mark.parametrize("price", [10.0, 24.48])
def test_the_accelerated_example_of_aws(price):
    """The page prints 1.85 + 0.06, 3.18 + 0.09, 2.35 + 0.06 twice."""
    paid, unused = costs(split(claims_of(PODS), P3.with_columns(effective_cost=pl.lit(price)), SCAD))
    scale = price / 10
    assert paid == pytest.approx([v * scale for v in (1.847737, 3.178761, 2.352222, 2.352222)], abs=1e-6 * scale)
    assert unused == pytest.approx([v * scale for v in (0.061150, 0.085609, 0.061150, 0.061150)], abs=1e-6 * scale)
    assert sum(paid) + sum(unused) == pytest.approx(price, abs=1e-12)
    if price == 10:
        assert [round(cost, 2) for cost in paid] == [1.85, 3.18, 2.35, 2.35]
        assert [round(a + b, 2) for a, b in zip(paid, unused, strict=True)] == [1.91, 3.26, 2.41, 2.41]


def test_the_cpu_example_of_aws():
    pods = [
        ((1, 0.1), (0, 0), (4, 3)),
        ((1, 1.9), (0, 0), (4, 6)),
        ((1, 0.5), (0, 0), (2, 2)),
        ((1, 0.5), (0, 0), (2, 2)),
    ]
    paid, unused = costs(split(claims_of(pods), machine(1.0, gpu=0.0, vcpu=4.0, gb=16.0), SCAD))
    assert [round(cost, 2) for cost in paid] == [0.22, 0.38, 0.18, 0.18]
    assert [round(cost, 2) for cost in unused] == [0.01, 0.02, 0.01, 0.01]
    assert sum(paid) + sum(unused) == pytest.approx(1, abs=1e-12)


def unit_costs(policy, cost, **available):
    nothing = {f"{name}_held": [0.0] for name in RESOURCES}
    unit = pl.DataFrame({f"{name}_available": [value] for name, value in available.items()} | nothing)
    priced = unit.select(rates(policy))
    return [priced[f"{name}_rate"].item() * cost if name in policy.weights else 0.0 for name in RESOURCES]


def test_unit_prices_of_the_aws_example():
    """The page prints 0.00506 for a GB-hour, but its totals use 0.0056."""
    prices = unit_costs(SCAD, 10.0, gpu=8.0, vcpu=64.0, gb=488.0)
    assert prices == pytest.approx([0.504484, 0.0504484, 0.00560538], rel=1e-5)


def test_base_prices_are_held_in_proportion():
    """OpenCost specification, appendix A: a $35 node of base prices 30, 30 and 10 is 15, 15 and 5."""
    assert unit_costs(Policy(gpu=30, vcpu=30, gb=10, basis="larger"), 35.0, gpu=1.0, vcpu=1.0, gb=1.0) == [15, 15, 5]


@pytest.mark.parametrize(("name", "share"), [("aws_scad", 0.404), ("price_ratio", 0.650), ("gpu_weighted", 1.0)])
def test_the_gpus_share_of_a_machine(name, share):
    gpu, _, _ = unit_costs(POLICIES[name], 1.0, gpu=8.0, vcpu=64.0, gb=488.0)
    assert 8 * gpu == pytest.approx(share, abs=5e-4)


@pytest.mark.parametrize(
    ("kind", "share"),
    [((1, 4, 16), 0.63), ((16, 128, 512), 0.46), ((8, 96, 1152), 0.26), ((1, 16, 256), 0.18), ((8, 192, 2048), 0.16)],
)
def test_little_of_a_large_machine_is_on_its_accelerator_rows(kind, share):
    gpus, vcpus, gb = map(float, kind)
    assert gpus * unit_costs(SCAD, 1.0, gpu=gpus, vcpu=vcpus, gb=gb)[0] == pytest.approx(share, abs=5e-3)


def test_a_log_agent_takes_two_fifths_of_a_machine_under_the_weights_of_aws_and_nothing_under_gpus():
    pods = claims_of([((4, 0), (8, 0), (16, 0)), ((4, 0), (0, 0), (16, 0))])
    p5 = machine(55.04, gpu=8.0, vcpu=192.0, gb=2048.0)
    paid, unused = costs(split(pods, p5, SCAD))
    assert [round(a + b, 2) for a, b in zip(paid, unused, strict=True)] == [31.93, 23.11]
    paid, unused = costs(split(pods, p5, POLICIES["gpu_weighted"]))
    assert paid == pytest.approx([55.04, 0])
    assert unused == [0, 0]


@pytest.mark.parametrize(
    ("basis", "requested", "used", "held"),
    [
        ("larger", 1.0, 0.01, 1.0),
        ("larger", 1.0, 2.2, 2.2),
        ("larger", None, 2.2, 2.2),
        ("larger", 1.0, None, 1.0),
        ("requested", 1.0, 2.2, 1.0),
        ("used", 1.0, 0.2, 0.2),
        ("used", 1.0, 0.0, 0.0),
        ("used", 1.0, None, 1.0),
        ("used", None, None, 0.0),
    ],
)
def test_what_a_claim_holds(basis, requested, used, held):
    """The first four are OpenCost's Test_getContainerAllocation."""
    row = pl.DataFrame(
        {"gpu_hours": [requested], "gpu_hours_used": [used]},
        schema={"gpu_hours": pl.Float64, "gpu_hours_used": pl.Float64},
    )
    assert row.select(Policy(gpu=1, basis=basis).held("gpu")).item() == held


def test_an_unknown_capacity_is_what_is_claimed_and_nothing_at_all_costs_nothing():
    pods = claims_of([((6, 0), (1, 0), (0, 0)), ((2, 0), (1, 0), (0, 0))])
    unknown = machine(10.0, gpu=2.0, vcpu=None, gb=None)
    paid, unused = costs(split(pods, unknown, Policy(gpu=1, vcpu=0.25, gb=1, basis="requested")))
    assert (paid, unused) == (pytest.approx([6.25, 3.75]), [0, 0])
    nothing = claims_of([((0, 0), (0, 0), (0, 0))])
    assert costs(split(nothing, machine(10.0, gpu=0.0, vcpu=None, gb=None), SCAD)) == ([0], [0])


@pytest.mark.parametrize(
    ("provider", "instance_type", "capacity"),
    [
        ("aws", "P5.48xlarge", (192, 2048)),
        ("aws", "p3.16xlarge", (64, 488)),
        ("gcp", "a3-megagpu-8g", (208, 1872)),
        ("azure", "Standard_ND96isr_H100_v5", None),
        ("aws", "m5.xlarge", None),
    ],
)
def test_what_an_instance_type_has(provider, instance_type, capacity):
    assert instance_capacity(provider, instance_type) == capacity


@pytest.mark.skipif(not AWS_TYPES.exists(), reason="the collected sources are not on this machine")
def test_capacities_are_those_of_the_collected_types():
    for row in csv.DictReader(AWS_TYPES.read_text().splitlines()):
        expected = (float(row["vcpus"]), float(row["memory_mib"]) / 1024)
        assert instance_capacity("aws", row["instance_type"]) == expected
