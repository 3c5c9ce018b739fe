"""Hyperstack's pricebook -> listings per GPU, as this account pays them, on demand and spot.

Source: https://docs.hyperstack.cloud, `GET /v1/pricebook`: a bare list of names and prices per hour, in US dollars and
written as text, in which GPUs stand among CPUs, memory, addresses and language models.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from providers.asking import Ask
from providers.card_names import named
from providers.listings import Harvest, Listing
from providers.price_rows import Row, harvest, key, listed, number
from providers.web import Web

SOURCE, KEY = "Hyperstack pricebook", "HYPERSTACK_API_KEY"
BASE = "https://infrahub-api.nexgencloud.com"
SPOT = "-spot"
_CARD = re.compile(r"(?:RTX-?(?:PRO-?)?[A-Z]?|GB|GH|MI|[ABHLTV])\d")


def prices(ask: Ask) -> Harvest:
    """Return what this account pays for Hyperstack's GPUs.

    Raises:
        NoCredentialsError: HYPERSTACK_API_KEY is not set.
        InputError: Hyperstack refuses, or answers what nobody understands.
        StoppedError: somebody wants the work to end.
    """
    web = Web(SOURCE, headers={"api_key": key(KEY, SOURCE)})
    ask.expect(1)
    answer = web.get(f"{ask.urls.get('hyperstack', BASE)}/v1/pricebook")
    ask.advance()
    return harvest(SOURCE, listed(answer, source=SOURCE), lambda row: _listings(row, ask.now))


def _listings(row: Row, now: datetime) -> Iterator[Listing]:
    name = row["name"]
    if not _CARD.match(name) or not _holds(row, now):
        return
    hourly, full = number(row["value"]), number(row.get("original_value"))
    spot = name.endswith(SPOT)
    yield Listing(
        provider="hyperstack",
        purchase_option="spot" if spot else "on_demand",
        gpu_model=named(name.removesuffix(SPOT)),
        gpus=1,
        variant="nvlink" if "nvlink" in name.casefold() else None,
        hourly=hourly,
        note=f"this account's price; the list says {full:g} USD" if full and hourly and full != hourly else None,
        as_of=now.isoformat(),
        source=SOURCE,
    )


def _holds(row: Row, now: datetime) -> bool:
    """Return whether a price holds now: one may be announced, or be over."""
    start, end = (_time(row.get(name)) for name in ("start_time", "end_time"))
    return (start is None or start <= now) and (end is None or now < end)


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
