"""Oracle and Vultr: price lists without a key."""

import pytest

from providers.gpu_clouds import oci, vultr


def product(name, value, metric="GPU Per Hour", category="Compute - GPU", currency="USD"):
    prices = [{"model": "ANNUAL_COMMIT", "value": 0.1}, {"model": "PAY_AS_YOU_GO", "value": value}]
    return {
        "partNumber": "B0", "displayName": name, "metricName": metric, "serviceCategory": category,
        "currencyCodeLocalizations": [{"currencyCode": currency, "prices": prices if value is not None else []}],
    }  # fmt: skip


def oracle(serve, ask, *products, **more):
    url, asked = serve((200, {"lastUpdated": "2026-08-14T09:09:55.872Z", "items": products, **more}))
    return oci.prices(ask("oci", url)), asked


def test_oracle_prices_gpus_worldwide_and_the_list_says_when(serve, ask):
    # Oracle's list of 2026-08-14, with its quirks of spelling.
    harvest, (asked,) = oracle(
        serve, ask,
        product("Oracle Cloud Infrastructure - Compute - GPU - H100", 10),
        product("Compute - GPU - A100 - v2", 4),
        product("OCI - Compute - GPU - E4", 3.05),
        product("OCI- Compute - GPU - MI355X", 8.6),
        product("Compute  - GPU - A10", 2),
        product("OCI - Compute - GPU - H100T", 10.75, category="Compute - GPU - Other"),
        product("OCI - Compute - GPU - B300", None),
    )  # fmt: skip
    assert (asked.path, asked.parameters) == ("/pls/apex/cetools/api/v1/products/", {"currencyCode": "USD"})
    assert {(one.gpu_model, one.hourly, one.min_gpus) for one in harvest.listings if one.purchase_option != "spot"} == {
        ("H100-SXM-80GB", 10, 8),
        ("A100-80GB", 4, 8),
        ("A100-40GB", 3.05, 8),
        ("MI355X-288GB", 8.6, 8),
        ("A10-24GB", 2, 1),
        ("H100T", 10.75, 0),
        ("B300-270GB", None, 0),
    }
    assert {(one.region, one.gpus, one.as_of) for one in harvest.listings} == {(None, 1, "2026-08-14T09:09:55.872Z")}


def test_only_virtual_machines_are_preemptible_at_half_the_price(serve, ask):
    harvest, _ = oracle(serve, ask, product("Compute - GPU - A10", 2), product("OCI - Compute - GPU - H200", 10))
    spot = [one for one in harvest.listings if one.purchase_option == "spot"]
    assert [(one.gpu_model, one.hourly, one.confidence) for one in spot] == [("A10-24GB", 1.0, "low")]


def test_licences_machines_on_premises_and_nodes_are_no_gpus_for_rent(serve, ask):
    harvest, _ = oracle(
        serve, ask,
        product("OCI - Compute - GPU - H200", 10),
        product("OCI - NVIDIA AI Enterprise - H100", 2.5),
        product("Oracle Compute Cloud@Customer - Compute - GPU.L40S", 2.9, category="Compute Cloud@Customer"),
        product("OCI - Compute - GPU - B200", 3360, "Node Per Day"),
        product("OCI - Compute - GPU - L40S", 2.9, category="Roving Edge"),
        product("Oracle Cloud VMware Solution - BM.GPU.A10.64", 13, "Node Per Hour", "Compute - VMware"),
    )  # fmt: skip
    assert [one.gpu_model for one in harvest.listings] == ["H200-141GB"]
    assert not harvest.found


def test_a_price_in_another_currency_is_no_price(serve, ask):
    harvest, _ = oracle(serve, ask, product("OCI - Compute - GPU - B200", 13, currency="EUR"))
    assert [one.hourly for one in harvest.listings] == [None]


def plan(name, hourly, **more):
    return {"id": name, "hourly_cost": hourly, "locations": ["ewr", "sea"], "deploy_ondemand": True,
            "deploy_preemptible": False, "location_cost": {}, **more}  # fmt: skip


L40S = plan("vcg-l40s-16c-180g-48vram", 1.671, gpu_type="NVIDIA_L40S", gpu_vram_gb=48, gpu_count="1")
METAL = plan("vbm-112c-2048gb-8-h100-gpu", 23.92, hourly_cost_preemptible=18.4, deploy_preemptible=True)


def vultrs(serve, ask, plans, metal=(), **more):
    def reply(asked):
        if asked.path == "/v2/plans-metal":
            return 200, {"plans_metal": metal, "meta": {"links": {"next": "", "prev": ""}}}
        cursor = asked.parameters.get("cursor")
        rows = plans[1:] if cursor else plans[:1]
        return 200, {"plans": rows, "meta": {"links": {"next": "" if cursor else "bmV4dA==", "prev": ""}}}

    url, asked = serve(reply)
    return vultr.prices(ask("vultr", url, **more)).listings, asked


def test_vultr_is_read_by_cursor_and_its_bare_metal_as_well(serve, ask):
    part = plan("vcg-a16-1c-8g-4vram", 0.118, gpu_type="NVIDIA_A16", gpu_vram_gb=4, gpu_count="1/4")
    got, asked = vultrs(serve, ask, [L40S, part], [METAL, plan("vbm-4c-32gb", 0.165)])
    assert [(one.path, one.parameters.get("cursor")) for one in asked] == [
        ("/v2/plans", None), ("/v2/plans", "bmV4dA=="), ("/v2/plans-metal", None)
    ]  # fmt: skip
    assert asked[0].parameters["type"] == "vcg"
    assert [(one.gpu_model, one.gpus, one.purchase_option, one.hourly, one.region) for one in got] == [
        ("L40S-48GB", 1, "on_demand", 1.671, None),
        ("NVIDIA_A16", 0.25, "on_demand", 0.118, None),
        ("H100-SXM-80GB", 8, "on_demand", 23.92, None),
        ("H100-SXM-80GB", 8, "spot", 18.4, None),
    ]
    assert (got[0].availability, got[0].note) == ("confirmed", "in ewr, sea")


def test_a_region_with_a_price_of_its_own_has_a_listing_of_its_own(serve, ask):
    dear = {**L40S, "location_cost": {"sea": {"hourly_cost": 1.9, "hourly_cost_preemptible": 1.0}}}
    got, _ = vultrs(serve, ask, [dear])
    assert [(one.region, one.hourly) for one in got] == [("ewr", 1.671), ("sea", 1.9)]
    got, _ = vultrs(serve, ask, [dear], regions=("se*",))
    assert [(one.region, one.hourly) for one in got] == [("sea", 1.9)]


@pytest.mark.parametrize(
    ("name", "gpus"), [("vbm-72c-480gb-gh200-gpu", 1), ("vbm-64c-2048gb-l40-gpu", None), ("vbm-256c-8-mi300x-gpu", 8)]
)
def test_the_number_of_gpus_of_a_bare_machine_is_read_but_never_guessed(serve, ask, name, gpus):
    (one,) = vultrs(serve, ask, [], [plan(name, 2.0)])[0]
    assert one.gpus == gpus


def test_what_can_only_be_had_preemptible_has_no_price_on_demand(serve, ask):
    (one,) = vultrs(serve, ask, [], [{**METAL, "deploy_ondemand": False}])[0]
    assert (one.purchase_option, one.hourly) == ("spot", 18.4)
