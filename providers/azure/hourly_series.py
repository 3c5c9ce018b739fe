"""Saved hourly charges of a subscription (`providers.azure.hourly`) -> Shapes."""

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
    """Read saved series; of an hour that several hold, the one that ends last counts, since late usage is added.

    Raises:
        InputError: a file holds no series of hours.
    """
    series = sorted((_read(file) for file in files), key=lambda one: (one.end, one.charges))
    frames = [_shapes(one) for one in series]
    shapes = pl.concat(frames).unique(["account", "hour"], keep="last", maintain_order=True)
    return Reading(shapes=shapes.sort("account", "hour").lazy())


def series_of(said: Mapping[str, Any], where: str) -> Series:
    """Return what a file of hourly charges says, once it is sure which hour each of them is of.

    The last date is the end of the last hour in Azure's published example (18 to 25 October, 168 hours). Where it names
    the last hour or the last day instead, the number of charges says so; the first hour is the same in all three.

    Args:
        said: subscription, currency, first, last (ISO 8601), grain, hours, charges.
        where: what to call it.

    Raises:
        InputError: it is not by the hour, has more or fewer charges than hours, or a charge that can be none.
    """
    grain = str(said.get("grain") or "").casefold()
    if grain != "hourly":
        raise InputError(where, f"has charges by the grain {grain or 'of nothing'}, and not Hourly", _AGAIN)
    charges = _charges(said.get("charges"), where)
    first, last = (_time(said.get(name), name, where) for name in ("first", "last"))
    stated = said.get("hours")
    midnight = last.replace(hour=0, minute=0, second=0, microsecond=0)
    ends = (last, last + _HOUR, midnight + _DAY)
    if first + len(charges) * _HOUR not in ends or stated not in (None, len(charges)) or first.minute or first.second:
        span = f"{first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}"
        problem = f"has {len(charges):,} charges for {span} and {stated} hours, which do not go together"
        raise InputError(where, problem, _AGAIN)
    account, currency = (str(said.get(name) or "") for name in ("subscription", "currency"))
    if not account or not currency:
        raise InputError(where, f"does not say its {'currency' if account else 'subscription'}", _AGAIN)
    return Series(account.casefold(), currency, first, charges)


def _read(file: File) -> Series:
    try:
        said = json.loads(Path(file.path).read_bytes())
    except ValueError as error:
        raise InputError(file.name, f"cannot be read as JSON ({error})", _AGAIN) from None
    return series_of(said, file.name)


def _charges(said: Any, where: str) -> list[float]:  # noqa: ANN401 - JSON
    if not isinstance(said, list) or not said:
        raise InputError(where, "has no charges", _AGAIN)
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
