"""Vultr's API of plans, cloud GPU and bare metal -> listings per plan, and per region where a region has its own price.

Source: https://www.vultr.com/api, `GET /v2/plans?type=vcg` and `GET /v2/plans-metal`, which need no key. Prices are US
dollars an hour for the plan; some plans are an eighth of a GPU or less.
"""

import re
from collections.abc import Iterator
from itertools import chain

from providers.asking import Ask
from providers.card_names import named, unknown
from providers.listings import Harvest, Listing
from providers.price_rows import Row, among, count, harvest, listed, number
from providers.web import Web

SOURCE = "Vultr API"
BASE = "https://api.vultr.com"
LISTS: tuple[tuple[str, dict[str, str], str], ...] = (
    ("plans", {"type": "vcg"}, "plans"),
    ("plans-metal", {}, "plans_metal"),
)
OPTIONS = (("on_demand", "deploy_ondemand", "hourly_cost"), ("spot", "deploy_preemptible", "hourly_cost_preemptible"))
# vbm-112c-2048gb-8-h100-gpu: eight H100. A missing number stays unknown, save for a card that comes alone.
_METAL = re.compile(r"(?:-(?P<gpus>\d+))?-(?P<card>[a-z]+\d+[a-z]*)-gpu$")
_ALONE = ("gh200",)
Gpu = tuple[str, float | None]


def prices(ask: Ask) -> Harvest:
    """Return the prices of Vultr's plans with GPUs.

    Raises:
        InputError: Vultr cannot be reached, or answers what nobody understands.
        StoppedError: somebody wants the work to end.
    """
    rows = list(chain.from_iterable(_plans(ask, *each) for each in LISTS))
    return harvest(SOURCE, rows, lambda row: _listings(ask, row))


def _plans(ask: Ask, path: str, only: dict[str, str], name: str) -> Iterator[Row]:
    web, cursor = Web(SOURCE), ""
    while True:
        ask.expect(1)
        asked = {**only, "per_page": "500", **({"cursor": cursor} if cursor else {})}
        answer = web.get(f"{ask.urls.get('vultr', BASE)}/v2/{path}", asked)
        ask.advance()
        yield from listed(answer, name, source=SOURCE)
        cursor = ((answer.get("meta") or {}).get("links") or {}).get("next") or ""
        if not cursor:
            return


def _listings(ask: Ask, row: Row) -> Iterator[Listing]:
    gpu = _gpu(row)
    if not gpu:
        return
    places, own = row.get("locations") or [], row.get("location_cost") or {}
    # Without prices of their own the regions only say where it can be had.
    for place in places if own else (None,):
        if ask.wants(place):
            yield from _options(row, own.get(place) or row, place, gpu, ask.now.isoformat())


def _options(row: Row, cost: Row, region: str | None, gpu: Gpu, as_of: str) -> Iterator[Listing]:
    for option, sold, price in OPTIONS:
        if row.get(sold, option == "on_demand"):
            yield Listing(
                provider="vultr",
                purchase_option=option,
                region=region,
                instance_type=row["id"],
                gpu_model=unknown("vultr", row["id"], gpu[0]),
                gpus=gpu[1],
                hourly=number(cost[price]),
                availability="confirmed" if row.get("locations") else "listed",
                note=None if region else among(row.get("locations") or (), "in"),
                as_of=as_of,
                source=SOURCE,
            )


def _gpu(row: Row) -> Gpu | None:
    """Return the model and how many of it, which is None where nobody says; None for a plan without GPUs."""
    metal = _METAL.search(row["id"])
    card = row.get("gpu_type") or (metal and metal["card"])
    if not card:
        return None
    gpus = count(row.get("gpu_count") or (metal and metal["gpus"])) or (1.0 if card in _ALONE else None)
    memory = number(row.get("gpu_vram_gb"))
    # Vultr sells its eight H100 or A100 of one bare machine under the name HGX.
    form = "HGX" if metal and gpus == 8 else ""
    return named(card, memory_gb=memory / gpus if memory and gpus else None, form=form), gpus
