"""The price that is typed for a quote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.tui.words import exact

if TYPE_CHECKING:
    from optimizer.tariffs import Tariff

AMOUNT = r"\$?\s*(\d+(?:\.\d*)?|\.\d+)(?:\s*/\s*h)?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The parts of a price that are to change, $ per GPU-hour."""

    holding: float | None = None
    usage: float | None = None

    def __str__(self) -> str:
        """Write the parts as they were typed."""
        return " + ".join(exact(part) for part in (self.holding, self.usage) if part is not None)


def changed(tariff: Tariff, price: Price) -> str:
    """Write what a tariff's price changes to."""
    if two_part(tariff) and price.usage is None:
        return str(Price(holding=price.holding, usage=tariff.usage))
    return str(price)


def editable(tariff: Tariff) -> str:
    """Return the price of a quote as it can be typed."""
    if not tariff.held:
        return exact(tariff.advertised_usage)
    holding = exact(tariff.stated_holding)
    return f"{holding} + {exact(tariff.stated_usage)}" if two_part(tariff) else holding


def two_part(tariff: Tariff) -> bool:
    """Whether having it and using it are paid separately."""
    return tariff.purchase_option == "flex"


def expected(tariff: Tariff) -> str:
    """Say what can be typed."""
    if two_part(tariff):
        return "dollars per GPU-hour for holding it, such as 2.10, or for holding + using it, such as 1.10 + 2.60"
    return "dollars per GPU-hour, such as 2.10"


def read_price(text: str, tariff: Tariff) -> Price | None:
    """Read what was typed; None if it is not a price."""
    match = re.fullmatch(rf"\s*{AMOUNT}\s*(?:\+\s*{AMOUNT})?\s*", text)
    if match is None or (match[2] is not None and not two_part(tariff)):
        return None
    if not tariff.held:
        return Price(usage=float(match[1]))
    return Price(holding=float(match[1]), usage=float(match[2]) if match[2] else None)
