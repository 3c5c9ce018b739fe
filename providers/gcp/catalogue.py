"""SKUs of Google's price list for Compute Engine -> what a part of a GPU machine costs an hour, by region and option.

Only the description tells what a SKU is, and some spot SKUs have the usage type OnDemand: the description decides.
Source: Cloud Billing Catalog API, ListSkus of service 6F81-5844-456A.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from providers.names import few
from providers.tables import HOURS_PER_MONTH, Diagnostic, InputError

ON_DEMAND, SPOT, CUD_12, CUD_36, FLEX_START, CALENDAR = (
    "on_demand",
    "spot",
    "cud-12",
    "cud-36",
    "flex-start",
    "calendar",
)
LOCAL_SSD, B200, RTX_EIGHTH = "local SSD", "B200 slice", "RTX PRO 6000 eighth"
_PARTS = {
    "nvidia tesla a100 gpu": "A100 40GB GPU",
    "nvidia tesla a100 80gb gpu": "A100 80GB GPU",
    "nvidia h100 80gb gpu": "H100 GPU",
    "nvidia h100 80gb plus gpu": "H100 Mega GPU",  # so called on demand, Mega otherwise, with two orders of words
    "nvidia h100 80gb mega gpu": "H100 Mega GPU",
    "nvidia h100 mega 80gb gpu": "H100 Mega GPU",
    "h200 141gb gpu": "H200 GPU",
    "nvidia l4 gpu": "L4 GPU",
    "rtx 6000 96gb": "RTX PRO 6000 GPU",
    "a4 nvidia b200 (1 gpu slice)": B200,  # with its share of the host
    "1/8 vgpu no lssd": RTX_EIGHTH,  # with its share of the host
    "ssd backed local storage": LOCAL_SSD,
    "local ssd": LOCAL_SSD,  # so called by commitments
}
_HOSTS = {"a2": "A2", "a3": "A3", "a3plus": "A3Plus", "a3mega": "A3Plus", "a3ultra": "A3Ultra", "g2": "G2", "g4": "G4"}
_HOST = re.compile(r"(a2|a3|a3 ?plus|a3 ?mega|a3 ?ultra|g2|g4)(?: instance)? (core|cpu|ram)")
_BEFORE = re.compile(
    r"^(?:commitment v1: |spot preemptible |reserved |dws defined duration |dws flex start |dws calendar mode )"
)
_AFTER = re.compile(r" attached to | running in | in | for \d years?$")
_WORDS = (("calendar mode", CALENDAR), ("dws ", FLEX_START), ("preemptible", SPOT))
_YEARS = {"for 1 year": CUD_12, "for 3 year": CUD_36}
_GIB = Decimal(2**30) / Decimal(10**9)  # GB in a GiB
_PER_HOUR = {
    "h": Decimal(1),
    "GiBy.h": Decimal(1),
    "GBy.h": _GIB,
    "GiBy.mo": 1 / Decimal(HOURS_PER_MONTH),
    "GBy.mo": _GIB / HOURS_PER_MONTH,
}
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one SKU asks: USD an hour for one GPU, vCPU, slice, or GiB of memory or local SSD, in some regions."""

    sku: str
    part: str
    option: str
    regions: tuple[str, ...]
    hourly: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The rates of a price list, the ISO time at which they were true, and what a person should know of them."""

    rates: Sequence[Rate]
    as_of: str
    found: tuple[Diagnostic, ...] = ()


class Prices:
    """USD an hour by part, option and region, of rates above 0: a SKU at 0 is a placeholder, and tells nothing."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        found: dict[tuple[str, str, str], set[Decimal]] = {}
        for rate in rates:
            for region in rate.regions if rate.hourly > 0 else ():
                found.setdefault((rate.part, rate.option, region), set()).add(rate.hourly)
        self._hourly = {key: max(prices) for key, prices in found.items()}  # of two, the one that is not too cheap
        self._conflicts = sorted(key for key, prices in found.items() if len(prices) > 1)

    def of(self, part: str, option: str, region: str) -> Decimal | None:
        """Return the price of one unit of a part, or None where it has none."""
        return self._hourly.get((part, option, region))

    def regions(self) -> list[str]:
        """Return every region with any price."""
        return sorted({region for _, _, region in self._hourly})

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Return a warning where SKUs contradict each other."""
        if not self._conflicts:
            return ()
        shown = few([f"{part} ({option}) in {region}" for part, option, region in self._conflicts], _SHOWN)
        text = f"{len(self._conflicts)} parts have two prices, such as {shown}"
        return (Diagnostic(level="warning", code="gcp-two-prices", message=text, hint="the dearer one is used"),)


def catalogue(skus: Iterable[Any], *, now: datetime, where: str) -> Catalogue:
    """Read SKUs (google.cloud.billing_v1.types.Sku).

    Raises:
        InputError: not one of them is a part of a GPU machine with a price; their shape has changed.
    """
    rates, odd, times = [], [], []
    for sku in skus:
        named = named_part(sku.description, sku.category.usage_type)
        if named is None:
            continue
        try:
            rates.append(_rate(sku, *named))
            times += [sku.pricing_info[-1].effective_time or now]
        except (LookupError, ValueError) as error:
            odd.append(f"{sku.description} ({error})")
    if not rates:
        raise InputError(
            where, "names no part of a GPU machine with a price", "try again with a newer version of tranche"
        )
    return Catalogue(rates=rates, as_of=f"{max(times):%Y-%m-%dT%H:%M:%SZ}", found=tuple(_malformed(odd, where)))


def named_part(description: str, usage_type: str) -> tuple[str, str] | None:
    """Return the part of a GPU machine and the option that a SKU prices, or None where it is something else.

    >>> named_part("Spot Preemptible A4 Nvidia B200 (1 gpu slice) running in Americas", "OnDemand")
    ('B200 slice', 'spot')
    """
    text = description.casefold()
    option = _option(text, usage_type)
    subject = _AFTER.split(_BEFORE.sub("", text), maxsplit=1)[0]
    host = _HOST.fullmatch(subject)
    part = _PARTS.get(subject) if host is None else _host_part(*host.groups())
    return (part, option) if part and option else None


def per_hour(money: tuple[int, int], unit: str) -> Decimal:
    """Return whole and billionths of USD per unit, as USD an hour (of a GiB where the unit is one of size).

    Raises:
        ValueError: the unit is not known.
    """
    if unit not in _PER_HOUR:
        raise ValueError(f"unit {unit!r}")
    return (money[0] + Decimal(money[1]).scaleb(-9)) * _PER_HOUR[unit]


def _host_part(family: str, resource: str) -> str:
    return f"{_HOSTS[family.replace(' ', '')]} {'memory' if resource == 'ram' else 'core'}"


def _option(text: str, usage_type: str) -> str | None:
    if text.startswith("commitment"):
        return next((option for years, option in _YEARS.items() if years in text), None)
    for words, option in _WORDS:
        if words in text:
            return option
    if "attached to" in text or text.startswith("reserved"):  # sole tenancy, and usage that a reservation has paid
        return None
    return {"OnDemand": ON_DEMAND, "Preemptible": SPOT}.get(usage_type)


def _rate(sku: Any, part: str, option: str) -> Rate:  # noqa: ANN401 - a message of the SDK
    if not sku.pricing_info or not sku.pricing_info[-1].pricing_expression.tiered_rates:
        raise ValueError("no price")
    expression = sku.pricing_info[-1].pricing_expression
    money = expression.tiered_rates[-1].unit_price  # the first tier may be free, and holds for little
    if money.currency_code != "USD":
        raise ValueError(f"currency {money.currency_code!r}")
    hourly = per_hour((money.units, money.nanos), expression.usage_unit)
    return Rate(sku=sku.sku_id, part=part, option=option, regions=tuple(sku.service_regions), hourly=hourly)


def _malformed(odd: Sequence[str], where: str) -> Iterator[Diagnostic]:
    if odd:
        text = f"{len(odd)} SKUs are not understood, such as {few(odd, _SHOWN)}"
        hint = "what needs them is left out; try again with a newer version of tranche"
        yield Diagnostic(level="warning", code="gcp-malformed-sku", message=text, hint=hint, where=where)
