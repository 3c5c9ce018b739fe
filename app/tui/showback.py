"""The accounts of teams, added up from the usage of a session; imported only beside the screen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from math import fsum
from typing import TYPE_CHECKING, Any

import polars as pl

from app.tui.books import SHARED, books_of
from app.tui.teams import POLICIES, Accounts, Gap, Line, Waste, split_cents, summed
from optimizer.burn import budgets_of
from optimizer.showback import idle_leaders_of, showback_of, untagged_of
from optimizer.trends import ANY, ROW_HOURS, WORK, cost_of, known, measured, near, part_in, used_part
from providers.tables import PAY_AS_YOU_GO, USAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.gate_rules import Rules
    from app.tui.teams import Books, Period, Policy
    from optimizer.burn import BudgetState
    from optimizer.stated import Inputs

TAGS = ("team", "project", "environment", "cluster")
HOUR = timedelta(hours=1)
AS_USED = pl.col("purchase_option").is_in(list(PAY_AS_YOU_GO)).fill_null(value=True)  # unless it is told otherwise


def answered(
    inputs: Inputs, rules: Rules | None, books: Books | None, period: Period | None
) -> tuple[Books, int, Accounts | None]:
    """Return books, the place of a period in them, and its accounts; None where the usage has no rows.

    Args:
        inputs: what the books are of.
        rules: the tags that usage needs, and budgets.
        books: where they are known.
        period: the one asked for; None, or one that is no more, for the one to begin with.
    """
    books = books or books_of(inputs, rules)
    since = [each.since if each.month else None for each in books.periods]
    asked = None if period is None or not period.month else period.since
    place = since.index(asked) if period is not None and asked in since else books.opening
    return books, place, accounts_of(books, books.periods[place]) if books.periods else None


def accounts_of(books: Books, period: Period) -> Accounts:
    """Return the accounts of a period."""
    rows = books.inputs.usage.filter(near(period.since, period.until))
    given: dict[str, Any] = {"prices": books.prices, "since": period.since, "until": period.until}
    whole, budgets = _whole(rows, books.prices, period), _budgets(books, period)
    works = _works(rows, given, budgets)
    return Accounts(
        period=period,
        teams={policy: _teams(rows, given, policy, works, budgets, whole) for policy in POLICIES},
        works=works,
        bill_cents=None if whole["usd"] is None else round(whole["usd"] * 100),
        shared=_shared(rows, books.prices, period),
        gpu_hours=whole["gpu_hours"] or 0.0,
        measured_gpu_hours=whole["metered"] or 0.0,
        unpriced_gpu_hours=whole["unpriced"] or 0.0,
        wastes=tuple(_wastes(rows, given, period)),
        gaps=tuple(_gaps(rows, given, _tags(rows, books.rules), whole)),
    )


def _whole(rows: pl.DataFrame, prices: pl.DataFrame, period: Period) -> dict[str, float | None]:
    """Return the cost of every row, and of work its cost and its GPU-hours: all, priced, metered and active."""
    part, gpu_hours, used = part_in(period.since, period.until), pl.col("gpu_hours"), used_part()
    usd = pl.col("usd")
    costs = rows.with_columns(gpu_hours * part, used=used, usd=cost_of(rows, prices) * part).filter(part > 0)
    metered = WORK & pl.col("used").is_not_null()
    return costs.select(
        measured(usd, ANY).alias("usd"),
        measured(usd, WORK).alias("work_usd"),
        known(gpu_hours, WORK).alias("gpu_hours"),
        known(gpu_hours, WORK & usd.is_not_null()).alias("priced"),
        known(gpu_hours, metered).alias("metered"),
        known(gpu_hours * pl.col("used"), metered).alias("active"),
        known(gpu_hours, usd.is_null()).alias("unpriced"),
    ).row(0, named=True)


def _shared(rows: pl.DataFrame, prices: pl.DataFrame, period: Period) -> tuple[tuple[str, float | None], ...]:
    """Return the cost that no team caused, by what it is, the dearest first."""
    part = part_in(period.since, period.until)
    costs = rows.select("residual", SHARED.alias("shared"), part.alias("part"), usd=cost_of(rows, prices) * part)
    costs = costs.filter(pl.col("shared") & (pl.col("part") > 0))
    found = costs.group_by("residual").agg(measured(pl.col("usd"), ANY))
    return tuple(found.sort(-pl.col("usd").abs(), "residual", nulls_last=True).iter_rows())


def _line(row: Mapping[str, Any], budget: BudgetState | None = None) -> Line:
    direct, shared, total = row["direct_usd"], row["shared_usd"], row["total_cents"]
    direct_cents, shared_cents = split_cents(direct, shared, total)
    return Line(
        kind=row["kind"],
        team=row["team"],
        workload=row.get("workload"),
        direct_usd=direct,
        shared_usd=shared,
        total_usd=row["total_usd"],
        direct_cents=direct_cents,
        shared_cents=shared_cents,
        total_cents=total,
        share=row["share_of_total"],
        gpu_hours=row["gpu_hours"],
        used_share=row["used_share"],
        usd_per_gpu_hour=row["usd_per_gpu_hour"],
        usd_per_used_gpu_hour=row["usd_per_used_gpu_hour"],
        unpriced_gpu_hours=row["unpriced_gpu_hours"] or 0.0,
        budget=budget,
    )


def _teams(
    rows: pl.DataFrame,
    given: dict[str, Any],
    policy: Policy,
    works: Mapping[str | None, Sequence[Line]],
    budgets: Sequence[BudgetState],
    whole: Mapping[str, float | None],
) -> tuple[Line, ...]:
    """Return a line for each team, and the total."""
    fitting = _by_workloads(budgets, works)
    lines = [
        _line(row, None if row["kind"] == "shared" else fitting.get(_workloads(works.get(row["team"], ()))))
        for row in showback_of(rows, by=("team",), policy=policy, **given).iter_rows(named=True)
    ]
    everything = next((budget for budget in budgets if budget.glob == "*"), None)
    return (*lines, summed(lines, _rates(whole, everything)))


def _rates(whole: Mapping[str, float | None], budget: BudgetState | None) -> Line:
    """Return what is no sum of lines."""
    usd, priced, metered, active = whole["usd"], whole["priced"], whole["metered"], whole["active"]
    rate = usd / priced if usd is not None and priced else None
    return Line(
        kind="total",
        gpu_hours=whole["gpu_hours"],
        used_share=active / metered if active is not None and metered else None,
        usd_per_gpu_hour=rate,
        usd_per_used_gpu_hour=rate * metered / active if rate is not None and metered and active else None,
        unpriced_gpu_hours=whole["unpriced"] or 0.0,
        budget=budget,
    )


def _works(
    rows: pl.DataFrame, given: dict[str, Any], budgets: Sequence[BudgetState]
) -> dict[str | None, tuple[Line, ...]]:
    """Return what the workloads of each team cost by themselves, and what a team pays that is no workload's."""
    paid = showback_of(rows, by=("team", "workload"), policy="showback", **given)
    found: dict[str | None, list[Line]] = {}
    for row in paid.filter(pl.col("kind") != "shared").iter_rows(named=True):
        kind = "residual" if row["workload"] is None else row["kind"]
        found.setdefault(row["team"], []).append(_line({**row, "kind": kind}))
    fitting = _by_workloads(budgets, found)
    return {
        team: tuple(replace(line, budget=fitting.get(_workloads([line]))) for line in lines)
        for team, lines in found.items()
    }


def _budgets(books: Books, period: Period) -> list[BudgetState]:
    """Return how far the budgets of a month are spent at its end, or at that of the usage."""
    budgets = books.rules.budgets if books.rules else {}
    usage = books.inputs.usage
    if not period.month or not budgets:
        return []
    ends = pl.min_horizontal(pl.col("hour") + pl.duration(hours=ROW_HOURS), pl.lit(period.until))
    end = usage.filter(near(period.since, period.until)).select(ends.max()).item()
    return budgets_of(usage, prices=books.prices, budgets=budgets, at=end - HOUR)


def _by_workloads(
    budgets: Sequence[BudgetState], works: Mapping[str | None, Sequence[Line]]
) -> dict[frozenset[str], BudgetState]:
    """Return the budgets by the workloads that they are of; what is of everything is not among them."""
    names = _workloads(line for lines in works.values() for line in lines)
    found = {frozenset(name for name in names if fnmatchcase(name, each.glob)): each for each in reversed(budgets)}
    return {those: budget for those, budget in found.items() if those and budget.glob != "*"}


def _workloads(lines: Iterable[Line]) -> frozenset[str]:
    return frozenset(line.workload for line in lines if line.workload is not None)


def _wastes(rows: pl.DataFrame, given: dict[str, Any], period: Period) -> Iterable[Waste]:
    """Return who wastes most, with what of it is paid as it is used."""
    loose = idle_leaders_of(rows.filter(AS_USED, pl.col("commitment_id").is_null()), **given)
    saved = {(row["team"], row["workload"]): row["unused_usd"] for row in loose.iter_rows(named=True)}
    for row in idle_leaders_of(rows, **given).iter_rows(named=True):
        unused, ends = row["unused_usd"], saved.get((row["team"], row["workload"]), 0.0)
        yield Waste(
            team=row["team"],
            workload=row["workload"],
            unused_usd=None if unused is None else unused * period.per_month,
            saved_usd=None if ends is None else ends * period.per_month,
            gpu_hours=row["gpu_hours"],
            unused_gpu_hours=row["unused_gpu_hours"],
            used_share=row["used_share"],
            quiet_hours=row["quiet_hours"],
        )


def _tags(rows: pl.DataFrame, rules: Rules | None) -> list[str]:
    """Return the tags that usage needs, the usual ones, and those that the table has beside its own columns."""
    ours = {column.name for column in USAGE.columns}
    further = [name for name, dtype in rows.schema.items() if dtype == pl.String() and name not in ours]
    return list(dict.fromkeys((*(rules.tags if rules else ()), *TAGS, *further)))


def _gaps(
    rows: pl.DataFrame, given: dict[str, Any], tags: Sequence[str], whole: Mapping[str, float | None]
) -> Iterable[Gap]:
    """Return the work that lacks each tag: everywhere, and then at each provider."""
    found = untagged_of(rows, tags, **given)
    for tag in tags:
        at = found.filter(pl.col("tag") == tag).to_dicts()
        known_usd = [row["usd"] for row in at if row["usd"] is not None]
        usd = fsum(known_usd) if known_usd or not at else None
        yield _gap({"tag": tag, "usd": usd, "gpu_hours": fsum(row["gpu_hours"] for row in at)}, whole, everywhere=True)
        yield from (_gap(row, whole, everywhere=False) for row in at)


def _gap(row: Mapping[str, Any], whole: Mapping[str, float | None], *, everywhere: bool) -> Gap:
    return Gap(
        tag=row["tag"],
        everywhere=everywhere,
        provider=row.get("provider"),
        usd=row["usd"],
        gpu_hours=row["gpu_hours"],
        usd_share=row["usd"] / whole["work_usd"] if row["usd"] is not None and whole["work_usd"] else None,
        gpu_hours_share=row["gpu_hours"] / whole["gpu_hours"] if whole["gpu_hours"] else None,
        provider_share=row.get("gpu_hours_share"),
    )
