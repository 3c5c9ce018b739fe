"""Listings become $ per GPU-hour by arithmetic that is written out here; what cannot be trusted is named."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from providers.bundle import price_book
from providers.listings import Listing
from providers.offers import offers_of, usual_prices

USUAL = usual_prices(price_book().frame)
P5 = Listing(
    provider="aws", region="us-east-1", instance_type="p5.48xlarge", purchase_option="on_demand", hourly=55.04,
    as_of="2026-07-20", source="test",
)  # fmt: skip


def only(listing):
    frame, found = offers_of([listing], usual=USUAL)
    assert found == []
    return frame.row(0, named=True)


def test_a_machine_is_divided_by_its_gpus():
    row = only(P5)
    assert (row["usage_usd_per_gpu_hour"], row["holding_usd_per_gpu_hour"]) == (pytest.approx(6.88), 0)
    assert (row["gpu_model"], row["gpus_per_node"], row["lot_gpus"]) == ("H100-SXM-80GB", 8, 1)
    assert row["offer_id"] == "aws-us-east-1-p5.48xlarge-on-demand"


def test_a_machine_with_one_gpu_and_much_else_may_cost_many_times_its_gpu():
    assert only(replace(P5, instance_type="g4dn.16xlarge", hourly=4.352))["usage_usd_per_gpu_hour"] == 4.352


def test_a_part_of_a_gpu_counts_as_one():
    row = only(replace(P5, instance_type="g6f.xlarge", hourly=0.2))
    assert row["gpus_per_node"] == pytest.approx(1 / 8)
    assert row["usage_usd_per_gpu_hour"] == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("upfront", "hourly", "share"),
    [(0.0, 34.88, 0.0), (152_774.40, 17.44, 0.5), (305_548.80, 0.0, 1.0)],
    ids=["no upfront", "half", "all"],
)
def test_upfront_and_hourly_payments_of_a_term_come_to_one_rate(upfront, hourly, share):
    row = only(replace(P5, purchase_option="reserved", upfront=upfront, hourly=hourly, term_months=12))
    assert row["holding_usd_per_gpu_hour"] == pytest.approx(34.88 / 8)
    assert row["upfront_share"] == pytest.approx(share)
    assert row["lot_gpus"] == 8


def test_a_block_is_paid_for_its_own_hours():
    start, end = datetime(2026, 12, 1, 11, 30, tzinfo=UTC), datetime(2026, 12, 15, 11, 30, tzinfo=UTC)
    fee = 5.97 * 8 * 24 * 14
    row = only(replace(P5, purchase_option="capacity_block", hourly=0.0, upfront=fee, start=start, end=end, gpus=8))
    assert row["holding_usd_per_gpu_hour"] == pytest.approx(5.97)
    assert row["upfront_share"] == 1


def test_a_price_of_two_parts():
    row = only(replace(P5, purchase_option="flex", hourly=4.8, usage_hourly=14.4, term_months=12))
    assert (row["holding_usd_per_gpu_hour"], row["usage_usd_per_gpu_hour"]) == (pytest.approx(0.6), pytest.approx(1.8))


def test_spot_whose_interruptions_nobody_knows_is_held_to_last_a_day():
    row = only(replace(P5, purchase_option="spot", hourly=20.0, zone="us-east-1a"))
    assert row["mean_hours_between_interruptions"] == 24
    assert "24 h assumed" in row["note"]
    assert row["zone"] == "us-east-1a"
    assert only(replace(P5, purchase_option="spot", hourly=20.0, interruptions=700.0))["note"] is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"hourly": None}, "no-price"),
        ({"hourly": 0.0}, "no-price"),
        ({"hourly": -1.0}, "negative-price"),
        ({"hourly": math.nan}, "not-a-number"),
        ({"gpus": 0.0}, "not-a-number"),
        ({"instance_type": "p99.huge"}, "no-gpu-count"),
        ({"instance_type": None, "gpu_model": "H100", "gpus": 8.0}, "unknown-gpu"),
        ({"instance_type": None, "gpu_model": "H100-SXM-80GB"}, "no-gpu-count"),
        ({"gpu_model": "A100-80GB"}, "contradiction"),
        ({"purchase_option": "lease"}, "unknown-option"),
        ({"purchase_option": "reserved"}, "no-term"),
        ({"purchase_option": "reserved", "term_months": 0.0}, "no-term"),
        ({"hourly": 55.04 * 8}, "implausible"),
        ({"purchase_option": "reserved", "term_months": 12, "hourly": 55.04 * 8760}, "implausible"),
        ({"purchase_option": "spot", "hourly": 0.01}, "implausible"),
        ({"hourly": 0.5 * 8}, "implausible"),
        ({"instance_type": None, "gpu_model": "H100-SXM-80GB", "gpus": 1.0, "hourly": 29.52}, "implausible"),
    ],
)
def test_what_cannot_be_trusted_is_left_out_and_named(change, code):
    frame, found = offers_of([replace(P5, **change), P5], usual=USUAL)
    assert frame["offer_id"].to_list() == ["aws-us-east-1-p5.48xlarge-on-demand"]
    (problem,) = found
    assert problem.code == code
    assert "1 " in problem.message
    assert problem.message.endswith(replace(P5, **change).name)
    assert problem.hint


def test_of_two_prices_for_the_same_thing_the_dearer_counts():
    for order in (1, -1):
        frame, found = offers_of([P5, replace(P5, hourly=60.0)][::order], usual=USUAL)
        assert frame["usage_usd_per_gpu_hour"].to_list() == [pytest.approx(7.5)]
        assert [problem.code for problem in found] == ["two-prices"]
    assert offers_of([P5, P5], usual=USUAL).found == []


def test_other_currencies_are_kept_as_they_are():
    frame, found = offers_of([P5, replace(P5, region="cn-north-1", currency="CNY", hourly=400.0)], usual=USUAL)
    assert found == []
    assert dict(frame.select("currency", "usage_usd_per_gpu_hour").iter_rows()) == {"USD": 6.88, "CNY": 50.0}


def test_nothing_gives_nothing():
    assert offers_of([], usual=USUAL).frame.is_empty()
