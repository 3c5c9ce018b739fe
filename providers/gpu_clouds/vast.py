"""Vast.ai's open offers -> per GPU model what one GPU costs in the middle of its datacenter offers, and the least bid.

Source: https://docs.vast.ai/api, `GET /api/v0/bundles`, which needs no key. Prices are US dollars an hour for a whole
machine of `num_gpus`. It is a market of single hosts: a median says what to expect, not what any one of them asks.
"""

import json
from collections.abc import Iterator, Sequence
from statistics import median, quantiles
from typing import NamedTuple

from providers.asking import Ask
from providers.card_names import named
from providers.listings import Harvest, Listing
from providers.price_rows import Row, count, listed, number, understood
from providers.tables import Diagnostic
from providers.web import Web

SOURCE = "Vast.ai bundles API"
BASE = "https://console.vast.ai"
LIMIT = 5000
_TRUE = {"eq": True}
QUERY = {"rentable": _TRUE, "datacenter": _TRUE, "type": "on-demand", "limit": LIMIT, "order": [["dph_total", "asc"]]}


class _Cost(NamedTuple):
    """What one GPU of an offer costs, in USD an hour; bid is None where it takes no bids."""

    model: str
    full: float
    bid: float | None


def prices(ask: Ask) -> Harvest:
    """Return the median prices of Vast's rentable datacenter offers, per GPU model.

    Raises:
        InputError: Vast cannot be reached, or answers what nobody understands.
        StoppedError: somebody wants the work to end.
    """
    ask.expect(1)
    address = f"{ask.urls.get('vast', BASE)}/api/v0/bundles/"
    rows = listed(Web(SOURCE).get(address, {"q": json.dumps(QUERY)}), "offers", source=SOURCE)
    ask.advance()
    costs, found = understood(SOURCE, rows, _costs)
    by_model: dict[str, list[_Cost]] = {}
    for cost in costs:
        by_model.setdefault(cost.model, []).append(cost)
    listings = [one for model in sorted(by_model) for one in _listings(model, by_model[model], ask.now.isoformat())]
    return Harvest(listings=listings, found=[*found, *_cut_short(len(rows))])


def _costs(row: Row) -> Iterator[_Cost]:
    # A mirror, or an older API, may pass over the filter.
    if row.get("rentable") is False or row.get("datacenter") is False:
        return
    gpus, total, bid = count(row["num_gpus"]), number(row["dph_total"]), number(row.get("min_bid"))
    if not gpus or not total:
        raise ValueError(f"{row['num_gpus']} GPUs for {row['dph_total']} an hour")
    memory_mb = number(row.get("gpu_ram"))
    model = named(row["gpu_name"], memory_gb=memory_mb / 1024 if memory_mb else None)
    yield _Cost(model, total / gpus, bid / gpus if bid else None)


def _listings(model: str, costs: Sequence[_Cost], as_of: str) -> Iterator[Listing]:
    full, bids = [cost.full for cost in costs], [cost.bid for cost in costs if cost.bid]
    for option, each, what in (
        ("on_demand", full, "offers"),
        ("spot", bids, "least bids, open to any higher one"),
    ):
        if each:
            yield Listing(
                provider="vast",
                purchase_option=option,
                gpu_model=model,
                gpus=1,
                hourly=median(each),
                variant="median",
                confidence="medium" if option == "on_demand" else "low",
                note=f"median of {len(each)} {what}; a tenth are below {_tenth(each):.2f} USD",
                as_of=as_of,
                source=SOURCE,
            )


def _tenth(values: Sequence[float]) -> float:
    return quantiles(values, n=10, method="inclusive")[0] if len(values) > 1 else values[0]


def _cut_short(rows: int) -> list[Diagnostic]:
    return [Diagnostic(
        level="warning",
        code="offers-cut-short",
        message=f"{SOURCE}: gives {rows} offers, as many as were asked for: there are more, and dearer ones",
        hint="take its medians as a lower bound",
        where=SOURCE,
    )] if rows >= LIMIT else []  # fmt: skip
