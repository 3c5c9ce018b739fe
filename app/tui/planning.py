"""What the plan screen shows beside the purchases: cost and cash by month, what ends when, and the figures.

Months and obligations are those of the plan document, so that the screen and finance see the same amounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from app.tui import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from app.reports.cashflow import Month, Obligation
    from app.reports.planfile import PlanFile
    from app.session import Session
    from optimizer.plan import Plan
    from optimizer.policy import LimitValue

MONTH = timedelta(hours=730)  # every term is counted in months of equal length
PROVEN = 1e-6  # the gap below which a plan is called optimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One commitment, owned or to be bought.

    gpus: of a commitment in dollars those that it serves on average, and usd_per_hour what is committed. since, until:
    its first term; until is None where it does not end. months_left: of that term, from the start of the plan.
    renewed_until: where the plan counts on renewal, until when. monthly: what it costs a month of 730 hours, on average
    over its term, what is prepaid included. owed: still to be paid when the plan begins, for what is bought all of it;
    after: when the plan has ended.
    """

    offer_id: str
    gpu_model: str
    owned: bool
    gpus: float
    usd_per_hour: float | None
    since: datetime
    until: datetime | None
    renewed_until: datetime | None
    months_left: float | None
    monthly: float
    upfront: float
    owed: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """A plan along the calendar: columns of $ by kind of capacity, a value a month; and every commitment.

    cost: as it is used, what is prepaid spread over its term. cash: as it is paid. months: as 2027-03. start, end: of
    the plan; months after it hold what is still owed. after: what is paid after the end, $.
    """

    start: datetime
    end: datetime
    months: tuple[str, ...]
    cost: Mapping[str, tuple[float, ...]]
    cash: Mapping[str, tuple[float, ...]]
    holdings: tuple[Holding, ...]
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure under its name."""

    label: str
    value: str


def ahead_of(session: Session, plan: Plan) -> Ahead:
    """Return the months and commitments of a plan, the next to end first.

    Raises:
        InputError: the times of the plan make no sense.
    """
    from app.reports.cashflow import months_of, obligations
    from app.reports.document import document
    from app.reports.times import begin_of, time_of

    file = document(session, plan, created=session.inputs.now)
    months = months_of(file)
    held = [_holding(file, owed) for owed in obligations(file)]
    latest = max((one.until for one in held if one.until), default=begin_of(file))
    return Ahead(
        start=begin_of(file),
        end=time_of(file.inputs.options.end),
        months=tuple(dict.fromkeys(month.month for month in months)),
        cost=_by_kind(months, plan, paid=False),
        cash=_by_kind(months, plan, paid=True),
        holdings=tuple(sorted(held, key=lambda one: (one.until is None, one.until or latest, one.offer_id))),
        after=_after(months),
    )


def _holding(file: PlanFile, owed: Obligation) -> Holding:
    from app.reports.times import begin_of, time_of

    bought, start, end = owed.bought, begin_of(file), time_of(file.inputs.options.end)
    renewed = not owed.owned and owed.until is not None and owed.until < end and bought.end is None
    return Holding(
        offer_id=bought.offer_id,
        gpu_model=bought.gpu_model,
        owned=owed.owned,
        gpus=bought.gpus,
        usd_per_hour=None if bought.usd_per_hour is None else float(bought.usd_per_hour),
        since=owed.since,
        until=owed.until,
        renewed_until=end if renewed else None,
        months_left=None if owed.until is None else (owed.until - start) / MONTH,
        monthly=_monthly(file, owed),
        upfront=float(bought.upfront),
        owed=owed.usd,
        after=_after(_alone(file, owed)),
    )


def _monthly(file: PlanFile, owed: Obligation) -> float:
    """Return $ a month over the term; without a term, over the time that it runs in the plan."""
    from app.reports.times import begin_of, time_of

    bought, end = owed.bought, time_of(file.inputs.options.end)
    if bought.term_months:
        return float(bought.total_commitment) / bought.term_months
    last = end if owed.until is None else min(owed.until, end)
    months = (last - max(owed.since, begin_of(file))) / MONTH
    return float(bought.cost) / months if months > 0 else 0.0


def _alone(file: PlanFile, owed: Obligation) -> Sequence[Month]:
    """Return the months of a plan that has this commitment and nothing else."""
    from msgspec.structs import replace

    from app.reports.cashflow import months_of

    mine = [owed.bought]
    bought, owned = ([], mine) if owed.owned else (mine, [])
    return months_of(replace(file, purchases=bought, commitments=owned, mix=[], spends=[]))


def _after(months: Iterable[Month]) -> float:
    return float(sum((month.paid for month in months if not month.planned), Decimal(0)))


def _by_kind(months: Sequence[Month], plan: Plan, *, paid: bool) -> dict[str, tuple[float, ...]]:
    """Return $ of each calendar month by kind; what is paid as it is used is divided as it is over the whole plan."""
    spot = _spot_share(plan)
    found: dict[str, dict[str, float]] = {kind: {} for kind in ("bought", "owned", "spot", "payg")}
    for month in months:
        going, owned = float(month.as_you_go), float(month.owned)
        whole = float(month.paid if paid else month.used)
        parts = {"bought": whole - going - owned, "owned": owned, "spot": going * spot, "payg": going * (1.0 - spot)}
        for kind, usd in parts.items():
            found[kind][month.month] = found[kind].get(month.month, 0.0) + usd
    return {kind: tuple(by_month.values()) for kind, by_month in found.items()}


def _spot_share(plan: Plan) -> float:
    costs = {"spot": 0.0, "payg": sum(spending.cost for spending in plan.floors if spending.taken)}
    for service in plan.mix:
        if not service.tariff.held:
            costs["spot" if service.tariff.spot else "payg"] += service.cost
    whole = sum(costs.values())
    return costs["spot"] / whole if whole > 0 else 0.0


def served_of(plan: Plan) -> tuple[dict[str, tuple[float, ...]], bool]:
    """Return the curves of GPUs by kind, and whether what is bought and what is owned are one curve, as bought."""
    served, owns = plan.load.served, bool(plan.commitments)
    held = "owned" if owns and not plan.purchases else "bought"
    curves = {held: served["committed"], "spot": served["spot"], "payg": served["on_demand"]}
    return curves, owns and bool(plan.purchases)


def hours_at(hours: float, parts: int) -> list[str]:
    """Write shares of the hours planned, and what these are in hours."""
    shares = (part / parts for part in range(parts + 1))
    return [f"{share * 100:g} %" + (f" {share * hours:,.0f} h" if share else "") for share in shares]


def figures_of(plan: Plan, ahead: Ahead | None, currency: str) -> list[Figure]:
    """Return the figures of a plan that finance asks for, and how far it can be trusted."""
    summary = plan.summary
    later = words.UNKNOWN if ahead is None else words.money(ahead.after, currency)
    pairs = [
        ("Coverage", words.share(summary.coverage)),
        ("Utilization", words.share(summary.utilization)),
        ("Savings rate", words.share(summary.effective_savings_rate)),
        ("Upfront", words.money(summary.upfront, currency)),
        ("Committed", words.money(summary.total_commitment, currency)),
        ("Owed after", later),
        ("Lower bound", words.money(summary.lower_bound, currency)),
        ("Gap", "0 %, proven" if summary.gap <= PROVEN else f"{summary.gap * 100:.2g} %"),
        ("Billing order", _as_billed(plan, currency)),
    ]
    return [Figure(label=label, value=value) for label, value in pairs]


def _as_billed(plan: Plan, currency: str) -> str:
    """Say how much dearer the plan is as providers bill it, each in its own order."""
    more = plan.summary.replayed_cost - plan.summary.cost
    if abs(more) <= PROVEN * abs(plan.summary.cost):
        return "same cost"
    return f"{'+' if more > 0 else ''}{words.money(more, currency)}"


def limit_of(limit: LimitValue, currency: str) -> str:
    """Say what a limit is, how near the plan is to it, and what a little more of it would save."""
    cash = limit.name == "upfront"
    write = (lambda value: words.money(value, currency)) if cash else words.share
    step = write(limit.step) if cash else f"{limit.step * 100:g} point"
    worth = f"{step} more saves {words.money(limit.saving, currency)}" if limit.saving else "more would save nothing"
    return f"{words.name(limit.name)} at {write(limit.at)} of at most {write(limit.most)}: {worth}"
