"""Prices as vendors say them, per node or GPU, per minute, hour, month or year -> $ per GPU-hour, and how."""

import re
from typing import NamedTuple

from providers.tables import HOURS_PER_MONTH

NUMBER = r"\d+(?:\.\d+)?"
HOURS = {
    "min": 1 / 60, "minute": 1 / 60, "h": 1, "hr": 1, "hour": 1, "d": 24, "day": 24, "mo": HOURS_PER_MONTH,
    "month": HOURS_PER_MONTH, "y": 12 * HOURS_PER_MONTH, "yr": 12 * HOURS_PER_MONTH, "year": 12 * HOURS_PER_MONTH,
}  # fmt: skip
UNIT = rf"(?:\s*/\s*(?:(node|gpu)\s*[-/]?\s*)?({'|'.join(sorted(HOURS, key=len, reverse=True))}))?"
SPENT = re.compile(rf"(spend|pool)\s+\$?\s*({NUMBER})\s*(k|M|B)?", re.IGNORECASE)
SIZES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
AMOUNT = re.compile(rf"\$?\s*({NUMBER}){UNIT}", re.IGNORECASE)


class Amount(NamedTuple):
    """A price in $ per GPU-hour, and how it was converted; empty where it was not."""

    usd: float
    shown: str = ""


def dollars(found: re.Match[str]) -> float:
    """Return the dollars of a commitment to spend.

    >>> dollars(SPENT.fullmatch("spend 2M"))
    2000000.0
    """
    return float(found[2]) * SIZES[(found[3] or "").lower()]


def amount(text: str, *, node: float | None) -> Amount | None:
    """Read one price; None where it is none.

    >>> amount("29.52/node-h", node=8)
    Amount(usd=3.69, shown='29.52/node-h is 29.52 / 8 GPUs')

    Args:
        text: such as 1.85, 1.85/h, 29.52/node-h, 1350/mo, 0.03/min.
        node: GPUs of one node, None where nobody said.

    Raises:
        ValueError: it is a price of a node, and nobody said how many GPUs one has.
    """
    found = AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    number, of, unit = float(found[1]), (found[2] or "gpu").lower(), (found[3] or "h").lower()
    if of == "node" and node is None:
        raise ValueError(f"{text.strip()!r} is the price of a node; say how many GPUs one has, such as 8/node")
    usd, steps = number, []
    if of == "node" and node is not None:
        usd, steps = usd / node, [f"{node:g} GPUs"]
    if HOURS[unit] != 1:
        usd, steps = usd / HOURS[unit], [*steps, _hours(unit)]
    return Amount(usd, f"{text.strip()} is {found[1]} / {' / '.join(steps)}" if steps else "")


def _hours(unit: str) -> str:
    return f"{HOURS[unit]:g} h" if HOURS[unit] >= 1 else "a sixtieth of an hour"
