"""The row under the cursor in full, as sentences."""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words

if TYPE_CHECKING:
    from app.tui.ink import Ink
    from app.tui.market import Option
    from app.tui.pools import Allocation, Pool
    from app.tui.quotes import Quote
    from optimizer.plan import Purchase, QuoteValue
    from optimizer.tariffs import Tariff

SEPARATOR = " · "


def of_pool(pool: Pool, allocation: Allocation, currency: str) -> Text:
    """Describe an allocation."""
    place = SEPARATOR.join(words.part(pool.path, level) for level in range(len(pool.path))) or "All GPUs"
    sign = words.sign(currency)
    gpu_hours = sum(pool.daily)
    facts = [
        f"{gpu_hours:,.0f} GPU-hours in {_days(allocation.days)} to {allocation.until:%Y-%m-%d}",
        *([f"{sign}{pool.cost_per_hour:,.2f} an hour {allocation.basis}"] if pool.cost_per_hour is not None else []),
        *([f"{words.share(pool.used_share)} of what is allocated is in use"] if pool.used_share is not None else []),
    ]
    return _lines(place, facts)


def of_option(option: Option, currency: str, ink: Ink) -> Text:
    """Describe an offer, and for a quote what it is worth and why."""
    tariff, sign = option.tariff, words.sign(currency)
    facts = [
        words.option(tariff),
        f"{sign}{words.price(tariff)} per GPU-hour",
        *_was(option, sign),
        *([f"effectively {sign}{words.exact(tariff.usage)} with interruptions"] if tariff.spot else []),
        *_terms(tariff),
    ]
    text = _lines(words.name(tariff.offer_id), facts)
    return text if option.value is None else _worth(option.value, currency, ink).append("\n").append_text(text)


def of_quote(quote: Quote, currency: str, ink: Ink) -> Text:
    """Describe a quote on the desk, what it is worth and why."""
    facts = [quote.gpu_model, quote.option, f"{words.sign(currency)}{quote.price} per GPU-hour", f"{quote.size} GPUs"]
    facts += [quote.term] if quote.term else []
    facts += [f"first {quote.first}"] if quote.first else []
    facts += [f"valid until {quote.valid_until}"] if quote.valid_until else []
    facts += [f"note: {quote.note}"] if quote.note else []
    text = _lines(words.name(quote.offer_id), facts)
    if quote.value is not None:
        return _worth(quote.value, currency, ink).append("\n").append_text(text)
    said = "its worth is being worked out" if quote.pending else quote.status
    return Text(f"{said.capitalize()}\n", style="bold").append_text(text)


def of_purchase(purchase: Purchase, currency: str) -> Text:
    """Describe a purchase and say why it is in the plan."""
    tariff = purchase.tariff
    text = _lines(words.name(tariff.offer_id), [words.name(purchase.because)])
    facts = [
        f"{words.count(purchase.gpus)} of {words.name(tariff.gpu_model)}",
        words.option(tariff),
        *_terms(tariff),
        f"{words.money(purchase.total_commitment, currency)} over the whole term",
        *([f"{words.money(purchase.upfront, currency)} upfront"] if purchase.upfront else []),
    ]
    return text.append(f"\n{SEPARATOR.join(facts)}")


def _days(number: int) -> str:
    return f"{number} day{'s' if number != 1 else ''}"


def _was(option: Option, sign: str) -> list[str]:
    if option.was is None or words.price(option.was) == words.price(option.tariff):
        return []
    return [f"was {sign}{words.price(option.was)}"]


def _terms(tariff: Tariff) -> list[str]:
    """Write what is not a price."""
    terms = [words.name(tariff.region)] if tariff.region else []
    if tariff.held and tariff.term_months is not None:
        terms.append(f"{tariff.term_months:g} months")
    if tariff.held and (tariff.lot or 0) > 1:
        terms.append(f"in lots of {words.count(tariff.lot)}")
    if size := _size(tariff):
        terms.append(size)
    if tariff.upfront_share:
        terms.append(f"{tariff.upfront_share * 100:g} % upfront")
    return terms


def _size(tariff: Tariff) -> str:
    least, most = words.count(tariff.minimum), words.count(tariff.maximum)
    if isinf(tariff.maximum):
        return f"at least {least} GPUs" if tariff.minimum else ""
    if tariff.minimum == tariff.maximum:
        return f"exactly {most} GPUs"
    return f"{least} to {most} GPUs" if tariff.minimum else f"at most {most} GPUs"


def _worth(value: QuoteValue, currency: str, ink: Ink) -> Text:
    sign = words.sign(currency)
    size = "" if value.gpus is None else f" for {words.count(value.gpus)} GPUs"
    headroom = "" if value.headroom is None else f", headroom {words.money(value.headroom, currency)} over the term"
    walk_away, next_gpu = value.walk_away, value.next_gpu
    price = "no walk-away price" if walk_away is None else f"walk away above {sign}{words.exact(walk_away)}"
    following = "Next GPU: " if next_gpu is None else f"Next GPU {sign}{words.exact(next_gpu)}; "
    return Text.assemble(
        (value.verdict.capitalize(), f"bold {ink.verdict(value.verdict)}"),
        f": {price}{size}{headroom}; {words.name(value.because)}. ",
        f"{following}{words.name(value.next_because)}.",
    )


def _lines(title: str, facts: list[str]) -> Text:
    return Text.assemble((title, "bold"), "  ", SEPARATOR.join(facts))
