"""A price sheet of Azure (CSV, or a ZIP of them) -> prices of GPU machines that this customer has agreed.

Columns are those of the Enterprise Agreement (`MeterName`, `CurrencyCode`, ...) and of the Customer Agreement
(`meterName`, `currency`, ...), schemas 2023-05-01. A sheet names no VM size but its meter, and regions by the names
that meters use; an Enterprise Agreement prices blocks such as "100 Hours". Reservations are totals of their term.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from zipfile import BadZipFile, ZipFile, is_zipfile

from providers.azure.retail import MalformedError, Row, committed, hours_of, moment, months_of, sizes
from providers.tables import InputError

_NEEDED = ("metercategory", "metername", "meterregion", "unitofmeasure", "unitprice")
_OPTIONS = {
    "": "on_demand", "consumption": "on_demand", "savingsplan": "savings_plan", "reservedinstance": "reserved",
    "reservation": "reserved",
}  # fmt: skip
_DEV_TEST = ("0148p", "devtest")
_ADJUNCT = re.compile(r"(?i)\s+(spot|low priority)$")
_PLACES = {
    "AE Central": "uaecentral", "AE North": "uaenorth", "AP East": "eastasia", "AP Southeast": "southeastasia",
    "AT East": "austriaeast", "AU Central": "australiacentral", "AU Central 2": "australiacentral2",
    "AU East": "australiaeast", "AU Southeast": "australiasoutheast", "BE Central": "belgiumcentral",
    "BR South": "brazilsouth", "BR Southeast": "brazilsoutheast", "CA Central": "canadacentral",
    "CA East": "canadaeast", "CH North": "switzerlandnorth", "CH West": "switzerlandwest", "CL Central": "chilecentral",
    "DE North": "germanynorth", "DE West Central": "germanywestcentral", "ES Central": "spaincentral",
    "EU North": "northeurope", "EU West": "westeurope", "FR Central": "francecentral", "FR South": "francesouth",
    "ID Central": "indonesiacentral", "IL Central": "israelcentral", "IN Central": "centralindia",
    "IN South": "southindia", "IN West": "westindia", "IT North": "italynorth", "JA East": "japaneast",
    "JA West": "japanwest", "KR Central": "koreacentral", "KR South": "koreasouth", "MX Central": "mexicocentral",
    "MY West": "malaysiawest", "NO East": "norwayeast", "NO West": "norwaywest", "NZ North": "newzealandnorth",
    "PL Central": "polandcentral", "QA Central": "qatarcentral", "SE Central": "swedencentral",
    "SE South": "swedensouth", "UK South": "uksouth", "UK West": "ukwest", "US Central": "centralus",
    "US East": "eastus", "US East 2": "eastus2", "US North Central": "northcentralus",
    "US South Central": "southcentralus", "US West": "westus", "US West 2": "westus2", "US West 3": "westus3",
    "US West Central": "westcentralus", "US Gov AZ": "usgovarizona", "US Gov TX": "usgovtexas",
    "US Gov Virginia": "usgovvirginia", "ZA North": "southafricanorth", "ZA West": "southafricawest",
}  # fmt: skip
_REGIONS = {name.casefold().replace(" ", ""): region for name, region in _PLACES.items()}


def lines(path: Path, where: str) -> Iterator[Mapping[str, str]]:
    """Return every row of a sheet, by the names of its columns in lower case without spaces.

    Raises:
        InputError: it is no sheet, or has no prices.
    """
    try:
        for name in _members(path):
            with _opened(path, name) as file:
                yield from _rows(file, where)
    except (BadZipFile, UnicodeDecodeError, csv.Error):
        raise InputError(where, "came damaged", "try again later") from None


def rows_of(line: Mapping[str, str], now: datetime) -> list[Row] | None:
    """Return the price in a row of a sheet; None where it is about something else than a GPU machine.

    Raises:
        MalformedError: a value in it cannot be read.
    """
    meter = line["metername"]
    found = _sizes_of(_ADJUNCT.sub("", meter)) if line["metercategory"].casefold() == "virtual machines" else []
    if not found:
        return None
    option = _option(line)
    try:
        if option is None or not _is_current(line, now):
            return []
        return [_row(line, size, option) for size in found]
    except MalformedError as error:
        raise MalformedError(f"{meter} in {line['meterregion']}: {error}") from None


def _members(path: Path) -> list[str | None]:
    """Return the files within a ZIP; None stands for a file that is none."""
    if not is_zipfile(path):
        return [None]
    with ZipFile(path) as archive:
        return [name for name in archive.namelist() if name.casefold().endswith(".csv")]


@contextmanager
def _opened(path: Path, name: str | None) -> Iterator[io.TextIOBase]:
    if name is None:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    else:
        with ZipFile(path) as archive, io.TextIOWrapper(archive.open(name), encoding="utf-8-sig", newline="") as file:
            yield file


def _rows(file: io.TextIOBase, where: str) -> Iterator[Mapping[str, str]]:
    """Return the rows below the header, above which a sheet may have a title."""
    reader = csv.reader(file)
    for cells in reader:
        names = ["".join(cell.split()).casefold() for cell in cells]
        if set(_NEEDED) <= set(names):
            break
    else:
        raise InputError(where, f"has no columns {', '.join(_NEEDED)}", "use a newer version of tranche")
    for cells in reader:
        if cells:
            yield {**dict.fromkeys(_NEEDED, ""), **dict(zip(names, cells, strict=False))}


def _option(line: Mapping[str, str]) -> str | None:
    """Return how the machine is bought; None for Windows, cloud services, low priority, DevTest and higher tiers."""
    product = f"{line.get('product', '')} {line.get('metersubcategory', '')}".casefold()
    offer = f"{line.get('offerid', '')} {line.get('productordername', '')}".casefold()
    offer = re.sub(r"[\s/]", "", offer)
    meter = line["metername"].casefold()
    other = "windows" in product or "cloud services" in product or meter.endswith("low priority")
    if other or any(name in offer for name in _DEV_TEST) or line.get("tierminimumunits", "").strip(" 0."):
        return None
    option = _OPTIONS.get("".join(line.get("pricetype", "").split()).casefold())
    return "spot" if option == "on_demand" and meter.endswith(" spot") else option


def _is_current(line: Mapping[str, str], now: datetime) -> bool:
    start, end = line.get("effectivestartdate"), line.get("effectiveenddate")
    return not (start and moment(start) > now) and not (end and moment(end) <= now)


def _row(line: Mapping[str, str], size: str, option: str) -> Row:
    region = _REGIONS.get("".join(line["meterregion"].split()).casefold())
    if region is None:
        raise MalformedError("a region that is not known")
    row = Row(
        size=size,
        region=region,
        option=option,
        hourly=None,
        currency=line.get("currencycode") or line.get("currency") or line.get("billingcurrency") or "USD",
        since=moment(line.get("effectivestartdate") or "1970-01-01"),
    )
    price = _price(line["unitprice"])
    if option == "reserved":
        months, hourly, note = committed(row, line.get("term", ""), price)
        return replace(row, months=months, hourly=hourly, note=note)
    months_held = months_of(line.get("term", "")) if option == "savings_plan" else None
    hourly = None if price is None else price / hours_of(line["unitofmeasure"])
    return replace(row, hourly=hourly, months=months_held)


def _price(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise MalformedError(f"unit price {text!r}") from None


def _sizes_of(meter: str) -> list[str]:
    """Return the VM sizes that a meter's name stands for, such as "ND96isr H100 v5", or two with a slash between."""
    return [size for name in meter.split("/") if (size := _by_meter().get(_key(name)))]


@cache
def _by_meter() -> Mapping[str, str]:
    return {_key(name.removeprefix("standard_")): size for name, size in sizes().items()}


def _key(name: str) -> str:
    return re.sub(r"[\s_]", "", name).casefold()
