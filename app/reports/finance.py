"""The figures that finance asks of a plan, as `reference/finops.md` section 4.1 defines them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from app.reports.cashflow import Month, Obligation, months_of, obligations
from app.reports.outline import MONTH_HOURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.reports.planfile import PlanFile, Purchase

YEAR_HOURS = 8760


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an export is told that a plan does not say, as shares: cost of capital a year, discount of a contract.

    private_discount: what private pricing takes off the on-demand list; None where nobody said.
    """

    cost_of_capital: float = 0.08
    private_discount: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finance:
    """Figures of one plan; money in its currency, shares between 0 and 1, None where unknown.

    unused: what holding costs in hours that nobody uses. rate_today: effective savings rate of the bill as it is.
    rate_contracted: against on demand at private pricing. prepaid: paid in the plan for hours after it.
    npv: of the savings, prepaid hours given back at what they cost. payback_months: None where it is not paid back.
    remaining, remaining_months: of all commitments when the plan begins, months weighted by money. after: what falls
    due after the plan. return_on_commitment: savings per $ newly committed.
    """

    terms: Terms
    months: tuple[Month, ...]
    obligations: tuple[Obligation, ...]
    mean_gpus: float
    unused: Decimal
    unused_share: float | None
    rate_today: float | None
    rate_contracted: float | None
    prepaid: Decimal
    npv: float | None
    payback_months: float | None
    remaining: float
    remaining_months: float
    after: Decimal
    return_on_commitment: float | None


def finance_of(plan: PlanFile, terms: Terms) -> Finance:
    """Return the figures of a plan.

    Raises:
        InputError: the times of the plan file make no sense.
    """
    months, owed, summary = months_of(plan), obligations(plan), plan.summary
    planned = [month for month in months if month.planned]
    unused, held = _unused(plan)
    listed = None if summary.on_demand_cost is None else float(summary.on_demand_cost)
    contracted = None if listed is None or terms.private_discount is None else listed * (1 - terms.private_discount)
    committed = float(summary.total_commitment)
    return Finance(
        terms=terms,
        months=months,
        obligations=owed,
        mean_gpus=weighted_units(summary.gpu_hours, summary.hours),
        unused=unused,
        unused_share=float(unused / held) if held else None,
        rate_today=savings_rate(listed, None if summary.current_cost is None else float(summary.current_cost)),
        rate_contracted=savings_rate(contracted, float(summary.cost)),
        prepaid=sum((month.paid - month.used for month in planned), Decimal(0)),
        npv=None if listed is None else net_present_value(planned, terms.cost_of_capital),
        payback_months=payback_months(planned),
        remaining=sum(one.usd for one in owed),
        remaining_months=weighted_months([(one.usd, one.months) for one in owed]),
        after=sum((month.used for month in months if not month.planned), Decimal(0)),
        return_on_commitment=float(summary.savings) / committed if summary.savings and committed else None,
    )


def savings_rate(reference: float | None, actual: float | None) -> float | None:
    """Return 1 - actual cost / reference: list, contracted or on-demand equivalent."""
    return None if not reference or actual is None else 1 - actual / reference


def savings_rate_from(coverage: float, discount: float, unused: float, reference: float) -> float:
    """Return the same rate taken apart: what is covered saves the discount, what is unused costs all of it."""
    return coverage * discount - unused / reference


def break_even_utilization(committed_rate: float, alternative_rate: float) -> float:
    """Return the share of hours from which a commitment beats the rate that it displaces."""
    return committed_rate / alternative_rate


def break_even_hours(upfront: float, alternative_rate: float, recurring_rate: float) -> float | None:
    """Return the hours of use after which an upfront payment is earned back; None where it never is."""
    saved = alternative_rate - recurring_rate
    return upfront / saved if saved > 0 else None


def break_even_months(upfront: float, on_demand_monthly: float, recurring_monthly: float) -> float | None:
    """Return the months after which an upfront payment is earned back; None where it never is."""
    return break_even_hours(upfront, on_demand_monthly, recurring_monthly)


def amortized_rate(upfront: float, term_hours: float, recurring_rate: float) -> float:
    """Return what an hour costs whether it is used or not, the upfront payment shared among all hours of the term."""
    return upfront / term_hours + recurring_rate


def critical_share(holding: float, alternative: float, *, usage: float = 0.0, salvage: float = 0.0) -> float:
    """Return how often one more GPU must be needed: (c - s)/(p - s) with resale at s, h/(p - u) with a usage rate u."""
    return (holding - salvage) / (alternative - usage - salvage)


def optimal_level(demand: Sequence[float], share: float) -> float:
    """Return the largest level that is needed in at least that share of equally likely hours (the newsvendor's)."""
    levels = sorted(set(demand), reverse=True)
    often = (level for level in levels if sum(need >= level for need in demand) >= share * len(demand) - 1e-9)
    return next(often, 0.0)


def weighted_units(unit_hours: float, hours: float) -> float:
    """Return the mean number of units at work: unit-hours / hours."""
    return unit_hours / hours


def weighted_months(owed: Iterable[tuple[float, float]]) -> float:
    """Return the remaining term, $ x months / $, of what is owed."""
    owed = list(owed)
    money = sum(usd for usd, _ in owed)
    return sum(usd * months for usd, months in owed) / money if money else 0.0


def net_present_value(planned: Sequence[Month], yearly_rate: float) -> float:
    """Return the savings against on demand in money of the day the plan begins.

    Upfront payments fall on the first day of a month, everything else on its last; what is prepaid for hours after the
    plan is given back when it ends, at what it cost, so that at a rate of 0 this is the savings of the plan.
    """
    value = prepaid = 0.0
    for month in planned:
        running = float((month.on_demand or 0) - (month.paid - month.upfront))
        value += running * _factor(month.until, yearly_rate) - float(month.upfront) * _factor(month.since, yearly_rate)
        prepaid += float(month.paid - month.used)
    return value + (prepaid * _factor(planned[-1].until, yearly_rate) if planned else 0.0)


def payback_months(planned: Sequence[Month]) -> float | None:
    """Return the months until what was saved has outweighed what was prepaid, for good; None where it does not."""
    ahead, since = 0.0, None
    for month in planned:
        if month.on_demand is None:
            return None
        ahead -= float(month.upfront)
        if ahead < -1e-6:
            since = None
        earned = float(month.on_demand - (month.paid - month.upfront))
        if since is None and ahead + earned >= -1e-6:
            waited = -ahead / earned if earned > 0 else 0.0
            since = month.since + max(waited, 0.0) * (month.until - month.since)
        ahead += earned
        since = since if ahead >= -1e-6 else None
    return None if since is None else since / MONTH_HOURS


def purchase_break_even_months(bought: Purchase) -> float | None:
    """Return the months until what a purchase saves has outweighed its upfront payment; None where nothing can say.

    The rate that it displaces is its price over its break-even utilization.
    """
    share, used, months = bought.break_even_utilization, bought.utilization, bought.term_months
    if not share or not used or not months or Decimal(bought.usage_usd_per_gpu_hour) != 0:
        return None
    monthly = float(bought.total_commitment) / months
    upfront = float(bought.upfront)
    return break_even_months(upfront, used / share * monthly, monthly - upfront / months)


def _unused(plan: PlanFile) -> tuple[Decimal, Decimal]:
    """Return what holding costs in hours that nobody uses, and what it costs in all."""
    hours: dict[str, float] = {}
    for service in plan.mix:
        hours[service.offer_id] = hours.get(service.offer_id, 0.0) + service.gpu_hours
    unused = held = Decimal(0)
    for bought in (*plan.purchases, *plan.commitments):
        use = Decimal(bought.usage_usd_per_gpu_hour) * Decimal(hours.get(bought.offer_id, 0.0))
        holding = max(Decimal(bought.cost) - use, Decimal(0))
        held += holding
        unused += holding * (1 - Decimal(bought.utilization or 0.0))
    return unused.quantize(Decimal("0.000001")), held


def _factor(hours: float, yearly_rate: float) -> float:
    return float((1 + yearly_rate) ** (-hours / YEAR_HOURS))
