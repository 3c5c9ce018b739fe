"""Capacity Blocks on offer: what is asked, what a block costs an hour, and regions that sell none."""

from datetime import UTC, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from providers.asking import Ask, NoCredentialsError
from providers.aws.capacity_blocks import capacity_blocks
from providers.offers import offers_of
from providers.tables import InputError

_SPEC = spec_from_file_location("aws_server", Path(__file__).with_name("aws_server.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
aws = module_from_spec(_SPEC)
_SPEC.loader.exec_module(aws)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
START = datetime(2026, 12, 1, 11, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _logged_in(monkeypatch, tmp_path):
    aws.log_in(monkeypatch, tmp_path)


def block(fee, *, hours=24, start=START, instance="p5.48xlarge", machines=1, name="cb-1", **more):
    return {
        "capacityBlockOfferingId": name, "instanceType": instance, "availabilityZone": "us-east-1a",
        "instanceCount": machines, "startDate": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "endDate": f"{start + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}", "capacityBlockDurationHours": hours,
        "upfrontFee": str(fee), "currencyCode": "USD", "tenancy": "default", **more,
    }  # fmt: skip


def harvested(offer, *names):
    """Return what becomes of the answers of a function of each question, and the questions."""

    def reply(asked):
        return aws.regions(*(names or ("us-east-1",))) if asked.action == "DescribeRegions" else offer(asked)

    with aws.serving(reply) as (url, asked):
        harvest = capacity_blocks(Ask(now=NOW, urls={"aws-capacity-blocks": url}))
    return harvest, [one for one in asked if one.action == "DescribeCapacityBlockOfferings"]


def offering(*blocks, instance="p5.48xlarge", days=1):
    """Answer one question with blocks, and the others with none."""

    def offer(asked):
        name = asked.given.get("InstanceType") or asked.given.get("UltraserverType")
        mine = name == instance and asked.given["CapacityDurationHours"] == str(24 * days)
        return {"capacityBlockOfferingSet": list(blocks) if mine else []}

    return offer


def test_a_block_is_paid_at_the_start_for_a_time_that_is_known():
    # 5.970 $ per accelerator-hour since 7 October 2026: 8 x 24 h x 5.970 = 1,146.24 $ for a day.
    harvest, _ = harvested(offering(block(1146.24)))
    (one,) = harvest.listings
    assert (one.purchase_option, one.hourly, one.upfront, one.gpus) == ("capacity_block", 0.0, 1146.24, 8)
    assert (one.start, one.end, one.availability) == (START, START + timedelta(days=1), "confirmed")
    assert (one.region, one.zone, one.max_gpus) == ("us-east-1", "us-east-1a", 512)  # at most 64 machines in a block
    frame = offers_of(harvest.listings, usual={}).frame
    assert frame["holding_usd_per_gpu_hour"].to_list() == pytest.approx([5.970])
    assert frame["upfront_share"].to_list() == [1.0]


def test_blocks_of_several_machines_and_of_an_ultraserver_count_all_their_gpus():
    harvest, _ = harvested(offering(block(2292.48, machines=2)))
    assert harvest.listings[0].gpus == 16
    assert offers_of(harvest.listings, usual={}).frame["holding_usd_per_gpu_hour"].to_list() == pytest.approx([5.970])
    rack = block(8640.0, instance="p6e-gb200.36xlarge", machines=9, ultraserverType="u-p6e-gb200x36")
    harvest, _ = harvested(offering(rack, instance="u-p6e-gb200x36"))
    (one,) = harvest.listings
    assert (one.gpus, one.variant, one.max_gpus) == (36, "u-p6e-gb200x36", None)
    assert offers_of([one], usual={}).frame["holding_usd_per_gpu_hour"].to_list() == pytest.approx([10.0])


def test_only_lengths_that_aws_sells_are_asked_for_and_a_start_within_eight_weeks():
    _, questions = harvested(offering())
    days = {int(one.given["CapacityDurationHours"]) / 24 for one in questions}
    assert days
    assert all((day.is_integer() and day <= 14) or (day % 7 == 0 and day <= 182) for day in days)
    for one in questions:
        latest = datetime.fromisoformat(one.given["EndDateRange"]) - timedelta(
            hours=int(one.given["CapacityDurationHours"])
        )
        assert datetime.fromisoformat(one.given["StartDateRange"]) == NOW
        assert latest == NOW + timedelta(weeks=8)
    types = {one.given.get("InstanceType") for one in questions}
    assert {"p4d.24xlarge", "p5.48xlarge", "p5e.48xlarge", "p6-b200.48xlarge", "trn2.48xlarge"} <= types
    assert not types & {"g5.xlarge", "p3.16xlarge", "inf2.48xlarge", "p6e-gb200.36xlarge"}
    assert {one.given.get("InstanceCount") for one in questions if "InstanceType" in one.given} == {"1"}


def test_a_block_that_starts_too_late_is_left_out():
    harvest, _ = harvested(offering(block(1146.24, start=NOW + timedelta(weeks=8, hours=1)), block(9.0, name="cb-2")))
    assert [one.upfront for one in harvest.listings] == [9.0]


def test_a_type_that_a_region_does_not_sell_is_asked_for_once_and_the_region_is_not_lost():
    def offer(asked):
        if asked.region == "eu-west-1" or asked.given.get("InstanceType") != "p5.48xlarge":
            return aws.Refused("InvalidParameterValue", "not sold here")
        return offering(block(1146.24))(asked)

    harvest, questions = harvested(offer, "us-east-1", "eu-west-1")
    assert [one.region for one in harvest.listings] == ["us-east-1"]
    assert harvest.lost == []
    refused = [one for one in questions if one.region == "eu-west-1" and one.given.get("InstanceType") == "p5.48xlarge"]
    assert len(refused) == 1


def test_where_no_region_understands_any_question_there_is_no_harvest():
    with pytest.raises(InputError, match=r"refuses every question \(InvalidParameterValue: bad\)"):
        harvested(lambda _: aws.Refused("InvalidParameterValue", "bad"))


def test_where_nothing_is_on_offer_the_harvest_is_empty():
    harvest, _ = harvested(offering())
    assert (list(harvest.listings), harvest.lost, harvest.found) == ([], [], [])


def test_a_region_that_refuses_is_lost_and_credentials_that_expired_are_named():
    def offer(asked):
        return aws.Refused("UnauthorizedOperation") if asked.region == "eu-west-1" else offering(block(1146.24))(asked)

    harvest, _ = harvested(offer, "us-east-1", "eu-west-1")
    assert harvest.lost == ["eu-west-1"]
    assert len(harvest.listings) == 1
    with pytest.raises(InputError, match=r"expired or are wrong \(ExpiredToken\)"):
        harvested(lambda _: aws.Refused("ExpiredToken"))


def test_every_page_is_read_and_a_throttled_one_is_asked_for_again():
    throttled = [aws.Refused("RequestLimitExceeded", "slow down", 503)]

    def offer(asked):
        if "NextToken" in asked.given:
            return throttled.pop() if throttled else {"capacityBlockOfferingSet": [block(8.0, name="cb-2", hours=48)]}
        answer = offering(block(1146.24))(asked)
        return answer | ({"nextToken": "more"} if answer["capacityBlockOfferingSet"] else {})

    harvest, _ = harvested(offer)
    assert sorted(one.upfront for one in harvest.listings) == [8.0, 1146.24]


def test_an_offering_in_several_pieces_is_not_one_capacity():
    piece = {"instanceType": "p5.48xlarge", "availabilityZone": "us-east-1a", "instanceCount": 1}
    split = block(1.0, name="cb-2", capacityBlockOfferingSegmentSet=[piece, piece])
    harvest, _ = harvested(offering(block(1146.24), split))
    assert [one.upfront for one in harvest.listings] == [1146.24]
    assert [one.code for one in harvest.found] == ["split-blocks"]


def test_an_offering_that_nobody_understands_is_named():
    harvest, _ = harvested(offering(block(1146.24), block("ask us", name="cb-9")))
    assert "cb-9" in harvest.found[0].message
    with pytest.raises(InputError, match="shape"):
        harvested(offering(block("ask us")))


def test_without_credentials_nobody_is_asked(monkeypatch, tmp_path):
    aws.log_in(monkeypatch, tmp_path, keys=False)
    with pytest.raises(NoCredentialsError):
        harvested(offering())
