"""What stands beside a comparison in a filter: how a number, a time or a flag is typed, and what kind a value is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

Value: TypeAlias = "str | float | bool | datetime | None"
Kind: TypeAlias = Literal["text", "number", "flag", "time"]

# Every part begins with a character that the part before it cannot take, so that no text makes matching slow.
NUMBER = re.compile(
    r"(?P<sign>[-+]?)[$€£]?(?P<digits>\d[\d,]*(?:\.\d*)?|\.\d+)(?P<power>e[-+]?\d{1,4})? ?(?P<scale>[kmb%]?)",
    re.ASCII | re.IGNORECASE,
)
SCALES = {"": Decimal(1), "k": Decimal(1000), "m": Decimal(10) ** 6, "b": Decimal(10) ** 9, "%": Decimal("0.01")}
FLAGS = {"true": True, "yes": True, "false": False, "no": False}
STEPS = {
    "%Y": timedelta(days=366),
    "%Y-%m": timedelta(days=31),
    "%Y-%m-%d": timedelta(days=1),
    "%Y-%m-%d %H": timedelta(hours=1),
    "%Y-%m-%d %H:%M": timedelta(minutes=1),
    "%Y-%m-%d %H:%M:%S": timedelta(seconds=1),
}
LONGEST = 40  # characters of a number or a time
EXAMPLES: dict[Kind, str] = {
    "number": "a number such as 3, $2.10, 10k or 30%",
    "time": "a time such as 2026-04, 2026-04-01 or 2026-04-01T05:00",
    "flag": "yes or no",
    "text": "text",
}


@lru_cache(maxsize=1024)
def read_number(text: str) -> float | None:
    """Read a number as people write it; a percentage is a hundredth part, None where it is no number.

    >>> [read_number(text) for text in ("$2.10", "10k", "30 %", "1,234.5", "two")]
    [2.1, 10000.0, 0.3, 1234.5, None]
    """
    found = NUMBER.fullmatch(text.strip())
    if found is None or len(text) > LONGEST:
        return None
    digits = Decimal(found["digits"].replace(",", "") + (found["power"] or "")) * SCALES[found["scale"].lower()]
    return float(-digits if found["sign"] == "-" else digits)


@lru_cache(maxsize=256)
def read_span(text: str) -> tuple[datetime, datetime] | None:
    """Read a year, month, day, hour, minute or second in UTC: its beginning, and the beginning of the next one."""
    text = text.strip().removesuffix("Z").replace("T", " ")
    if len(text) > LONGEST:
        return None
    for form, step in STEPS.items():
        try:
            begin = datetime.strptime(text, form).replace(tzinfo=UTC)
            return begin, _next(begin, form, step)
        except (ValueError, OverflowError):  # another form, or the last year that there is
            continue
    return None


def _next(begin: datetime, form: str, step: timedelta) -> datetime:
    if form == "%Y":
        return begin.replace(year=begin.year + 1)
    return (begin + step).replace(day=1) if form == "%Y-%m" else begin + step


def read_flag(text: str) -> bool | None:
    """Read yes or no."""
    return FLAGS.get(text.strip().lower())


READERS: dict[Kind, Callable[[str], object]] = {
    "text": str,
    "number": read_number,
    "time": read_span,
    "flag": read_flag,
}


def kind_of(value: Value) -> Kind | None:
    """Return the kind of a value, None of an empty one: missing, not a number, or a text without characters."""
    if isinstance(value, str):
        return "text" if value else None
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, datetime):
        return "time"
    return None if value is None or value != value else "number"  # noqa: PLR0124  not a number differs from itself


def utc(value: datetime) -> datetime:
    """Return a time that compares with others; one without a zone is in UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def kind_of_type(dtype: pl.DataType) -> Kind | None:
    """Return the kind of a column's values, None where they cannot be compared."""
    import polars as pl

    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    if isinstance(dtype, pl.Boolean):
        return "flag"
    return "time" if isinstance(dtype, pl.Datetime | pl.Date) else None
