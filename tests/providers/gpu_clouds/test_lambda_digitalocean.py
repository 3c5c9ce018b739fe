"""Lambda and DigitalOcean: machines with a key, one price in every region."""

import pytest

from providers.gpu_clouds import digitalocean, lambda_labs


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("LAMBDA_API_KEY", "k")
    monkeypatch.setenv("DIGITALOCEAN_TOKEN", "k")


def kind(description, cents, gpus, regions=()):
    return {
        "instance_type": {
            "name": "n", "description": description, "gpu_description": description.partition("x ")[2],
            "price_cents_per_hour": cents, "specs": {"vcpus": 30, "memory_gib": 200, "storage_gib": 512, "gpus": gpus},
        },
        "regions_with_capacity_available": [{"name": name, "description": name} for name in regions],
    }  # fmt: skip


def test_lambda_sells_a_machine_at_one_price_wherever_it_has_some(serve, ask):
    # Lambda's list of 2026-09-20: eight H100 at 3.99 USD each, eight B200 at 6.69.
    types = {
        "gpu_8x_h100_sxm5": kind("8x H100 (80 GB SXM5)", 3192, 8, ["us-east-1", "us-west-1", "europe-central-1"]),
        "gpu_8x_b200_sxm6": kind("8x B200 (180 GB SXM6)", 5352, 8),
        "gpu_2x_rtx9000": kind("2x RTX 9000 (48 GB)", None, 2),
        "cpu_4x_general": kind("4x CPU General", 20, 0),
    }
    url, asked = serve((200, {"data": types}))
    harvest = lambda_labs.prices(ask("lambda", url, regions=("us-*",)))
    assert (asked[0].path, asked[0].authorization) == ("/api/v1/instance-types", "Bearer k")
    got = {one.instance_type: one for one in harvest.listings}
    assert list(got) == ["gpu_8x_h100_sxm5", "gpu_8x_b200_sxm6", "gpu_2x_rtx9000"]
    h100 = got["gpu_8x_h100_sxm5"]
    assert h100.hourly == pytest.approx(8 * 3.99)
    assert (h100.provider, h100.purchase_option, h100.region, h100.gpus) == ("lambda", "on_demand", None, 8)
    assert (h100.availability, h100.note) == (
        "confirmed",
        "now with capacity in us-east-1, us-west-1, europe-central-1",
    )
    assert (got["gpu_8x_b200_sxm6"].availability, got["gpu_8x_b200_sxm6"].note) == ("listed", None)
    assert (got["gpu_2x_rtx9000"].gpu_model, got["gpu_2x_rtx9000"].hourly) == ("RTX 9000 (48 GB)", None)


def test_a_lambda_machine_of_an_older_answer_is_read_by_its_name(serve, ask):
    row = kind("8x H100 (80 GB SXM5)", 3192, 8)
    del row["instance_type"]["gpu_description"], row["instance_type"]["specs"]["gpus"]
    url, _ = serve((200, {"data": {"gpu_8x_h100_new": row}}))
    (one,) = lambda_labs.prices(ask("lambda", url)).listings
    assert (one.gpu_model, one.gpus) == ("H100-SXM-80GB", 8)


def size(slug, hourly, count=0, model="", memory=0, **more):
    gpu = {"gpu_info": {"count": count, "model": model, "vram": {"amount": memory, "unit": "gib"}}} if count else {}
    return {"slug": slug, "price_hourly": hourly, "regions": ["nyc2", "tor1"], "available": True, **gpu, **more}


def test_digitalocean_is_read_page_by_page_and_memory_is_that_of_the_whole_droplet(serve, ask):
    pages = {
        "1": [size("s-1vcpu-1gb", 0.00893), size("gpu-h100x8-640gb", 23.92, 8, "nvidia_h100", 640)],
        "2": [
            size("gpu-mi300x1-192gb", 1.99, 1, "amd_mi300x", 192, available=False),
            size("gpu-a100x8-320gb", 10.0, 8, "nvidia_a100", 320),
        ],
    }

    def reply(asked):
        page = asked.parameters["page"]
        links = {"pages": {"next": "https://elsewhere.example/v2/sizes?page=2"}} if page == "1" else {}
        return 200, {"sizes": pages[page], "links": links, "meta": {"total": 3}}

    url, asked = serve(reply)
    h100, mi300x, a100 = digitalocean.prices(ask("digitalocean", url)).listings
    assert [(one.path, one.parameters["page"]) for one in asked] == [("/v2/sizes", "1"), ("/v2/sizes", "2")]
    assert (h100.instance_type, h100.gpu_model, h100.gpus) == ("gpu-h100x8-640gb", "H100-SXM-80GB", 8)
    assert (h100.hourly, h100.region, h100.availability, h100.note) == (23.92, None, "confirmed", "in nyc2, tor1")
    assert a100.gpu_model == "A100-40GB"
    assert (mi300x.gpu_model, mi300x.gpus, mi300x.availability) == ("MI300X-192GB", 1, "listed")
