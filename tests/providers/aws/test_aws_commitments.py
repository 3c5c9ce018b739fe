"""What an AWS account owns: reserved instances, Savings Plans and Capacity Blocks as Commitments."""

from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from providers.asking import Ask, NoCredentialsError
from providers.aws.commitments import owned
from providers.tables import COMMITMENTS, InputError, checked

_SPEC = spec_from_file_location("aws_server", Path(__file__).with_name("aws_server.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
aws = module_from_spec(_SPEC)
_SPEC.loader.exec_module(aws)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
YEAR_S = 31_536_000


@pytest.fixture(autouse=True)
def _logged_in(monkeypatch, tmp_path):
    aws.log_in(monkeypatch, tmp_path)


def reserved(name="ri-1", *, fixed=0.0, hourly=0.0, instance="p4d.24xlarge", machines=1, years=1, **more):
    return {
        "reservedInstancesId": name, "instanceType": instance, "instanceCount": machines, "start":
        "2026-06-01T00:00:00Z", "end": f"{2026 + years}-06-01T00:00:00Z", "duration": years * YEAR_S, "usagePrice": 0.0,
        "fixedPrice": fixed, "productDescription": "Linux/UNIX", "state": "active", "currencyCode": "USD",
        "offeringClass": "standard", "offeringType": "No Upfront", "scope": "Region",
        "recurringCharges": [{"frequency": "Hourly", "amount": hourly}], **more,
    }  # fmt: skip


def plan(name="sp-1", *, kind="Compute", upfront="0.0", commitment="10.0", **more):
    return {
        "offeringId": "o", "savingsPlanId": name, "start": "2026-06-01T00:00:00.000Z", "end":
        "2027-05-31T23:59:59.000Z", "state": "active", "savingsPlanType": kind, "paymentOption": "No Upfront",
        "productTypes": ["EC2"], "currency": "USD", "commitment": commitment, "upfrontPaymentAmount": upfront,
        "recurringPaymentAmount": "10.0", "termDurationInSeconds": YEAR_S, **more,
    }  # fmt: skip


def held(name="cr-1", *, kind="capacity-block", instance="p5.48xlarge", machines=2):
    return {
        "capacityReservationId": name, "instanceType": instance, "availabilityZone": "us-east-1a",
        "totalInstanceCount": machines, "state": "active", "startDate": "2026-11-20T11:30:00Z",
        "endDate": "2026-12-04T11:30:00Z", "endDateType": "limited", "reservationType": kind,
    }  # fmt: skip


def owning(*, ris=(), plans=(), capacity=(), names=("us-east-1",), lost=(), regions=()):
    """Return the harvest of an account whose first region holds everything, and what was asked."""

    def reply(asked):
        if asked.action == "DescribeRegions":
            return aws.regions(*names)
        if asked.action == "DescribeSavingsPlans":
            return {"savingsPlans": list(plans)}
        if asked.region in lost:
            return aws.Refused("UnauthorizedOperation", "not there", 403)
        here = asked.region == names[0]
        if asked.action == "DescribeReservedInstances":
            return {"reservedInstancesSet": list(ris) if here else []}
        return {"capacityReservationSet": list(capacity) if here else []}

    with aws.serving(reply) as (url, asked):
        return owned(Ask(now=NOW, urls={"aws-commitments": url}, regions=regions)), asked


def only(harvest):
    """Return the one row of valid Commitments."""
    assert harvest.commitments is not None
    assert_frame_equal(checked(harvest.commitments, COMMITMENTS, where="test"), harvest.commitments)
    (row,) = harvest.commitments.iter_rows(named=True)
    return row


def test_a_year_that_is_paid_at_the_start_costs_its_part_of_every_hour():
    # 40.8 % below 21.957642 $ an hour: 113,870.54 $ for 8,760 hours of 8 GPUs, of which 3 machines are owned.
    row = only(owning(ris=[reserved(fixed=113_870.54, machines=3, offeringType="All Upfront")])[0])
    assert row["holding_usd_per_gpu_hour"] == pytest.approx(113_870.54 / 8760 / 8)
    assert row["holding_usd_per_gpu_hour"] * 8 == pytest.approx(21.957642 * (1 - 0.408), rel=1e-5)
    assert (row["gpus"], row["gpu_model"], row["gpus_per_node"]) == (24, "A100-40GB", 8)
    assert (row["term_months"], row["upfront_share"], row["note"]) == (12, 1.0, "standard, all upfront")
    assert (row["start"], row["end"]) == (datetime(2026, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC))
    assert (row["region"], row["zone"], row["purchase_option"]) == ("us-east-1", None, "reserved")


def test_half_at_the_start_and_half_by_the_hour_cost_both():
    row = only(owning(ris=[reserved(fixed=43_800.0, hourly=5.0, availabilityZone="us-east-1b")])[0])
    assert row["holding_usd_per_gpu_hour"] == pytest.approx((5.0 + 5.0) / 8)  # 43,800 $ / 8,760 h = 5 $ an hour
    assert (row["upfront_share"], row["zone"]) == (pytest.approx(0.5), "us-east-1b")


def test_a_compute_savings_plan_commits_dollars_to_any_machine():
    row = only(owning(plans=[plan(upfront="43800.0", paymentOption="Partial Upfront")])[0])
    assert (row["gpu_model"], row["usd_per_hour"], row["gpus"], row["region"]) == ("any", 10.0, None, None)
    assert (row["holding_usd_per_gpu_hour"], row["usage_usd_per_gpu_hour"]) == (0.0, 0.0)
    assert (row["upfront_share"], row["term_months"]) == (pytest.approx(0.5), 12)
    assert row["end"] == datetime(2027, 5, 31, 23, 59, 59, tzinfo=UTC)


def test_a_plan_of_a_family_is_for_its_gpus_and_one_of_a_family_without_any_is_not_kept():
    mine = plan(kind="EC2Instance", ec2InstanceFamily="p5", region="us-east-1")
    other = plan("sp-2", kind="EC2Instance", ec2InstanceFamily="m7i", region="us-east-1")
    harvest, _ = owning(plans=[mine, other, plan("sp-3", kind="Database")])
    row = only(harvest)
    assert (row["commitment_id"], row["gpu_model"], row["region"]) == ("sp-1", "H100-SXM-80GB", "us-east-1")
    assert harvest.found == []


def test_a_plan_of_sagemaker_is_told_of_and_not_kept():
    harvest, _ = owning(plans=[plan(kind="SageMaker")])
    assert harvest.commitments is None
    assert [one.code for one in harvest.found] == ["sagemaker-plans"]


def test_a_capacity_block_is_held_until_its_end_and_paid_already():
    row = only(owning(capacity=[held()])[0])
    assert (row["purchase_option"], row["gpus"], row["gpu_model"]) == ("capacity_block", 16, "H100-SXM-80GB")
    assert (row["start"], row["end"]) == (
        datetime(2026, 11, 20, 11, 30, tzinfo=UTC),
        datetime(2026, 12, 4, 11, 30, tzinfo=UTC),
    )
    assert (row["holding_usd_per_gpu_hour"], row["upfront_share"]) == (0.0, 1.0)
    assert row["term_months"] == pytest.approx(14 * 24 / 730)


def test_a_reservation_at_the_price_on_demand_is_no_second_commitment():
    harvest, _ = owning(ris=[reserved(hourly=13.9)], capacity=[held(kind="default"), held("cr-2", kind="default")])
    assert only(harvest)["gpus"] == 8
    assert [(one.level, one.code) for one in harvest.found] == [("note", "capacity-reservations")]
    assert harvest.found[0].message.startswith("2 capacity reservations")


def test_machines_without_gpus_are_not_kept():
    harvest, _ = owning(ris=[reserved(instance="m7i.large")], capacity=[held(instance="m7i.large")])
    assert (harvest.commitments, harvest.found) == (None, [])


def test_only_what_is_active_or_scheduled_is_asked_for_on_every_page():
    def reply(asked):
        if asked.action == "DescribeRegions":
            return aws.regions("us-east-1")
        if asked.action == "DescribeSavingsPlans":
            first = "nextToken" not in asked.given
            return {"savingsPlans": [plan("sp-1" if first else "sp-2")], "nextToken": "more" if first else ""}
        if asked.action == "DescribeReservedInstances":
            return {"reservedInstancesSet": []}
        first = "NextToken" not in asked.given
        page = {"capacityReservationSet": [held("cr-1" if first else "cr-2")]}
        return page | ({"nextToken": "more"} if first else {})

    with aws.serving(reply) as (url, asked):
        harvest = owned(Ask(now=NOW, urls={"aws-commitments": url}))
    assert harvest.commitments["commitment_id"].to_list() == ["cr-1", "cr-2", "sp-1", "sp-2"]
    states = {one.action: one.given for one in asked}
    assert states["DescribeSavingsPlans"]["states"] == ["active"]
    assert states["DescribeReservedInstances"]["Filter.1.Value.1"] == "active"
    given = states["DescribeCapacityReservations"]
    assert [given["Filter.1.Value.1"], given["Filter.1.Value.2"]] == ["active", "scheduled"]


def test_a_region_that_refuses_is_lost_and_plans_of_other_regions_are_not_asked_for():
    family = plan("sp-2", kind="EC2Instance", ec2InstanceFamily="p5", region="ap-south-1")
    harvest, _ = owning(
        ris=[reserved()], plans=[family], names=("us-east-1", "us-west-2"), lost=("us-west-2",), regions=("us-*",)
    )
    assert only(harvest)["commitment_id"] == "ri-1"
    assert harvest.lost == ["us-west-2"]


def test_a_row_that_nobody_understands_is_named():
    broken = reserved("ri-2", instance="p9.48xlarge")
    harvest, _ = owning(ris=[reserved(), broken], plans=[plan(), plan("sp-9", commitment="much")])
    assert harvest.commitments["commitment_id"].to_list() == ["ri-1", "sp-1"]
    assert ["ri-2" in harvest.found[0].message, "sp-9" in harvest.found[1].message] == [True, True]
    with pytest.raises(InputError, match="shape"):
        owning(ris=[broken])


@pytest.mark.parametrize(
    ("code", "said"),
    [("ExpiredTokenException", "expired"), ("AccessDeniedException", "savingsplans:DescribeSavingsPl")],
)
def test_a_refusal_of_the_whole_account_says_what_to_do(code, said):
    with (
        aws.serving(lambda _: aws.Refused(code, status=403)) as (url, _),
        pytest.raises(InputError, match=said),
    ):
        owned(Ask(now=NOW, urls={"aws-commitments": url}))


def test_without_credentials_nobody_is_asked(monkeypatch, tmp_path):
    aws.log_in(monkeypatch, tmp_path, keys=False)
    with pytest.raises(NoCredentialsError):
        owning()
