"""The market for one GPU: what can be bought, what it costs, and what each quote is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.ink import Ink
from app.tui.market import effective
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from app.tui.market import Option


def columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    hourly = f"{sign}/GPU-h"
    return (
        Column(title="Offer", left=True, least=26),
        Column(title="Option", left=True, rank=5, least=9),
        Column(title="Term", rank=2),
        Column(title="Listed", unit=hourly),
        Column(title="Was", unit=hourly, rank=6),
        Column(title="Effective", unit=hourly, rank=4),
        Column(title="Lot", unit="GPUs", rank=8),
        Column(title="In plan", unit="GPUs", rank=1),
        Column(title="Walk-away", unit=hourly),
        Column(title="Was", unit=hourly, rank=7),
        Column(title="Next GPU", unit=hourly, rank=9),
        Column(title="Verdict", left=True),
        Column(title="Headroom", unit=sign, rank=3),
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
        ink = Ink.of(self.app.theme_variables)
        self.fill([Row(key=offer, cells=_cells(option, ink)) for offer, option in self._options.items()], at=at)

    @property
    def option(self) -> Option | None:
        """The option under the cursor."""
        return self._options.get(self.key or "")


def _cells(option: Option, ink: Ink) -> tuple[Text, ...]:
    tariff, was = option.tariff, option.was
    moved = "" if was is None else words.arrow(effective(tariff), effective(was))
    bought = option.gpus is not None and option.gpus > 0
    return (
        Text(words.name(tariff.offer_id), style="bold" if option.quote else ""),
        Text(words.option(tariff)),
        Text(words.term(tariff.term_months)),
        Text(f"{moved}{_listed(option)}", style=ink.typed if moved else ""),
        Text(words.price(was) if was is not None and moved else "", style=ink.dim),
        Text(words.rate(effective(tariff))),
        Text(words.count(tariff.lot) if tariff.held else ""),
        Text(words.count(option.gpus) if bought else "", style="bold"),
        *_worth(option, ink),
    )


def _listed(option: Option) -> str:
    tariff = option.tariff
    if not tariff.held:
        return words.rate(tariff.advertised_usage)
    return words.price(tariff).replace(" ", "") if tariff.stated_usage else words.rate(tariff.stated_holding)


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
