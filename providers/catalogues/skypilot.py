"""SkyPilot's catalogue, a CSV file per cloud -> listings per machine, on demand and spot.

Source: https://github.com/skypilot-org/skypilot-catalog, schema v8, or a copy in the folder that SKYPILOT_CATALOG
names, with one folder a cloud. From the net come only clouds that have no feed of their own; of a folder, all but those
whose rows are known to be no prices.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from providers.asking import Ask
from providers.card_names import named, unknown
from providers.catalogues.shared import FORMS, NAMES, Fetch, gathered, written
from providers.listings import Harvest, Listing
from providers.price_rows import Row, count, number
from providers.tables import Diagnostic
from providers.web import Web

SOURCE, FOLDER = "SkyPilot catalogue", "SKYPILOT_CATALOG"
BASE = "https://raw.githubusercontent.com/skypilot-org/skypilot-catalog/master/catalogs/v8"
FILE = "vms.csv"
CLOUDS = (
    "nebius", "verda", "cudo", "paperspace", "fluidstack", "hyperbolic", "seeweb", "jarvislabs", "scaleway", "ovhcloud",
)  # fmt: skip
NO_PRICES = {
    "gcp": "host and GPU stand in separate rows, neither of which is the price of the machine",
    "mithril": "its prices are the least bids, which buy nothing",
}
# "H100" and "A100-80GB" are other cards in other clouds.
OWN_FORMS = {**FORMS, "azure": "NVL", "runpod": "PCIE"}
_MEMORY = re.compile(r"SizeInMiB\W+(\d+)")
_PLAIN_A100_GB = 40.0


def prices(ask: Ask) -> Harvest:
    """Return the prices of every cloud of the catalogue; one that cannot be read is left out with a warning.

    Raises:
        InputError: none can be read.
        StoppedError: somebody wants the work to end.
    """
    folder = os.environ.get(FOLDER) if "skypilot" not in ask.urls else None
    files = _local(Path(folder)) if folder else _remote(ask)
    harvest = gathered(SOURCE, ask, {cloud: fetch for cloud, fetch in files.items() if cloud not in NO_PRICES}, _reader)
    return replace(harvest, found=[*harvest.found, *(_passed(cloud) for cloud in files if cloud in NO_PRICES)])


def _local(folder: Path) -> dict[str, Fetch]:
    def fetch(path: Path) -> tuple[str, str]:
        return path.read_text(encoding="utf-8", errors="replace"), written(path)

    return {path.parent.name: partial(fetch, path) for path in sorted(folder.glob(f"*/{FILE}"))}


def _remote(ask: Ask) -> dict[str, Fetch]:
    web = Web(SOURCE)

    def fetch(cloud: str) -> tuple[str, str]:
        return web.text(f"{ask.urls.get('skypilot', BASE)}/{cloud}/{FILE}"), ask.now.isoformat()

    return {cloud: partial(fetch, cloud) for cloud in CLOUDS}


def _passed(cloud: str) -> Diagnostic:
    return Diagnostic(
        level="note",
        code="catalogue-has-no-prices",
        message=f"{SOURCE}: {cloud} is passed over: {NO_PRICES[cloud]}",
        hint="its own feed, or an offer of your own, can give them",
        where=SOURCE,
    )


def _reader(cloud: str, as_of: str) -> Callable[[Row], Iterator[Listing]]:
    def read(row: Row) -> Iterator[Listing]:
        gpus = count(row["AcceleratorCount"]) if row["AcceleratorName"] else 0.0
        full, spot = number(row["Price"]), number(row.get("SpotPrice"))
        if not gpus:
            return
        provider, name = NAMES.get(cloud, cloud), row["InstanceType"]
        machine = Listing(
            provider=provider,
            purchase_option="on_demand",
            region=row["Region"] or None,
            instance_type=name,
            gpu_model=unknown(provider, name, _model(row, cloud)),
            gpus=gpus,
            hourly=full,
            variant="skypilot",
            confidence="medium",
            as_of=as_of,
            source=SOURCE,
        )
        if full is not None or spot is None:
            yield machine
        # A spot price that repeats the other is a copy, which no bidder pays.
        if spot is not None and spot != full:
            yield replace(machine, purchase_option="spot", hourly=spot, zone=row.get("AvailabilityZone") or None)

    return read


def _model(row: Row, cloud: str) -> str:
    name = row["AcceleratorName"]
    memory = _memory_gb(row.get("GpuInfo") or "") or (_PLAIN_A100_GB if name == "A100" else None)
    return named(name, memory_gb=memory, form=f"{row['InstanceType']} {OWN_FORMS.get(cloud, '')}")


def _memory_gb(info: str) -> float | None:
    """Return the memory of a GPU; RunPod's rows write its GB where MiB are due."""
    found = _MEMORY.search(info)
    size = float(found[1]) if found else None
    return size / 1024 if size and size > 1024 else size
