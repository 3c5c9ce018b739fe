"""Hyperstack's pricebook, and Shadeform, which resells others."""

import pytest

from providers.gpu_clouds import hyperstack, shadeform


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("HYPERSTACK_API_KEY", "k")
    monkeypatch.setenv("SHADEFORM_API_KEY", "k")


def booked(serve, ask, *rows):
    url, asked = serve((200, [{"start_time": None, "end_time": None, **row} for row in rows]))
    return hyperstack.prices(ask("hyperstack", url)), asked


def test_gpus_are_picked_from_a_pricebook_of_everything(serve, ask):
    harvest, (asked,) = booked(
        serve, ask,
        {"name": "vCPU", "value": "0E-9"},
        {"name": "RAM", "value": "0.0015"},
        {"name": "deepseek-ai/DeepSeek-R1 (output)", "value": "2.55"},
        {"name": "H100-80G-PCIe", "value": "1.9", "original_value": "1.9"},
        {"name": "H100-80G-PCIe-spot", "value": "1.52"},
        {"name": "L40-spot", "value": "0.8"},
        {"name": "H200-141G-SXM5", "value": 2.79, "original_value": 3.99, "discount_applied": True},
        {"name": "RTX-A6000", "value": "0E-9"},
    )  # fmt: skip
    assert asked.path == "/v1/pricebook"
    assert [(one.gpu_model, one.gpus, one.purchase_option, one.hourly) for one in harvest.listings] == [
        ("H100-PCIE-80GB", 1, "on_demand", 1.9),
        ("H100-PCIE-80GB", 1, "spot", 1.52),
        ("L40-48GB", 1, "spot", 0.8),
        ("H200-141GB", 1, "on_demand", 2.79),
        ("A6000-48GB", 1, "on_demand", 0.0),
    ]
    notes = [one.note for one in harvest.listings]
    assert notes == [None, None, None, "this account's price; the list says 3.99 USD", None]
    assert not harvest.found


def test_cards_with_nvlink_are_told_from_those_without(serve, ask):
    names = ("H100-80G-PCIe", "H100-80G-PCIe-NVLink")
    harvest, _ = booked(serve, ask, *({"name": name, "value": "1.9"} for name in names))
    assert [(one.gpu_model, one.variant) for one in harvest.listings] == [
        ("H100-PCIE-80GB", None),
        ("H100-PCIE-80GB", "nvlink"),
    ]


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        ({"start_time": "2026-12-01T00:00:00Z"}, False),
        ({"end_time": "2026-11-19T23:59:59"}, False),
        ({"start_time": "2026-11-01T00:00:00", "end_time": "2026-12-01T00:00:00Z"}, True),
    ],
)
def test_a_price_counts_only_while_it_holds(serve, ask, row, holds):
    harvest, _ = booked(serve, ask, {"name": "L40", "value": "1"}, {"name": "B200", "value": "6", **row})
    assert len(harvest.listings) == 1 + holds


def test_shadeform_sells_machines_of_others_in_cents(serve, ask):
    def machine(cloud, name, cents, gpus, card, memory, form, **more):
        kind = {"num_gpus": gpus, "gpu_type": card, "vram_per_gpu_in_gb": memory, "interconnect": form}
        return {"cloud": cloud, "shade_instance_type": "s", "cloud_instance_type": name, "hourly_price": cents,
                "configuration": kind, **more}  # fmt: skip

    places = [{"region": "canada-1", "available": True}, {"region": "norway-1", "available": False}]
    rows = [
        machine("hyperstack", "n3-H100x1", 229, 1, "H100", 80, "sxm5", availability=places),
        machine("lambdalabs", "gpu_8x_h100_sxm5", 3192, 8, "H100", 80, "sxm5"),
        machine("hyperstack", "n3-A100x2", 270, 2, "A100_80G", 80, "pcie"),
        machine("other", "cpu", 10, 0, "", 0, ""),
    ]
    url, (asked) = serve((200, {"instance_types": rows}))
    h100, theirs, a100 = shadeform.prices(ask("shadeform", url)).listings
    assert asked[0].path == "/v1/instances/types"
    assert (h100.provider, h100.instance_type, h100.gpu_model, h100.gpus) == (
        "hyperstack",
        "n3-H100x1",
        "H100-SXM-80GB",
        1,
    )
    assert h100.hourly == pytest.approx(2.29)
    assert (h100.variant, h100.availability, h100.note) == ("shadeform", "confirmed", "now with capacity in canada-1")
    # The table knows this machine: it says the card, not Shadeform.
    assert (theirs.provider, theirs.gpu_model, theirs.gpus, theirs.availability) == ("lambda", None, 8, "listed")
    assert a100.gpu_model == "A100-80GB-PCIE"
