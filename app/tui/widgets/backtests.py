"""How rules for buying would have done on the past, the cheapest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.ink import Ink
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.outcomes import UNSERVED, plain
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from app.tui.risks import Past
    from optimizer.backtest import Outcome

OURS = ("the plan of the ",)  # what the rules begin with that plan as tranche does
NONE = 1e-9  # relative: a regret below it is none


def columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    return (
        Column(title="Rule", left=True, least=20),
        Column(title="Cost", unit=sign),
        Column(title="Saved", unit="share", rank=1),
        Column(title="Saved", unit=sign, rank=3, name="saved_amount"),
        Column(title="Regret", unit=sign),
        Column(title="Stranded", unit=sign, rank=2),
    )


class Backtests(FittedTable):
    """Rules, one row each."""

    def __init__(self) -> None:
        super().__init__(columns("$"), id="backtests")
        self._rules: dict[str, Outcome] = {}

    def show(self, past: Past | None, currency: str) -> None:
        """Show how each rule did; None where that is not known."""
        self._columns = columns(words.sign(currency).strip())
        self._rules = {one.rule: one for one in past.found.outcomes} if past else {}
        on_demand, ink = (past.on_demand if past else None), Ink.of(self.app.theme_variables)
        self.fill([_row(one, on_demand, ink) for one in self._rules.values()])

    @property
    def rule(self) -> Outcome | None:
        """The rule under the cursor."""
        return self._rules.get(self.key or "")


def _row(one: Outcome, on_demand: float | None, ink: Ink) -> Row:
    saved = None if one.cost is None or on_demand is None else on_demand - one.cost
    share = None if saved is None or not on_demand else saved / on_demand
    style = ink.dim if one.rule == "hindsight" else "bold" if one.rule.startswith(OURS) else ""
    regret = None if one.regret is None or one.cost is None else _unless_dust(one.regret, one.cost)
    cells = (
        Text(words.name(one.rule), style=style),
        Text(UNSERVED, style=f"bold {ink.bad}") if one.cost is None else Text(plain(one.cost), style=style),
        Text("" if share is None else words.share(share)),
        Text(plain(saved)),
        Text(plain(regret)),
        Text(plain(one.stranded)),
    )
    return Row(key=one.rule, cells=cells, values=(cells[0].plain, one.cost, share, saved, regret, one.stranded))


def _unless_dust(usd: float, of: float) -> float:
    return 0.0 if abs(usd) <= NONE * abs(of) else usd
