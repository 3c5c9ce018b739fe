"""Usage in dollars and in time: what each row costs, and which part of it lies between two times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import polars as pl

from optimizer.machines import exact_sum
from providers.tables import InputError

ANYTHING: Mapping[str, str | None] = MappingProxyType({})
NOTHING: Mapping[str, float] = MappingProxyType({})
WEEK = timedelta(days=7)
ANY = pl.lit(value=True)
WORK = pl.col("residual").is_null()
ROW_HOURS = pl.when(pl.col("granularity") == "day").then(24).otherwise(1)  # hours that a row stands for
_DAY = timedelta(days=1)
_MICROSECONDS = 3_600_000_000
_ON_A_GPU = ("idle", "system")  # residuals that occupy a GPU; what is committed or claimed does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time whose cost is summed; covered: whether the table has a row of it, so that no row means no cost."""

    since: datetime
    until: datetime
    covered: bool

    @property
    def hours(self) -> float:
        """Return its length."""
        return (self.until - self.since) / timedelta(hours=1)

    @property
    def part(self) -> pl.Expr:
        """Return which part of each row lies in it."""
        return part_in(self.since, self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """The hours asked for, the same hours seven days before, and the UTC days up to them."""

    now: Span
    before: Span
    days: tuple[Span, ...]

    @property
    def near(self) -> pl.Expr:
        """Whether a row may reach into any of them."""
        times = [(span.since, span.until) for span in (self.now, self.before)]
        times += [(self.days[0].since, self.days[-1].until)] if self.days else []
        return pl.any_horizontal(near(*each) for each in times)


def spans_of(usage: pl.DataFrame, *, at: datetime, hours: int, days: int) -> Spans:
    """Return the `hours` up to and including `at`, the start of one, and the `days` up to its day."""
    until, today, first = at + timedelta(hours=1), at.replace(hour=0), usage["hour"].min()
    since = until - timedelta(hours=hours)
    edges = [(since, until), (since - WEEK, until - WEEK)]
    for back in range(days - 1, -1, -1):
        day, night = today - back * _DAY, min(today - (back - 1) * _DAY, until)
        opens = isinstance(first, datetime) and day < first < night
        edges.append((first if opens else day, night))  # type: ignore[arg-type]
    times = usage.select("hour", "granularity").filter(near(min(edge[0] for edge in edges), until)).unique()
    covered = times.select((part_in(*edge) > 0).any().alias(str(place)) for place, edge in enumerate(edges)).row(0)
    now, before, *rest = (
        Span(since=since, until=until, covered=bool(is_covered))
        for (since, until), is_covered in zip(edges, covered, strict=True)
    )
    return Spans(now=now, before=before, days=tuple(rest))


def prices_of(offers: pl.DataFrame) -> pl.DataFrame:
    """Return the lowest on-demand price of each provider's GPU model: provider, gpu_model, usd_per_gpu_hour."""
    sold = offers.filter(pl.col("purchase_option") == "on_demand")
    price = pl.col("usage_usd_per_gpu_hour").min().alias("usd_per_gpu_hour")
    return sold.group_by("provider", "gpu_model").agg(price).sort("provider", "gpu_model")


def cost_of(usage: pl.DataFrame, prices: pl.DataFrame) -> pl.Series:
    """Return what each row costs in $; null where that is unknown, which is not 0.

    That is the bill's effective cost, else the provider's price for its GPU-hours, else the lowest price of the GPU
    model. What is not a GPU at work, idle or kept for the system has no cost but the bill's: list prices say nothing
    of a commitment, a tax or a claim.

    Args:
        usage: rows of Usage, in any number.
        prices: provider, gpu_model, usd_per_gpu_hour, as `prices_of` gives them.
    """
    price, gpu_hours = pl.col("usd_per_gpu_hour").min(), pl.col("gpu_hours")
    here = prices.group_by("provider", "gpu_model").agg(price.alias("here"))
    anywhere = prices.group_by("gpu_model").agg(price.alias("anywhere"))
    known = (
        usage.select("provider", "gpu_model", "gpu_hours", "effective_cost", "residual")
        .join(here, on=["provider", "gpu_model"], how="left", maintain_order="left")
        .join(anywhere, on="gpu_model", how="left", maintain_order="left")
    )
    listed = pl.when(gpu_hours == 0).then(0.0).otherwise(pl.coalesce("here", "anywhere") * gpu_hours)
    occupies = WORK | pl.col("residual").is_in(_ON_A_GPU)
    return known.select(pl.coalesce("effective_cost", pl.when(occupies).then(listed)).alias("usd"))["usd"]


def hour_of(time: datetime) -> datetime:
    """Return the start of the hour that a time lies in, in UTC."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def near(since: datetime, until: datetime) -> pl.Expr:
    """Whether a row may reach into the time from `since` to `until`: fast, and never false where it does."""
    return (pl.col("hour") > since - _DAY) & (pl.col("hour") < until)


def part_in(since: datetime | pl.Expr, until: datetime | pl.Expr) -> pl.Expr:
    """Return which part of each row, between 0 and 1, lies from `since` to `until`.

    A row that stands for a day is spread evenly over the 24 hours from its own.
    """
    first, last = (pl.lit(time) if isinstance(time, datetime) else time for time in (since, until))
    end = pl.col("hour") + pl.duration(hours=ROW_HOURS)
    inside = pl.min_horizontal(end, last) - pl.max_horizontal(pl.col("hour"), first)
    return inside.dt.total_microseconds().clip(lower_bound=0) / (ROW_HOURS * _MICROSECONDS)


def known(amount: pl.Expr, rows: pl.Expr) -> pl.Expr:
    """Return the sum of an amount over some rows: 0 where there are none, null where it is known of none of them."""
    chosen = amount.filter(rows)
    return pl.when((chosen.len() == 0) | (chosen.count() > 0)).then(exact_sum(chosen))


def measured(amount: pl.Expr, rows: pl.Expr) -> pl.Expr:
    """Return the sum of an amount over some rows, null where it is known of none."""
    chosen = amount.filter(rows)
    return pl.when(chosen.count() > 0).then(exact_sum(chosen))


def used_part() -> pl.Expr:
    """Return which part of a row's GPU-hours was active, null where nobody measured it."""
    return pl.when(pl.col("gpu_hours") > 0).then(pl.col("gpu_hours_used") / pl.col("gpu_hours"))


def tag_of(usage: pl.DataFrame, name: str) -> pl.Expr:
    """Return a tag, null where it is missing, blank or no column of the table."""
    column = pl.col(name).cast(pl.String) if name in usage.columns else pl.lit(None, pl.String)
    return pl.when(column.str.strip_chars() != "").then(column)


def keys_of(usage: pl.DataFrame, names: Sequence[str], *, taken: Sequence[str] = ()) -> dict[str, pl.Expr]:
    """Return columns to group by under numbers, so that no tag, whatever it is called, meets a column of ours.

    Args:
        usage: the table.
        names: its columns of text.
        taken: names that the result gives to other columns.

    Raises:
        InputError: there is no such column of text, or the result could not be told apart from it.
    """
    refuse_unknown(usage, names)
    for name in names:
        if name in taken:
            raise InputError("usage", f"has a tag {name}, which is a column of the result too", "rename the tag")
    if len(set(names)) < len(names):
        raise InputError("usage", f"is grouped twice by one of {', '.join(names)}", "name each column once")
    return {str(place): pl.col(name) for place, name in enumerate(names)}


def refuse_unknown(usage: pl.DataFrame, names: Sequence[str]) -> None:
    """Refuse columns that the table lacks or that hold no text.

    Raises:
        InputError: names the first of them, and the columns that there are.
    """
    texts = [name for name, dtype in usage.schema.items() if dtype == pl.String()]
    for name in names:
        if name not in texts:
            raise InputError("usage", f"has no column of text {name}", f"take one of {', '.join(texts)}")


def inside(usage: pl.DataFrame, within: Mapping[str, str | None]) -> pl.DataFrame:
    """Return the rows whose columns have these values, None for an empty cell.

    Raises:
        InputError: there is no such column of text.
    """
    refuse_unknown(usage, list(within))
    return usage.filter(pl.lit(value=True), *(pl.col(name).eq_missing(pl.lit(value)) for name, value in within.items()))
