"""RunPod and Vast: prices per GPU, and bids."""

import json

import pytest

from providers.gpu_clouds import runpod, vast

# RunPod's page of 2026-11-09: H100 SXM at 3.99 USD secure, 2.69 community.
H100 = {
    "id": "NVIDIA H100 80GB HBM3", "displayName": "H100 SXM", "memoryInGb": 80, "secureCloud": True,
    "communityCloud": True, "securePrice": 3.99, "communityPrice": 2.69, "secureSpotPrice": 1.75,
    "communitySpotPrice": 1.25, "oneMonthPrice": 3.6, "threeMonthPrice": 3.5, "sixMonthPrice": 3.4,
    "lowestPrice": {"stockStatus": "Low"},
}  # fmt: skip


def runpods(serve, ask, *rows):
    url, asked = serve((200, {"data": {"gpuTypes": rows}}))
    return runpod.prices(ask("runpod", url)), asked


def test_runpod_sells_in_two_clouds_by_spot_and_for_prepaid_terms(serve, ask):
    harvest, (asked,) = runpods(serve, ask, H100)
    assert asked.path == "/graphql"
    assert "gpuTypes" in asked.body["query"]
    got = {(one.purchase_option, one.variant): one for one in harvest.listings}
    assert {name: one.hourly for name, one in got.items()} == {
        ("on_demand", "secure"): 3.99,
        ("on_demand", "community"): 2.69,
        ("spot", "secure"): 1.75,
        ("spot", "community"): 1.25,
        ("reserved", "secure-1m-prepaid"): 0,
        ("reserved", "secure-3m-prepaid"): 0,
        ("reserved", "secure-6m-prepaid"): 0,
    }
    assert {(one.gpu_model, one.gpus, one.availability) for one in got.values()} == {("H100-SXM-80GB", 1, "confirmed")}


@pytest.mark.parametrize(("months", "hourly"), [(1, 3.6), (3, 3.5), (6, 3.4)])
def test_a_prepaid_term_comes_back_to_its_hourly_price(serve, ask, months, hourly):
    harvest, _ = runpods(serve, ask, H100)
    (one,) = (one for one in harvest.listings if one.term_months == months)
    assert one.hourly + one.upfront / (months * 730) == pytest.approx(hourly)


def test_what_runpod_does_not_sell_is_no_listing_and_a_floor_is_passed_on(serve, ask):
    mi300x = {
        "id": "AMD Instinct MI300X OAM", "displayName": "MI300X", "memoryInGb": 192, "securePrice": 0.5,
        "communityPrice": 0, "secureSpotPrice": None, "oneMonthPrice": None, "lowestPrice": None,
    }  # fmt: skip
    (one,) = runpods(serve, ask, mi300x)[0].listings
    assert (one.gpu_model, one.variant, one.hourly, one.availability) == ("MI300X-192GB", "secure", 0.5, "listed")


def test_editions_of_one_card_stay_apart(serve, ask):
    rows = [
        {**H100, "id": f"NVIDIA RTX PRO 6000 Blackwell {long} Edition", "displayName": shown, "memoryInGb": 96}
        for long, shown in (("Server", "RTX PRO 6000"), ("Workstation", "RTX PRO 6000 WK"))
    ]
    got = [one for one in runpods(serve, ask, *rows)[0].listings if one.purchase_option == "on_demand"]
    assert {one.gpu_model for one in got} == {"RTXPRO6000-96GB"}
    assert len({one.variant for one in got}) == 4


def test_a_spot_price_that_copies_the_price_on_demand_is_left_out_and_told(serve, ask):
    harvest, _ = runpods(serve, ask, {**H100, "secureSpotPrice": 3.99})
    assert [one.variant for one in harvest.listings if one.purchase_option == "spot"] == ["community"]
    (said,) = harvest.found
    assert (said.level, said.code) == ("note", "spot-copies-on-demand")
    assert "H100 SXM" in said.message


def offer(number, name, gpus, total, bid=None, **more):
    return {"id": number, "gpu_name": name, "num_gpus": gpus, "gpu_ram": 81559, "dph_total": total, "min_bid": bid,
            "rentable": True, "datacenter": True, **more}  # fmt: skip


def vasts(serve, ask, rows):
    url, asked = serve((200, {"offers": rows}))
    return vast.prices(ask("vast", url)), asked


def test_vast_is_the_median_of_what_one_gpu_costs_in_whole_machines(serve, ask):
    rows = [
        offer(1, "H100 SXM", 8, 16.0, 8.0),
        offer(2, "H100 SXM", 1, 2.4, 1.6),
        offer(3, "H100 SXM", 2, 8.0),
        offer(4, "A100 SXM4", 1, 1.0, gpu_ram=40960),
    ]
    harvest, (asked,) = vasts(serve, ask, rows)
    assert asked.path == "/api/v0/bundles/"
    assert json.loads(asked.parameters["q"])["datacenter"] == {"eq": True}
    got = {(one.gpu_model, one.purchase_option): one for one in harvest.listings}
    assert {name: one.hourly for name, one in got.items()} == {
        ("H100-SXM-80GB", "on_demand"): 2.4,  # of 2.0, 2.4 and 4.0
        ("H100-SXM-80GB", "spot"): pytest.approx(1.3),  # of 1.0 and 1.6
        ("A100-40GB", "on_demand"): 1.0,
    }
    h100 = got["H100-SXM-80GB", "on_demand"]
    assert (h100.gpus, h100.variant, h100.confidence) == (1, "median", "medium")
    # A tenth of the way between the ends lies a fifth of the way from 2.0 to 2.4.
    assert h100.note == "median of 3 offers; a tenth are below 2.08 USD"
    assert got["H100-SXM-80GB", "spot"].confidence == "low"


def test_what_cannot_be_rented_or_stands_in_a_home_has_no_say(serve, ask):
    rows = [
        offer(1, "H100 SXM", 1, 2.4),
        offer(2, "H100 SXM", 1, 0.1, rentable=False),
        offer(3, "H100 SXM", 1, 0.1, datacenter=False),
    ]
    harvest, _ = vasts(serve, ask, rows)
    assert [one.hourly for one in harvest.listings] == [2.4]
    assert not harvest.found


def test_more_offers_than_were_asked_for_are_told(serve, ask, monkeypatch):
    monkeypatch.setattr(vast, "LIMIT", 2)
    harvest, _ = vasts(serve, ask, [offer(1, "H100 SXM", 1, 2.4), offer(2, "H100 SXM", 1, 2.6)])
    assert [said.code for said in harvest.found] == ["offers-cut-short"]
