"""One product of AWS's price list, as JSON -> what it costs on demand and reserved, of Linux on shared machines."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from providers.accelerators import instance_gpus
from providers.aws.asking import is_gpu_type, place_of
from providers.listings import Listing

SOURCE = "AWS pricing API"
WANTED = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",  # not UnusedCapacityReservation, which is the same machine once more
    "marketoption": "OnDemand",  # not CapacityBlock, whose price is 0 here
    "licenseModel": "No License required",
}
PLACES = ("AWS Region", "AWS Local Zone", "AWS Wavelength Zone")  # not AWS Outposts, which stand at the customer's
MONTHS = {"1yr": 12, "3yr": 36}


class _Price(NamedTuple):
    """What a term costs: at the start, by the hour, and in which currency; None where there is no such part."""

    upfront: float | None
    hourly: float | None
    currency: str


def listings(text: str, *, now: datetime) -> list[Listing]:
    """Return the prices of a product; none where it is not one of Linux machines with GPUs, shared and paid as used.

    Args:
        text: an element of `PriceList`.
        now: the terms that are in effect then count.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the text is not what AWS documents.
    """
    item = json.loads(text)
    attributes = item["product"]["attributes"]
    if not _is_wanted(attributes):
        return []
    region, zone = place_of(attributes["regionCode"])
    same = {
        "provider": "aws",
        "region": region,
        "zone": zone,
        "instance_type": attributes["instanceType"],
        "gpus": _gpus_of_unknown(attributes),
        "as_of": item.get("publicationDate") or now.isoformat(),
        "source": SOURCE,
    }
    terms = item["terms"]
    on_demand = (_on_demand(term, same) for term in _current(terms.get("OnDemand", {}).values(), now))
    reserved = (_reserved(term, same) for term in _current(terms.get("Reserved", {}).values(), now))
    return [*on_demand, *reserved]


def _is_wanted(attributes: Mapping[str, str]) -> bool:
    if not is_gpu_type(attributes["instanceType"]) or attributes["locationType"] not in PLACES:
        return False
    return attributes["operation"] == "RunInstances" and all(attributes[name] == WANTED[name] for name in WANTED)


def _gpus_of_unknown(attributes: Mapping[str, str]) -> float | None:
    """Return the number of GPUs of a machine that our table does not have."""
    said = attributes.get("gpu", "")
    return None if instance_gpus("aws", attributes["instanceType"]) or not said.isdecimal() else float(said)


def _current(terms: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[Mapping[str, Any]]:
    """Return the terms in effect: of several that differ only in when they start, the last that has started."""
    started = [term for term in terms if datetime.fromisoformat(term["effectiveDate"]) <= now]
    started.sort(key=lambda term: datetime.fromisoformat(term["effectiveDate"]))
    yield from {tuple(sorted(term["termAttributes"].items())): term for term in started}.values()


def _on_demand(term: Mapping[str, Any], same: Mapping[str, Any]) -> Listing:
    price = _price(term)
    return Listing(purchase_option="on_demand", hourly=price.hourly, currency=price.currency, **same)


def _reserved(term: Mapping[str, Any], same: Mapping[str, Any]) -> Listing:
    price, said = _price(term), term["termAttributes"]
    prepaid = 0.0 if price.upfront is not None else None
    return Listing(
        purchase_option="reserved",
        hourly=prepaid if price.hourly is None else price.hourly,
        upfront=price.upfront or 0.0,
        term_months=MONTHS[said["LeaseContractLength"]],
        variant=f"{said['OfferingClass']} {said['PurchaseOption']}".casefold().replace(" ", "-"),
        currency=price.currency,
        **same,
    )


def _price(term: Mapping[str, Any]) -> _Price:
    parts: dict[str, float] = {}
    currency = "USD"
    for dimension in term["priceDimensions"].values():
        amounts = dimension["pricePerUnit"]
        if not amounts:
            continue
        currency = "USD" if "USD" in amounts else next(iter(amounts))
        parts[dimension["unit"]] = parts.get(dimension["unit"], 0.0) + float(amounts[currency])
    if unknown := parts.keys() - {"Hrs", "Quantity"}:
        problem = f"a price by {unknown}"
        raise ValueError(problem)
    return _Price(parts.get("Quantity"), parts.get("Hrs"), currency)
