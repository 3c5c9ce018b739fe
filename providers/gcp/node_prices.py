"""Prices of parts (GPU, vCPU, GiB of memory and of local SSD) -> what each of Google's GPU machine types costs an hour.

Google has no price of a machine: it is the sum of its parts, in USD an hour. A machine with a part that has no price in
a region is not priced there; a missing part is never counted as 0. Sources: sizes of `instance_types.csv`; local SSD
that comes with a machine and what is sold on demand, from the machine type documentation of Compute Engine.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import product
from typing import Literal, NamedTuple

from providers.accelerators import gpus_of_types, instance_capacity
from providers.asking import Ask
from providers.gcp.catalogue import (
    B200,
    CALENDAR,
    CUD_12,
    CUD_36,
    FLEX_START,
    LOCAL_SSD,
    ON_DEMAND,
    RTX_EIGHTH,
    SPOT,
    Prices,
)
from providers.listings import Listing
from providers.names import few
from providers.tables import Diagnostic

_SHOWN = 3
FLEX_START_HOURS = 7 * 24.0
_CAPACITY = "holds no capacity by itself: pair it with a reservation"


class _Family(NamedTuple):
    """How machines of a family are billed: whose vCPUs and memory, which GPU, and GiB of local SSD with each GPU."""

    host: str
    gpu: str
    ssd: int = 0


class _Option(NamedTuple):
    """How an option stands in a listing."""

    purchase_option: str
    term_months: int | None = None
    variant: str | None = None
    availability: Literal["listed", "unknown"] = "listed"
    note: str | None = None
    interruptions: float | None = None


class Machine(NamedTuple):
    """A machine type, the parts whose price tells that it is sold, and how many units of each part it has, if known."""

    name: str
    gpus: tuple[str, ...]
    parts: Mapping[str, Decimal | None]


_FAMILIES = {
    "a2-highgpu": _Family("A2", "A100 40GB GPU"),
    "a2-megagpu": _Family("A2", "A100 40GB GPU"),
    "a2-ultragpu": _Family("A2", "A100 80GB GPU", 375),
    "a3-highgpu": _Family("A3", "H100 GPU", 750),
    "a3-megagpu": _Family("A3Plus", "H100 Mega GPU", 750),
    "a3-ultragpu": _Family("A3Ultra", "H200 GPU", 1500),
    "g2-standard": _Family("G2", "L4 GPU"),
    "g4-standard": _Family("G4", "RTX PRO 6000 GPU"),
}
_OPTIONS = {
    ON_DEMAND: _Option("on_demand"),
    SPOT: _Option("spot", availability="unknown"),  # regions with a price do not all have the machine
    CUD_12: _Option("cud", 12, note=_CAPACITY),
    CUD_36: _Option("cud", 36, note=_CAPACITY),
    # Only work that may wait and be interrupted can run on it, which is what spot means to a plan.
    FLEX_START: _Option(
        "spot", None, "dws-flex-start", "unknown", "starts when there is room; ends after 7 days", FLEX_START_HOURS
    ),
    CALENDAR: _Option(
        "capacity_block", 3, "dws-calendar", "listed", "for dates that are asked for; the term is the longest, 90 days"
    ),
}
_COMMITTED = (CUD_12, CUD_36)
_NOT_ON_DEMAND = ("a4-", "a4x-", "a3-ultragpu-", "a3-highgpu-1g", "a3-highgpu-2g", "a3-highgpu-4g")


def machines() -> list[Machine]:
    """Return the machine types of `instance_types.csv` whose parts have SKUs."""
    found = (_machine(name, gpus) for name, (_, gpus) in gpus_of_types("gcp").items())
    return [machine for machine in found if machine]


def node_listings(
    prices: Prices, ask: Ask, *, as_of: str, source: str, note: str | None = None
) -> tuple[list[Listing], list[Diagnostic]]:
    """Compose every machine in every region and option that has a price of its GPU.

    Returns:
        Whole machines, USD an hour, and one note on those that lack the price of another part.
    """
    listings, lacking = [], []
    for region, machine, option in _sold(prices, ask):
        hourly, stays, missing = _composed(machine, prices, option, region)
        if missing:
            lacking.append(f"{machine.name} {option} in {region} ({' and '.join(missing)})")
            continue
        remark = _joined(note, _OPTIONS[option].note, _staying(stays))
        listings.append(_listing(machine, region, option, hourly, as_of=as_of, source=source, note=remark))
    return listings, list(_left_out(lacking))


def _sold(prices: Prices, ask: Ask) -> Iterator[tuple[str, Machine, str]]:
    """Return where a machine has a price of its GPU; some can only be had as spot, flex-start or reserved."""
    known = machines()
    for region, machine, option in product(filter(ask.wants, prices.regions()), known, _OPTIONS):
        on_demand = option != ON_DEMAND or not machine.name.startswith(_NOT_ON_DEMAND)
        if on_demand and any(prices.of(gpu, option, region) for gpu in machine.gpus):
            yield region, machine, option


def _machine(name: str, gpus: float) -> Machine | None:
    count, family = Decimal(str(gpus)), _FAMILIES.get(name.rpartition("-")[0])
    if name.startswith("a4-highgpu-"):
        return Machine(name, (B200,), {B200: count})
    if family is None:
        return None
    if count < 1:  # has a price of its own, above its share of a whole machine
        return Machine(name, (family.gpu, RTX_EIGHTH), {RTX_EIGHTH: count * 8})
    parts = {family.gpu: count, **_host(name, family.host)}
    if family.ssd:
        parts[LOCAL_SSD] = count * family.ssd
    return Machine(name, (family.gpu,), parts)


def _host(name: str, host: str) -> dict[str, Decimal | None]:
    vcpus, memory = instance_capacity("gcp", name) or (None, None)
    amounts = {f"{host} core": vcpus, f"{host} memory": memory}
    return {part: None if amount is None else Decimal(str(amount)) for part, amount in amounts.items()}


def _composed(machine: Machine, prices: Prices, option: str, region: str) -> tuple[Decimal, list[str], list[str]]:
    """Return USD an hour, the parts that stay on demand under a commitment, and the parts without a price."""
    hourly, stays, missing = Decimal(0), [], []
    for part, amount in machine.parts.items():
        price = prices.of(part, option, region)
        if price is None and option in _COMMITTED and part not in machine.gpus:
            price = prices.of(part, ON_DEMAND, region)
            stays.append(part)
        if price is None or amount is None:
            missing.append(part)
        else:
            hourly += amount * price
    return hourly, stays, missing


def _listing(
    machine: Machine, region: str, option: str, hourly: Decimal, *, as_of: str, source: str, note: str | None
) -> Listing:
    how = _OPTIONS[option]
    return Listing(
        provider="gcp", purchase_option=how.purchase_option, hourly=float(hourly), as_of=as_of, source=source,
        region=region, instance_type=machine.name, term_months=how.term_months, variant=how.variant,
        availability=how.availability, note=note, interruptions=how.interruptions,
    )  # fmt: skip


def _staying(parts: Iterable[str]) -> str | None:
    names = " and ".join(parts)
    return f"no commitment for {names}: counted at the price on demand" if names else None


def _joined(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None


def _left_out(lacking: list[str]) -> Iterable[Diagnostic]:
    if lacking:
        text = f"{len(lacking)} prices lack a part of the machine, such as {few(lacking, _SHOWN)}"
        hint = "they are left out: a sum without all parts would be too low"
        yield Diagnostic(level="note", code="gcp-part-without-price", message=text, hint=hint)
