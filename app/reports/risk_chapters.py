"""The chapters on risk of a plan that was made for several futures: its measures, each future, and what less costs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from app.reports.paper import Chapter, Column
from app.reports.text import percent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.reports.planfile import PlanFile, Risk


def risk_chapters(plan: PlanFile) -> Iterable[Chapter]:
    """Return the chapters; none where the plan was made for one future."""
    if plan.risk is not None:
        yield _measures(plan.risk)
        yield _scenarios(plan.risk)
        yield _frontier(plan.risk)


def _measures(risk: Risk) -> Chapter:
    worst = percent(1 - risk.tail)
    rows = [
        ("Expected cost", risk.expected),
        ("Cost not exceeded with 5 % probability", risk.p5),
        ("Cost not exceeded with 50 % probability", risk.p50),
        ("Cost not exceeded with 95 % probability", risk.p95),
        (f"Mean cost of the worst {worst}", risk.cvar),
        (f"Mean of what is stranded in the worst {worst}", risk.stranded_cvar),
    ]
    return Chapter(
        name="Risk",
        title="Risk",
        note=f"The worst outcomes count for {percent(risk.weight)} in this plan, the mean for the rest.",
        columns=(Column(title="Measure"), Column(title="Amount", kind="money")),
        rows=tuple((name, Decimal(amount)) for name, amount in rows),
    )


def _scenarios(risk: Risk) -> Chapter:
    columns = [Column(title="Scenario"), Column(title="Probability", kind="share")]
    columns += [Column(title=title, kind="money") for title in ("Cost", "Stranded", "Regret")]
    return Chapter(
        name="Scenarios",
        title="What the plan comes to in each future",
        note="Stranded is paid for holding what is not used; regret is what the best plan for that future would save.",
        columns=tuple(columns),
        rows=tuple(
            (one.scenario, one.probability, Decimal(one.cost), Decimal(one.stranded), Decimal(one.regret))
            for one in risk.outcomes
        ),
    )


def _frontier(risk: Risk) -> Chapter:
    columns = [Column(title="Weight of the worst outcomes", kind="share")]
    columns += [Column(title=title, kind="money") for title in ("Expected cost", "Mean of the worst")]
    return Chapter(
        name="Frontier",
        title="What less risk costs",
        note="Each row is another plan; the cheapest comes first.",
        columns=tuple(columns),
        rows=tuple((point.weight, Decimal(point.expected), Decimal(point.cvar)) for point in risk.frontier),
    )
