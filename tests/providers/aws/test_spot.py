"""Spot of AWS: the last price of every zone, how long a machine lasts, and regions or an advisor that do not answer."""

import math
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Event

import pytest

from providers.asking import Ask, NoCredentialsError, StoppedError
from providers.aws.spot import mean_hours, spot
from providers.offers import offers_of
from providers.tables import InputError


def _helper(path):
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


aws = _helper(Path(__file__).with_name("aws_server.py"))
loopback = _helper(Path(__file__).parents[1] / "loopback_server.py")

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LABELS = ("<5%", "5-10%", "10-15%", "15-20%", ">20%")
P5_EAST = {"us-east-1": {"Linux": {"p5.48xlarge": {"s": 52, "r": 0}, "m7i.large": {"s": 60, "r": 1}}}}


@pytest.fixture(autouse=True)
def _logged_in(monkeypatch, tmp_path):
    aws.log_in(monkeypatch, tmp_path)


def price(amount, zone="us-east-1a", instance="p5.48xlarge", at="2026-11-27T11:00:00Z"):
    return {
        "availabilityZone": zone, "instanceType": instance, "productDescription": "Linux/UNIX",
        "spotPrice": str(amount), "timestamp": at,
    }  # fmt: skip


def advice(advised, labels=LABELS):
    ranges = [{"index": index, "label": label, "dots": index, "max": 5} for index, label in enumerate(labels)]
    return {"ranges": ranges, "spot_advisor": advised, "instance_types": {}}


def harvested(answers, *, advised=None, regions=(), stop=None):
    """Return what becomes of answers by region, each a list of rows or a refusal."""

    def reply(asked):
        if asked.action == "DescribeRegions":
            return aws.regions(*answers)
        answer = answers[asked.region]
        return answer if isinstance(answer, aws.Refused) else {"spotPriceHistorySet": answer}

    with (
        aws.serving(reply) as (url, asked),
        loopback.answering(lambda _: advised or (200, advice(P5_EAST))) as (advisor, _),
    ):
        urls = {"aws-spot": url, "aws-spot-advisor": f"{advisor}/spot-advisor-data.json"}
        return spot(Ask(now=NOW, urls=urls, regions=regions, stop=stop or Event())), asked


def test_the_last_price_of_each_zone_counts_and_lasts_as_long_as_the_advisor_says():
    rows = [
        price(20.0, at="2026-11-27T09:00:00Z"), price(26.4192), price(22.0, at="2026-11-26T09:00:00Z"),
        price(31.0, zone="us-east-1b"), price(0.05, instance="m7i.large"), price(0.2, instance="g4dn.xlarge"),
    ]  # fmt: skip
    harvest, asked = harvested({"us-east-1": rows})
    found = {(one.instance_type, one.zone): one for one in harvest.listings}
    assert {key: one.hourly for key, one in found.items()} == {
        ("p5.48xlarge", "us-east-1a"): 26.4192, ("p5.48xlarge", "us-east-1b"): 31.0, ("g4dn.xlarge", "us-east-1a"): 0.2,
    }  # fmt: skip
    assert {one.region for one in harvest.listings} == {"us-east-1"}
    lasts = found["p5.48xlarge", "us-east-1a"].interruptions
    assert math.exp(-30 * 24 / lasts) == pytest.approx(1 - 0.025)  # of 1000 machines 25 are interrupted in a month
    assert found["g4dn.xlarge", "us-east-1a"].interruptions is None
    question = next(one.given for one in asked if one.action == "DescribeSpotPriceHistory")
    assert (question["ProductDescription.1"], question["StartTime"]) == ("Linux/UNIX", "2026-11-27T12:00:00Z")
    frame = offers_of(harvest.listings, usual={}).frame.filter(zone="us-east-1a", gpu_model="H100-SXM-80GB")
    assert frame["usage_usd_per_gpu_hour"].to_list() == pytest.approx([3.3024])
    assert frame["mean_hours_between_interruptions"].to_list() == [lasts]


@pytest.mark.parametrize(
    ("band", "share", "note"),
    [
        (0, 0.025, None),
        (1, 0.075, None),
        (2, 0.125, None),
        (3, 0.175, None),
        (4, 0.25, "interrupted >20% of the time in a month: 25% assumed"),
    ],
)
def test_each_band_is_its_middle_and_the_open_one_says_what_is_assumed(band, share, note):
    told = advice({"us-east-1": {"Linux": {"p5.48xlarge": {"s": 1, "r": band}}}})
    harvest, _ = harvested({"us-east-1": [price(20.0)]}, advised=(200, told))
    (one,) = harvest.listings
    assert 1 - math.exp(-720 / one.interruptions) == pytest.approx(share)
    assert one.note == note


def test_a_quarter_a_month_is_one_interruption_in_2_503_hours():
    assert mean_hours(0.25) == pytest.approx(2502.763, abs=0.001)  # 720 / ln(4/3) = 720 / 0.28768207


@pytest.mark.parametrize(
    "advised",
    [
        (404, {}),
        (200, {"ranges": [], "spot_advisor": P5_EAST}),
        (200, advice(P5_EAST, ("<1%", *LABELS[1:]))),
        (200, []),
    ],
)
def test_without_the_advisor_prices_stand_and_a_note_says_so(advised):
    harvest, _ = harvested({"us-east-1": [price(26.4)]}, advised=advised)
    assert [(one.hourly, one.interruptions) for one in harvest.listings] == [(26.4, None)]
    assert [(one.level, one.code) for one in harvest.found] == [("note", "no-spot-advisor")]


def test_a_price_above_on_demand_is_handed_on_as_it_is():
    harvest, _ = harvested({"us-east-1": [price(89.2)]})
    assert [one.hourly for one in harvest.listings] == [89.2]


def test_a_region_that_refuses_is_lost_and_the_others_are_not():
    answers = {"us-east-1": [price(26.4)], "eu-west-1": aws.Refused("UnauthorizedOperation", "not there", 403)}
    harvest, _ = harvested(answers)
    assert harvest.lost == ["eu-west-1"]
    assert [one.region for one in harvest.listings] == ["us-east-1"]
    (found,) = harvest.found
    assert (found.level, found.where) == ("warning", "eu-west-1")
    assert "UnauthorizedOperation" in found.message


@pytest.mark.parametrize(("code", "said"), [("RequestExpired", "expired"), ("UnauthorizedOperation", "allow ec2:Desc")])
def test_where_every_region_refuses_there_is_no_harvest(code, said):
    refused = aws.Refused(code, "no", 403)
    with pytest.raises(InputError, match=said):
        harvested({"us-east-1": refused, "eu-west-1": refused})


def test_only_regions_that_are_asked_for_are_asked():
    answers = {"us-east-1": [price(26.4)], "eu-west-1": [price(1.0, zone="eu-west-1a")]}
    harvest, asked = harvested(answers, regions=("us-*",))
    assert [one.region for one in harvest.listings] == ["us-east-1"]
    assert {one.region for one in asked} == {"us-east-1"}


def test_a_throttled_page_is_asked_for_again_and_the_next_one_follows():
    throttled = [aws.Refused("RequestLimitExceeded", "slow down", 503)]

    def reply(asked):
        if asked.action == "DescribeRegions":
            return aws.regions("us-east-1")
        if "NextToken" not in asked.given:
            return {"spotPriceHistorySet": [price(26.4)], "nextToken": "more"}
        return throttled.pop() if throttled else {"spotPriceHistorySet": [price(0.3, instance="g5.xlarge")]}

    with aws.serving(reply) as (url, _), loopback.answering(lambda _: (200, advice(P5_EAST))) as (advisor, _):
        harvest = spot(Ask(now=NOW, urls={"aws-spot": url, "aws-spot-advisor": advisor}))
    assert {one.instance_type for one in harvest.listings} == {"p5.48xlarge", "g5.xlarge"}
    assert throttled == []


def test_rows_that_nobody_understands_are_named_and_nothing_but_those_is_an_error():
    broken = price("free", instance="g5.xlarge")
    harvest, _ = harvested({"us-east-1": [price(26.4), broken]})
    assert "g5.xlarge in us-east-1a" in harvest.found[0].message
    with pytest.raises(InputError, match="shape"):
        harvested({"us-east-1": [broken]})
    with pytest.raises(InputError, match="nothing at all"):
        harvested({"us-east-1": []})


def test_without_credentials_nobody_is_asked(monkeypatch, tmp_path):
    aws.log_in(monkeypatch, tmp_path, keys=False)
    with pytest.raises(NoCredentialsError, match="no credentials of AWS"):
        harvested({"us-east-1": [price(26.4)]})


def test_it_stops_when_it_is_told_to():
    stop = Event()
    stop.set()
    with pytest.raises(StoppedError):
        harvested({"us-east-1": [price(26.4)]}, stop=stop)
