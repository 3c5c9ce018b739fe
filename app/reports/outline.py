"""What every report of a plan says, before it takes a form."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from app.reports.planfile import Turn, decimal
from app.reports.text import count, money, percent, rate

if TYPE_CHECKING:
    from app.reports.planfile import (
        Differing,
        Found,
        LimitValue,
        Outcome,
        PlanFile,
        Point,
        Purchase,
        Quote,
        Received,
        Risk,
        Service,
        Spend,
    )

MONTH_HOURS = 730
SPEND_TITLES = ("Commitment to spend", "Least spend", "Discount", "Spent", "Short", "In force", "Worth", "Up to")
DEMAND_TITLES = ("Demand", "With what is bought", "Best plan", "Dearer by", "Stranded")
RECEIVED_TITLES = ("Offer", "Vendor", "GPUs", "Term", "First price", "Last price", "Status")
TURN_TITLES = ("Step", "Typed", "Edit")
OUTCOME_TITLES = ("Scenario", "Probability", "Cost", "Stranded", "Regret")
LIMIT_TITLES = ("Limit", "At most", "In the plan", "So much more", "Would save")
QUOTE_TITLES = ("Offer", "GPU", "GPUs", "Quoted", "Walk-away", "Next GPU", "Verdict", "Headroom")


class Share(NamedTuple):
    """GPU-hours and cost of one provider, purchase option and GPU model."""

    provider: str
    purchase_option: str
    gpu_model: str
    gpu_hours: float
    cost: Decimal


def demo_label(plan: PlanFile) -> str | None:
    """Return what says that this is the demo; None where it is not."""
    if not plan.inputs.options.demo:
        return None
    said = next((found.message for found in plan.diagnostics if found.code == "demo"), "demo data: fictional usage")
    return said[0].upper() + said[1:]


def span(plan: PlanFile) -> str:
    """Write the length of the horizon: months, or the hours of the history."""
    hours = plan.summary.hours
    if plan.inputs.options.horizon.strip().lower() == "history":
        return f"{count(hours)} hours of history"
    return f"{count(hours / MONTH_HOURS)} months"


def result(plan: PlanFile) -> str:
    """Write the cost, and what is saved of the on-demand cost where that is known."""
    summary, currency = plan.summary, plan.currency
    cost = f"{money(summary.cost, currency)} over {span(plan)}"
    if summary.savings is None:
        return f"{cost}; no on-demand price to compare with"
    if summary.savings.startswith("-"):
        return f"{cost}: {money(summary.savings[1:], currency)} dearer than on demand"
    return f"{cost}: saves {money(summary.savings, currency)} ({percent(summary.effective_savings_rate)})"


def figures(plan: PlanFile) -> list[tuple[str, str]]:
    """Return the totals, each with its name; what is unknown is left out."""
    summary, currency = plan.summary, plan.currency
    found = [
        ("Cost", money(summary.cost, currency)),
        ("of which commitments owned", money(summary.existing_commitment_cost, currency)),
        ("All on demand", money(summary.on_demand_cost, currency)),
        ("Savings", money(summary.savings, currency)),
        ("Effective savings rate", percent(summary.effective_savings_rate)),
        ("As billed today", money(summary.current_cost, currency)),
        ("Coverage by commitments", percent(summary.coverage)),
        ("Utilization of commitments", percent(summary.utilization)),
        ("Paid at the start", money(summary.upfront, currency)),
        ("New commitment in all", money(summary.total_commitment, currency)),
        ("Proven lower bound", money(summary.lower_bound, currency)),
        ("Gap to it", f"{summary.gap * 100:.2g} %"),
        ("As the providers would bill it", money(summary.replayed_cost, currency)),
        ("GPU-hours", count(summary.gpu_hours)),
    ]
    return [(name, value) for name, value in found if value != "-"]


def price(bought: Purchase, currency: str) -> str:
    """Write the price of a purchase as it is paid."""
    if Decimal(bought.usage_usd_per_gpu_hour) == 0:
        return rate(bought.holding_usd_per_gpu_hour, currency)
    return f"{rate(bought.holding_usd_per_gpu_hour, currency)} + {rate(bought.usage_usd_per_gpu_hour, currency)}"


def term(bought: Purchase) -> str:
    """Write how long a purchase binds."""
    if bought.term_months is not None:
        return f"{count(bought.term_months)} mo"
    return f"to {bought.end[:10]}" if bought.end else "open"


def quote_cells(quote: Quote, currency: str) -> list[str]:
    """Return one quote under `QUOTE_TITLES`."""
    return [
        quote.offer_id,
        quote.gpu_model,
        count(quote.gpus),
        rate(quote.quoted_usd_per_gpu_hour, currency),
        rate(quote.walk_away_usd_per_gpu_hour, currency),
        rate(quote.next_gpu_usd_per_gpu_hour, currency),
        quote.verdict,
        money(quote.headroom, currency),
    ]


def spend_cells(spend: Spend, currency: str) -> list[str]:
    """Return one commitment to spend under `SPEND_TITLES`; the last is the largest least spend worth signing."""
    return [
        spend.offer_id,
        money(spend.usd, currency),
        percent(spend.discount),
        money(spend.spent, currency) if spend.taken else "-",
        money(spend.shortfall, currency) if spend.taken else "-",
        in_force(spend),
        money(spend.worth, currency),
        money(spend.largest_usd, currency),
    ]


def in_force(spend: Spend) -> str:
    """Say whether a commitment to spend binds, and why where the plan has no choice."""
    if not spend.taken:
        return "no"
    return spend.status if spend.status in {"owned", "accepted"} else "yes"


def turns_in(plan: PlanFile) -> list[Turn]:
    """Return the edits of a plan, oldest first; of files that keep only their lines, with nothing but these."""
    lines = plan.inputs.options.edits
    plain = [Turn(line=line, typed=None, offer_id=None, usd_per_gpu_hour=None, status=None) for line in lines]
    return plan.inputs.turns or plain


def turn_cells(step: int, turn: Turn) -> list[str]:
    """Return one edit under `TURN_TITLES`."""
    return [str(step), (turn.typed or "")[:16].replace("T", " "), turn.line]


def received_cells(quote: Received, currency: str) -> list[str]:
    """Return one quote under `RECEIVED_TITLES`; a commitment to spend has dollars where others have GPUs."""
    return [
        quote.offer_id,
        quote.provider,
        count(quote.gpus) if quote.spend_usd is None else money(quote.spend_usd, currency),
        "open" if quote.term_months is None else f"{count(quote.term_months)} mo",
        rate(quote.first_usd_per_gpu_hour, currency),
        rate(quote.last_usd_per_gpu_hour, currency),
        quote.status,
    ]


def demand_cells(one: Differing, currency: str) -> list[str]:
    """Return what the plan comes to at one other demand under `DEMAND_TITLES`."""
    known = one.kept is not None and one.best is not None
    dearer = str(Decimal(one.kept or 0) - Decimal(one.best or 0)) if known else None
    amounts = (one.kept, one.best, dearer, one.stranded)
    return [percent(round(one.demand - 1, 9) + 0.0), *(money(amount, currency) for amount in amounts)]


def risk_figures(risk: Risk, currency: str) -> list[tuple[str, str]]:
    """Return what the plan comes to over its scenarios, each figure with its name."""
    worst = f"the worst {percent(round(1 - risk.tail, 9))}"
    return [
        (f"Weight of {worst}", percent(risk.weight)),
        ("Expected cost", money(risk.expected, currency)),
        (f"Mean of {worst} (CVaR)", money(risk.cvar, currency)),
        ("Not exceeded with 5 % (P5)", money(risk.p5, currency)),
        ("Not exceeded with 50 % (P50)", money(risk.p50, currency)),
        ("Not exceeded with 95 % (P95)", money(risk.p95, currency)),
        (f"Stranded in {worst}", money(risk.stranded_cvar, currency)),
    ]


def outcome_cells(outcome: Outcome, currency: str) -> list[str]:
    """Return one scenario under `OUTCOME_TITLES`."""
    amounts = (outcome.cost, outcome.stranded, outcome.regret)
    return [outcome.scenario, percent(outcome.probability), *(money(amount, currency) for amount in amounts)]


def frontier_titles(risk: Risk) -> tuple[str, str, str]:
    """Return what stands above the points of the frontier."""
    worst = f"the worst {percent(round(1 - risk.tail, 9))}"
    return (f"Weight of {worst}", "Expected cost", "Mean of the worst")


def frontier_cells(point: Point, currency: str) -> list[str]:
    """Return one point under `frontier_titles`."""
    return [percent(point.weight), money(point.expected, currency), money(point.cvar, currency)]


def limit_cells(limit: LimitValue, currency: str) -> list[str]:
    """Return one limit under `LIMIT_TITLES`: what the plan comes to, and what a little more would save."""
    cash = limit.name == "upfront"
    at, most, step = (
        money(decimal(one), currency) if cash else percent(one) for one in (limit.at, limit.most, limit.step)
    )
    return [limit.name, most, at, step, money(limit.saving, currency)]


def mix_by_place(services: list[Service]) -> list[Share]:
    """Add the mix up by provider, purchase option and GPU model, the dearest first."""
    hours: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    costs: defaultdict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for service in services:
        key = (service.provider, service.purchase_option, service.gpu_model)
        hours[key] += service.gpu_hours
        costs[key] += Decimal(service.cost)
    keys = sorted(costs, key=lambda key: (-costs[key], key))
    return [Share(*key, gpu_hours=hours[key], cost=costs[key]) for key in keys]


def sentence(found: Found) -> str:
    """Write a diagnostic in one line."""
    where = f"{found.where}: " if found.where and found.where not in found.message else ""
    return f"{where}{found.message}" + (f"; {found.hint}" if found.hint else "")
