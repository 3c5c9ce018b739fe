"""The usage of a session as books: its periods, what a GPU-hour costs by month, and the rows behind a figure.

Imported only beside the screen.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from app.tui import team_words
from app.tui.teams import Books, Gap, Line, Period, UnitCost, Waste
from optimizer.showback import showback_of
from optimizer.trends import ROW_HOURS, WORK, cost_of, near, part_in, prices_of, tag_of
from providers.tables import currency_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.gate_rules import Rules
    from app.tui.teams import Told
    from optimizer.stated import Inputs

MONTHS = 12  # of unit costs
HOUR = timedelta(hours=1)
FIRST = ("hour", "team", "workload", "gpu_model", "gpu_hours", "gpu_hours_used")  # of the rows behind a figure


def books_of(inputs: Inputs, rules: Rules | None) -> Books:
    """Return what does not hang on the period."""
    prices, months = prices_of(inputs.offers), _months(inputs.usage)
    periods = tuple(_periods(inputs.usage, months))
    lately = [period for period in periods if period.month][-MONTHS:][::-1]
    return Books(
        inputs=inputs,
        rules=rules,
        prices=prices,
        currency=currency_of([inputs.usage]),
        basis=_basis(inputs.usage),
        periods=periods,
        months=tuple(f"{period.since:%Y-%m}" for period in lately),
        units=_units(inputs.usage.filter(WORK), prices, lately),
    )


def same(before: Inputs, after: Inputs) -> bool:
    """Say whether inputs have the same usage and on-demand prices; edits of quotes leave both as they are."""
    if before.usage is not after.usage:
        return False
    return before.offers is after.offers or prices_of(before.offers).equals(prices_of(after.offers))


def rows_behind(books: Books, period: Period, row: Told, team: Line | None) -> tuple[str, pl.DataFrame]:
    """Return the usage rows behind a row on screen, with what each adds to its own cost, and a title for them.

    Args:
        books: the books.
        period: whose rows; those of unit costs are of all time.
        row: what is asked for.
        team: whose workloads are on screen, None where teams are.
    """
    usage = books.inputs.usage
    if isinstance(row, UnitCost):
        name, wanted, part = _of_workload(row), WORK & _theirs(row), pl.lit(1.0)
    else:
        part = part_in(period.since, period.until)
        usage = usage.filter(near(period.since, period.until))
        name, wanted = _behind(usage, row, team)
    usd, share = _unused("usd", usage), _unused("part", usage)
    costs = usage.with_columns(part.alias(share), (cost_of(usage, books.prices) * part).alias(usd))
    found = costs.filter(wanted, pl.col(share) > 0).drop(share)
    first = [*FIRST, usd]
    when = "of all time" if isinstance(row, UnitCost) else period.name
    return f"Usage of {name}, {when}", found.select(*first, *(each for each in found.columns if each not in first))


def _behind(usage: pl.DataFrame, row: Line | Waste | Gap, team: Line | None) -> tuple[str, pl.Expr]:
    """Return what the rows are of, and which they are."""
    if isinstance(row, Waste):
        return _of_workload(row), WORK & _theirs(row) & (pl.col("gpu_hours") > 0) & pl.col(
            "gpu_hours_used"
        ).is_not_null()
    if isinstance(row, Gap):
        where = "" if row.everywhere else f" at {team_words.provider(row)}"
        at = pl.lit(value=True) if row.everywhere else pl.col("provider").eq_missing(pl.lit(row.provider, pl.String))
        return f"work{where} without {row.tag}", WORK & tag_of(usage, row.tag).is_null() & at
    if row.kind == "total" and team is None:
        return "everybody", pl.lit(value=True)
    if row.kind == "shared":
        return team_words.SHARED, SHARED
    if row.opens or row.kind == "total":
        return team_words.of_team(row.team), _tag("team").eq_missing(pl.lit(row.team, pl.String)) & ~SHARED
    return _of_workload(row), _theirs(row) & ~SHARED


def _of_workload(row: Line | Waste | UnitCost) -> str:
    return f"{team_words.of_workload(row.workload)} of {team_words.of_team(row.team)}"


def _theirs(row: Line | Waste | UnitCost) -> pl.Expr:
    tags = {"team": row.team, "workload": row.workload}
    return pl.all_horizontal(_tag(name).eq_missing(pl.lit(value, pl.String)) for name, value in tags.items())


def _unused(name: str, usage: pl.DataFrame) -> str:
    """Return a name that no column of the usage has."""
    return _unused(f"{name}_", usage) if name in usage.columns else name


def _tag(name: str) -> pl.Expr:
    """Return a tag of the usage, null where it is missing or blank."""
    column = pl.col(name)
    return pl.when(column.str.strip_chars() != "").then(column)


SHARED = ~WORK & _tag("team").is_null()  # what no team caused


def _months(usage: pl.DataFrame) -> list[datetime]:
    """Return the months that rows reach into, in order."""
    last = pl.col("hour") + pl.duration(hours=ROW_HOURS - 1)
    months = usage.select(pl.concat([usage.select("hour")["hour"], usage.select(last)["hour"]]).dt.truncate("1mo"))
    found: list[datetime] = months.to_series().unique().sort().to_list()
    return found


def _periods(usage: pl.DataFrame, months: Sequence[datetime]) -> Iterable[Period]:
    """Return each month, and everything where that is more than a month."""
    if usage.is_empty():
        return
    ends = pl.col("hour") + pl.duration(hours=ROW_HOURS)
    first, last = usage.select(pl.col("hour").min().alias("first"), ends.max().alias("last")).row(0)
    for since in months:
        until = (since + timedelta(days=32)).replace(day=1)
        hours = (min(until, last) - max(since, first)) / HOUR
        yield Period(since=since, until=until, hours=hours, whole=first <= since and until <= last, month=True)
    if len(months) > 1:
        yield Period(since=first, until=last, hours=(last - first) / HOUR, whole=False, month=False)


def _basis(usage: pl.DataFrame) -> str:
    empty = usage["effective_cost"].null_count()
    if empty == usage.height:
        return "cost at on-demand prices, as the usage has none"
    return "bill and, where it has no cost, on-demand prices" if empty else "bill"


def _units(work: pl.DataFrame, prices: pl.DataFrame, months: Sequence[Period]) -> tuple[UnitCost, ...]:
    """Return the unit costs of each workload, the one that costs most first."""
    found: dict[tuple[str | None, str | None], dict[int, dict[str, Any]]] = {}
    for place, month in enumerate(months):
        time: dict[str, Any] = {"since": month.since, "until": month.until}
        paid = showback_of(work, prices=prices, by=("team", "workload"), policy="showback", **time)
        for row in paid.iter_rows(named=True):
            found.setdefault((row["team"], row["workload"]), {})[place] = row
    costs = [_unit(team, workload, rows, len(months)) for (team, workload), rows in found.items()]
    return tuple(sorted(costs, key=lambda cost: (-cost.usd, cost.key)))


def _unit(team: str | None, workload: str | None, rows: Mapping[int, dict[str, Any]], months: int) -> UnitCost:
    each = [rows.get(place, {}) for place in range(months)]
    return UnitCost(
        team=team,
        workload=workload,
        usd=sum(row.get("total_usd") or 0.0 for row in each),
        allocated=tuple(row.get("usd_per_gpu_hour") for row in each),
        used=tuple(row.get("usd_per_used_gpu_hour") for row in each),
    )
