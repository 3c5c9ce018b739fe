"""Shares, months and days as people write them in options and settings."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time

from app.diagnostics import UsageError

MONTHS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(mo|m|months?|y|yr|years?)?\s*", re.IGNORECASE)
PERCENT = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(%)?\s*")
LONGEST_MONTHS = 600


def moment(value: object, *, where: str) -> datetime:
    """Return a TOML date or date-time, or a text that is one, in UTC.

    Raises:
        UsageError: it is none.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = None
    if isinstance(value, datetime):
        with suppress(OverflowError):  # the first and the last day that there is, elsewhere
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    elif isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise UsageError(f"{where} is no date; write 2027-03-01 or 2027-03-01T12:00:00Z")


def percent(value: str | float, *, where: str, least: float = 0.0, whole: bool = False) -> float:
    """Read 5% or 0.05 as the share 0.05, between `least` and 1.

    Args:
        value: as it was written.
        where: what it is, for the error.
        least: what it may not fall below.
        whole: whether 1 without a sign is the whole; else nobody knows.

    Raises:
        UsageError: it is none, or may be one in a hundred or the whole.
    """
    found = PERCENT.fullmatch(value if isinstance(value, str) else f"{value:.12f}")
    share = float(found[1]) / (100 if found[2] else 1) if found else float("nan")
    plain = found is not None and (found[2] is not None or abs(share) < 1 or (whole and share == 1))
    if not plain or not least <= share <= 1:
        bounds = f"between {100 * least:g}% and 100%"
        raise UsageError(f"{where}: {value!r} is no percentage {bounds}; write 5% or 0.05")
    return share


def months(value: object, *, where: str) -> float:
    """Read 6mo, 1y or a number of months.

    Raises:
        UsageError: it is none, or more than fifty years.
    """
    text = f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value
    found = MONTHS.fullmatch(text) if isinstance(text, str) else None
    unit = (found[2] or "mo").lower() if found else "mo"
    number = float(found[1]) * (12 if unit.startswith("y") else 1) if found else float("nan")
    if not 0 <= number <= LONGEST_MONTHS:
        raise UsageError(f"{where}: {value!r} is no time in months; write 6mo or 1y (at most 50y)")
    return number


def month_or_day(value: object, *, where: str) -> float | datetime:
    """Read 6mo, or a date, as months or as a time.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(value, date) or (isinstance(value, str) and re.match(r"\s*\d{4}-", value)):
        return moment(value, where=f"{where}: {value}")
    return months(value, where=where)
