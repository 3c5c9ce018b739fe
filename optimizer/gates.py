"""Policy gates: what a plan has to meet to pass without a person looking at it, each a pure function.

The rules are those that the FinOps Foundation names for commitments: a utilization waterline of about 80 %, break-even
within 9 months, expiry seen early enough to plan again, and budgets that warn at 80 % and end at 100 %. A value that is
exactly at its limit passes, but for what expires. What cannot be measured fails, since it cannot be shown to be met.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import polars as pl

from optimizer.demand import work_of
from optimizer.errors import InfeasibleError
from optimizer.solve import solve
from optimizer.stated import Stated
from providers.tables import HOURS_PER_MONTH

Unit = Literal["money", "share", "days", "months"]
Outcome = Literal["passed", "warned", "failed"]
WARN_AT = 0.8  # share of a budget from which it warns
DECIMALS = 9  # below which two figures are one


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a gate says; value is None where it has no bound or cannot be measured. about: what the value is of."""

    gate: str
    unit: Unit
    limit: float
    value: float | None
    outcome: Outcome
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """One purchase, as the gate on break-even sees it: money in $, the term in months, shares between 0 and 1."""

    offer_id: str
    upfront: float
    total_commitment: float
    term_months: float
    utilization: float
    break_even_utilization: float | None


def over(cost: float, *, limit: float) -> Verdict:
    """Fail where the plan costs more than `limit` $ over the hours planned, commitments that are owned included."""
    return _above("fail-over", "money", cost, limit, "the cost over the hours planned")


def increase(cost: float, hours: float, *, old_cost: float, old_hours: float, limit: float) -> Verdict:
    """Fail where an hour planned costs more than in the plan compared with, by more than the share `limit` of that.

    (cost / hours) / (old_cost / old_hours) - 1, so that plans of other lengths compare too.
    """
    about = "the increase of the cost of an hour planned"
    before = old_cost / old_hours if old_hours else 0.0
    if before <= 0:
        return _above("fail-increase", "share", None if cost > 0 else 0.0, limit, f"{about}, from nothing")
    return _above("fail-increase", "share", cost / hours / before - 1, limit, about)


def savings_missed(cost: float, *, kept: float | None, limit: float, what: str) -> Verdict:
    """Fail where keeping what is decided already costs more than the new plan, by more than `limit` $.

    kept: the least cost at which the demand planned can be served with what is decided (`cost_of_keeping`), None where
    it cannot be served at all.
    """
    if kept is None:
        return _above("fail-savings-missed", "money", None, limit, f"{what} cannot serve the demand within the limits")
    return _above(
        "fail-savings-missed", "money", max(kept - cost, 0.0), limit, f"what {what} costs more than this plan"
    )


def cost_of_keeping(stated: Stated, quantities: Mapping[str, float]) -> float | None:
    """Return the least cost without further purchases: what is owned, these, and the rest paid as it is used.

    Args:
        stated: the inputs of the new plan.
        quantities: of each offer that counts as bought, its GPUs, or dollars an hour where it is sold in dollars.
    """
    problem = stated.problem
    # GPUs above what is bought are paid as they are used: they are no purchase.
    decided = np.array([np.nan if tariff.beyond else quantities.get(tariff.offer_id, 0.0) for tariff in stated.tariffs])
    pinned = np.where(problem.held & np.isnan(problem.pinned), decided, problem.pinned)
    try:
        return solve(replace(problem, pinned=pinned)).cost
    except InfeasibleError:
        return None


def stale(usage_until: datetime, prices: Mapping[str, datetime | None], *, now: datetime, limit: float) -> Verdict:
    """Fail where the last hour of the usage, or the newest price of some source of offers, is older than `limit` days.

    prices: the newest time at which each source says that a price was true; None, and a failure, where it says none.
    """
    for name, time in prices.items():
        if time is None:
            return _above("fail-stale", "days", None, limit, f"the age of prices without as_of in {name}")
    times = {"the usage": usage_until, **{f"the prices of {name}": time for name, time in prices.items() if time}}
    ages = {name: max((now - time) / timedelta(days=1), 0.0) for name, time in times.items()}
    oldest = max(ages, key=lambda name: ages[name])
    return _above("fail-stale", "days", ages[oldest], limit, f"the age of {oldest}")


def untagged(usage: pl.DataFrame, tags: Sequence[str], *, limit: float) -> Verdict:
    """Fail where more than the share `limit` of the usage lacks one of the tags.

    The share is of effective cost where every row of work has one, else of GPU-hours. Idle GPUs and other residuals are
    nobody's work and do not count.
    """
    work = work_of(usage)
    costs = work["effective_cost"]
    basis = "effective_cost" if not costs.null_count() and float(costs.clip(0.0).sum()) > 0 else "gpu_hours"
    weight = work[basis].clip(0.0)
    lacks = [_lacks(work, tag) for tag in tags]
    lacking = work.select(pl.any_horizontal(pl.lit(value=False), *lacks).alias("lacking"))["lacking"]
    whole = float(weight.sum())
    share = float(weight.filter(lacking).sum()) / whole if whole else 0.0
    measure = "cost" if basis == "effective_cost" else "GPU-hours"
    return _above("fail-untagged", "share", share, limit, f"the share of {measure} without {' or '.join(tags)}")


def utilization_below(utilization: float | None, *, limit: float) -> Verdict:
    """Fail where less than the share `limit` of the committed hours, old and new, is used; None: there are none."""
    fails = utilization is not None and round(utilization, DECIMALS) < limit
    return Verdict(
        gate="fail-utilization-below",
        unit="share",
        limit=limit,
        value=utilization,
        outcome="failed" if fails else "passed",
        about="the utilization of commitments",
    )


def break_even_above(purchases: Iterable[Bought], *, limit: float) -> Verdict:
    """Fail where a purchase takes more than `limit` months to earn back what it costs at the start."""
    months = {bought.offer_id: break_even_months(bought) for bought in purchases}
    slowest = max(months, key=lambda name: months[name], default=None)
    about = "the break-even of purchases" if slowest is None else f"the break-even of {slowest}"
    value = 0.0 if slowest is None else months[slowest]
    if math.isinf(value):
        return _above("fail-break-even-above", "months", None, limit, f"{about}, which never comes")
    return _above("fail-break-even-above", "months", value, limit, about)


def break_even_months(bought: Bought) -> float:
    """Return upfront / (on demand a month - recurring a month), infinite where that never comes.

    On demand a month is what the hours used would cost at the best alternative, less the purchase's usage price. The
    commitment's own monthly cost c and its break-even utilization c / p give that: utilization · c / (c / p). Without
    cash at the start it breaks even at once, if it saves anything; so does what nothing else could serve.
    """
    if not bought.break_even_utilization or not bought.term_months:
        return 0.0
    monthly = bought.total_commitment / bought.term_months
    recurring = (bought.total_commitment - bought.upfront) / bought.term_months
    avoided = (
        bought.utilization * monthly / bought.break_even_utilization if bought.break_even_utilization else math.inf
    )
    saved = avoided - recurring
    if bought.upfront <= 0:
        return 0.0 if saved >= -1e-6 * monthly else math.inf
    return bought.upfront / saved if saved > 0 else math.inf


def expiring_within(commitments: pl.DataFrame | None, *, now: datetime, limit: float) -> Verdict:
    """Fail where a commitment that is owned ends within `limit` days from now; one without an end does not expire."""
    ends = {} if commitments is None else dict(_ends(commitments))
    left = {name: (end - now) / timedelta(days=1) for name, end in ends.items() if end > now}
    next_one = min(left, key=lambda name: (left[name], name), default=None)
    value = None if next_one is None else left[next_one]
    return Verdict(
        gate="fail-expiring-within",
        unit="days",
        limit=limit,
        value=value,
        outcome="failed" if value is not None and value <= limit else "passed",
        about="the time to the next expiry" if next_one is None else f"the time until {next_one} ends",
    )


def budget(name: str, *, cost: float, usd_per_month: float) -> Verdict:
    """Warn where the plan costs 80 % of a budget a month or more, and fail where it costs more than the whole of it."""
    warns = cost >= WARN_AT * usd_per_month
    failed = round(cost, DECIMALS) > usd_per_month
    return Verdict(
        gate=f"budget {name}",
        unit="money",
        limit=usd_per_month,
        value=cost,
        outcome="failed" if failed else "warned" if warns else "passed",
        about="the cost a month",
    )


def _above(gate: str, unit: Unit, value: float | None, limit: float, about: str) -> Verdict:
    failed = value is None or round(value, DECIMALS) > limit
    return Verdict(
        gate=gate, unit=unit, limit=limit, value=value, outcome="failed" if failed else "passed", about=about
    )


def _lacks(work: pl.DataFrame, tag: str) -> pl.Expr:
    if tag not in work.columns:
        return pl.lit(value=True)
    return pl.col(tag).cast(pl.String).fill_null("").str.strip_chars() == ""


def _ends(commitments: pl.DataFrame) -> Iterable[tuple[str, datetime]]:
    """Return the end of each commitment that has one: as it says, or its start plus its term."""
    for row in commitments.iter_rows(named=True):
        start, term = row["start"], row["term_months"]
        end = row["end"] or (start + timedelta(hours=term * HOURS_PER_MONTH) if start and term else None)
        if end is not None:
            yield row["commitment_id"], end
