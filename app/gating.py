"""A plan, its session and the plan it is compared with -> what the gates say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from app.diagnostics import UsageError
from app.gate_rules import COMPARES
from app.quiet import hushed
from optimizer import gates
from optimizer.demand import usage_hours
from optimizer.stated import stated_of
from providers.tables import HOURS_PER_MONTH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.gate_rules import Rules
    from app.reports.planfile import PlanFile
    from app.session import Origin, Session
    from optimizer.gates import Verdict

QUOTES = "--offer"  # what is typed is true now


def judged(rules: Rules, session: Session, plan: PlanFile, against: PlanFile | None) -> list[Verdict]:
    """Ask every gate that the rules name; one that compares says nothing where there is no plan to compare with.

    Raises:
        UsageError: the two plans are in different currencies.
    """
    if against is not None and against.currency != plan.currency:
        problem = f"is in {against.currency} and this plan in {plan.currency}"
        raise UsageError(f"--against: {problem}; compare plans in one currency")
    asked = {name: limit for name, limit in rules.limits.items() if name not in COMPARES or against is not None}
    named = [_JUDGES[name](rules, session, plan, against) for name in _JUDGES if name in asked]
    return [*named, *(_budget(glob, usd, plan) for glob, usd in rules.budgets.items())]


def _over(rules: Rules, _session: Session, plan: PlanFile, _against: PlanFile | None) -> Verdict:
    return gates.over(float(plan.summary.cost), limit=rules.limits["over"])


def _increase(rules: Rules, _session: Session, plan: PlanFile, against: PlanFile | None) -> Verdict:
    old = (against or plan).summary
    return gates.increase(
        float(plan.summary.cost),
        plan.summary.hours,
        old_cost=float(old.cost),
        old_hours=old.hours,
        limit=rules.limits["increase"],
    )


def _savings_missed(rules: Rules, session: Session, plan: PlanFile, against: PlanFile | None) -> Verdict:
    """Compare with the purchases of the other plan at today's prices, or with buying nothing where there is none.

    A purchase whose offer is among the commitments is owned already, and is not counted twice.
    """
    owned = session.inputs.commitments
    bought = set() if owned is None else set(owned["offer_id"])
    quantities = {
        purchase.offer_id: purchase.gpus if purchase.usd_per_hour is None else float(purchase.usd_per_hour)
        for purchase in (against.purchases if against else ())
        if purchase.offer_id not in bought
    }
    with hushed():
        kept = gates.cost_of_keeping(stated_of(replace(session.inputs, risk=0.0)), quantities)
    what = "buying nothing new" if against is None else "the plan compared with, at today's prices,"
    return gates.savings_missed(float(plan.summary.cost), kept=kept, limit=rules.limits["savings_missed"], what=what)


def _stale(rules: Rules, session: Session, _plan: PlanFile, _against: PlanFile | None) -> Verdict:
    now = session.inputs.now
    until = usage_hours(session.inputs.usage).max()
    last = until if isinstance(until, datetime) else now
    prices = {origin.path: _newest(origin, now) for origin in session.offers}
    return gates.stale(last + timedelta(hours=1), prices, now=now, limit=rules.limits["stale"])


def _untagged(rules: Rules, session: Session, _plan: PlanFile, _against: PlanFile | None) -> Verdict:
    return gates.untagged(session.inputs.usage, rules.tags, limit=rules.limits["untagged"])


def _utilization(rules: Rules, _session: Session, plan: PlanFile, _against: PlanFile | None) -> Verdict:
    return gates.utilization_below(plan.summary.utilization, limit=rules.limits["utilization_below"])


def _break_even(rules: Rules, _session: Session, plan: PlanFile, _against: PlanFile | None) -> Verdict:
    return gates.break_even_above(_bought(plan), limit=rules.limits["break_even_above"])


def _expiring(rules: Rules, session: Session, _plan: PlanFile, _against: PlanFile | None) -> Verdict:
    inputs = session.inputs
    return gates.expiring_within(inputs.commitments, now=inputs.now, limit=rules.limits["expiring_within"])


def _budget(glob: str, usd_per_month: float, plan: PlanFile) -> Verdict:
    """Compare what the workloads cost a month; `*` is the whole plan, commitments that nobody uses included."""
    served = sum(float(service.cost) for service in plan.mix if fnmatchcase(service.workload, glob))
    cost = float(plan.summary.cost) if glob == "*" else served
    months = plan.summary.hours / HOURS_PER_MONTH
    return gates.budget(glob, cost=cost / months if months else 0.0, usd_per_month=usd_per_month)


def _bought(plan: PlanFile) -> Iterable[gates.Bought]:
    for purchase in plan.purchases:
        yield gates.Bought(
            offer_id=purchase.offer_id,
            upfront=float(purchase.upfront),
            total_commitment=float(purchase.total_commitment),
            term_months=purchase.term_months or plan.summary.hours / HOURS_PER_MONTH,
            utilization=purchase.utilization or 0.0,
            break_even_utilization=purchase.break_even_utilization,
        )


def _newest(origin: Origin, now: datetime) -> datetime | None:
    """Return when the newest price of a source was true; None where it does not say."""
    if origin.path == QUOTES:
        return now
    try:
        time = datetime.fromisoformat(origin.last or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


_JUDGES: dict[str, Callable[[Rules, Session, PlanFile, PlanFile | None], Verdict]] = {
    "over": _over,
    "increase": _increase,
    "savings_missed": _savings_missed,
    "stale": _stale,
    "untagged": _untagged,
    "utilization_below": _utilization,
    "break_even_above": _break_even,
    "expiring_within": _expiring,
}
