"""Budgets of the month, a bar each, and the sources that the figures come from, with their age."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.live.state import ago
from app.tui import burn_words, words
from app.tui.glyphs import chosen
from app.tui.ink import Ink
from app.tui.widgets.bars import ROOM, WARNED, mark_at
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.live.state import Live, SourceState
    from optimizer.burn import BudgetState, State

LEAST_BAR, MOST_BAR = 17, 24  # cells
BESIDE = 42  # cells of what has to be read beside a bar
MOST_REACH = 2.0  # times the budget: what is beyond is not told apart
WORST: tuple[State, ...] = ("over", "warn", "unknown", "ok")


def budget_columns(sign: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    return (
        Column(title="Budget", left=True, least=8),
        Column(title=f"Spent, {chosen().payg} forecast", unit=f"{chosen().limit} 80 and 100 %", left=True, name="bar"),
        Column(title="Spent", unit=sign, rank=4),
        Column(title="Share", unit="of budget", rank=5),
        Column(title="Now", left=True),
        Column(title="Forecast", unit=f"{sign} by month end", rank=6),
        Column(title="Share", unit="of budget", rank=7, name="forecast_share"),
        Column(title="Month end", left=True),
        Column(title="Of", unit=f"{sign}/month", rank=8),
        Column(title="Used up", unit="UTC", left=True, rank=2),
    )


class SteadyTable(FittedTable):
    """A table that is drawn again only where it says something else: everything refreshes often, few words change."""

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(columns, id=id)
        self._drawn: object = None

    def refill(self, rows: Sequence[Row]) -> None:
        """Show rows, if they are others or look otherwise."""
        drawn = self._columns, [(row, [cell.style for cell in row.cells]) for row in rows]
        if drawn != self._drawn:
            self._drawn = drawn
            self.fill(rows)


class Budgets(SteadyTable):
    """Budgets, one row each, in the order of the settings."""

    def __init__(self) -> None:
        super().__init__(budget_columns("$"), id="budgets")
        self._budgets: dict[str, BudgetState] = {}

    def show(self, budgets: Sequence[BudgetState], currency: str) -> None:
        """Show the budgets; the cursor stays on its budget."""
        self._columns = budget_columns(words.sign(currency).strip())
        self._budgets = {budget.glob: budget for budget in budgets}
        self._draw()

    def on_resize(self) -> None:
        """Fit the bars to another width."""
        self._draw()

    def _draw(self) -> None:
        ink = Ink.of(self.app.theme_variables)
        width = min(max(self.size.width - BESIDE, LEAST_BAR), MOST_BAR)
        self.refill([_budget_row(budget, width, ink) for budget in self._budgets.values()])

    @property
    def budget(self) -> BudgetState | None:
        """The budget under the cursor."""
        return self._budgets.get(self.key or "")


def _budget_row(budget: BudgetState, width: int, ink: Ink) -> Row:
    worst = min(budget.state_now, budget.state_forecast, key=WORST.index)
    used_up = (
        f"{budget.used_up_at:%m-%d %H:%M}" if budget.used_up_at else burn_words.used_up(budget).removeprefix("used up ")
    )
    cells = (
        Text(words.name(budget.glob), style="bold"),
        Text(budget_bar(budget, width), style=_style(worst, ink)),
        Text(words.money(budget.spent_usd).removeprefix("$")),
        Text(words.share(budget.share_now)),
        Text(budget.state_now, style=f"bold {_style(budget.state_now, ink)}"),
        Text(words.money(budget.forecast_usd).removeprefix("$")),
        Text(words.share(budget.share_forecast)),
        Text(budget.state_forecast, style=f"bold {_style(budget.state_forecast, ink)}"),
        Text(words.money(budget.usd_per_month).removeprefix("$")),
        Text(used_up),
    )
    values = (
        words.name(budget.glob),
        budget.share_now,
        budget.spent_usd,
        budget.share_now,
        budget.state_now,
        budget.forecast_usd,
        budget.share_forecast,
        budget.state_forecast,
        budget.usd_per_month,
        budget.used_up_at,
    )
    return Row(key=budget.glob, cells=cells, values=values)


def _style(state: State, ink: Ink) -> str:
    return {"ok": ink.good, "warn": ink.warn, "over": ink.bad, "unknown": ink.dim}[state]


def budget_bar(budget: BudgetState, width: int) -> str:
    """Draw what is spent of a budget, and after it what is forecast, with marks at 80 % and 100 %."""
    glyphs = chosen()
    now = min(max(budget.share_now or 0.0, 0.0), MOST_REACH)
    then = min(max(budget.share_forecast or 0.0, now), MOST_REACH)
    ends = max(then, ROOM)
    spent, forecast = (round(share / ends * width) for share in (now, then))
    cells = glyphs.bought * spent + glyphs.payg * (forecast - spent) + " " * (width - forecast)
    marks = {mark_at(mark, ends, width) for mark in (WARNED, 1.0)}
    return "".join(glyphs.limit if at in marks else cell for at, cell in enumerate(cells))


SOURCE_COLUMNS = (
    Column(title="Source", left=True, least=20),
    Column(title="Is", left=True, rank=2),
    Column(title="Figures to", unit="UTC", left=True, rank=3),
    Column(title="Age", left=True),
    Column(title="Answered", left=True, rank=4),
    Column(title="State", left=True, least=24),
)


class Sources(SteadyTable):
    """Where figures come from, one row a source."""

    def __init__(self) -> None:
        super().__init__(SOURCE_COLUMNS, id="sources")
        self._sources: dict[str, SourceState] = {}

    def show(self, live: Live, now: datetime) -> None:
        """Show the sources with their age; the cursor stays on its source."""
        ink = Ink.of(self.app.theme_variables)
        self._sources = {f"{at} {source.name}": source for at, source in enumerate(live.sources)}
        self.refill([_source_row(key, source, now, ink) for key, source in self._sources.items()])

    @property
    def source(self) -> SourceState | None:
        """The source under the cursor."""
        return self._sources.get(self.key or "")


def _source_row(key: str, source: SourceState, now: datetime, ink: Ink) -> Row:
    until, asked = source.until, source.asked
    played = source.kind == "replay"
    cells = (
        Text(words.name(source.name), style="bold"),
        Text(burn_words.KINDS[source.kind]),
        Text(f"{until:%Y-%m-%d %H:%M}" if until else ""),
        Text("replayed" if played else ago(until, now) if until else "unknown"),
        Text(ago(asked, now) if asked and not played else ""),
        Text(
            f"! {burn_words.problem_of(source)}" if source.problem else "ok",
            style=ink.bad if source.problem else ink.good,
        ),
    )
    state = burn_words.problem_of(source) or "ok"
    return Row(key=key, cells=cells, values=(words.name(source.name), source.kind, until, until, asked, state))
