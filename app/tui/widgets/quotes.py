"""The quotes on the desk, one row each: what is asked, what it is worth, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.ink import Ink
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from app.tui.quotes import Quote
    from optimizer.plan import QuoteValue

WORKING = "…"
SETTLED = {"accepted": "accepted", "declined": "declined"}


def columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    hourly = f"{sign}/GPU-h"
    return (
        Column(title="Quote", left=True, least=24),
        Column(title="GPU", left=True, rank=6, least=9),
        Column(title="GPUs", rank=1),
        Column(title="Term", rank=2),
        Column(title="Quoted", unit=hourly),
        Column(title="First", unit=hourly, rank=5),
        Column(title="Walk-away", unit=hourly),
        Column(title="Was", unit=hourly, rank=7, name="walk_away_was"),
        Column(title="Next GPU", unit=hourly, rank=9),
        Column(title="Verdict", left=True),
        Column(title="Headroom", unit=sign),
        Column(title="In plan", unit="GPUs", rank=3),
        Column(title="Rounds", rank=8),
        Column(title="Valid until", left=True, rank=10),
        Column(title="Note", left=True, rank=4, least=8),
    )


class Quotes(FittedTable):
    """Quotes, one row each."""

    def __init__(self) -> None:
        super().__init__(columns("$"), id="quotes")
        self._quotes: dict[str, Quote] = {}

    def show(self, quotes: list[Quote], currency: str) -> None:
        """Show the quotes; the cursor stays on its quote."""
        self._columns = columns(words.sign(currency).strip())
        self._quotes = {quote.offer_id: quote for quote in quotes}
        ink = Ink.of(self.app.theme_variables)
        self.fill([_row(quote, ink) for quote in quotes])

    @property
    def quote(self) -> Quote | None:
        """The quote under the cursor."""
        return self._quotes.get(self.key or "")


def _row(quote: Quote, ink: Ink) -> Row:
    value = quote.value
    settled = quote.status in SETTLED
    cells = (
        Text(words.name(quote.offer_id), style=ink.dim if settled else "bold"),
        Text(quote.gpu_model),
        Text(quote.size),
        Text(quote.term),
        Text(quote.price, style=ink.typed if quote.first else ""),
        Text(quote.first, style=ink.dim),
        *_worth(quote, ink),
        Text(words.count(quote.gpus) if quote.gpus else "", style="bold"),
        Text(str(quote.rounds) if quote.rounds else ""),
        Text(quote.valid_until),
        Text(quote.note),
    )
    values = (
        *(cell.plain for cell in cells[:4]),
        value.quoted if value else None,
        None,
        value.walk_away if value else None,
        quote.value_was.walk_away if quote.value_was else None,
        value.next_gpu if value else None,
        quote.status if settled or value is None else value.verdict,
        value.headroom if value else None,
        quote.gpus,
        float(quote.rounds),
        quote.valid_until,
        quote.note,
    )
    return Row(key=quote.offer_id, cells=cells, values=values)


def _worth(quote: Quote, ink: Ink) -> tuple[Text, ...]:
    """Write what a quote is worth; while that is worked out, what it was worth before, dimmed."""
    if quote.status in SETTLED:
        return (Text(), Text(), Text(), Text(quote.status, style=ink.dim), Text())
    value, was = quote.value, quote.value_was
    if value is None:
        return _waiting(quote, was, ink)
    style = ink.verdict(value.verdict)
    moved = "" if was is None else words.arrow(value.walk_away, was.walk_away)
    return (
        Text(f"{moved}{words.rate(value.walk_away)}", style=f"bold {style}"),
        Text(words.rate(was.walk_away) if was is not None and moved else "", style=ink.dim),
        Text(words.rate(value.next_gpu)),
        Text(value.verdict, style=f"bold {style}"),
        Text("" if value.headroom is None else words.signed(value.headroom), style=style),
    )


def _waiting(quote: Quote, was: QuoteValue | None, ink: Ink) -> tuple[Text, ...]:
    sign = WORKING if quote.pending else words.UNKNOWN
    return (Text(sign), Text(words.rate(was.walk_away) if was else "", style=ink.dim), Text(), Text(sign), Text())
