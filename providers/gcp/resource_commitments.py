"""Resource commitments of a Google Cloud project, and Google's price list -> rows of Commitments for those of GPUs.

A commitment says what it is of (GPUs, vCPUs, memory, local SSD) and not what it costs: that is counted from the list
prices of commitments, in USD per GPU-hour over all that the commitment is of. Sources: Compute Engine API v1,
commitments.aggregatedList (memory in MB, local SSD in GB); Cloud Billing Catalog API.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from providers.accelerators import canonical
from providers.asking import Ask, NoCredentialsError
from providers.gcp.catalogue import B200, CUD_12, CUD_36, LOCAL_SSD, Prices
from providers.gcp.offers import read_catalogue, signed
from providers.listings import Harvest
from providers.names import few
from providers.tables import Diagnostic, InputError

WHERE = "Google Cloud commitments"
COMPUTE_URL = "https://compute.googleapis.com"
_PLANS = {"TWELVE_MONTH": (CUD_12, 12), "THIRTY_SIX_MONTH": (CUD_36, 36)}
_GPUS = {
    "nvidia-tesla-a100": "A100 40GB GPU",
    "nvidia-a100-80gb": "A100 80GB GPU",
    "nvidia-h100-80gb": "H100 GPU",
    "nvidia-h100-mega-80gb": "H100 Mega GPU",
    "nvidia-h200-141gb": "H200 GPU",
    "nvidia-b200": B200,
    "nvidia-l4": "L4 GPU",
    "nvidia-rtx-pro-6000": "RTX PRO 6000 GPU",
}
_HOSTS = {
    "ACCELERATOR_OPTIMIZED": "A2",
    "ACCELERATOR_OPTIMIZED_A3": "A3",
    "ACCELERATOR_OPTIMIZED_A3_MEGA": "A3Plus",
    "ACCELERATOR_OPTIMIZED_A3_ULTRA": "A3Ultra",
    "GRAPHICS_OPTIMIZED": "G2",
    "GRAPHICS_OPTIMIZED_G4": "G4",
}
_HOST_PARTS = {"VCPU": "core", "MEMORY": "memory"}
_GPUS_ALONE = "; of GPUs alone: their vCPUs and memory are paid apart"
Row = dict[str, str | float]
_SHOWN = 3


class _NoPriceError(Exception):
    """A part of a commitment has no price."""


class _Trouble(NamedTuple):
    """Regions that do not answer, and commitments that are not understood or have no price, each with the reason."""

    lost: list[str]
    odd: list[str]
    unpriced: list[str]


def owned(ask: Ask) -> Harvest:
    """Return the active commitments of GPUs of the project that the login names.

    Raises:
        NoCredentialsError: nobody is logged in, or the login names no project.
        InputError: Google refuses, does not answer, or answers nothing that is understood.
    """
    web, project = signed(WHERE)
    if not project:
        raise NoCredentialsError(WHERE, "the login names no project", "set GOOGLE_CLOUD_PROJECT to the id of one")
    base = ask.urls.get("gcp-commitments", COMPUTE_URL).rstrip("/")
    url = f"{base}/compute/v1/projects/{project}/aggregated/commitments"
    scopes = [(region, scope) for region, scope in _scopes(web, url, ask) if ask.wants(region)]
    trouble = _Trouble(_lost(scopes), [], [])
    mine = [(region, item) for region, scope in scopes for item in _of_gpus(scope)]
    rows = _priced(mine, Prices(read_catalogue(ask).rates), trouble) if mine else []
    frame = pl.DataFrame(rows).with_columns(as_of=pl.lit(f"{ask.now:%Y-%m-%dT%H:%M:%SZ}")) if rows else None
    return Harvest(commitments=frame, lost=trouble.lost, found=tuple(_diagnostics(trouble)))


def _scopes(web: Any, url: str, ask: Ask) -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401
    """Return each region and what the API says of it; one region may come on several pages."""
    token = None
    while token != "":
        ask.expect(1)
        page = web.get(url, {"returnPartialSuccess": "true"} | ({"pageToken": token} if token else {}))
        if not isinstance(page, dict) or not isinstance(page.get("items", {}), dict):
            raise InputError(WHERE, "answers something of another shape", "try again with a newer version of tranche")
        token = page.get("nextPageToken", "")
        yield from ((name.removeprefix("regions/"), scope) for name, scope in page.get("items", {}).items())
        ask.advance()


def _lost(scopes: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    codes = {region: scope.get("warning", {}).get("code") for region, scope in scopes}
    lost = sorted(region for region, code in codes.items() if code not in {None, "NO_RESULTS_ON_PAGE"})
    if lost and len(lost) == len(codes):
        raise InputError(WHERE, "no region answers", "try again later")
    return lost


def _of_gpus(scope: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = [item for item in scope.get("commitments", ()) if item.get("status") == "ACTIVE"]
    return [item for item in found if any(each.get("type") == "ACCELERATOR" for each in item.get("resources", ()))]


def _priced(mine: list[tuple[str, Mapping[str, Any]]], prices: Prices, trouble: _Trouble) -> list[Row]:
    """Return a row for each commitment; why there is none goes to `trouble`."""
    rows = []
    for region, item in mine:
        name = item.get("name", "a commitment without a name")
        try:
            rows += [_row(region, item, prices)]
        except _NoPriceError as error:
            trouble.unpriced.append(f"{name} (no price of {error})")
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            trouble.odd.append(f"{name} ({type(error).__name__}: {error})")
    if len(trouble.odd) == len(mine):
        problem = f"none of {len(mine)} commitments is understood, such as {trouble.odd[0]}"
        raise InputError(WHERE, problem, "try again with a newer version of tranche")
    return rows


def _row(region: str, item: Mapping[str, Any], prices: Prices) -> Row:
    option, months = _PLANS[item["plan"]]
    (gpus,) = (each for each in item["resources"] if each["type"] == "ACCELERATOR")
    kind, amount = gpus["acceleratorType"].rpartition("/")[2], int(gpus["amount"])
    model = canonical(kind)
    if model is None:
        raise _NoPriceError(kind)
    hourly = _hourly(item, kind, prices, option, region)
    return {
        "commitment_id": f"gcp-{region}-{item['name']}", "provider": "gcp", "gpu_model": model,
        "purchase_option": "cud", "holding_usd_per_gpu_hour": float(hourly / amount),
        "usage_usd_per_gpu_hour": 0.0, "gpus": float(amount), "region": region, "term_months": float(months),
        "start": item["startTimestamp"], "end": item["endTimestamp"], "currency": "USD", "confidence": "medium",
        "source": "Google Cloud Compute Engine API", "note": _note(item, kind),
    }  # fmt: skip


def _hourly(item: Mapping[str, Any], kind: str, prices: Prices, option: str, region: str) -> Decimal:
    """Return USD an hour of all that is committed."""
    hourly = Decimal(0)
    for resource in item["resources"]:
        if _GPUS.get(kind) == B200 and resource["type"] != "ACCELERATOR":  # the price of a slice has its host in it
            continue
        part, amount = _part(resource, kind, item.get("type", ""))
        price = prices.of(part, option, region)
        if price is None:
            raise _NoPriceError(f"{part} in {region}")
        hourly += amount * price
    return hourly


def _part(resource: Mapping[str, Any], kind: str, family: str) -> tuple[str, Decimal]:
    """Return the part that a resource is, and how many GPUs, vCPUs or GiB."""
    what, amount = resource["type"], Decimal(int(resource["amount"]))
    if what == "ACCELERATOR":
        return _GPUS.get(kind, kind), amount
    if what == "LOCAL_SSD":
        return LOCAL_SSD, amount
    part = f"{_HOSTS.get(family, family)} {_HOST_PARTS[what]}"
    return part, amount / 1024 if what == "MEMORY" else amount


def _note(item: Mapping[str, Any], kind: str) -> str:
    hosts = any(each["type"] in _HOST_PARTS for each in item["resources"])
    return "at the list price of commitments" + ("" if hosts or _GPUS.get(kind) == B200 else _GPUS_ALONE)


def _diagnostics(trouble: _Trouble) -> Iterator[Diagnostic]:
    if trouble.lost:
        text = f"commitments could not be read in {', '.join(trouble.lost)}"
        yield Diagnostic(level="warning", code="gcp-region-lost", message=text, hint="try again later", where=WHERE)
    left_out = trouble.odd + trouble.unpriced
    if left_out:
        text = f"{len(left_out)} commitments are left out: {few(left_out, _SHOWN)}"
        hint = "give them in a file with --commitments"
        yield Diagnostic(level="warning", code="gcp-commitment-left-out", message=text, hint=hint, where=WHERE)
