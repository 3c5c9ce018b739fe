"""Rows of a price list and how to read one -> listings, with one warning for rows nobody understands.

One strange row must not cost the whole list; a list whose every row is strange has changed its shape, and is refused.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any, TypeVar

from providers.asking import NoCredentialsError
from providers.listings import Harvest, Listing
from providers.names import few
from providers.tables import Diagnostic, InputError

Row = Mapping[str, Any]
T = TypeVar("T")
NEWER = "look for a newer version of tranche, which may know the list as it is now"
_SHOWN = 3
_LABELS = ("InstanceType", "instance_name", "name", "slug", "displayName", "shade_instance_type", "id")


def understood(
    source: str, rows: Iterable[Any], read: Callable[[Row], Iterable[T]]
) -> tuple[list[T], list[Diagnostic]]:
    """Return what is read from rows, and a warning that names the rows nobody understands.

    Args:
        source: what the list is called in messages.
        rows: mappings; anything else is a malformed row.
        read: gives what one row says, nothing for a row without GPUs. It raises KeyError, TypeError or ValueError where
            it does not understand it.

    Raises:
        InputError: no row is understood, or none has a GPU.
    """
    good: list[T] = []
    bad: list[str] = []
    for place, row in enumerate(rows, 1):
        try:
            # Whole or not at all: a row that breaks off halfway leaves nothing.
            good += list(read(row))
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            bad.append(f"{_label(row, place)} ({_reason(error)})")
    if not good:
        raise InputError(source, f"no row is understood: {few(bad, _SHOWN)}" if bad else "lists no GPU", NEWER)
    return good, [_warning(source, bad)] if bad else []


def harvest(source: str, rows: Iterable[Any], read: Callable[[Row], Iterable[Listing]]) -> Harvest:
    """Return the listings of rows, as `understood` reads them.

    Raises:
        InputError: no row is understood, or none has a GPU.
    """
    listings, found = understood(source, rows, read)
    return Harvest(listings=listings, found=found)


def listed(answer: object, *path: str, source: str) -> list[Any]:
    """Return the rows at a path in an answer.

    Raises:
        InputError: there are none at that path.
    """
    at: object = answer
    for name in path:
        at = at.get(name) if isinstance(at, Mapping) else None
    if not isinstance(at, list):
        raise InputError(source, f"answers without {'.'.join(path) or 'a list'}: its shape has changed", NEWER)
    return at


def number(value: object) -> float | None:
    """Return a price or a count as a number, and None where there is none.

    Raises:
        ValueError: it is something else.
        TypeError: it is something else.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{value!r} is no number")
    result = float(value)
    if not isfinite(result):
        raise ValueError(f"{value!r} is no number")
    return result


def count(value: object) -> float:
    """Return how many GPUs, whole or a part written as 1/8; 0 where there are none.

    Raises:
        ValueError: it is no number.
        TypeError: it is no number.
    """
    if isinstance(value, str) and "/" in value:
        part, whole = value.split("/")
        return float(part) / float(whole)
    return number(value) or 0.0


def key(variable: str, source: str) -> str:
    """Return the key that an environment variable holds.

    Raises:
        NoCredentialsError: it holds none.
    """
    value = os.environ.get(variable, "").strip()
    if not value:
        raise NoCredentialsError(source, "needs a key and there is none", f"set {variable} to an API key")
    return value


def among(names: Iterable[object], what: str) -> str | None:
    """Return a note that names places, such as `with capacity in a, b`, or None without any."""
    some = ", ".join(dict.fromkeys(str(name) for name in names))
    return f"{what} {some}" if some else None


def _warning(source: str, bad: list[str]) -> Diagnostic:
    rows = "1 row is" if len(bad) == 1 else f"{len(bad)} rows are"
    return Diagnostic(
        level="warning",
        code="rows-not-understood",
        message=f"{source}: {rows} not understood and left out: {few(bad, _SHOWN)}",
        hint=f"the other rows are in; {NEWER}",
        where=source,
    )


def _label(row: object, place: int) -> str:
    return next(_names(row), f"row {place}")


def _names(row: object) -> Iterator[str]:
    if isinstance(row, Mapping):
        yield from (str(row[name]) for name in _LABELS if isinstance(row.get(name), str | int) and row[name])


def _reason(error: Exception) -> str:
    return f"without {error}" if isinstance(error, KeyError) else str(error)
