"""Quotes as a person types them."""

from datetime import UTC, datetime

import pytest

from providers.quotes import QuoteError, offers_from

GPU = "H100-SXM-80GB"


def quote(text):
    return offers_from([text]).row(0, named=True)


def test_a_block_for_a_year():
    row = quote("crusoe:H100-SXM-80GB=1.85/h,128gpus,12mo")
    expected = {
        "offer_id": "crusoe-h100-sxm-80gb-quote", "provider": "crusoe", "gpu_model": GPU, "purchase_option": "contract",
        "holding_usd_per_gpu_hour": 1.85, "usage_usd_per_gpu_hour": 0, "min_gpus": 128, "max_gpus": 128,
        "term_months": 12, "lot_gpus": None, "status": "quote",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("terms", "cells"),
    [
        ("32..96gpus", {"min_gpus": 32, "max_gpus": 96}),
        ("<=64gpus", {"min_gpus": 0, "max_gpus": 64}),
        (">=16 gpus", {"min_gpus": 16, "max_gpus": None}),
        ("lot8", {"lot_gpus": 8}),
        ("2y", {"term_months": 24}),
        ("25%upfront", {"upfront_share": 0.25}),
        ("from 2027-01-01", {"start": datetime(2027, 1, 1, tzinfo=UTC)}),
        ("until 2028-01-01T12:00Z", {"end": datetime(2028, 1, 1, 12, tzinfo=UTC)}),
        ("name=my-quote", {"offer_id": "my-quote"}),
        ("region=us-east-1", {"region": "us-east-1"}),
        ("spot", {"purchase_option": "spot", "holding_usd_per_gpu_hour": 0, "usage_usd_per_gpu_hour": 1.85}),
        ("on_demand", {"holding_usd_per_gpu_hour": 0, "usage_usd_per_gpu_hour": 1.85}),
        ("reserved", {"purchase_option": "reserved", "holding_usd_per_gpu_hour": 1.85}),
        (" 12mo , lot8,64gpus", {"term_months": 12, "lot_gpus": 8, "min_gpus": 64}),
    ],
)
def test_terms(terms, cells):
    row = quote(f"x:h100-sxm=$1.85/h,{terms}")
    assert {name: row[name] for name in cells} == cells


@pytest.mark.parametrize(
    ("price", "terms", "usd", "shown"),
    [
        ("29.52/node-h", "8/node", 29.52 / 8, "29.52/node-h is 29.52 / 8 GPUs"),
        ("$29.52 / node h", "8 gpus/node", 29.52 / 8, "$29.52 / node h is 29.52 / 8 GPUs"),
        ("0.03/min", "", 1.8, "0.03/min is 0.03 / a sixtieth of an hour"),
        ("1350/mo", "", 1350 / 730, "1350/mo is 1350 / 730 h"),
        ("10800/node-month", "8/node", 10800 / 8 / 730, "10800/node-month is 10800 / 8 GPUs / 730 h"),
        ("44.4/day", "", 1.85, "44.4/day is 44.4 / 24 h"),
        ("1.85/gpu-h", "", 1.85, None),
        ("1.85/GPU/hour", "", 1.85, None),
    ],
)
def test_prices_in_other_units_are_converted_and_shown(price, terms, usd, shown):
    row = quote(f"x:{GPU}={price},12mo{',' if terms else ''}{terms}")
    assert row["holding_usd_per_gpu_hour"] == pytest.approx(usd, rel=1e-12)
    assert row["note"] == shown


def test_two_prices_share_a_unit():
    row = quote(f"x:{GPU}=4.80+14.40/node-h,8/node")
    assert (row["holding_usd_per_gpu_hour"], row["usage_usd_per_gpu_hour"]) == (0.6, 1.8)


@pytest.mark.parametrize(
    ("terms", "cells"),
    [
        ("support 10%", {"adders_usd_per_gpu_hour": 0.2, "note": "on top: support 0.2/h"}),
        ("support 0.10/h,storage 36.5/mo", {"adders_usd_per_gpu_hour": 0.15}),
        ("overage 20/node-h,8/node", {"overage_usd_per_gpu_hour": 2.5}),
        (
            "burst 64gpus at 2.20/h for 0.10/h",
            {"burst_gpus": 64, "burst_usd_per_gpu_hour": 2.2, "burst_fee_usd_per_gpu_hour": 0.1},
        ),
        (
            "burst 64 gpus at 2.20",
            {"burst_gpus": 64, "burst_usd_per_gpu_hour": 2.2, "burst_fee_usd_per_gpu_hour": None},
        ),
        ("ramp 64@1 128@4", {"ramp": "64@1 128@4"}),
        ("egress 0.09/GB", {"egress_usd_per_gb": 0.09}),
        ("salvage 0.80/h", {"salvage_usd_per_gpu_hour": 0.8}),
        ("valid until 2026-12-31", {"valid_until": "2026-12-31"}),
        ("price protection", {"price_protection": "yes"}),
        ("price protection within 30 days", {"price_protection": "within 30 days"}),
        ("25% prepaid", {"upfront_share": 0.25}),
        ("lot12,8/node", {"lot_gpus": 24, "note": "a lot of 12 is no whole number of nodes of 8: 24 is taken"}),
        ("lot16,8/node", {"lot_gpus": 16, "note": None}),
        ("lot4,8/node", {"lot_gpus": 4, "note": None}),
        ("tiers 64@1.90 256@1.75", {"tiers": "64@1.9 256@1.75"}),
        ("tiers 64@1387/mo", {"tiers": "64@1.9", "note": "1387/mo is 1387 / 730 h"}),
        ("exit after 6mo", {"exit_after_months": 6}),
        ("exit after 1.5 y", {"exit_after_months": 18}),
        ("exclusive=either way", {"exclusive": "either way"}),
    ],
)
def test_terms_of_a_contract(terms, cells):
    row = quote(f"x:{GPU}=2.00/h,12mo,{terms}")
    assert {
        name: row[name] if not isinstance(row[name], float) else pytest.approx(row[name]) for name in cells
    } == cells


def test_tiers_share_the_unit_of_the_price():
    row = quote(f"x:{GPU}=22.40/node-h,8/node,tiers 64@20 256@18.4/node-h 512@2.2/h")
    assert (row["holding_usd_per_gpu_hour"], row["tiers"]) == (pytest.approx(2.8), "64@2.5 256@2.3 512@2.2")


@pytest.mark.parametrize(
    ("price", "option", "usd"),
    [
        ("spend 2M", "spend_floor", 2_000_000),
        ("spend $1.5 m", "spend_floor", 1_500_000),
        ("pool 500k", "prepaid", 500_000),
        ("Pool 750", "prepaid", 750),
        ("spend 1B", "spend_floor", 1e9),
    ],
)
def test_commitments_to_spend(price, option, usd):
    row = quote(f"aws:any={price},36mo,8% off")
    found = (row["purchase_option"], row["spend_usd"], row["discount_share"], row["term_months"])
    assert found == (option, usd, 0.08, 36)
    assert (row["holding_usd_per_gpu_hour"], row["usage_usd_per_gpu_hour"], row["eligible_gpu_models"]) == (0, 0, None)
    assert quote(f"aws:h100-sxm={price}")["eligible_gpu_models"] == GPU


@pytest.mark.parametrize("price", ["0.60+1.80/h", "0.60/h + 1.80/h", "$0.60+$1.80"])
def test_two_prices_are_flex(price):
    row = quote(f"x:{GPU}={price}")
    assert (row["purchase_option"], row["holding_usd_per_gpu_hour"], row["usage_usd_per_gpu_hour"]) == (
        "flex",
        0.6,
        1.8,
    )


def test_a_second_quote_of_the_same_name_gets_a_number():
    names = offers_from([f"x:{GPU}=2", f"x:{GPU}=3", f"y:{GPU}=2"])["offer_id"].to_list()
    assert names == ["x-h100-sxm-80gb-quote", "x-h100-sxm-80gb-quote-2", "y-h100-sxm-80gb-quote"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not name provider, GPU and price; write it as crusoe:"),
        ("x:H100=2", "H100 is ambiguous: name the memory and form, H100-NVL-94GB or H100-PCIE-80GB or"),
        ("x:L4=cheap", "'cheap' is not a price; write 1.85/h"),
        ("x:L4=nan", "'nan' is not a price"),
        ("x:L4=8/node-h", "'8/node-h' is the price of a node; say how many GPUs one has, such as 8/node"),
        ("x:L4=1,overage cheap", "'cheap' is not a price"),
        ("x:L4=1+2+3", "'1+2+3' is not a price"),
        ("x:L4=1,soon", "'soon' is not a term of a quote; use 128gpus"),
        ("x:L4=1,", "'' is not a term of a quote"),
        ("x:L4=1,8gpus,16gpus", "'16gpus' says again what an earlier term said"),
        ("x:L4=1,spot,reserved", "'reserved' says again"),
        ("x:L4=1,0mo", "column term_months: 0.0 is not above 0"),
        ("x:L4=1,125%upfront", "column upfront_share: 1.25 is not between 0 and 1"),
        ("x:L4=1,9..8gpus", "column min_gpus: 9.0 is above max_gpus"),
        ("x:L4=1+2,contract", "column usage_usd_per_gpu_hour: 2.0 is not 0"),
        ("x:any=spend 2M,spot", "'spend 2M' is a commitment to spend, and cannot be spot too; drop one"),
        ("x:any=spend lots", "'spend lots' is not a price"),
        ("x:any=pool 0", "column spend_usd: 0.0 is not above 0"),
        ("x:L4=1,tiers 64@cheap", "'cheap' is not a price"),
        ("x:L4=1,tiers 64", "'tiers 64' is not a term of a quote"),
        (
            "x:L4=1,8/node,tiers 64@1/node-h,exit after 6mo",
            "column exit_after_months: 6.0 cannot go with a ramp, tiers",
        ),
        ("x:L4=1,from 2027-01-01,until 2026-01-01", "column start: 2027-01-01T00:00:00Z is not before end"),
    ],
)
def test_what_cannot_be_read_says_why(text, said):
    with pytest.raises(QuoteError) as caught:
        quote(text)
    assert f"quote {text!r}" in str(caught.value)
    assert said in str(caught.value)
