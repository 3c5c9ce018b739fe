"""Shadeform's API of instance types -> one listing per machine of the clouds that it resells.

Source: https://docs.shadeform.ai, `GET /v1/instances/types`. Prices are US cents an hour for the machine. The provider
is the cloud behind it; `shadeform` is the variant, for that cloud may sell the same to others at another price.
"""

from collections.abc import Iterator

from providers.asking import Ask
from providers.card_names import named, unknown
from providers.listings import Harvest, Listing
from providers.price_rows import Row, among, count, harvest, key, listed, number
from providers.web import Web

SOURCE, KEY = "Shadeform API", "SHADEFORM_API_KEY"
BASE = "https://api.shadeform.ai"
CLOUDS = {"lambdalabs": "lambda", "datacrunch": "verda"}


def prices(ask: Ask) -> Harvest:
    """Return the prices of every machine that Shadeform resells.

    Raises:
        NoCredentialsError: SHADEFORM_API_KEY is not set.
        InputError: Shadeform refuses, or answers what nobody understands.
        StoppedError: somebody wants the work to end.
    """
    web = Web(SOURCE, headers={"X-API-KEY": key(KEY, SOURCE)})
    ask.expect(1)
    answer = web.get(f"{ask.urls.get('shadeform', BASE)}/v1/instances/types")
    ask.advance()
    rows = listed(answer, "instance_types", source=SOURCE)
    return harvest(SOURCE, rows, lambda row: _listings(row, ask.now.isoformat()))


def _listings(row: Row, as_of: str) -> Iterator[Listing]:
    kind = row["configuration"]
    gpus = count(kind["num_gpus"])
    if not gpus:
        return
    cloud = str(CLOUDS.get(row["cloud"], row["cloud"]))
    name = str(row.get("cloud_instance_type") or row["shade_instance_type"])
    form = str(kind.get("interconnect") or "")
    model = named(kind["gpu_type"], memory_gb=number(kind.get("vram_per_gpu_in_gb")), form=form)
    cents = number(row["hourly_price"])
    free = [place["region"] for place in row.get("availability") or () if place.get("available")]
    yield Listing(
        provider=cloud,
        purchase_option="on_demand",
        instance_type=name,
        gpu_model=unknown(cloud, name, model),
        gpus=gpus,
        hourly=None if cents is None else cents / 100,
        variant="shadeform",
        confidence="medium",
        availability="confirmed" if free else "listed",
        note=among(free, "now with capacity in"),
        as_of=as_of,
        source=SOURCE,
    )
