"""What every GPU cloud's feed does alike: retries, refusals, keys, and rows that nobody understands."""

from importlib import import_module
from threading import Event
from typing import Any, NamedTuple

import pytest

from providers.asking import NoCredentialsError, StoppedError
from providers.tables import InputError

SECRET = "s3cret-key"  # noqa: S105 - of no seller


class Case(NamedTuple):
    """A cloud: module, its variable and header of a key, and answers of one good row, that and a bad one, a bad one."""

    feed: str
    module: str
    variable: str | None
    header: str | None
    good: Any
    both: Any
    bad: Any
    named: str


LAMBDA = {
    "instance_type": {"description": "8x H100 (80 GB SXM5)", "price_cents_per_hour": 3192, "specs": {"vcpus": 208}},
    "regions_with_capacity_available": [],
}
RUNPOD = {
    "id": "NVIDIA H200",
    "displayName": "H200 SXM",
    "memoryInGb": 141,
    "securePrice": 4.59,
    "communityPrice": None,
}
VAST = {"id": 7, "gpu_name": "H100 SXM", "num_gpus": 8, "gpu_ram": 81559, "dph_total": 19.2}
DROPLET = {"slug": "gpu-h100x8-640gb", "price_hourly": 23.92, "gpu_info": {"count": 8, "model": "nvidia_h100"}}
VULTR = {"id": "vbm-112c-2048gb-8-h100-gpu", "hourly_cost": 23.92, "locations": ["sea"]}
OCI = {
    "displayName": "OCI - Compute - GPU - B200", "metricName": "GPU Per Hour", "serviceCategory": "Compute - GPU",
    "currencyCodeLocalizations": [{"currencyCode": "USD", "prices": [{"model": "PAY_AS_YOU_GO", "value": 14}]}],
}  # fmt: skip
HYPERSTACK = {"id": 3, "name": "H100-80G-PCIe", "value": "1.9"}
SHADEFORM = {
    "cloud": "hyperstack", "shade_instance_type": "H100", "cloud_instance_type": "n3-H100x1", "hourly_price": 229,
    "configuration": {"num_gpus": 1, "gpu_type": "H100", "vram_per_gpu_in_gb": 80, "interconnect": "sxm5"},
}  # fmt: skip


def lambda_types(rows):
    return {"data": {f"gpu_{8 if row is LAMBDA else 'x'}x_some": row for row in rows}}


def under(*path):
    """Return what puts rows at a path of an answer."""

    def wrap(rows):
        for name in reversed(path):
            rows = {name: rows}
        return rows

    return wrap


def case(feed, key, wrap, good, bad):
    (variable, header), (broken, named) = key, bad
    module = "lambda_labs" if feed == "lambda" else feed
    return Case(feed, module, variable, header, wrap([good]), wrap([good, broken]), wrap([broken]), named)


NO_KEY = (None, None)
CASES = {
    one.feed: one
    for one in (
        case(
            "lambda", ("LAMBDA_API_KEY", "authorization"), lambda_types, LAMBDA,
            ({"instance_type": {**LAMBDA["instance_type"], "specs": {"gpus": "many"}}}, "gpu_xx_some"),
        ),
        case(
            "runpod", NO_KEY, under("data", "gpuTypes"), RUNPOD,
            ({**RUNPOD, "displayName": "L4", "sixMonthPrice": "soon"}, "L4 (could not"),
        ),
        case("vast", NO_KEY, under("offers"), VAST, ({**VAST, "id": 8, "num_gpus": 0}, "8")),
        case(
            "digitalocean", ("DIGITALOCEAN_TOKEN", "authorization"), under("sizes"), DROPLET,
            ({**DROPLET, "slug": "gpu-odd", "price_hourly": "not-a-number"}, "gpu-odd"),
        ),
        case(
            "vultr", NO_KEY, lambda rows: {"plans": [], "plans_metal": rows}, VULTR,
            ({"id": "vbm-8-odd1-gpu"}, "vbm-8-odd1-gpu"),
        ),
        case(
            "oci", NO_KEY, under("items"), OCI,
            ({**OCI, "displayName": "OCI - Compute - GPU - L40S", "currencyCodeLocalizations": None}, "L40S"),
        ),
        case(
            "hyperstack", ("HYPERSTACK_API_KEY", "api_key"), under(), HYPERSTACK,
            ({"id": 4, "name": "L40", "value": "on request"}, "L40"),
        ),
        case(
            "shadeform", ("SHADEFORM_API_KEY", "x-api-key"), under("instance_types"), SHADEFORM,
            ({"shade_instance_type": "L40", "cloud": "x", "configuration": {"num_gpus": 1}}, "L40"),
        ),
    )
}  # fmt: skip
KEYED = [name for name, one in CASES.items() if one.variable]


@pytest.fixture
def read(serve, ask, monkeypatch):
    """Give what reads a feed from a server that answers so, and returns the harvest and the requests."""

    def start(one, *answers, **more):
        if one.variable:
            monkeypatch.setenv(one.variable, SECRET)
        url, asked = serve(*answers)
        prices = import_module(f"providers.gpu_clouds.{one.module}").prices
        return prices(ask(one.feed, url, **more)), asked

    return start


@pytest.mark.parametrize("feed", CASES)
def test_a_throttled_seller_is_asked_again(read, feed):
    one = CASES[feed]
    harvest, asked = read(one, (429, {"error": "slow down"}), (200, one.good))
    assert asked[0].path == asked[1].path
    assert len(harvest.listings) == 1
    assert not harvest.found
    assert {listing.as_of[:10] for listing in harvest.listings} == {"2026-11-20"}


@pytest.mark.parametrize("feed", CASES)
def test_a_refusal_is_told_without_the_key(read, feed):
    with pytest.raises(InputError, match="401") as caught:
        read(CASES[feed], (401, {"error": "invalid"}))
    assert "check that the key is right" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("feed", KEYED)
def test_without_a_key_nobody_is_asked(serve, ask, monkeypatch, feed):
    one = CASES[feed]
    monkeypatch.setenv(one.variable, " ")
    url, asked = serve((200, one.good))
    with pytest.raises(NoCredentialsError, match=f"set {one.variable}"):
        import_module(f"providers.gpu_clouds.{one.module}").prices(ask(feed, url))
    assert not asked


@pytest.mark.parametrize("feed", KEYED)
def test_the_key_goes_into_its_header_only(read, feed):
    one = CASES[feed]
    _, (asked, *_) = read(one, (200, one.good))
    assert {name for name, value in asked.headers.items() if SECRET in value} == {one.header}
    assert SECRET not in str((asked.path, asked.parameters, asked.body))


@pytest.mark.parametrize("feed", CASES)
def test_a_row_that_nobody_understands_costs_itself_only(read, feed):
    one = CASES[feed]
    harvest, _ = read(one, (200, one.both))
    assert len(harvest.listings) == 1
    (said,) = harvest.found
    assert (said.level, said.code) == ("warning", "rows-not-understood")
    assert "1 row is not understood" in said.message
    assert one.named in said.message


@pytest.mark.parametrize("feed", CASES)
def test_where_no_row_is_understood_the_shape_has_changed(read, feed):
    with pytest.raises(InputError, match=r"no row is understood.*newer version"):
        read(CASES[feed], (200, CASES[feed].bad))


@pytest.mark.parametrize("feed", CASES)
@pytest.mark.parametrize("answer", [{"error": None}, [{"other": 1}], {"data": {"gpuTypes": {}}, "items": {}}])
def test_another_shape_is_never_an_empty_harvest(read, feed, answer):
    with pytest.raises(InputError, match=r"shape has changed|no row is understood|lists no GPU"):
        read(CASES[feed], (200, answer))


@pytest.mark.parametrize("feed", CASES)
def test_who_is_stopped_asks_nobody(serve, ask, monkeypatch, feed):
    one, stop = CASES[feed], Event()
    stop.set()
    if one.variable:
        monkeypatch.setenv(one.variable, SECRET)
    url, asked = serve((200, one.good))
    with pytest.raises(StoppedError):
        import_module(f"providers.gpu_clouds.{one.module}").prices(ask(feed, url, stop=stop))
    assert not asked
