"""The market for one GPU: what can be bought, what it costs, what each quote is worth, and how old each price is."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.ink import Ink
from app.tui.market import effective
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from app.filter_values import Value
    from app.tui.market import Option, Origin

LISTED = "list"
NAME = re.compile(r"[\w.]+")


def columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign; `price` is there to filter by."""
    hourly = f"{sign}/GPU-h"
    return (
        Column(title="Offer", left=True, least=22),
        Column(title="Provider", left=True, rank=9),
        Column(title="Region", left=True, rank=8),
        Column(title="Option", left=True, rank=4, least=9),
        Column(title="Term", rank=2),
        Column(title="Listed", unit=hourly),
        Column(title="Was", unit=hourly, rank=7, name="listed_was"),
        Column(title="Effective", unit=hourly),
        Column(title="Upfront", unit="share", rank=6),
        Column(title="Lot", unit="GPUs", rank=12),
        Column(title="In plan", unit="GPUs", rank=1),
        Column(title="Walk-away", unit=hourly),
        Column(title="Was", unit=hourly, rank=10, name="walk_away_was"),
        Column(title="Next GPU", unit=hourly, rank=13),
        Column(title="Verdict", left=True),
        Column(title="Headroom", unit=sign, rank=3),
        Column(title="Age", unit="days"),
        Column(title="As of", left=True, rank=11),
        Column(title="Source", left=True, rank=5, least=9),
        Column(title="Status", left=True, rank=14),
        Column(title="", name="price"),
    )


class Market(FittedTable):
    """Offers, one row each."""

    def __init__(self) -> None:
        super().__init__(columns("$"), id="market")
        self._options: dict[str, Option] = {}

    def show(self, options: list[Option], currency: str, *, at: str | None = None) -> None:
        """Show the options, cheapest first; the cursor stays, or goes to the first quote."""
        self._columns = columns(words.sign(currency).strip())
        self._options = {option.tariff.offer_id: option for option in options}
        if at is None and self.key not in self._options:
            at = next((offer for offer, option in self._options.items() if option.quote), None)
        ink, each = Ink.of(self.app.theme_variables), self._options.items()
        self.fill([Row(key=offer, cells=_cells(option, ink), values=_values(option)) for offer, option in each], at=at)

    @property
    def option(self) -> Option | None:
        """The option under the cursor."""
        return self._options.get(self.key or "")

    @property
    def chosen(self) -> list[Option]:
        """The marked options of this market, in the order they were marked."""
        return [self._options[key] for key in self.marked if key in self._options]


def short(source: str) -> str:
    """Return what a source begins with: enough to know it by; the detail has all of it."""
    found = NAME.match(words.name(source))
    return found[0] if found else ""


def _cells(option: Option, ink: Ink) -> tuple[Text, ...]:
    tariff, was = option.tariff, option.was
    moved = "" if was is None else words.arrow(effective(tariff), effective(was))
    bought = option.gpus is not None and option.gpus > 0
    return (
        Text(words.name(tariff.offer_id), style="bold" if option.quote else ""),
        Text(words.name(tariff.provider)),
        Text(words.name(tariff.region or "")),
        Text(words.option(tariff)),
        Text(words.term(tariff.term_months)),
        Text(f"{moved}{_listed(option)}", style=ink.typed if option.origin.typed else ""),
        Text(words.price(was) if was is not None and moved else "", style=ink.dim),
        Text(words.rate(option.effective)),
        Text(f"{tariff.upfront_share * 100:.3g} %" if tariff.upfront_share else ""),
        Text(words.count(tariff.lot) if tariff.held else ""),
        Text(words.count(option.gpus) if bought else "", style="bold"),
        *_worth(option, ink),
        *_origin(option.origin, ink),
        Text(tariff.status if tariff.status != LISTED else "", style=ink.dim),
        Text(),
    )


def _listed(option: Option) -> str:
    tariff = option.tariff
    if tariff.held and tariff.stated_usage and not tariff.in_dollars:
        return words.price(tariff).replace(" ", "")
    return words.rate(option.listed)


def _worth(option: Option, ink: Ink) -> tuple[Text, ...]:
    value, was = option.value, option.value_was
    if value is None:
        return (Text(),) * 5
    style = ink.verdict(value.verdict)
    moved = "" if was is None else words.arrow(value.walk_away, was.walk_away)
    headroom = "" if value.headroom is None else words.signed(value.headroom)
    return (
        Text(f"{moved}{words.rate(value.walk_away)}", style=f"bold {style}"),
        Text(words.rate(was.walk_away) if was is not None and moved else "", style=ink.dim),
        Text(words.rate(value.next_gpu)),
        Text(value.verdict, style=f"bold {style}"),
        Text(headroom, style=style),
    )


def _origin(origin: Origin, ink: Ink) -> tuple[Text, ...]:
    """Write how old a price is and where it comes from, dimmed where it is old; what was typed is of now."""
    if origin.typed:
        return (Text("typed", style=ink.typed), Text(), Text())
    style = ink.dim if origin.stale else ""
    return (
        Text(words.UNKNOWN if origin.age_days is None else f"{origin.age_days}", style=style),
        Text("" if origin.day is None else f"{origin.day}", style=style),
        Text(short(origin.source), style=style),
    )


def _values(option: Option) -> tuple[Value, ...]:
    tariff, value, was, origin = option.tariff, option.value, option.value_was, option.origin
    return (
        words.name(tariff.offer_id),
        words.name(tariff.provider),
        words.name(tariff.region or ""),
        words.option(tariff),
        tariff.term_months,
        option.listed,
        effective(option.was) if option.was else None,
        option.effective,
        tariff.upfront_share,
        tariff.lot if tariff.held else None,
        option.gpus or None,
        value.walk_away if value else None,
        was.walk_away if was else None,
        value.next_gpu if value else None,
        value.verdict if value else None,
        value.headroom if value else None,
        None if origin.typed else origin.age_days,
        datetime(origin.day.year, origin.day.month, origin.day.day) if origin.day and not origin.typed else None,  # noqa: DTZ001
        None if origin.typed else short(origin.source),
        tariff.status,
        option.effective,
    )
