"""DigitalOcean's API of Droplet sizes -> one listing per size with GPUs: a price holds in every region.

Source: https://docs.digitalocean.com/reference/api, `GET /v2/sizes`. Prices are US dollars an hour for the Droplet.
"""

from collections.abc import Iterator

from providers.asking import Ask
from providers.card_names import named, unknown
from providers.listings import Harvest, Listing
from providers.price_rows import Row, among, count, harvest, key, listed, number
from providers.web import Web

SOURCE, KEY = "DigitalOcean API", "DIGITALOCEAN_TOKEN"
BASE = "https://api.digitalocean.com"
# "nvidia_h100" says no form; DigitalOcean's are slices of HGX machines.
FORM = "HGX"


def prices(ask: Ask) -> Harvest:
    """Return the prices of DigitalOcean's GPU Droplets.

    Raises:
        NoCredentialsError: DIGITALOCEAN_TOKEN is not set.
        InputError: DigitalOcean refuses, or answers what nobody understands.
        StoppedError: somebody wants the work to end.
    """
    web = Web(SOURCE, headers={"Authorization": f"Bearer {key(KEY, SOURCE)}"})
    rows = list(_sizes(ask, web))
    return harvest(SOURCE, rows, lambda row: _listings(row, ask.now.isoformat()))


def _sizes(ask: Ask, web: Web) -> Iterator[Row]:
    page = 1
    while page:
        ask.expect(1)
        address = f"{ask.urls.get('digitalocean', BASE)}/v2/sizes"
        answer = web.get(address, {"per_page": "200", "page": str(page)})
        ask.advance()
        yield from listed(answer, "sizes", source=SOURCE)
        # The link to the next page is not followed: it would lead away from a mirror.
        page = page + 1 if ((answer.get("links") or {}).get("pages") or {}).get("next") else 0


def _listings(row: Row, as_of: str) -> Iterator[Listing]:
    gpu = row.get("gpu_info")
    if not gpu:
        return
    gpus = count(gpu["count"])
    memory = number((gpu.get("vram") or {}).get("amount"))
    # The memory is that of all GPUs of the size.
    model = named(gpu["model"], memory_gb=memory / gpus if memory and gpus else None, form=FORM)
    yield Listing(
        provider="digitalocean",
        purchase_option="on_demand",
        instance_type=row["slug"],
        gpu_model=unknown("digitalocean", row["slug"], model),
        gpus=gpus,
        hourly=number(row["price_hourly"]),
        availability="confirmed" if row.get("available") and row.get("regions") else "listed",
        note=among(row.get("regions") or (), "in"),
        as_of=as_of,
        source=SOURCE,
    )
