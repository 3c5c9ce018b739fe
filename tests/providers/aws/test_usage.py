"""Cost and Usage Reports: every line item type once, pods share what their machine costs, in every spelling."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

spec = spec_from_file_location("report", Path(__file__).with_name("report.py"))
report = module_from_spec(spec)
sys.modules["report"] = report
spec.loader.exec_module(report)
frame, pod, reading, shared = report.frame, report.pod, report.reading, report.shared

SAMPLE = Path(__file__).parents[3] / "../shared/data/billing/aws/focus_converters_sample_aws_legacy_cur.csv"
CLUSTER = {"aws_eks_cluster_name": "prod"}


@pytest.fixture
def told(tmp_path):
    """Write rows as CUR 2.0 and share them; the bill must be found again to the cent."""

    def run(*rows, policy=None):
        path = tmp_path / "cur.parquet"
        frame(*rows).write_parquet(path)
        found, reconciled = shared(reading(path), policy)
        assert reconciled.difference == pytest.approx(0, abs=1e-9)
        return found.usage, reconciled

    return run


def only(usage, **cells):
    rows = usage.filter(pl.lit(value=True), *(pl.col(name).eq_missing(pl.lit(value)) for name, value in cells.items()))
    assert rows.height == 1, usage.to_dicts()
    return rows.row(0, named=True)


def test_a_machine_outside_of_clusters_is_its_own_workload(told):
    usage, bill = told({"resource_tags": {"user_name": "trainer", "user_team": "vision"}})
    row = only(usage)
    assert (row["workload"], row["gpu_model"], row["gpu_hours"], row["effective_cost"], row["team"]) == (
        "trainer", "H100-SXM-80GB", 8.0, 55.04, "vision",
    )  # fmt: skip
    assert (row["purchase_option"], row["provider"], row["region"]) == ("on_demand", "aws", "us-east-1")
    assert bill.allocated == 55.04


def test_a_machine_of_a_cluster_that_nobody_claims_is_idle(told):
    usage, _ = told({"resource_tags": CLUSTER})
    assert only(usage, residual="idle")["gpu_hours"] == 8


# Allocated vCPU, GPU and GB, split and unused cost: AWS documentation, "accelerated instances", at $10 an hour.
EXAMPLE_A = {
    "ns1/one": ((16, 1, 100), 1.847737, 0.061150),
    "ns2/two": ((18, 3, 140), 3.178761, 0.085609),
    "ns1/three": ((16, 2, 100), 2.352222, 0.061150),
    "ns2/four": ((16, 2, 100), 2.352222, 0.061150),
}


def rows_of_example_a():
    """Split each pod by resource as AWS's formula does, worked out here in plain Python."""
    have, weight = {"vCPU": 64, "Accelerator": 8, "GB": 488}, {"vCPU": 0.9, "Accelerator": 9, "GB": 0.1}
    unit = 10 / sum(have[kind] * weight[kind] for kind in have)
    for index, kind in enumerate(have):
        asked = {name: amounts[index] for name, (amounts, _, _) in EXAMPLE_A.items()}
        whole, price = max(have[kind], sum(asked.values())), unit * weight[kind]
        unused = max(have[kind] - sum(asked.values()), 0)
        for name, amount in asked.items():
            split, rest = amount / whole * have[kind] * price, amount / sum(asked.values()) * unused * price
            yield pod(f"{name}-x2vkq", kind, split, rest, split_line_item_split_usage=float(amount))


def test_the_published_example_of_accelerated_instances(told):
    machine = {"line_item_unblended_cost": 10.0, "product_instance_type": "p3.16xlarge", "resource_tags": CLUSTER}
    usage, bill = told(machine, *rows_of_example_a())
    for name, ((_, gpus, _), split, _) in EXAMPLE_A.items():
        row = only(usage, workload=name)
        assert (row["gpu_hours"], row["effective_cost"]) == (gpus, pytest.approx(split, abs=1e-6))
    assert bill.residuals["idle"] == pytest.approx(sum(unused for _, _, unused in EXAMPLE_A.values()), abs=1e-5)


def test_pods_inherit_and_prorate_the_purchase_options_of_their_machine(told):
    plan = {"savings_plan_savings_plan_a_r_n": "arn:sp", "line_item_line_item_type": "SavingsPlanCoveredUsage"}
    covered = {**plan, "line_item_usage_amount": 0.25, "line_item_unblended_cost": 13.76, "resource_tags": CLUSTER,
               "savings_plan_savings_plan_effective_cost": 8.0}  # fmt: skip
    negation = {"line_item_line_item_type": "SavingsPlanNegation", "line_item_unblended_cost": -13.76}
    fee = {**plan, "line_item_line_item_type": "SavingsPlanRecurringFee", "line_item_unblended_cost": 9.0,
           "savings_plan_total_commitment_to_date": 9.0, "savings_plan_used_commitment": 8.0,
           "product_instance_type": "", "line_item_operation": "", "line_item_resource_id": "arn:sp"}  # fmt: skip
    rest = {"line_item_usage_amount": 0.75, "line_item_unblended_cost": 41.28, "resource_tags": CLUSTER}
    claims = [pod("ns/train-x2vkq", "Accelerator", 24.64, split_line_item_split_usage=4.0)]
    usage, bill = told(covered, negation, fee, rest, *claims)
    work = usage.filter(pl.col("workload") == "ns/train").sort("purchase_option")
    assert work.select("purchase_option", "gpu_hours", "commitment_id").rows() == [
        ("on_demand", 3.0, None), ("savings_plan", 1.0, "arn:sp"),
    ]  # fmt: skip
    assert work["effective_cost"].to_list() == pytest.approx([20.64, 4.0])
    assert bill.residuals["unused_commitment"] == pytest.approx(1.0)
    assert bill.billed == pytest.approx(13.76 - 13.76 + 9 + 41.28)


def test_spot_rows_carry_no_product_attributes(told):
    spot = {
        "product_instance_type": "",
        "product_product_family": "",
        "line_item_usage_type": "USE1-SpotUsage:p5.48xlarge",
    }
    described = {**spot, "line_item_line_item_description": "p5.48xlarge Linux/UNIX Spot Instance-hour in US East"}
    bare = {**spot, "line_item_line_item_description": "", "line_item_resource_id": "i-0b"}
    usage, _ = told(described, bare)
    assert set(usage["purchase_option"]) == {"spot"}
    assert usage["gpu_hours"].sum() == 16


def test_reserved_instances_and_their_upfront_fee(told):
    used = {"line_item_line_item_type": "DiscountedUsage", "line_item_unblended_cost": 0.0,
            "reservation_reservation_a_r_n": "arn:ri", "reservation_effective_cost": 30.0}  # fmt: skip
    plain = {"product_instance_type": "", "line_item_operation": "", "line_item_resource_id": ""}
    fee = {**plain, "line_item_line_item_type": "RIFee", "line_item_unblended_cost": 14.0,
           "reservation_reservation_a_r_n": "arn:ri", "reservation_amortized_upfront_fee_for_billing_period": 20.0,
           "reservation_unused_amortized_upfront_fee_for_billing_period": 2.0,
           "reservation_unused_recurring_fee": 2.0}  # fmt: skip
    upfront = {**plain, "line_item_line_item_type": "Fee", "line_item_unblended_cost": 175200.0,
               "reservation_reservation_a_r_n": "arn:ri"}  # fmt: skip
    usage, bill = told(used, fee, upfront)
    assert (bill.billed, bill.timing, bill.effective) == (175214.0, 175180.0, 34.0)
    assert dict(bill.residuals) == {"unused_commitment": 4.0, "commitment_payment": 0.0}
    assert only(usage, residual=None)["purchase_option"] == "reserved"


PLAIN = {"product_instance_type": "", "line_item_operation": "", "line_item_resource_id": ""}
OTHERS = {
    "Tax": ({"line_item_line_item_type": "Tax"}, "tax"),
    "Credit": ({"line_item_line_item_type": "Credit", "line_item_unblended_cost": -3.0}, "credit"),
    "refund of usage": ({"line_item_line_item_type": "Refund", "line_item_unblended_cost": -3.0}, "credit"),
    "private rate": ({"line_item_line_item_type": "PrivateRateDiscount", "line_item_unblended_cost": -3.0}, "credit"),
    "bundled": ({"line_item_line_item_type": "BundledDiscount", "line_item_unblended_cost": -3.0}, "credit"),
    "subscription": ({"line_item_line_item_type": "FlatRateSubscription"}, "other"),
    "storage": ({"line_item_operation": "StandardStorage"}, "other"),
    "what nobody knows": ({"line_item_line_item_type": "Novelty"}, "other"),
    "CPU machine": ({"line_item_operation": "RunInstances", "product_instance_type": "m5.xlarge",
                     "line_item_usage_type": "USE1-BoxUsage:m5.xlarge"}, "other"),
    "new GPU": ({"line_item_operation": "RunInstances", "product_instance_type": "p99.48xlarge"}, "unsupported"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_gpu_machine_is_a_residual_with_its_cost(told, kind):
    cells, residual = OTHERS[kind]
    usage, bill = told({**PLAIN, **cells})
    assert usage["residual"].to_list() == [residual]
    assert dict(bill.residuals) == {residual: cells.get("line_item_unblended_cost", 55.04)}


def test_what_is_not_known_is_said_with_its_amount(tmp_path):
    path = tmp_path / "cur.parquet"
    new_gpu = {"product_instance_type": "p99.48xlarge", "line_item_usage_type": "USE1-BoxUsage:p99.48xlarge"}
    frame(new_gpu, {**PLAIN, "line_item_line_item_type": "Novelty"}).write_parquet(path)
    said = {one.code: one.message for one in reading(path).found()}
    assert "p99.48xlarge (55.04)" in said["unknown-instance-type"]
    assert "Novelty (55.04)" in said["unknown-line-item-type"]


def test_capacity_reservations_are_not_counted_twice(told):
    arn = {"capacity_reservation_capacity_reservation_arn": "arn:cr"}
    reserved = {**arn, "capacity_reservation_capacity_reservation_status": "Reserved", "line_item_unblended_cost": 0.0,
                "line_item_usage_type": "USE1-Reservation:p5.48xlarge"}  # fmt: skip
    used = {**arn, "capacity_reservation_capacity_reservation_status": "Used"}
    unused = {**arn, "capacity_reservation_capacity_reservation_status": "Unused",
              "line_item_usage_type": "USE1-UnusedBox:p5.48xlarge"}  # fmt: skip
    usage, bill = told(reserved, used, unused)
    assert usage["gpu_hours"].sum() == 8
    assert dict(bill.residuals) == {"unused_commitment": 55.04}


def test_the_fee_of_a_capacity_block_is_used_up_over_its_window(told):
    block = {
        "capacity_reservation_capacity_reservation_arn": "arn:cb",
        "capacity_reservation_capacity_reservation_type": "EC2 Capacity Blocks for ML",
    }
    fee = {**PLAIN, **block, "line_item_line_item_type": "Fee", "line_item_unblended_cost": 400.0,
           "line_item_usage_end_date": "2026-10-01T04:00:00Z"}  # fmt: skip
    used = {**block, "capacity_reservation_capacity_reservation_status": "Used", "line_item_unblended_cost": 0.0}
    later = {"line_item_usage_start_date": "2026-10-01T01:00:00Z", "line_item_usage_end_date": "2026-10-01T02:00:00Z"}
    last = {**PLAIN, "line_item_line_item_type": "Tax", "line_item_unblended_cost": 0.0,
            "line_item_usage_start_date": "2026-10-01T02:00:00Z"}  # fmt: skip
    usage, bill = told(fee, used, {**used, "line_item_resource_id": "i-0b"}, {**used, **later}, last)
    work = usage.filter(pl.col("residual").is_null()).sort("hour")
    assert set(work["purchase_option"]) == {"capacity_block"}
    assert work.group_by("hour").agg(pl.col("effective_cost").sum()).sort("hour")["effective_cost"].to_list() == [
        100,
        50,
    ]
    assert bill.residuals["unused_commitment"] == pytest.approx(150)  # half of the second hour, all of the third
    assert (bill.billed, bill.timing, bill.effective) == (400, 100, 300)  # the fourth is not in the bill yet


def test_net_costs_count_everywhere_once_an_account_has_discounts(told):
    net = {"line_item_net_unblended_cost": 50.0}
    discount = {**PLAIN, "line_item_line_item_type": "EdpDiscount", "line_item_unblended_cost": -5.04}
    _, bill = told(net, discount)
    assert (bill.billed, bill.effective) == (50.0, 50.0)


def test_pods_of_the_system_and_pods_without_a_machine(told):
    rows = [
        {"resource_tags": CLUSTER},
        pod("kube-system/agent-x2vkq", "vCPU", 5.0),
        pod("ns/a-x2vkq", "Accelerator", 20.0, 4.0, split_line_item_split_usage=4.0),
        pod(
            "ns/lost-x2vkq",
            "Accelerator",
            9.0,
            split_line_item_split_usage=2.0,
            split_line_item_parent_resource_id="i-9",
        ),
        pod("ns/web-x2vkq", "vCPU", 9.0, split_line_item_parent_resource_id="i-cpu"),
    ]
    usage, bill = told(*rows)
    assert only(usage, residual="system")["effective_cost"] == pytest.approx(5)
    assert only(usage, residual="unmatched")["gpu_hours"] == 2
    assert bill.residuals["idle"] == pytest.approx(55.04 - 25)
    assert bill.allocated == pytest.approx(20)


def test_every_spelling_gives_the_same_charges(tmp_path):
    rows = [
        {"resource_tags": {**CLUSTER, "user_team": "search"}},
        pod(
            "ns/a-x2vkq", "Accelerator", 20.0, 4.0, split_line_item_split_usage=4.0, resource_tags={"user_team": "ads"}
        ),
        {**PLAIN, "line_item_line_item_type": "Tax"},
    ]
    data = frame(*rows)
    pairs = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
    listed = data.with_columns(pl.col("resource_tags").cast(pairs))
    texts = ['{"aws_eks_cluster_name": "prod", "user_team": "search"}', '{"user_team": "ads"}', "{}"]
    spelled = {
        "map": data,
        "list of structs": listed,
        "JSON": data.with_columns(pl.Series("resource_tags", texts)),
    }
    paths = []
    for name, one in spelled.items():
        paths.append(tmp_path / f"{name}.parquet")
        one.write_parquet(paths[-1])
    paths.append(report.legacy(data, tmp_path / "legacy.csv.gz"))
    tables = [shared(reading(path))[0].usage for path in paths]
    assert all(table.equals(tables[0]) for table in tables)
    assert set(tables[0]["team"].drop_nulls()) == {"search", "ads"}


def test_columns_that_come_and_go_within_a_period(tmp_path):
    first, second = tmp_path / "1.parquet", tmp_path / "2.parquet"
    frame({}).write_parquet(first)
    frame({"line_item_usage_start_date": "2026-10-02T00:00:00Z"}).drop(
        "resource_tags", "reservation_effective_cost"
    ).write_parquet(second)
    found, bill = shared(reading(first, second))
    assert (bill.rows, bill.billed, bill.difference) == (2, 110.08, 0)
    assert found.usage["gpu_hours"].sum() == 16


def test_a_published_report_sums_to_itself():
    if not SAMPLE.exists():
        pytest.skip("the shared sample is not here")
    _, bill = shared(reading(SAMPLE))
    plain = pl.read_csv(SAMPLE, infer_schema=False)
    column = next(
        name
        for name in plain.columns
        if name.lower().replace("_", "") in ("lineitem/unblendedcost", "lineitemunblendedcost")
    )
    assert bill.billed == pytest.approx(plain[column].cast(pl.Float64).sum())
    assert bill.difference == pytest.approx(0, abs=1e-6)


cost = st.decimals(-100, 1000, places=4).map(float)
kinds = st.sampled_from(["Usage", "Tax", "Credit", "Fee", "Refund", "EdpDiscount", "SavingsPlanNegation", "Novelty"])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(kinds, cost, st.sampled_from(["i-0a", "i-0b"])), min_size=1, max_size=12),
    st.lists(st.floats(0, 30), max_size=6),
)
def test_any_bill_is_found_again(tmp_path_factory, rows, splits):
    lines = [
        {"line_item_line_item_type": kind, "line_item_unblended_cost": amount, "line_item_resource_id": node}
        for kind, amount, node in rows
    ]
    plan = [{"line_item_line_item_type": kind, "line_item_unblended_cost": 0.0} for kind in ("SavingsPlanNegation",)]
    pods = [
        pod(f"ns/p{index}-x2vkq", "Accelerator", split, split_line_item_split_usage=2.0)
        for index, split in enumerate(splits)
    ]
    path = tmp_path_factory.mktemp("cur") / "cur.parquet"
    frame(*lines, *plan, *pods).write_parquet(path)
    _, bill = shared(reading(path))
    negations = sum(amount for kind, amount, _ in rows if kind == "SavingsPlanNegation")
    assert bill.billed == pytest.approx(sum(amount for _, amount, _ in rows))
    assert bill.difference == pytest.approx(negations, abs=1e-6)
