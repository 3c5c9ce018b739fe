"""The plan document before it takes a form: figures and tables that Markdown, HTML and spreadsheets all say alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from app.reports.outline import demo_label, result
from app.reports.text import count, money, percent, rate

if TYPE_CHECKING:
    from app.reports.finance import Finance
    from app.reports.planfile import PlanFile

Kind = Literal["text", "money", "rate", "share", "count", "date"]
Cell = str | float | Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of one kind; money, rates and months are amounts in the plan's currency, shares between 0 and 1."""

    title: str
    kind: Kind = "text"
    summed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """One table; name is short enough for a sheet, note says what a reader must know to read it."""

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def totals(self) -> tuple[Cell, ...]:
        """Return the last row: sums of the columns that add up, empty where there are none."""
        if not self.rows or not any(column.summed for column in self.columns):
            return ()
        sums = (
            sum((Decimal(str(row[index] or 0)) for row in self.rows), Decimal(0)) if column.summed else None
            for index, column in enumerate(self.columns)
        )
        return tuple("Total" if index == 0 else value for index, value in enumerate(sums))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of the plan; key is its name in the plan file, or in `Finance`."""

    key: str
    name: str
    kind: Kind
    value: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The plan document."""

    plan: PlanFile
    finance: Finance
    title: str
    label: str
    figures: tuple[Figure, ...]
    chapters: tuple[Chapter, ...]

    def chapter(self, name: str) -> Chapter:
        """Return the chapter of that name."""
        return next(chapter for chapter in self.chapters if chapter.name == name)


def paper_of(plan: PlanFile, finance: Finance, *, walk_away: bool) -> Paper:
    """Return the document of a plan; walk-away prices are in it only where they are asked for."""
    from app.reports.chapters import chapters_of

    return Paper(
        plan=plan,
        finance=finance,
        title=f"GPU plan: {result(plan)}",
        label=demo_label(plan) or "",
        figures=tuple(figure for figure in _figures(plan, finance) if figure.value is not None),
        chapters=tuple(chapter for chapter in chapters_of(plan, finance, walk_away=walk_away) if chapter.rows),
    )


def without_walk_away(plan: PlanFile) -> PlanFile:
    """Return the plan as a vendor may see it by accident: offers and verdicts stay, what they are worth to us goes."""
    quotes = [
        msgspec.structs.replace(
            quote,
            walk_away_usd_per_gpu_hour=None,
            next_gpu_usd_per_gpu_hour=None,
            headroom=None,
            because="",
            next_because="",
        )
        for quote in plan.walk_away
    ]
    bought = [msgspec.structs.replace(one, walk_away_usd_per_gpu_hour=None) for one in plan.purchases]
    spends = [msgspec.structs.replace(one, worth=None, largest_usd=None) for one in plan.spends]
    return msgspec.structs.replace(plan, walk_away=quotes, purchases=bought, spends=spends)


def written(cell: Cell, kind: Kind, currency: str) -> str:
    """Write a cell for people; what is unknown is a dash."""
    if kind in {"money", "rate"}:
        return (money if kind == "money" else rate)(None if cell is None else str(cell), currency)
    if kind in {"share", "count"}:
        number = None if cell is None else float(cell)
        return percent(number) if kind == "share" else count(number)
    return "" if cell is None else str(cell)


def is_number(kind: Kind) -> bool:
    """Whether cells of a kind stand to the right."""
    return kind not in {"text", "date"}


def _figures(plan: PlanFile, finance: Finance) -> list[Figure]:
    summary, capital = plan.summary, percent(finance.terms.cost_of_capital)
    return [
        _money("cost", "Cost over the plan", summary.cost),
        _money("existing_commitment_cost", "of which commitments owned", summary.existing_commitment_cost),
        _money("on_demand_cost", "On-demand equivalent", summary.on_demand_cost),
        _money("savings", "Net savings", summary.savings),
        *_replayed(plan),
        _share("effective_savings_rate", "Effective savings rate, on list", summary.effective_savings_rate),
        _share("rate_contracted", "Effective savings rate, on contracted", finance.rate_contracted),
        _money("current_cost", "As billed today", summary.current_cost),
        _share("rate_today", "Effective savings rate, today", finance.rate_today),
        _share("coverage", "Coverage by commitments", summary.coverage),
        _share("utilization", "Utilization of commitments", summary.utilization),
        _share("unused_share", "Waste, of what commitments cost", finance.unused_share),
        _money("unused", "Cost of unused hours", finance.unused),
        _money("upfront", "Paid upfront", summary.upfront),
        _money("total_commitment", "New commitment in all", summary.total_commitment),
        _money("after", "Falls due after the plan", finance.after),
        _money("remaining", "Committed when the plan begins", finance.remaining),
        _count("remaining_months", "Months it binds, weighted by money", finance.remaining_months),
        _money("npv", f"Net present value of the savings at {capital} a year", finance.npv),
        _count("payback_months", "Months to payback", finance.payback_months),
        _share("return_on_commitment", "Savings per dollar newly committed", finance.return_on_commitment),
        _money("lower_bound", "Proven lower bound of the cost", summary.lower_bound),
        _count("gpu_hours", "GPU-hours", summary.gpu_hours),
        _count("mean_gpus", "GPUs at work on average", finance.mean_gpus),
    ]


def _replayed(plan: PlanFile) -> list[Figure]:
    """Return the cost in the order in which providers apply commitments, and what that adds where it adds something."""
    billed = plan.summary.replayed_cost
    if billed is None:
        return []
    more = Decimal(billed) - Decimal(plan.summary.cost)
    dearer = [_money("replayed_difference", "of which their order of commitments adds", more)] if more > 0 else []
    return [_money("replayed_cost", "As the providers would bill it", billed), *dearer]


def _money(key: str, name: str, value: str | float | Decimal | None) -> Figure:
    amount = None if value is None else Decimal(str(round(value, 6) if isinstance(value, float) else value))
    return Figure(key=key, name=name, kind="money", value=amount)


def _share(key: str, name: str, value: float | None) -> Figure:
    return Figure(key=key, name=name, kind="share", value=value)


def _count(key: str, name: str, value: float | None) -> Figure:
    return replace(_share(key, name, value), kind="count")
