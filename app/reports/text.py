"""Text that is safe to print, and numbers as people read them."""

import re
import unicodedata
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
UNKNOWN = "-"
NUMBER = re.compile(r"[-+$]?[A-Z]{0,3} ?[-\d.,]+( ?%| mo)?|-")
NARROWEST = 16  # a column of names is never cut below this


def plain(text: str) -> str:
    r"""Replace every character that could command a terminal or reorder a line; the result is one line.

    >>> plain("job\x1b[31m")
    'job\ufffd[31m'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _stand_in(char) for char in text)


def money(amount: str | None, currency: str) -> str:
    """Write an amount to the cent.

    >>> money("1552.5", "USD")
    '$1,552.50'
    """
    return UNKNOWN if amount is None else _signed(f"{_rounded(amount, '0.01'):,.2f}", currency)


def rate(amount: str | None, currency: str) -> str:
    """Write a price of a GPU-hour with two to four decimals.

    >>> rate("2.343750", "USD")
    '$2.3438'
    """
    if amount is None:
        return UNKNOWN
    whole, _, decimals = f"{_rounded(amount, '0.0001'):,.4f}".partition(".")
    return _signed(f"{whole}.{decimals.rstrip('0'):0<2}", currency)


def percent(share: float | None) -> str:
    """Write a share with at most two decimals.

    >>> percent(0.253846)
    '25.38 %'
    """
    return UNKNOWN if share is None else f"{share * 100:.2f}".rstrip("0").rstrip(".") + " %"


def count(number: float | None) -> str:
    """Write a quantity with at most two decimals."""
    return UNKNOWN if number is None else f"{number:,.2f}".rstrip("0").rstrip(".")


def columns(titles: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[str]:
    """Lay out rows under their titles; numbers stand to the right and are never cut, names are cut to fit the width."""
    cells = [[plain(cell) for cell in row] for row in (titles, *rows)]
    numeric = [all(NUMBER.fullmatch(row[column]) for row in cells[1:]) for column in range(len(titles))]
    widths = [max(_wide(row[column]) for row in cells) for column in range(len(titles))]
    _narrow(widths, numeric, width - 2 * (len(titles) - 1))
    return ["  ".join(_cells(row, widths, numeric)).rstrip() for row in cells]


def _narrow(widths: list[int], numeric: Sequence[bool], room: int) -> None:
    """Take from the last column of names first, since the first says what the row is about."""
    for column in reversed(range(len(widths))):
        excess = sum(widths) - room
        if excess > 0 and not numeric[column]:
            widths[column] = min(widths[column], max(widths[column] - excess, NARROWEST))


def _cells(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    return [_fitted(cell, width, right) for cell, width, right in zip(row, widths, numeric, strict=True)]


def _fitted(cell: str, width: int, right: bool) -> str:  # noqa: FBT001 - a private helper of one caller
    if _wide(cell) > width:
        while _wide(cell) > width - 1:
            cell = cell[:-1]
        cell += "…"
    padding = " " * (width - _wide(cell))
    return padding + cell if right else cell + padding


def _wide(text: str) -> int:
    return len(text) if text.isascii() else sum(_cells_of(char) for char in text)


def _cells_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _stand_in(char: str) -> str:
    return " " if unicodedata.category(char) == "Zs" else REPLACEMENT


def _rounded(amount: str, step: str) -> Decimal:
    return Decimal(amount).quantize(Decimal(step), ROUND_HALF_EVEN) + 0


def _signed(digits: str, currency: str) -> str:
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    return f"{sign}${digits}" if currency == "USD" else f"{sign}{plain(currency)} {digits}"
