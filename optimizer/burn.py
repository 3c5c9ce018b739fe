"""The burn rate: what GPUs cost an hour right now, by anything, and how far a month's budgets are spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Literal

import polars as pl

from optimizer.trends import (
    ANYTHING,
    WEEK,
    WORK,
    Span,
    Spans,
    cost_of,
    hour_of,
    inside,
    keys_of,
    known,
    measured,
    near,
    part_in,
    spans_of,
    used_part,
)
from providers.tables import InputError

WARN_AT = 0.8  # share of a budget from which it warns
DECIMALS = 9  # below which two shares are one
RATES = (
    "usd_per_hour",
    "allocated_usd_per_hour",
    "used_usd_per_hour",
    "measured_usd_per_hour",
    "idle_usd_per_hour",
    "other_usd_per_hour",
    "gpu_hours_per_hour",
    "gpus_used",
    "gpus_idle",
)
COLUMNS = (*RATES, "unpriced_gpu_hours", "change_share", "daily_usd")
State = Literal["ok", "warn", "over", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """One budget of a calendar month in UTC; money in $.

    spent_usd: since the month began, None where none of it has a price. forecast_usd: that, and the mean rate of the
    last seven days for each hour left. unpriced_gpu_hours: what spent_usd leaves out. share_now, share_forecast: of the
    budget; infinite where it is 0 and is spent from. states: warn from 80 %, over from 100 %, unknown without a share.
    used_up_at: when it will be spent at that rate; None where that is past, or does not come this month.
    """

    glob: str
    usd_per_month: float
    spent_usd: float | None
    forecast_usd: float | None
    unpriced_gpu_hours: float
    share_now: float | None
    share_forecast: float | None
    state_now: State
    state_forecast: State
    used_up_at: datetime | None


def burn_of(
    usage: pl.DataFrame,
    *,
    prices: pl.DataFrame,
    by: Sequence[str],
    within: Mapping[str, str | None] = ANYTHING,
    at: datetime,
    hours: int = 1,
    days: int = 14,
) -> pl.DataFrame:
    """Return what is spent an hour, in the hours up to and including that of `at`: the dearest first, then by name.

    One row for each combination of the columns `by` in any of the hours looked at, so that what has stopped shows as
    0; one row for everything where `by` is empty. Rows of a drill-down add up to the row that it opens.

    Columns, the mean of the hours, in $ or GPUs, null where nothing is known of it or the table has no such hour:
        usd_per_hour: allocated, idle and other together.
        allocated_usd_per_hour: the cost of what work requested, used or not.
        used_usd_per_hour: of that, the part that was active, of measured_usd_per_hour, the part that was measured.
        idle_usd_per_hour: what is paid for and requested by nobody.
        other_usd_per_hour: tax, credits, unused commitments and all other residuals.
        gpu_hours_per_hour, gpus_used, gpus_idle: GPUs allocated, active as far as measured, and idle.
        unpriced_gpu_hours: GPU-hours of these hours, not a mean, whose cost is unknown and in no figure.
        change_share: of usd_per_hour against the same hours seven days before; null where those cost nothing.
        daily_usd: the mean usd_per_hour of each of `days` UTC days, the last one up to `at`, the first one of the table
            from its first hour; null for a day of which the table has no row.

    Args:
        usage: a checked Usage table; rows that stand for a day are spread over its 24 hours.
        prices: provider, gpu_model, usd_per_gpu_hour, for what the bill does not price (`trends.cost_of`).
        by: columns of text, tags included.
        within: the values that some columns have, None for an empty cell.
        at: any time in the last hour.
        hours: how many hours.
        days: how many days.

    Raises:
        InputError: there is no such column of text, or no hour to look at.
    """
    if hours < 1 or days < 0:
        raise InputError("hours", f"is {hours}, and days {days}", "take at least one hour, and 0 days or more")
    keys = keys_of(usage, by, taken=COLUMNS)
    spans = spans_of(usage, at=hour_of(at), hours=hours, days=days)
    rows = inside(usage.filter(spans.near), within)
    costs = rows.select(WORK.alias("work"), "residual", "gpu_hours", used_part().alias("used"), **keys, **_parts(spans))
    costs = costs.with_columns(usd=cost_of(rows, prices)).filter(pl.any_horizontal(pl.col(list(_parts(spans))) > 0))
    sums = _rates(spans.now) + _history(spans)
    found = costs.group_by(list(keys)).agg(sums) if keys else costs.select(sums)
    change = pl.when(pl.col("before") > 0).then(pl.col("usd_per_hour") / pl.col("before") - 1)
    shown = found.with_columns(change.alias("change_share"), _daily(spans)).sort(
        "usd_per_hour", *keys, descending=[True, *(False for _ in keys)], nulls_last=True
    )
    return shown.select(*(pl.col(key).alias(name) for key, name in zip(keys, by, strict=True)), *COLUMNS)


def budgets_of(
    usage: pl.DataFrame, *, prices: pl.DataFrame, budgets: Mapping[str, float], at: datetime
) -> list[BudgetState]:
    """Return how far each budget of the month is spent at the end of the hour of `at`, and will be at its own end.

    Args:
        usage: a checked Usage table.
        prices: as for `burn_of`.
        budgets: $ a month by a glob of workloads; `*` is everything, residuals included.
        at: any time in the last hour.
    """
    until = hour_of(at) + timedelta(hours=1)
    start = hour_of(at).replace(day=1, hour=0)
    end = (start + timedelta(days=32)).replace(day=1)
    since = until - WEEK
    rows = usage.filter(near(min(start, since), until))
    costs = rows.select("workload", "residual", "gpu_hours", month=part_in(start, until), week=part_in(since, until))
    costs = costs.with_columns(usd=cost_of(rows, prices))
    sums = costs.group_by("workload", WORK.alias("work")).agg(_spending()).sort("workload", "work")
    first = usage["hour"].min()
    elapsed = max((until - max(since, first)) / timedelta(hours=1), 1.0) if isinstance(first, datetime) else 1.0
    return [_state(_matching(sums, glob), glob, usd, elapsed, (until, end)) for glob, usd in budgets.items()]


def _parts(spans: Spans) -> dict[str, pl.Expr]:
    daily = {f"day_{place}": span.part for place, span in enumerate(spans.days)}
    return {"now": spans.now.part, "before": spans.before.part, **daily}


def _rates(span: Span) -> list[pl.Expr]:
    part, used, work = pl.col("now") / span.hours, pl.col("used"), pl.col("work")
    now, idle = pl.col("now") > 0, pl.col("residual").eq_missing(pl.lit("idle"))
    usd, gpus = pl.col("usd") * part, pl.col("gpu_hours") * part
    metered = now & work & used.is_not_null()
    sums = {
        "usd_per_hour": known(usd, now),
        "allocated_usd_per_hour": known(usd, now & work),
        "used_usd_per_hour": measured(usd * used, metered),
        "measured_usd_per_hour": measured(usd, metered),
        "idle_usd_per_hour": known(usd, now & idle),
        "other_usd_per_hour": known(usd, now & ~work & ~idle),
        "gpu_hours_per_hour": known(gpus, now & work),
        "gpus_used": measured(gpus * used, metered),
        "gpus_idle": known(gpus, now & idle),
        "unpriced_gpu_hours": known(pl.col("gpu_hours") * pl.col("now"), now & pl.col("usd").is_null()),
    }
    return [_if_covered(total, span).alias(name) for name, total in sums.items()]


def _history(spans: Spans) -> list[pl.Expr]:
    """Return the cost an hour of the same hours a week before, and of each day."""
    named = {"before": spans.before, **{f"day_{place}": span for place, span in enumerate(spans.days)}}
    return [
        _if_covered(known(pl.col("usd") * pl.col(name) / span.hours, pl.col(name) > 0), span).alias(name)
        for name, span in named.items()
    ]


def _if_covered(total: pl.Expr, span: Span) -> pl.Expr:
    return pl.when(pl.lit(span.covered)).then(total)


def _daily(spans: Spans) -> pl.Expr:
    names = [f"day_{place}" for place in range(len(spans.days))]
    daily = pl.concat_list(names) if names else pl.lit([], dtype=pl.List(pl.Float64))
    return daily.alias("daily_usd")


def _spending() -> list[pl.Expr]:
    usd, month = pl.col("usd"), pl.col("month") > 0
    return [
        measured(usd * pl.col("month"), month).alias("spent"),
        measured(usd * pl.col("week"), pl.col("week") > 0).alias("lately"),
        known(pl.col("gpu_hours") * pl.col("month"), month & usd.is_null()).alias("unpriced"),
    ]


def _matching(sums: pl.DataFrame, glob: str) -> pl.DataFrame:
    if glob == "*":
        return sums
    names = [name for name in sums["workload"].drop_nulls().unique() if fnmatchcase(name, glob)]
    return sums.filter(pl.col("work") & pl.col("workload").is_in(names))


def _state(
    sums: pl.DataFrame, glob: str, usd_per_month: float, elapsed: float, ends: tuple[datetime, datetime]
) -> BudgetState:
    """Return the state of one budget; `elapsed` hours are those of `lately`, and `ends` those of the hour and month."""
    until, end = ends
    unpriced = float(sums["unpriced"].sum())
    spent, lately = (_known_total(sums[name], unpriced) for name in ("spent", "lately"))
    rate = None if lately is None else lately / elapsed
    to_come = (end - until) / timedelta(hours=1)
    forecast = None if spent is None or rate is None else spent + rate * to_come
    now, then = (_share(usd, usd_per_month) for usd in (spent, forecast))
    return BudgetState(
        glob=glob,
        usd_per_month=usd_per_month,
        spent_usd=spent,
        forecast_usd=forecast,
        unpriced_gpu_hours=unpriced,
        share_now=now,
        share_forecast=then,
        state_now=_word(now),
        state_forecast=_word(then),
        used_up_at=_used_up(usd_per_month, spent, rate, ends),
    )


def _known_total(parts: pl.Series, unpriced: float) -> float | None:
    """Return a sum, None where there is something to pay for and no price of any of it."""
    return float(parts.sum()) if parts.count() or not unpriced else None


def _share(usd: float | None, budget: float) -> float | None:
    if usd is None or budget:
        return None if usd is None else usd / budget
    return float("inf") if usd > 0 else 0.0


def _word(share: float | None) -> State:
    if share is None:
        return "unknown"
    rounded = round(share, DECIMALS)
    return "over" if rounded >= 1 else "warn" if rounded >= WARN_AT else "ok"


def _used_up(
    budget: float, spent: float | None, rate: float | None, ends: tuple[datetime, datetime]
) -> datetime | None:
    until, end = ends
    if spent is None or rate is None or spent >= budget or rate * ((end - until) / timedelta(hours=1)) < budget - spent:
        return None
    return until + timedelta(hours=(budget - spent) / rate)
