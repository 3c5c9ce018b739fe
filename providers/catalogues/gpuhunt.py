"""gpuhunt's catalogue, a CSV file per cloud -> listings per machine, on demand and spot.

Source: https://github.com/dstackai/gpuhunt, whose catalogues lie in a bucket as one archive a cloud, or copies in the
folder that GPUHUNT_CATALOG_DIR names, as `lambdalabs.csv`. From the net come only clouds that have no feed of their own
that works without a key.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile, ZipFile

from providers.asking import Ask
from providers.card_names import named, unknown
from providers.catalogues.shared import FORMS, NAMES, Fetch, gathered, written
from providers.listings import Harvest, Listing
from providers.price_rows import NEWER, Row, count, number
from providers.tables import InputError
from providers.web import Web

SOURCE, FOLDER = "gpuhunt catalogue", "GPUHUNT_CATALOG_DIR"
BASE = "https://dstack-gpu-pricing.s3.eu-west-1.amazonaws.com/v3"
CLOUDS = ("lambdalabs", "nebius", "verda", "cloudrift")
# Prices that gpuhunt has no list to read from.
RULES = {
    ("crusoe", False): "written into gpuhunt's program by hand",
    ("crusoe", True): "written into gpuhunt's program by hand",
    ("oci", True): "half the price on demand, by rule",
}
_VERSION = re.compile(r"(\d{4})(\d\d)(\d\d)-\d+")


class _Archives(Web):
    """A session that fetches bytes as well."""

    def content(self, url: str) -> bytes:
        """Return the bytes at an address.

        Raises:
            InputError: as `get` does.
        """
        return self._send("GET", url).content


def prices(ask: Ask) -> Harvest:
    """Return the prices of every cloud of the catalogue; one that cannot be read is left out with a warning.

    Raises:
        InputError: none can be read.
        StoppedError: somebody wants the work to end.
    """
    folder = os.environ.get(FOLDER) if "gpuhunt" not in ask.urls else None
    return gathered(SOURCE, ask, _local(Path(folder)) if folder else _remote(ask), _reader)


def _local(folder: Path) -> dict[str, Fetch]:
    def fetch(path: Path) -> tuple[str, str]:
        return path.read_text(encoding="utf-8", errors="replace"), written(path)

    return {path.stem: partial(fetch, path) for path in sorted(folder.glob("*.csv"))}


def _remote(ask: Ask) -> dict[str, Fetch]:
    web, base = _Archives(SOURCE), ask.urls.get("gpuhunt", BASE)

    def fetch(cloud: str) -> tuple[str, str]:
        version = web.text(f"{base}/{cloud}/version").strip()
        day = _VERSION.fullmatch(version)
        if not day:
            raise InputError(f"{SOURCE} of {cloud}", f"has {version[:40]!r} for a version", NEWER)
        return _unpacked(web.content(f"{base}/{cloud}/{version}/catalog.zip"), cloud), "-".join(day.groups())

    return {cloud: partial(fetch, cloud) for cloud in CLOUDS}


def _unpacked(archive: bytes, cloud: str) -> str:
    try:
        with ZipFile(io.BytesIO(archive)) as files:
            return files.read(f"{cloud}.csv").decode()
    except (BadZipFile, KeyError, UnicodeDecodeError):
        raise InputError(f"{SOURCE} of {cloud}", f"is no archive with {cloud}.csv in it", NEWER) from None


def _spot(text: str) -> bool:
    if text.casefold() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither True nor False")
    return text.casefold() == "true"


def _reader(cloud: str, as_of: str) -> Callable[[Row], Iterator[Listing]]:
    provider = NAMES.get(cloud, cloud)

    def read(row: Row) -> Iterator[Listing]:
        gpus, spot = count(row["gpu_count"]), _spot(row["spot"])
        if not gpus:
            return
        name, rule = row["instance_name"], RULES.get((provider, spot))
        confidence: Literal["low", "medium"] = "low" if rule else "medium"
        form = f"{name} {FORMS.get(provider, '')}"
        model = named(row["gpu_name"], memory_gb=number(row["gpu_memory"]), form=form)
        yield Listing(
            provider=provider,
            purchase_option="spot" if spot else "on_demand",
            region=row["location"] or None,
            instance_type=name,
            gpu_model=unknown(provider, name, model),
            gpus=gpus,
            hourly=number(row["price"]),
            variant="gpuhunt",
            confidence=confidence,
            note=rule,
            as_of=as_of,
            source=SOURCE,
        )

    return read
