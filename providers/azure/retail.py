"""Rows of Azure's retail price list -> one price for each GPU machine, region, purchase option and term.

Published at prices.azure.com (Azure Retail Prices API, 2023-01-01-preview). What the list does not say by itself:

- Linux and Windows machines share the name of a meter; only the name of the product tells them apart.
- The price of a reservation is the total of its term, although its unit of measure is "1 Hour". Azure bills it monthly
  at no surcharge, or at once at the same sum; here it is spread over the term's hours, of 730 a month, with nothing
  paid upfront.
- The prices of savings plans, which stand within the row of the on-demand price, are hourly.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any

from providers.asking import Ask
from providers.listings import Harvest, Listing
from providers.names import few
from providers.tables import HOURS_PER_MONTH, Diagnostic, InputError

PLAN = "savings-plan"  # a commitment for compute, in dollars an hour; paid monthly or at once, it costs the same
NAMED = 3  # rows that a message names before it only counts
SHAPE_REMEDY = "the shape of the list has changed: use a newer version of tranche, or give prices in a file (--offers)"
_HOURS = {"second": 1 / 3600, "minute": 1 / 60, "hour": 1.0, "day": 24.0}
_UNIT = re.compile(r"\s*(\d+(?:\.\d+)?)?\s*/?\s*(second|minute|hour|day)s?\s*", re.IGNORECASE)
_TERM = re.compile(r"\s*P?\s*(\d+)\s*(Y|M)[a-z]*\s*", re.IGNORECASE)


class MalformedError(ValueError):
    """A row says something that cannot be read; the message names the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The price of one hour of a whole machine, true since a time; `primary` where the list says that it counts."""

    size: str
    region: str
    option: str
    hourly: float | None
    currency: str
    since: datetime
    months: float | None = None
    primary: bool = True
    note: str | None = None

    @property
    def key(self) -> tuple[str, str, str, float]:
        """Return what may have only one price."""
        return self.size, self.region, self.option, self.months or 0.0


@cache
def sizes() -> Mapping[str, str]:
    """Return the VM sizes with GPUs, as Azure spells them, by their names in lower case."""
    with files("data").joinpath("instance_types.csv").open(encoding="utf-8") as file:
        names = [row["instance_type"] for row in csv.DictReader(file) if row["provider"] == "azure"]
    return {name.casefold(): name for name in names}


def harvest(
    items: Iterable[Any],
    rows_of: Callable[[Any], list[Row] | None],
    ask: Ask,
    *,
    source: str,
    note: str | None = None,
) -> Harvest:
    """Return the prices of what was asked for, and what a person should know of them.

    Args:
        items: rows of a price list.
        rows_of: reads one; None where it is about something else than a GPU machine.
        ask: which regions, and at what time.
        source: what to call the list.
        note: what to say of each price.

    Raises:
        InputError: nothing in the list was understood.
    """
    rows: list[Row] = []
    broken: list[str] = []
    understood = 0
    for item in items:
        try:
            found = rows_of(item)
        except MalformedError as error:
            broken.append(str(error))
            continue
        understood += found is not None
        rows += found or ()
    if not understood:
        raise InputError(source, "holds no price of a GPU machine that can be understood", SHAPE_REMEDY)
    kept, doubts = _settled([row for row in rows if ask.wants(row.region)], source)
    if not kept and not ask.regions:
        raise InputError(source, "holds no price of a GPU machine that is true today", SHAPE_REMEDY)
    listings = [_listing(row, ask.now, source, note) for row in kept]
    return Harvest(listings=listings, found=(*skipped(broken, source), *doubts))


def skipped(broken: list[str], where: str) -> list[Diagnostic]:
    """Return a warning that names the first rows that could not be read, if there are any."""
    if not broken:
        return []
    message = f"{where}: {len(broken)} of its rows cannot be read and are left out: {few(broken, NAMED)}"
    return [Diagnostic(level="warning", code="azure-rows-skipped", message=message, hint=SHAPE_REMEDY, where=where)]


def rows_of(item: Any, now: datetime) -> list[Row] | None:  # noqa: ANN401 - JSON
    """Return the prices that an item of the API states: none where it is not Linux, not current, or low priority.

    Raises:
        MalformedError: a key is missing, or holds something of another kind.
    """
    if not isinstance(item, Mapping):
        raise MalformedError("a row that is no object")
    size = sizes().get(_text(item, "armSkuName").casefold())
    if size is None:
        return None
    option, since = _option(item), _time(item, "effectiveStartDate")
    if option is None or since > now or _has_ended(item, now):
        return []
    row = Row(
        size=size,
        region=_text(item, "armRegionName"),
        option=option,
        hourly=None,
        currency=_text(item, "currencyCode"),
        since=since,
        primary=item.get("isPrimaryMeterRegion") is not False,
    )
    return _priced(row, item)


def hours_of(unit: str) -> float:
    """Return the hours of a unit of measure.

    >>> hours_of("100 Hours"), hours_of("1/Day")
    (100.0, 24.0)

    Raises:
        MalformedError: it is no time, or one that is not always as long, such as a month.
    """
    match = _UNIT.fullmatch(unit)
    count = float(match[1] or 1) if match else 0.0
    if not match or not count:
        raise MalformedError(f"unit of measure {unit!r}")
    return count * _HOURS[match[2].casefold()]


def months_of(term: str) -> float:
    """Return the months of a term.

    >>> months_of("3 Years"), months_of("P1Y")
    (36.0, 12.0)

    Raises:
        MalformedError: it is none.
    """
    match = _TERM.fullmatch(term)
    if not match or match[1].strip("0") == "":
        raise MalformedError(f"term {term!r}")
    return float(match[1]) * (12 if match[2] in "Yy" else 1)


def committed(row: Row, term: str, total: float | None) -> tuple[float, float | None, str | None]:
    """Return months, price an hour and a note for a reservation of which the total of its term is known."""
    months = months_of(term)
    if total is None:
        return months, None, None
    note = f"{total:,.2f} {row.currency} for the whole term, paid monthly or at once"
    return months, total / (months * HOURS_PER_MONTH), note


def moment(text: str) -> datetime:
    """Return a time as the API or a price sheet writes it; without an offset it is UTC.

    Raises:
        MalformedError: it is none.
    """
    for read in (datetime.fromisoformat, _american):
        try:
            time = read(text.strip())
        except ValueError:
            continue
        return time if time.tzinfo else time.replace(tzinfo=UTC)
    raise MalformedError(f"time {text!r}")


def _american(text: str) -> datetime:
    return datetime.strptime(text.partition(" ")[0], "%m/%d/%Y").replace(tzinfo=UTC)


def _priced(row: Row, item: Mapping[str, Any]) -> list[Row]:
    price = _number(item, "retailPrice")
    if row.option == "reserved":
        months, hourly, note = committed(row, _text(item, "reservationTerm"), price)
        return [replace(row, months=months, hourly=hourly, note=note)]
    unit = hours_of(_text(item, "unitOfMeasure"))
    found = [replace(row, hourly=None if price is None else price / unit)]
    for plan in (item.get("savingsPlan") or ()) if row.option == "on_demand" else ():
        if not isinstance(plan, Mapping):
            raise MalformedError(f"{_name(item)}: savingsPlan is {plan!r}")
        price, months = _number(plan, "retailPrice", _name(item)), months_of(_text(plan, "term", _name(item)))
        hourly = None if price is None else price / unit
        found.append(replace(row, option="savings_plan", months=months, hourly=hourly))
    return found


def _option(item: Mapping[str, Any]) -> str | None:
    """Return how the machine is bought; None for what is not sold to us: Windows, cloud services, low priority."""
    product = _text(item, "productName").casefold()
    meter = f"{_text(item, 'skuName')} {_text(item, 'meterName')}".casefold()
    kind, tier = _text(item, "type"), _number(item, "tierMinimumUnits") or 0.0
    if "windows" in product or "cloud services" in product or "low priority" in meter or tier > 0:
        return None
    if kind == "Reservation":
        return "reserved"
    if kind != "Consumption":
        return None
    return "spot" if re.search(r"\bspot\b", meter) else "on_demand"


def _has_ended(item: Mapping[str, Any], now: datetime) -> bool:
    return bool(item.get("effectiveEndDate")) and _time(item, "effectiveEndDate") <= now


def _settled(rows: list[Row], where: str) -> tuple[list[Row], list[Diagnostic]]:
    """Return one row for each key: of the primary ones, if any is, the newest, and of several newest the dearest."""
    kept: list[Row] = []
    doubtful: list[str] = []
    for _, group in groupby(sorted(rows, key=lambda row: row.key), key=lambda row: row.key):
        ranked = sorted(group, key=lambda row: (row.primary, row.since, row.hourly or 0.0), reverse=True)
        first, *others = ranked
        kept.append(first)
        equals = [row for row in others if (row.primary, row.since) == (first.primary, first.since)]
        if any(row.hourly != first.hourly for row in equals):
            doubtful.append(f"{first.size} {first.option} in {first.region}")
    if not doubtful:
        return kept, []
    message = f"{where} states several prices at once, of which the dearest counts, for {few(doubtful, NAMED)}"
    hint = "give the right price in a file (--offers)"
    return kept, [Diagnostic(level="warning", code="azure-prices-differ", message=message, hint=hint, where=where)]


def _listing(row: Row, now: datetime, source: str, note: str | None) -> Listing:
    return Listing(
        provider="azure",
        purchase_option=row.option,
        hourly=row.hourly,
        as_of=f"{now:%Y-%m-%d}",
        source=source,
        region=row.region,
        instance_type=row.size,
        term_months=row.months,
        plan=PLAN if row.option == "savings_plan" else None,
        variant="reservation" if row.option == "reserved" else None,
        currency=row.currency,
        note="; ".join(text for text in (note, row.note) if text) or None,
    )


def _name(item: Mapping[str, Any]) -> str:
    """Return what to call a row in a message."""
    said = [item.get(key) for key in ("skuName", "armSkuName", "armRegionName")]
    return " ".join(str(word) for word in said if word) or "a row without a name"


def _text(item: Mapping[str, Any], key: str, name: str | None = None) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{name or _name(item)}: {key} is {value!r}")
    return value


def _number(item: Mapping[str, Any], key: str, name: str | None = None) -> float | None:
    value = item.get(key, "missing")
    if isinstance(value, bool) or not (value is None or isinstance(value, int | float)):
        raise MalformedError(f"{name or _name(item)}: {key} is {value!r}")
    return value


def _time(item: Mapping[str, Any], key: str) -> datetime:
    try:
        return moment(_text(item, key))
    except MalformedError:
        raise MalformedError(f"{_name(item)}: {key} is {item.get(key)!r}") from None
