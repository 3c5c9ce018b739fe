"""What the plan comes to in each future: scenarios, or the same demand higher and lower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.ink import Ink
from app.tui.risks import AS_PLANNED
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.tui.risks import Future

UNSERVED = "cannot serve"
NEGLIGIBLE = 0.005  # $: what is less is shown as 0.00


def columns(sign: str, *, scenarios: bool) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    return (
        Column(title="Scenario" if scenarios else "Demand", left=True, least=14),
        Column(title="Likely", unit="share", rank=1, name="probability"),
        Column(title="Cost", unit=sign),
        Column(title="Against", unit=f"{'mean' if scenarios else 'the plan'}, {sign}", rank=2),
        Column(title="Stranded", unit=sign),
        Column(title="Regret", unit=sign),
    )


class Outcomes(FittedTable):
    """Futures, one row each."""

    def __init__(self) -> None:
        super().__init__(columns("$", scenarios=True), id="outcomes")
        self._futures: dict[str, Future] = {}

    def show(self, futures: Sequence[Future], currency: str, *, scenarios: bool) -> None:
        """Show what is known of each future; scenarios: whether these are what the plan was made for."""
        self._columns = columns(words.sign(currency).strip(), scenarios=scenarios)
        self._futures = {f"{index} {one.name}": one for index, one in enumerate(futures)}
        ink = Ink.of(self.app.theme_variables)
        self.fill([_row(key, one, ink) for key, one in self._futures.items()])

    @property
    def future(self) -> Future | None:
        """The future under the cursor."""
        return self._futures.get(self.key or "")


def _row(key: str, one: Future, ink: Ink) -> Row:
    cost = Text(UNSERVED, style=f"bold {ink.bad}") if not one.served else Text(plain(one.cost), style="bold")
    cells = (
        Text(words.name(one.name), style="bold" if one.name == AS_PLANNED and one.factor else ""),
        Text("" if one.probability is None else words.share(one.probability)),
        cost,
        Text("" if one.against is None else against(one.against)),
        Text(plain(one.stranded)),
        Text(plain(one.regret), style=ink.warn if one.regret and one.regret > NEGLIGIBLE else ""),
    )
    values = (cells[0].plain, one.probability, one.cost, one.against, one.stranded, one.regret)
    return Row(key=key, cells=cells, values=values)


def plain(usd: float | None) -> str:
    """Write an amount without its currency, which stands in the title; nothing where it is not known."""
    return "" if usd is None else words.money(0.0 if abs(usd) < NEGLIGIBLE else usd).replace("$", "")


def against(usd: float) -> str:
    """Write a difference with its sign."""
    return words.signed(0.0 if abs(usd) < NEGLIGIBLE else usd)
