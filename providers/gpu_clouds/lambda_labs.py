"""Lambda's API of instance types -> one listing per machine: a price holds in every region.

Source: https://docs.lambda.ai/api/cloud, `GET /api/v1/instance-types`. Prices are US cents an hour for the machine. The
regions it names are those that have some now, not those where the price holds.
"""

from collections.abc import Iterator

from providers.asking import Ask
from providers.card_names import named, unknown
from providers.listings import Harvest, Listing
from providers.price_rows import NEWER, Row, among, count, harvest, key, number
from providers.tables import InputError
from providers.web import Web

SOURCE, KEY = "Lambda API", "LAMBDA_API_KEY"
BASE = "https://cloud.lambda.ai"


def prices(ask: Ask) -> Harvest:
    """Return the prices of Lambda's on-demand machines.

    Raises:
        NoCredentialsError: LAMBDA_API_KEY is not set.
        InputError: Lambda refuses, or answers what nobody understands.
        StoppedError: somebody wants the work to end.
    """
    web = Web(SOURCE, headers={"Authorization": f"Bearer {key(KEY, SOURCE)}"})
    ask.expect(1)
    answer = web.get(f"{ask.urls.get('lambda', BASE)}/api/v1/instance-types")
    ask.advance()
    types = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(types, dict):
        raise InputError(SOURCE, "answers without data: its shape has changed", NEWER)
    rows = ({"name": name, "row": row} for name, row in types.items())
    return harvest(SOURCE, rows, lambda row: _listings(row["name"], row["row"], ask.now.isoformat()))


def _listings(name: str, row: Row, as_of: str) -> Iterator[Listing]:
    kind = row["instance_type"]
    gpus = count(kind["specs"].get("gpus", _counted(name)))
    if not gpus:
        return
    cents = number(kind["price_cents_per_hour"])
    capacity = [region["name"] for region in row.get("regions_with_capacity_available") or ()]
    yield Listing(
        provider="lambda",
        purchase_option="on_demand",
        instance_type=name,
        gpu_model=unknown("lambda", name, named(_card(kind))),
        gpus=gpus,
        hourly=None if cents is None else cents / 100,
        availability="confirmed" if capacity else "listed",
        note=among(capacity, "now with capacity in"),
        as_of=as_of,
        source=SOURCE,
    )


def _counted(name: str) -> str:
    """Return the GPUs that a name such as gpu_8x_h100_sxm5 speaks of."""
    return name.split("_")[1].removesuffix("x") if name.startswith("gpu_") else "0"


def _card(kind: Row) -> str:
    """Return the GPU of a machine: `H100 (80 GB SXM5)`, alone or in the description behind `8x`."""
    return str(kind.get("gpu_description") or kind["description"].partition("x ")[2])
