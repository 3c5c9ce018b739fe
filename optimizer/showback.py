"""Showback and chargeback: what each team pays, who wastes most, and what nobody tagged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import polars as pl

from optimizer.trends import (
    ANY,
    NOTHING,
    ROW_HOURS,
    WORK,
    cost_of,
    keys_of,
    known,
    measured,
    near,
    part_in,
    tag_of,
    used_part,
)
from providers.tables import InputError

Policy = Literal["showback", "proportional", "even", "fixed"]
"""What becomes of cost that no team caused. showback: it stays a row of its own. proportional: to each one's own cost.
even: the same for everybody. fixed: by shares that were agreed on."""
QUIET_BELOW = 0.05  # activity below which an hour is as good as idle
SHOWN = (
    "kind", "direct_usd", "shared_usd", "total_usd", "total_cents", "share_of_total", "gpu_hours", "used_share",
    "usd_per_gpu_hour", "usd_per_used_gpu_hour", "unpriced_gpu_hours",
)  # fmt: skip
LEADERS = (
    "allocated_usd", "used_usd", "unused_usd", "gpu_hours", "unused_gpu_hours", "used_share", "quiet_hours",
    "unpriced_gpu_hours",
)  # fmt: skip
_WHOLE = 1e-9  # what a sum of shares may miss 1 by


def showback_of(
    usage: pl.DataFrame,
    *,
    prices: pl.DataFrame,
    by: Sequence[str] = ("team",),
    policy: Policy,
    since: datetime,
    until: datetime,
    fixed: Mapping[str, float] = NOTHING,
) -> pl.DataFrame:
    """Return what each team pays: the dearest first, then by name, cost that is left to nobody last.

    Rows add up to the cost of the table in that time, whatever the policy, in $ and, rounded by largest remainder, in
    cents. Cost that names a team is its own, work and residuals alike: who owns a commitment pays what it wastes.

    Columns beside those of `by`, null where nothing is known:
        kind: owner; untagged, where a tag is missing, which pays like any other; shared, what stays with nobody.
        direct_usd, shared_usd, total_usd, total_cents: its own cost, its part of the shared cost, and both.
        share_of_total: of total_usd, between 0 and 1.
        gpu_hours: allocated to work. used_share: of those measured, the part that was active.
        usd_per_gpu_hour: total_usd per priced GPU-hour allocated. usd_per_used_gpu_hour: that per active one.
        unpriced_gpu_hours: GPU-hours, idle ones included, whose cost is unknown and in no figure.

    Args:
        usage: a checked Usage table; rows that stand for a day are spread over its 24 hours.
        prices: provider, gpu_model, usd_per_gpu_hour, for what the bill does not price (`trends.cost_of`).
        by: columns of text, tags included.
        policy: what becomes of cost that no team caused.
        since: start of the time.
        until: its end, excluded.
        fixed: for that policy: the share of each team, "" for what has no team; what they leave over stays shared.

    Raises:
        InputError: there is no such column of text, or the shares cannot be shares.
    """
    if not by:
        raise InputError("by", "names no column", "group by a column such as team")
    if policy == "fixed":
        _refuse_shares(fixed, by)
    names = [tag_of(usage, name).alias(key) for key, name in zip(keys_of(usage, by, taken=SHOWN), by, strict=True)]
    keys = [str(place) for place in range(len(by))]
    costs = _costs(usage, prices, since, until, names)
    grouped = costs.with_columns(_kind(keys)).group_by(*keys, "kind").agg(_sums())
    owners, pot = grouped.filter(pl.col("kind") != "shared"), grouped.filter(pl.col("kind") == "shared")
    if policy == "fixed":
        owners = _with_everybody(owners, fixed)
    paid = _paid(owners.sort(*keys, nulls_last=True), pot, policy, fixed)
    order = [pl.col("kind") == "shared", -pl.col("total_usd")]
    table = _rated(paid.sort(*order, *keys, nulls_last=True))
    return table.select(*(pl.col(key).alias(name) for key, name in zip(keys, by, strict=True)), *SHOWN)


def cents_of(usd: Sequence[float | None]) -> list[int | None]:
    """Return amounts in whole cents that add up to their rounded sum: the largest remainders are rounded up.

    >>> cents_of([0.333, 0.333, 0.333]), cents_of([1.005, None, -0.5])
    ([34, 33, 33], [100, None, -50])
    """
    exact = {place: amount * 100 for place, amount in enumerate(usd) if amount is not None}
    cents: list[int | None] = [math.floor(exact[place]) if place in exact else None for place in range(len(usd))]
    left = round(math.fsum(exact.values())) - sum(math.floor(amount) for amount in exact.values())
    for place in sorted(exact, key=lambda place: (math.floor(exact[place]) - exact[place], place))[:left]:
        cents[place] = math.floor(exact[place]) + 1
    return cents


def idle_leaders_of(
    usage: pl.DataFrame,
    *,
    prices: pl.DataFrame,
    since: datetime,
    until: datetime,
    by: Sequence[str] = ("team", "workload"),
) -> pl.DataFrame:
    """Return who wastes most of what was allocated to them, the most $ first; only what is measured is judged.

    Columns beside those of `by`: allocated_usd, used_usd and unused_usd, which is the difference; gpu_hours and
    unused_gpu_hours; used_share of them; quiet_hours: hours in which less than 5 % of its GPUs were active;
    unpriced_gpu_hours: those that are in no figure in $.

    Args:
        usage: a checked Usage table.
        prices: as for `showback_of`.
        since: start of the time.
        until: its end, excluded.
        by: columns of text, tags included.

    Raises:
        InputError: there is no such column of text.
    """
    keys = keys_of(usage, by, taken=LEADERS)
    names = [column.alias(key) for key, column in keys.items()]
    costs = _costs(usage, prices, since, until, names).filter(pl.col("work") & pl.col("used").is_not_null())
    active = pl.col("gpu_hours") * pl.col("used")
    hourly = costs.group_by(*keys, "hour", "row_hours").agg(
        measured(pl.col("usd"), ANY).alias("allocated_usd"),
        measured(pl.col("usd") * pl.col("used"), ANY).alias("used_usd"),
        known(pl.col("gpu_hours"), ANY).alias("gpu_hours"),
        known(active, ANY).alias("active"),
        known(pl.col("gpu_hours"), pl.col("usd").is_null()).alias("unpriced_gpu_hours"),
        pl.col("inside_hours").max(),
    )
    quiet = pl.col("active") < QUIET_BELOW * pl.col("gpu_hours")
    sums = [measured(pl.col(name), ANY).alias(name) for name in ("allocated_usd", "used_usd", "gpu_hours", "active")]
    quiet_hours = pl.col("inside_hours").filter(quiet).sum().alias("quiet_hours")
    sums += [quiet_hours, pl.col("unpriced_gpu_hours").sum()]
    found = (hourly.group_by(list(keys)).agg(sums) if keys else hourly.select(sums)).with_columns(
        unused_usd=pl.col("allocated_usd") - pl.col("used_usd"),
        unused_gpu_hours=pl.col("gpu_hours") - pl.col("active"),
        used_share=pl.col("active") / pl.col("gpu_hours"),
    )
    found = found.sort(-pl.col("unused_usd"), -pl.col("unused_gpu_hours"), *keys, nulls_last=True)
    return found.select(*(pl.col(key).alias(name) for key, name in zip(keys, by, strict=True)), *LEADERS)


def untagged_of(
    usage: pl.DataFrame, tags: Sequence[str], *, prices: pl.DataFrame, since: datetime, until: datetime
) -> pl.DataFrame:
    """Return the work that lacks each tag, by provider: tags in their order, the dearest provider first.

    Columns: tag, provider, usd (null where nothing of it has a price), gpu_hours, usd_share and gpu_hours_share of the
    provider's work, unpriced_gpu_hours. A column that the table does not have is a tag that all work lacks. Idle GPUs
    and other residuals are nobody's work and do not count.
    """
    lacking = {str(place): tag_of(usage, tag).is_null().alias(str(place)) for place, tag in enumerate(tags)}
    costs = _costs(usage, prices, since, until, lacking.values()).filter("work")
    found = [_lacking(costs, key).with_columns(tag=pl.lit(tag)) for key, tag in zip(lacking, tags, strict=True)]
    columns = ("tag", "provider", "usd", "gpu_hours", "usd_share", "gpu_hours_share", "unpriced_gpu_hours")
    return pl.concat(found).select(columns) if found else pl.DataFrame(schema=dict.fromkeys(columns, pl.Float64()))


def _costs(
    usage: pl.DataFrame, prices: pl.DataFrame, since: datetime, until: datetime, names: Iterable[pl.Expr]
) -> pl.DataFrame:
    """Return the named columns and the amounts of each row that fall in the time."""
    rows, part = usage.filter(near(since, until)), part_in(since, until)
    costs = rows.select(
        "hour",
        "provider",
        *names,
        WORK.alias("work"),
        pl.col("gpu_hours") * part,
        used_part().alias("used"),
        ROW_HOURS.alias("row_hours"),
        (ROW_HOURS * part).alias("inside_hours"),
        cost_of(rows, prices) * part,
    )
    return costs.filter(pl.col("inside_hours") > 0)


def _kind(keys: Sequence[str]) -> pl.Expr:
    tags = [pl.col(key).is_not_null() for key in keys]
    nobodys = ~pl.col("work") & ~pl.any_horizontal(tags)
    owned = pl.when(pl.all_horizontal(tags)).then(pl.lit("owner")).otherwise(pl.lit("untagged"))
    return pl.when(nobodys).then(pl.lit("shared")).otherwise(owned).alias("kind")


def _sums() -> list[pl.Expr]:
    usd, gpu_hours, used, work = (pl.col(name) for name in ("usd", "gpu_hours", "used", "work"))
    return [
        known(usd, ANY).alias("direct_usd"),
        known(gpu_hours, work).alias("gpu_hours"),
        known(gpu_hours, work & usd.is_not_null()).alias("priced"),
        known(gpu_hours, work & used.is_not_null()).alias("metered"),
        known(gpu_hours * used, work & used.is_not_null()).alias("active"),
        known(gpu_hours, usd.is_null()).alias("unpriced_gpu_hours"),
    ]


def _refuse_shares(fixed: Mapping[str, float], by: Sequence[str]) -> None:
    if len(by) > 1:
        raise InputError("fixed", f"shares are of one column, not of {', '.join(by)}", "group by that column alone")
    for name, share in fixed.items():
        if not 0 <= share <= 1:
            raise InputError("fixed", f"gives {name or 'what is untagged'} the share {share:g}", "from 0 to 1")
    if math.fsum(fixed.values()) > 1 + _WHOLE:
        raise InputError("fixed", f"shares come to {math.fsum(fixed.values()):g}", "1 is the whole")


def _with_everybody(owners: pl.DataFrame, fixed: Mapping[str, float]) -> pl.DataFrame:
    """Return the rows with those who have a share and no usage."""
    absent = [name or None for name in fixed if (name or None) not in owners["0"].to_list()]
    kinds = ["owner" if name else "untagged" for name in absent]
    more = pl.DataFrame({"0": absent, "kind": kinds}, schema={"0": pl.String(), "kind": pl.String()})
    return pl.concat([owners, more], how="diagonal").with_columns(
        pl.when(pl.col("0").is_in(absent, nulls_equal=True)).then(number.fill_null(0.0)).otherwise(number)
        for number in (pl.col(name) for name, dtype in owners.schema.items() if dtype.is_numeric())
    )


def _paid(owners: pl.DataFrame, pot: pl.DataFrame, policy: Policy, fixed: Mapping[str, float]) -> pl.DataFrame:
    """Return the rows with their part of the shared cost, and a row of what stays shared, if anything does."""
    shares = _shares(owners, policy, fixed)
    shared, left = pot["direct_usd"].sum() if pot["direct_usd"].count() else 0.0, 1.0 - math.fsum(shares)
    left = 0.0 if abs(left) < _WHOLE else left
    stays = (pl.col("direct_usd") * left != 0) | (pl.col("unpriced_gpu_hours") > 0)
    rest = pot.filter(stays | pl.col("direct_usd").is_null()).with_columns(
        direct_usd=pl.lit(0.0), shared_usd=pl.col("direct_usd") * left
    )
    paid = pl.concat([owners.with_columns(shared_usd=shares * shared), rest.select(*owners.columns, "shared_usd")])
    direct, handed = pl.col("direct_usd"), pl.col("shared_usd")
    something = (direct.is_not_null() & handed.is_not_null()) | (direct.fill_null(0.0) + handed.fill_null(0.0) != 0)
    return paid.with_columns(total_usd=pl.when(something).then(direct.fill_null(0.0) + handed.fill_null(0.0)))


def _shares(owners: pl.DataFrame, policy: Policy, fixed: Mapping[str, float]) -> pl.Series:
    """Return which part of the shared cost each row pays; nobody pays where nobody has a cost to go by."""
    nothing = pl.Series([0.0] * owners.height, dtype=pl.Float64())
    if policy == "fixed":
        return pl.Series([fixed.get(name or "", 0.0) for name in owners["0"]], dtype=pl.Float64())
    weights = owners["direct_usd"].fill_null(0.0).clip(0.0) if policy == "proportional" else nothing + 1.0
    whole = math.fsum(weights)
    return nothing if policy == "showback" or not whole else weights / whole


def _rated(paid: pl.DataFrame) -> pl.DataFrame:
    whole = math.fsum(paid["total_usd"].drop_nulls())
    total, active = pl.col("total_usd"), pl.when(pl.col("active") > 0).then("active")
    used = pl.when(pl.col("metered") > 0).then(pl.col("active") / pl.col("metered"))
    rate = pl.when(pl.col("priced") > 0).then(total / pl.col("priced"))
    return paid.with_columns(
        pl.Series("total_cents", cents_of(paid["total_usd"].to_list()), dtype=pl.Int64()),
        share_of_total=pl.when(pl.lit(whole > 0)).then(total / whole),
        used_share=used,
        usd_per_gpu_hour=rate,
        usd_per_used_gpu_hour=rate * pl.col("metered") / active,
    )


def _lacking(costs: pl.DataFrame, key: str) -> pl.DataFrame:
    usd, gpu_hours, lacks = pl.col("usd"), pl.col("gpu_hours"), pl.col(key)
    whole_usd, whole_hours = known(usd, ANY), known(gpu_hours, ANY)
    found = costs.group_by("provider").agg(
        lacks.any().alias("lacks"),
        known(usd, lacks).alias("usd"),
        known(gpu_hours, lacks).alias("gpu_hours"),
        pl.when(whole_usd > 0).then(known(usd, lacks) / whole_usd).alias("usd_share"),
        pl.when(whole_hours > 0).then(known(gpu_hours, lacks) / whole_hours).alias("gpu_hours_share"),
        known(gpu_hours, lacks & usd.is_null()).alias("unpriced_gpu_hours"),
    )
    return found.filter("lacks").sort(-usd, -gpu_hours, "provider", nulls_last=True)
