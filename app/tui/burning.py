"""What is spent an hour right now, broken down by one column after another, and how far budgets are spent."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from app.live.state import HOUR
from app.tui import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from app.live.state import Live
    from optimizer.burn import BudgetState

LEVELS = ("provider", "gpu_model", "cluster", "team", "workload")
NOT_TAGS = frozenset({"currency", "granularity"})  # columns of text that say how a row is written
FIRST = ("hour", *LEVELS, "residual", "gpu_hours", "gpu_hours_used", "usd_per_hour", "effective_cost", "list_cost")
COST = "usd_per_hour"

Step = tuple[str, str | None]
"""A column and its value, None for an empty cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What somebody looks at; path: what was gone into. by: the column to break down by, empty for the first level."""

    path: tuple[Step, ...] = ()
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """What is spent an hour on one thing, in the currency of the usage; None where nothing is known of it.

    path: what it is. usd: allocated, idle and other together. allocated: what was requested. used: of `measured`, the
    part that was active; measured: of allocated. idle: paid for and requested by nobody. other: tax, credits and the
    like. gpus, gpus_used, gpus_idle: how many. unpriced: GPU-hours that are in no amount. change: of usd against the
    same hour seven days before. daily: mean usd of each day.
    """

    path: tuple[Step, ...]
    usd: float | None
    allocated: float | None
    used: float | None
    measured: float | None
    idle: float | None
    other: float | None
    gpus: float | None
    gpus_used: float | None
    gpus_idle: float | None
    unpriced: float | None
    change: float | None
    daily: tuple[float | None, ...]

    @property
    def key(self) -> str:
        """Its name among all others, whatever is looked at."""
        return json.dumps(self.path)

    @property
    def used_share(self) -> float | None:
        """Which part of what was measured was active, by its cost."""
        return None if self.used is None or not self.measured else self.used / self.measured

    @property
    def idle_share(self) -> float | None:
        """Which part of everything that is spent is idle."""
        return None if self.idle is None or not self.usd else self.idle / self.usd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Burning:
    """What is spent now.

    view: what the rows are about, as far as the usage has such columns. everything, total: of all, and of what was gone
    into. rows: what is in that, the dearest first. budgets_since: the first hour that is known of the month, None where
    all of it is. columns: those to break down by, the usual levels first. prices: of what the bill does not price.
    """

    live: Live
    view: View
    everything: Burn
    total: Burn
    rows: tuple[Burn, ...]
    budgets: tuple[BudgetState, ...]
    budgets_since: datetime | None
    columns: tuple[str, ...]
    texts: tuple[str, ...]
    prices: pl.DataFrame

    def deeper(self, burn: Burn) -> View | None:
        """Return what is shown of a row that is gone into, None where nothing is left to break it down by."""
        gone = {name for name, _ in burn.path}
        left = [name for name in self.columns if name not in gone]
        level = LEVELS.index(self.view.by) if self.view.by in LEVELS else -1
        below = [name for name in left if name in LEVELS and LEVELS.index(name) > level]
        levels = below or [name for name in left if name in LEVELS]
        return View(path=burn.path, by=levels[0]) if levels else None

    def beside(self, view: View, step: int) -> View:
        """Return the same things broken down by the next column, or the one before."""
        gone = {name for name, _ in view.path}
        left = [name for name in self.columns if name not in gone]
        if not left:
            return view
        at = left.index(view.by) + step if view.by in left else min(step, 0)
        return replace(view, by=left[at % len(left)])

    def by(self, view: View, name: str) -> View | str:
        """Return the same things broken down by a column, or what is wrong with that."""
        gone = dict(view.path)
        if name in gone:
            return f"all of this is {name} {named(name, gone[name])}; left goes back"
        if name not in self.texts:
            close = get_close_matches(name, self.texts, n=1)
            said = (
                f"did you mean {words.name(close[0])}?" if close else f"there are {words.name(', '.join(self.texts))}"
            )
            return f"the usage has no column of text {words.name(name)!r}; {said}"
        return replace(view, by=name)


def named(column: str, value: str | None) -> str:
    """Name a value of a column."""
    return f"no {words.name(column).replace('_', ' ')}" if value is None else words.name(value) or "blank"


def burning_of(
    live: Live, *, view: View, budgets: Mapping[str, float], offers: pl.DataFrame | None, history: pl.DataFrame | None
) -> Burning:
    """Work out what is spent in the last hour that is known.

    Args:
        live: what is known now.
        view: what to look at; the path is cut where the usage no longer has its columns.
        budgets: $ a month by a glob of workloads.
        offers: prices of what the bill does not price, None before they are read.
        history: the usage of the session, for what of the month is older than what is kept of the present.
    """
    from optimizer.burn import budgets_of

    usage, prices = live.usage, _prices(offers)
    texts = texts_of(usage)
    columns = _columns(usage, texts)
    view = _within(view, texts, columns)
    total = _burns(live, prices, View(path=view.path))[0]
    month = _month(live, history) if budgets else usage
    return Burning(
        live=live,
        view=view,
        everything=_burns(live, prices, View())[0] if view.path else total,
        total=total,
        rows=_burns(live, prices, view) if view.by else (),
        budgets=tuple(budgets_of(month, prices=prices, budgets=budgets, at=live.at)),
        budgets_since=_since(month, live.at),
        columns=columns,
        texts=texts,
        prices=prices,
    )


def texts_of(usage: pl.DataFrame) -> tuple[str, ...]:
    """Return the columns of text that usage can be broken down by, tags included."""
    import polars as pl

    from optimizer.burn import COLUMNS

    return tuple(
        name for name, dtype in usage.schema.items() if dtype == pl.String() and name not in {*COLUMNS, *NOT_TAGS}
    )


def rows_behind(burning: Burning, burn: Burn) -> pl.DataFrame:
    """Return the usage of the hour that a row sums up, with what of it is spent in that hour; the dearest first."""
    from optimizer.trends import cost_of, inside, near, part_in

    live, here = burning.live, part_in(burning.live.at, burning.live.at + HOUR)
    near_here = live.usage.filter(near(live.at, live.at + HOUR))
    rows = inside(near_here, dict(burn.path)).filter(here > 0)
    if COST not in rows.columns:  # a tag of that name keeps its place
        cost = rows.select(here * cost_of(rows, burning.prices)).to_series()
        rows = rows.with_columns(cost.alias(COST)).sort(COST, descending=True, nulls_last=True, maintain_order=True)
    filled = [name for name in rows.columns if rows[name].null_count() < rows.height or rows.is_empty()]
    return rows.select(*(name for name in FIRST if name in filled), *(name for name in filled if name not in FIRST))


def _prices(offers: pl.DataFrame | None) -> pl.DataFrame:
    import polars as pl

    from optimizer.trends import prices_of

    if offers is not None:
        return prices_of(offers)
    return pl.DataFrame(schema={"provider": pl.String, "gpu_model": pl.String, "usd_per_gpu_hour": pl.Float64})


def _columns(usage: pl.DataFrame, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that tell something."""
    told = [name for name in texts if usage[name].null_count() < usage.height]
    return (*(name for name in LEVELS if name in told), *(name for name in told if name not in LEVELS))


def _within(view: View, texts: tuple[str, ...], columns: tuple[str, ...]) -> View:
    path = view.path
    lost = next((depth for depth, (name, _) in enumerate(path) if name not in texts), None)
    if lost is not None:
        path = path[:lost]
    gone = {name for name, _ in path}
    if view.by in texts and view.by not in gone and lost is None:
        return view
    return View(path=path, by=next((name for name in (*columns, *texts) if name not in gone), ""))


def _burns(live: Live, prices: pl.DataFrame, view: View) -> tuple[Burn, ...]:
    """Return a row for each value of the view's column, or one for all of its path."""
    from optimizer.burn import burn_of

    by = (view.by,) if view.by else ()
    found = burn_of(live.usage, prices=prices, by=by, within=dict(view.path), at=live.at)
    stated = bool(live.usage["residual"].eq("idle").any())
    return tuple(_burn(row, (*view.path, *((name, row[name]) for name in by)), idle=stated) for row in found.to_dicts())


def _burn(row: dict[str, Any], path: tuple[Step, ...], *, idle: bool) -> Burn:
    """Read one row; what nobody states at all, such as idle GPUs, is not known to be 0."""
    return Burn(
        path=path,
        usd=row["usd_per_hour"],
        allocated=row["allocated_usd_per_hour"],
        used=row["used_usd_per_hour"],
        measured=row["measured_usd_per_hour"],
        idle=row["idle_usd_per_hour"] if idle else None,
        other=row["other_usd_per_hour"],
        gpus=row["gpu_hours_per_hour"],
        gpus_used=row["gpus_used"],
        gpus_idle=row["gpus_idle"] if idle else None,
        unpriced=row["unpriced_gpu_hours"],
        change=row["change_share"],
        daily=tuple(row["daily_usd"] or ()),
    )


def _since(usage: pl.DataFrame, at: datetime) -> datetime | None:
    first = usage["hour"].min()
    return first if isinstance(first, datetime) and first > at.replace(day=1, hour=0) else None


def _month(live: Live, history: pl.DataFrame | None) -> pl.DataFrame:
    """Return what is known of the month: the present is kept for days only, and before it is what the bill says."""
    import polars as pl

    from app.live.merging import KEPT

    billed = any(source.kind in {"bill", "replay"} for source in live.sources)
    if history is None or not billed:
        return live.usage
    kept = live.at + HOUR - KEPT
    month = live.at.replace(day=1, hour=0) - 24 * HOUR  # a row may stand for a day that reaches into the month
    older = history.filter((pl.col("hour") >= month) & (pl.col("hour") < kept))
    return pl.concat([older, live.usage], how="diagonal_relaxed")
