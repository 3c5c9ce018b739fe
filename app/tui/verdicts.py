"""What a typed price of a quote means, at once.

The walk-away price of a quote does not hang on its own price: V is the cost without it, and V0 that with it for nothing
(design section 6). As long as only the price changes, the verdict needs no new plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.tui.ink import Ink
    from optimizer.plan import QuoteValue

HOLDING, USAGE = "holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour"


def price_in(cells: Mapping[str, object], value: QuoteValue) -> float | None:
    """Return the price that alone changes, in the vendor's terms; None where more than that changes."""
    name = HOLDING if value.tariff.held else USAGE
    price = cells.get(name)
    return price if set(cells) == {name} and isinstance(price, float) else None


def verdict_at(value: QuoteValue, price: float) -> str:
    """Return the verdict on a quote at another price."""
    if value.walk_away is None:
        return value.verdict
    if value.walk_away <= 0:
        return "decline"
    return "accept" if price <= value.walk_away else "counter"


def headroom_at(value: QuoteValue, price: float) -> float | None:
    """Return walk-away less price, over the quote's GPUs and whole term, in $; None where one of them is not known."""
    tariff = value.tariff
    if value.walk_away is None or value.gpus is None or tariff.paid_hours is None:
        return None
    per_hour = tariff.as_compared(value.walk_away) - tariff.as_compared(price)
    return per_hour * value.gpus * tariff.paid_hours


def sentence(value: QuoteValue, price: float, currency: str, ink: Ink) -> Text:
    """Say what a price means."""
    verdict = verdict_at(value, price)
    headroom = headroom_at(value, price)
    if value.walk_away is None:
        facts = words.name(value.because)
    else:
        apart = abs(value.walk_away - price)
        side = "below" if price <= value.walk_away else "above"
        facts = f"{words.sign(currency)}{words.exact(apart)} {side} the walk-away price {words.exact(value.walk_away)}"
    money = "" if headroom is None else f", {words.money(headroom, currency)} over the term"
    return Text.assemble((verdict.capitalize(), f"bold {ink.verdict(verdict)}"), f": {facts}{money}")
