"""Each rule of sharing by an example small enough to check by hand."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from optimizer.allocation import allocate
from providers.charges import CHARGES, CLAIMS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = NOON.replace(hour=0)
P5 = {"provider": "aws", "instance_type": "p5.48xlarge", "gpu_model": "H100-SXM-80GB", "gpu_hours": 8.0}
CARD = {"provider": "aws", "instance_type": "one-card", "gpu_model": "A100-40GB", "gpu_hours": 1.0}


def charge(node="n", cost=None, **columns):
    known = {"hour": NOON, "granularity": "hour", "currency": "USD", "source": "aws_cur", "node": node}
    costs = {"effective_cost": cost, "billed_cost": cost, "list_cost": None if cost is None else cost * 2}
    return known | costs | columns


def claim(name="train", gpus=None, node="n", **columns):
    known = {"hour": NOON, "node": node, "cluster": "k8s", "namespace": "ml", "source": "aws_cur"}
    return known | {"workload": name, "gpu_hours": gpus} | columns


def frame(rows, schema, dimensions):
    return pl.DataFrame(rows, schema={**schema, **dict.fromkeys(dimensions, pl.String())}, orient="row").lazy()


def shared(charges, claims=(), *, policy=None, dimensions=()):
    return allocate(
        frame(list(charges), CHARGES, dimensions),
        frame(list(claims), CLAIMS, dimensions),
        policy=policy,
        dimensions=dimensions,
    )


def costs(allocation, *names):
    """Return effective cost and GPU-hours by workload, or by residual where there is none."""
    who = pl.coalesce("workload", "residual").alias("who")
    sums = allocation.usage.group_by(who, *names).agg(pl.col("effective_cost", "gpu_hours").sum())
    return {(row[0] if not names else row[:-2]): row[-2:] for row in sums.iter_rows()}


def codes(allocation):
    return [one.code for one in allocation.found]


def test_each_charge_goes_where_its_columns_say():
    charges = [
        charge("shared", 80.0, **P5),
        charge("quiet", 70.0, **P5),
        charge("outside", 60.0, **P5, workload="vm"),
        charge("held", 50.0, **P5, residual="unused_commitment", workload="vm"),
        charge(None, 40.0, **P5, workload="split"),
        charge(None, 30.0, residual="tax", workload="ignored"),
    ]
    found = shared(charges, [claim(gpus=6.0, node="shared")])
    assert costs(found) == {
        "train": (60, 6),
        "idle": (20 + 70, 2 + 8),
        "vm": (60, 8),
        "unused_commitment": (50, 8),
        "split": (40, 8),
        "tax": (30, 0),
    }
    assert (found.machines, found.found) == (1, ())


def test_work_inherits_every_purchase_option_of_its_machine_in_proportion():
    plan = charge(cost=12.0, **P5 | {"gpu_hours": 6.0}, purchase_option="savings_plan", commitment_id="sp-1")
    rest = charge(cost=8.0, **P5 | {"gpu_hours": 2.0}, purchase_option="on_demand")
    found = shared([plan, rest], [claim(gpus=4.0)])
    assert costs(found, "purchase_option", "commitment_id") == {
        ("train", "savings_plan", "sp-1"): (6, 3),
        ("train", "on_demand", None): (4, 1),
        ("idle", "savings_plan", "sp-1"): (6, 3),
        ("idle", "on_demand", None): (4, 1),
    }


def test_cores_and_memory_of_a_machine_go_with_its_gpus():
    gpu = charge(cost=60.0, **P5)
    parts = [charge(cost=cost, gpu_hours=0.0, provider="aws", purchase_option="cud") for cost in (15.0, 5.0)]
    found = shared([gpu, *parts], [claim(gpus=2.0)])
    assert costs(found) == {"train": (20, 2), "idle": (60, 6)}
    assert set(found.usage["gpu_model"]) == {"H100-SXM-80GB"}
    assert found.usage["list_cost"].sum() == 160


def test_unknown_costs_stay_unknown():
    live = charge(cost=None, **P5, source="opencost") | {"list_cost": 80.0}
    found = shared([live], [claim(gpus=2.0)]).usage
    assert found["effective_cost"].to_list() == [None, None]
    assert found["billed_cost"].to_list() == [None, None]
    assert sorted(found["list_cost"]) == [20, 60]


P3 = {"provider": "aws", "instance_type": "p3.16xlarge", "gpu_model": "V100-16GB", "gpu_hours": 8.0}
AWS_PODS = [
    ("1", 16, 4, 1, 1, 100, 60),
    ("2", 16, 18, 2, 3, 100, 140),
    ("3", 16, 4, 2, 1, 100, 60),
    ("4", 16, 4, 2, 2, 100, 40),
]
AWS_COLUMNS = ("vcpu_hours", "vcpu_hours_used", "gpu_hours", "gpu_hours_used", "gb_hours", "gb_hours_used")


def test_the_example_of_aws_on_a_bill():
    """What the pods did not ask for, 0.27 of it memory, is idle."""
    pods = [claim(name, **dict(zip(AWS_COLUMNS, map(float, row), strict=True))) for name, *row in AWS_PODS]
    found = costs(shared([charge(cost=10.0, **P3)], pods, policy="aws_scad"))
    assert {name: round(cost, 6) for name, (cost, _) in found.items()} == {
        "1": 1.847737, "2": 3.178761, "3": 2.352222, "4": 2.352222, "idle": 0.269058,
    }  # fmt: skip
    assert found["idle"][1] == 1


def split_claims(one, other, unused=0.0):
    return [claim("a", 2.0, split_cost=one, unused_cost=unused), claim("b", 4.0, split_cost=other, unused_cost=unused)]


def test_the_split_of_the_bill_is_used_until_a_policy_is_named():
    own = split_claims(30.0, 20.0, 5.0)
    assert costs(shared([charge(cost=80.0, **P5)], own)) == {"a": (30, 2), "b": (20, 4), "idle": (30, 2)}
    weighted = shared([charge(cost=80.0, **P5)], own, policy="gpu_weighted")
    assert costs(weighted) == {"a": (20, 2), "b": (40, 4), "idle": (20, 2)}


def test_a_split_above_the_cost_of_the_machine_is_scaled_down_and_said():
    found = shared([charge(cost=80.0, **P5)], split_claims(60.0, 60.0, 20.0))
    assert costs(found) == {"a": (30, 2), "b": (30, 4), "idle": (20, 2)}
    assert codes(found) == ["split-above-cost"]
    assert "by 80.00" in found.found[0].message


def test_a_rounding_of_the_split_is_scaled_down_and_not_said():
    found = shared([charge(cost=80.0, **P5)], split_claims(40.004, 40.004))
    assert costs(found)["a"][0] == pytest.approx(40, abs=1e-9)
    assert codes(found) == []


def test_claims_on_machines_that_no_bill_holds():
    lost = [claim("gone", 3.0, node="x", split_cost=5.0, unused_cost=1.0), claim("cpu", None, node="y", vcpu_hours=4.0)]
    known = claim("late", 2.0, hour=NOON + timedelta(hours=1))
    found = shared([charge(cost=80.0, **P5)], [*lost, known])
    assert costs(found) == {"unmatched": (0, 5), "idle": (80, 8)}
    rows = found.usage.filter(pl.col("residual") == "unmatched")
    assert rows.select("hour", "namespace", "effective_cost", "currency").rows() == [
        (NOON, "ml", None, "USD"),
        (NOON + timedelta(hours=1), "ml", None, "USD"),
    ]
    assert codes(found) == ["claims-unmatched"]
    assert found.found[0].message.startswith("2 claims of 5.0 GPU-hours, with a split cost of 6.00")


def test_replicas_counted_as_whole_gpus_are_scaled_down():
    found = shared([charge(cost=80.0, **P5)], [claim("a", 24.0), claim("b", 8.0)])
    assert costs(found) == {"a": (60, 6), "b": (20, 2)}
    assert codes(found) == ["gpus-overcommitted"]


def test_what_keeps_the_cluster_running_is_system():
    found = shared([charge(cost=80.0, **P5)], [claim("a", 6.0), claim("dcgm", 1.0, residual="system")])
    assert costs(found) == {"a": (60, 6), "system": (10, 1), "idle": (10, 1)}


def hours_of(name, hours, gpus):
    return [claim(name, gpus, hour=DAY + timedelta(hours=hour)) for hour in hours]


DAILY = charge(cost=96.0, **P5 | {"gpu_hours": 48.0}, hour=DAY, granularity="day", source="azure_cost")  # six hours


def of_day(claims, **columns):
    usage = shared([DAILY | columns], claims).usage
    rows = usage.select("hour", "granularity", pl.coalesce("workload", "residual"), "effective_cost", "gpu_hours")
    return [(row[0].hour, *row[1:]) for row in rows.sort("granularity", "hour").iter_rows()]


def test_a_day_is_spread_over_the_hours_in_which_the_machine_was_seen():
    """Six hours of up-time over eight seen make three quarters each."""
    assert of_day(hours_of("a", range(4, 12), 6.0)) == [(hour, "hour", "a", 12, 6) for hour in range(4, 12)]


def test_what_the_hours_seen_cannot_hold_stays_a_row_of_the_day():
    """Six hours of up-time, four seen: an hour each, and two are left."""
    rows = of_day(hours_of("a", range(4), 8.0))
    assert rows == [
        (0, "day", "idle", pytest.approx(32), pytest.approx(16)),
        *((hour, "hour", "a", 16, 8) for hour in range(4)),
    ]


def test_a_day_without_claims_stays_a_day_and_an_unknown_machine_is_spread_whole():
    assert of_day(hours_of("a", [30], 8.0)) == [(0, "day", "idle", 96, 48), (6, "hour", "unmatched", None, 8)]
    rows = of_day(hours_of("a", [1, 2], 24.0), instance_type="unheard-of")
    assert rows == [(1, "hour", "a", 48, 24), (2, "hour", "a", 48, 24)]


def test_what_is_seen_live_gives_way_to_a_bill_of_the_day():
    bill = charge(cost=80.0, **P5)
    live = [
        charge(cost=None, **P5, source="opencost", hour=NOON + timedelta(hours=hour)) | {"list_cost": 99.0}
        for hour in (0, 1, 24)
    ]
    claims = [claim("a", 8.0, source="opencost", hour=NOON + timedelta(hours=hour)) for hour in (0, 24)]
    rows = shared([bill, *live], claims).usage.select("hour", "source", "workload", "effective_cost", "list_cost")
    assert rows.rows() == [(NOON, "aws_cur", "a", 80, 160), (NOON + timedelta(days=1), "opencost", "a", None, 99)]


def test_a_bill_goes_before_live_claims_but_measures_no_gpu():
    claims = [
        claim("a", 4.0, split_cost=60.0, team="search"),
        claim("a", 4.0, split_cost=20.0, team="ads"),
        claim("a", 8.0, gpu_hours_used=5.0, source="prometheus"),
        claim("b", 8.0, gpu_hours_used=1.0, source="prometheus"),
    ]
    found = shared([charge(cost=80.0, **P5)], claims, dimensions=["team"])
    rows = found.usage.select("workload", "team", "effective_cost", "gpu_hours", "gpu_hours_used").rows()
    assert rows == [("a", "ads", 20, 4, 2.5), ("a", "search", 60, 4, 2.5)]
    assert codes(found) == ["claims-overlap"]


def test_a_claim_s_tags_go_first_and_the_machine_s_fill_in():
    node = charge(cost=80.0, **P5, region="us-east-1", team="platform", project="shared")
    found = shared([node], [claim("a", 4.0, team="search"), claim("b", 4.0)], dimensions=["team", "project"]).usage
    assert found.select("workload", "team", "project", "cluster", "namespace", "region").rows() == [
        ("a", "search", "shared", "k8s", "ml", "us-east-1"),
        ("b", "platform", "shared", "k8s", "ml", "us-east-1"),
    ]


def test_costs_without_a_gpu_are_rows_of_the_day():
    charges = [charge(None, 1.5, residual="other", hour=DAY + timedelta(hours=hour)) for hour in range(24)]
    rows = shared(charges).usage
    assert rows.select("hour", "granularity", "residual", "effective_cost").rows() == [(DAY, "day", "other", 36)]


def test_timing_is_summed_by_source():
    charges = [charge(None, 0.0, residual="commitment_payment", timing_cost=cost) for cost in (100.0, -30.0)]
    assert shared(charges).timing.rows() == [("aws_cur", "USD", 70)]


def test_work_on_an_unknown_gpu_is_not_lost():
    found = shared([charge(cost=80.0, **P5 | {"gpu_model": None})], [claim("a", 8.0)])
    assert costs(found) == {"other": (80, 8)}
    assert codes(found) == ["work-without-model"]


def test_a_job_over_several_machines_is_one_workload():
    """Four machines of eight GPUs for three hours."""
    hours = [NOON + timedelta(hours=hour) for hour in range(3)]
    charges = [charge(f"n{node}", 80.0, **P5, hour=hour) for node in range(4) for hour in hours]
    claims = [claim("llm", 8.0, node=f"n{node}", hour=hour) for node in range(4) for hour in hours]
    found = shared(charges, claims)
    assert costs(found) == {"llm": (960, 96)}
    assert found.usage.height == 3


def card(parts, *, policy=None, **columns):
    claims = [claim(name, part, **columns) for name, part in parts.items()]
    return shared([charge(cost=3.0, **CARD)], claims, policy=policy)


def test_four_quarters_of_a_gpu_are_one_gpu():
    found = card(dict.fromkeys("abcd", 0.25), estimated=True)
    assert costs(found) == dict.fromkeys("abcd", (0.75, 0.25))
    assert found.usage["estimated"].all()


def test_slices_pay_their_part_of_the_gpu():
    found = card({"a": 3 / 7, "b": 3 / 7, "c": 1 / 7})
    assert {name: round(cost, 4) for name, (cost, _) in costs(found).items()} == {"a": 1.2857, "b": 1.2857, "c": 0.4286}


def test_what_slices_cannot_use_of_the_memory_is_not_theirs():
    """Seven 1g.5gb slices of an A100-40GB hold 7 x 4,864 of its 40,960 MB."""
    found = costs(card({str(part): 4864 / 40960 for part in range(7)}))
    assert found["idle"] == (pytest.approx(3 * 0.16875), pytest.approx(0.16875))


def test_measured_use_of_one_shared_gpu():
    """A $3 card, 55 % busy, of which four pods have 70, 25, 2.5 and 2.5 %."""
    used = {"a": 0.70, "b": 0.25, "c": 0.025, "d": 0.025}
    claims = [claim(name, 0.25, gpu_hours_used=0.55 * part) for name, part in used.items()]
    found = costs(shared([charge(cost=3.0, **CARD)], claims, policy="used"))
    expected = {"a": 1.155, "b": 0.4125, "c": 0.04125, "d": 0.04125, "idle": 1.35}
    assert {name: cost for name, (cost, _) in found.items()} == pytest.approx(expected)


def test_what_nothing_measures_pays_for_its_request_under_used_and_is_said():
    found = card({"a": 0.25}, policy="used")
    assert costs(found) == {"a": (0.75, 0.25), "idle": (2.25, 0.75)}
    assert codes(found) == ["use-not-measured"]
    assert codes(card({"a": 0.25}, policy="used", gpu_hours_used=0.0)) == []


def test_nothing_at_all():
    found = shared([], [], dimensions=["team"])
    assert (found.usage.height, found.timing.height, found.found, found.machines) == (0, 0, (), 0)
    assert {"hour", "team", "residual", "estimated"} <= set(found.usage.columns)


def test_claims_alone_are_unmatched():
    assert costs(shared([], [claim("a", 8.0)])) == {"unmatched": (0, 8)}
