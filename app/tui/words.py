"""Numbers and names as they stand on screen; text from files comes through `name` and nowhere else."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

from app.reports.text import plain
from app.tui.glyphs import ASCII, chosen

if TYPE_CHECKING:
    from optimizer.tariffs import Tariff

UNKNOWN = "-"
OPTIONS = {
    "on_demand": "on demand",
    "savings_plan": "savings plan",
    "cud": "committed use",
    "capacity_block": "capacity block",
    "spend_floor": "spend floor",
}
NAMELESS = ("provider not named", "GPU not named", "no team")
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
MILLION, TEN_THOUSAND = 1e6, 1e4


def name(text: object) -> str:
    """Write untrusted text on one line, without anything that could steer a terminal."""
    return " ".join(plain(str(text)).split())


def part(path: tuple[str, ...], level: int) -> str:
    """Name one part of a pool's path: its provider, GPU model or team."""
    return name(path[level]) or NAMELESS[level]


def sign(currency: str) -> str:
    """Return what stands before an amount of the currency; its code where the terminal may not show its sign."""
    found = SIGNS.get(currency, "")
    return found if found and (found.isascii() or chosen() is not ASCII) else f"{name(currency)} "


def ellipsis() -> str:
    """Return what stands for more to come, or for what was left out."""
    return "..." if chosen() is ASCII else "…"


def money(amount: float | None, currency: str = "USD") -> str:
    """Write an amount with as many digits as a decision needs: $38.21M, $382.1k, $9,812.40."""
    if amount is None:
        return UNKNOWN
    size, before = abs(amount), ("-" if amount < 0 else "") + sign(currency)
    if size >= MILLION:
        return f"{before}{size / MILLION:,.2f}M"
    return f"{before}{size / 1e3:,.1f}k" if size >= TEN_THOUSAND else f"{before}{size:,.2f}"


def signed(amount: float) -> str:
    """Write an amount of which the sign matters, without its currency."""
    return ("+" if amount > 0 else "") + money(amount).replace("$", "")


def rate(price: float | None) -> str:
    """Write a price per GPU-hour."""
    return UNKNOWN if price is None else f"{price:,.3f}"


def exact(price: float) -> str:
    """Write a price per GPU-hour with the digits it has, and at least two."""
    whole, _, cents = f"{price:.4f}".rstrip("0").partition(".")
    return f"{whole}.{cents:0<2}"


def share(part: float | None) -> str:
    """Write a share as a percentage."""
    return UNKNOWN if part is None else f"{part * 100:.1f} %"


def count(gpus: float | None) -> str:
    """Write a number of GPUs, with a decimal only where it is not whole."""
    if gpus is None:
        return ""
    if isinf(gpus):
        return "any"
    return f"{gpus:,.0f}" if abs(gpus - round(gpus)) < 0.05 else f"{gpus:,.1f}"


def option(tariff: Tariff) -> str:
    """Name a tariff's purchase option."""
    return OPTIONS.get(tariff.purchase_option, tariff.purchase_option)


def term(months: float | None) -> str:
    """Write the length of a commitment."""
    return "" if months is None else f"{months:g} mo"


def price(tariff: Tariff) -> str:
    """Write a tariff's price as its vendor states it, per GPU-hour."""
    if not tariff.held:
        return exact(tariff.advertised_usage)
    holding = exact(tariff.stated_holding)
    return f"{holding} + {exact(tariff.stated_usage)}" if tariff.stated_usage else holding


def arrow(now: float | None, before: float | None) -> str:
    """Point where a figure went since before; nothing where it stayed."""
    if now is None or before is None or abs(now - before) <= 1e-9 * max(abs(now), abs(before)):
        return ""
    return chosen().up if now > before else chosen().down
