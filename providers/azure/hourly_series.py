"""What Azure answers about the hourly charges of a subscription (`providers.azure.hourly`) -> Shapes.

The file is Azure's answer as it is: a person with access to the subscription may save it with `az rest`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from providers.charges import SHAPES, Reading, Tags
from providers.recognise import File
from providers.tables import InputError

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_AGAIN = "fetch it again with azure-hourly:/subscriptions/ID"
_PLANS = ("compute_savings_plan", "")
_NOTHING = "gives no hourly charges: nothing there ran on demand that a savings plan could cover"


class Series(NamedTuple):
    """What one subscription was charged in each hour from `first` on."""

    account: str
    currency: str
    first: datetime
    charges: Sequence[float]

    @property
    def end(self) -> datetime:
        """Return the end of the last hour."""
        return self.first + len(self.charges) * _HOUR


def read(files: Sequence[File], _tags: Tags) -> Reading:
    """Read saved answers; of an hour that several hold, the one that ends last counts, since late usage is added.

    Raises:
        InputError: a file holds no series of hours.
    """
    series = sorted((_read(file) for file in files), key=lambda one: (one.end, one.charges))
    frames = [_shapes(one) for one in series]
    shapes = pl.concat(frames).unique(["account", "hour"], keep="last", maintain_order=True)
    return Reading(shapes=shapes.sort("account", "hour").lazy())


def series_of(answer: Mapping[str, Any], where: str) -> Series:
    """Return the series of an answer, once it is sure which hour each of its charges is of.

    The last date is the end of the last hour in Azure's published example (18 to 25 October, 168 hours). Where it names
    the last hour or the last day instead, the number of charges says so; the first hour is the same in all three.

    Args:
        answer: a list of benefit recommendations, with properties/usage.
        where: what to call it.

    Raises:
        InputError: there is no series or more than one, it is of more than a subscription or not by the hour, it has
            more or fewer charges than hours, or a charge that can be none.
    """
    said = _one(answer, where)
    grain = str(said["usage"].get("usageGrain") or "").casefold()
    if grain != "hourly":
        raise InputError(where, f"has charges by the grain {grain or 'of nothing'}, and not Hourly", _AGAIN)
    charges = _charges(said["usage"]["charges"], where)
    first = _first(said, len(charges), where)
    account, currency = (str(said.get(name) or "") for name in ("subscriptionId", "currencyCode"))
    if not account or not currency:
        raise InputError(where, f"does not say its {'currency' if account else 'subscription'}", _AGAIN)
    return Series(account.casefold(), currency, first, charges)


def _one(answer: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Return what is said of compute in one subscription; other plans (databases) have series of their own."""
    properties = [one["properties"] for one in answer["value"] if isinstance(one, dict) and one.get("properties")]
    found = [said for said in properties if _is_of_compute(said)]
    if not found:
        remedy = "wait for some days (by hand, ask with $expand=properties/usage), or do without: days then stay days"
        raise InputError(where, _NOTHING, remedy)
    if len(found) > 1:
        remedy = "ask for one: Single, Last60Days, P1Y, as azure-hourly:/subscriptions/ID does"
        raise InputError(where, f"gives {len(found)} series where one is expected", remedy)
    if found[0].get("resourceGroup"):
        raise InputError(where, f"is of the resource group {found[0]['resourceGroup']} alone", _AGAIN)
    return dict(found[0])


def _is_of_compute(said: Mapping[str, Any]) -> bool:
    usage = said.get("usage")
    plan = str(said.get("armSkuName") or "").casefold()
    return isinstance(usage, dict) and bool(usage.get("charges")) and plan in _PLANS


def _first(said: Mapping[str, Any], count: int, where: str) -> datetime:
    """Return the first hour of a series of so many charges."""
    first, last = (_time(said.get(f"{name}ConsumptionDate"), name, where) for name in ("first", "last"))
    stated = said.get("totalHours")
    midnight = last.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = (last, last + _HOUR, midnight + _DAY)
    if first + count * _HOUR in ends and stated in (None, count) and not (first.minute or first.second):
        return first
    span = f"{first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}"
    problem = f"has {count:,} charges for {span} and {stated} hours, which do not go together"
    raise InputError(where, problem, _AGAIN)


def _read(file: File) -> Series:
    try:
        said = json.loads(Path(file.path).read_bytes())
    except ValueError as error:
        raise InputError(file.name, f"cannot be read as JSON ({error})", _AGAIN) from None
    return series_of(said, file.name)


def _charges(said: Any, where: str) -> list[float]:  # noqa: ANN401 - JSON
    if not isinstance(said, list):
        raise InputError(where, "has no list of charges", _AGAIN)
    for place, charge in enumerate(said):
        if isinstance(charge, bool) or not isinstance(charge, int | float) or not math.isfinite(charge) or charge < 0:
            raise InputError(where, f"has {charge!r} as charge {place + 1:,}, which no hour can cost", _AGAIN)
    return [float(charge) for charge in said]


def _time(said: Any, name: str, where: str) -> datetime:  # noqa: ANN401 - JSON
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        raise InputError(where, f"has {said!r} as its {name} date", _AGAIN) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _shapes(series: Series) -> pl.DataFrame:
    hours = [series.first + index * _HOUR for index in range(len(series.charges))]
    columns = {
        "provider": "azure",
        "account": series.account,
        "currency": series.currency,
        "source": f"azure-hourly:/subscriptions/{series.account}",
    }
    frame = pl.DataFrame({"hour": hours, "charge": series.charges})
    return frame.select(
        (pl.lit(columns[name]) if name in columns else pl.col(name)).cast(dtype).alias(name)
        for name, dtype in SHAPES.items()
    )
