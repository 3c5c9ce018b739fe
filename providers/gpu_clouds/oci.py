"""Oracle's public price list -> listings per GPU, one price worldwide, and half of it for preemptible machines.

Source: the list behind Oracle's cost estimator, `GET /pls/apex/cetools/api/v1/products/`, which needs no key. Rows of
the metric "GPU Per Hour" are US dollars per GPU; some are licences, or machines on the buyer's own premises, that have
the same metric and look the same.
"""

import re
from collections.abc import Iterator

from providers.accelerators import canonical, gpus_of_types
from providers.asking import Ask
from providers.card_names import named
from providers.listings import Harvest, Listing
from providers.price_rows import Row, harvest, listed, number
from providers.web import Web

SOURCE = "Oracle price list"
BASE = "https://apexapps.oracle.com"
METRIC, CATEGORY, MODEL = "GPU Per Hour", "Compute - GPU", "PAY_AS_YOU_GO"
# "OCI - Compute - GPU - B200", with quirks such as "OCI- Compute" and "Compute  - GPU".
_CARD = re.compile(r"^(?:(?:OCI|Oracle Cloud Infrastructure) *- *)?Compute *- *GPU *- *(?P<card>.+)$")
# What a name says only to those who know its shape: BM.GPU.A100-v2.8, BM.GPU4.8, and BM.GPU.H100.8, an HGX machine.
_CARDS = {"A100 - v2": "A100-80GB", "E4": "A100-40GB", "H100": "H100-SXM-80GB"}
PREEMPTIBLE = 0.5


def prices(ask: Ask) -> Harvest:
    """Return the list prices of Oracle's GPUs.

    Raises:
        InputError: Oracle cannot be reached, or answers what nobody understands.
        StoppedError: somebody wants the work to end.
    """
    ask.expect(1)
    address = f"{ask.urls.get('oci', BASE)}/pls/apex/cetools/api/v1/products/"
    answer = Web(SOURCE).get(address, {"currencyCode": "USD"})
    ask.advance()
    rows = listed(answer, "items", source=SOURCE)
    as_of = str(answer.get("lastUpdated") or ask.now.isoformat())
    return harvest(SOURCE, rows, lambda row: _listings(row, as_of))


def _listings(row: Row, as_of: str) -> Iterator[Listing]:
    card = _CARD.match(row["displayName"])
    if row.get("metricName") != METRIC or not str(row["serviceCategory"]).startswith(CATEGORY) or not card:
        return
    model = _CARDS.get(card["card"].strip()) or named(card["card"].strip())
    hourly, shapes = _price(row), _shapes(model)

    def listing(option: str, hourly: float | None, **more: object) -> Listing:
        return Listing(
            provider="oci",
            purchase_option=option,
            gpu_model=model,
            gpus=1,
            hourly=hourly,
            min_gpus=min(shapes.values(), default=0.0),
            as_of=as_of,
            source=SOURCE,
            **more,  # type: ignore[arg-type]
        )

    yield listing("on_demand", hourly)
    if hourly and any(shape.startswith("vm.") for shape in shapes):
        note = "by Oracle's rule of half the price; only virtual machines can be preemptible"
        yield listing("spot", hourly * PREEMPTIBLE, confidence="low", availability="unknown", note=note)


def _price(row: Row) -> float | None:
    """Return the price in USD; None where the list has none."""
    said = [local["prices"] for local in row["currencyCodeLocalizations"] if local["currencyCode"] == "USD"]
    return number(next((each["value"] for prices in said for each in prices if each["model"] == MODEL), None))


def _shapes(model: str) -> dict[str, float]:
    """Return how many GPUs of a model each shape has that is known; nobody can buy less than the least."""
    wanted = canonical(model)
    return {shape: gpus for shape, (card, gpus) in gpus_of_types("oci").items() if card == wanted}
