"""Who holds what of a machine: the claims, however many, summed in two passes that stream.

The first pass sums them by machine and hour, from which follows what a unit of each resource costs there. The second
sums what that comes to by workload. Between the two stands one table with a row a machine-hour, by which the claims
stream.
"""

from collections.abc import Sequence

import polars as pl

from optimizer.machines import AMOUNTS, exact_sum, slot
from optimizer.policies import Policy
from providers.streaming import beside

SOURCES = ("aws_cur", "gcp_detailed", "azure_cost", "focus", "prometheus", "opencost")
"""Where claims come from, the most trusted first: bills, then what measures, then what estimates."""
NAMES = ("cluster", "namespace", "workload", "residual")
_RANK = pl.col("source").cast(pl.Enum(SOURCES), strict=False).to_physical().cast(pl.UInt8).fill_null(len(SOURCES))
_PAID = pl.col("split_cost").fill_null(0.0) + pl.col("unused_cost").fill_null(0.0)


def by_machine(claims: pl.LazyFrame, nodes: pl.Enum, policy: Policy) -> pl.DataFrame:
    """Sum the claims on known machines by slot and source.

    Returns slot, rank (place in `SOURCES`), `<resource>_held`, gpu_hours, split_cost, paid (split and unused) and
    split_rows, the number of claims whose split the bill states.
    """
    rows = claims.select(
        slot(nodes), _RANK.alias("rank"), "gpu_hours", "split_cost", *_held(policy), _PAID.alias("paid")
    )
    sums = rows.filter(pl.col("slot").is_not_null()).group_by("slot", "rank")
    return sums.agg(exact_sum(pl.all()), pl.col("split_cost").count().alias("split_rows")).collect(engine="streaming")


def by_workload(
    claims: pl.LazyFrame, nodes: pl.Enum, policy: Policy, terms: pl.DataFrame, dimensions: Sequence[str]
) -> pl.DataFrame:
    """Sum what the claims come to by kind of machine-hour and by who claims; columns of names begin with `claim_`.

    Args:
        claims: rows of Claims.
        nodes: the machines.
        policy: how much of a resource a claim holds.
        terms: by slot, sorted: kind, owner (rank of the source that counts), `<resource>_rate`, split_rate, gpu_scale,
            and the amounts that the claims share.
        dimensions: the columns of tags.

    Returns:
        kind, owns (whether the source counts there), the names, the amounts, gpu_hours, gpu_hours_used (null where
        nothing is measured), estimated, claims and paid. Claims on no known machine have no kind but hour and rank;
        of these, those without GPU-hours are left out, since the machines without GPUs are not in the table either.
    """
    names = (*NAMES, *dimensions)
    wanted = claims.select(
        slot(nodes),
        "hour",
        _RANK.alias("rank"),
        *(pl.col(name).alias(f"claim_{name}") for name in names),
        *_held(policy),
        pl.col("gpu_hours").fill_null(0.0),
        "gpu_hours_used",
        pl.col("split_cost").fill_null(0.0),
        _PAID.alias("paid"),
        "estimated",
    )
    # Most pods of most bills run on machines without GPUs: they need not be held against the machines at all.
    wanted = wanted.filter(pl.col("slot").is_not_null() | (pl.col("gpu_hours") > 0))
    priced = beside(wanted, terms, ["slot"]).filter(pl.col("kind").is_not_null() | (pl.col("gpu_hours") > 0))
    lost = pl.col("kind").is_null()
    keyed = priced.with_columns(
        (pl.col("rank") == pl.col("owner")).alias("owns"),
        pl.when(lost).then(pl.col("hour")),
        pl.when(lost).then(pl.col("rank")),
        pl.col("gpu_scale").fill_null(1.0),
        _part(policy).alias("part"),
    )
    key = ("kind", "owns", "hour", "rank", *(f"claim_{name}" for name in names))
    return keyed.group_by(key).agg(_sums()).collect(engine="streaming")


def _held(policy: Policy) -> list[pl.Expr]:
    return [policy.held(name).alias(f"{name}_held") for name in policy.weights]


def _part(policy: Policy) -> pl.Expr:
    """Return the part of its machine that a claim pays for."""
    terms = [pl.col(f"{name}_held") * pl.col(f"{name}_rate") for name in policy.weights]
    return pl.sum_horizontal(*terms, pl.col("split_cost") * pl.col("split_rate"))


def _sums() -> list[pl.Expr]:
    used = pl.col("gpu_hours_used")
    return [
        *(exact_sum(pl.col("part") * pl.col(name)).alias(name) for name in AMOUNTS),
        exact_sum(pl.col("gpu_hours") * pl.col("gpu_scale")),
        pl.when(used.count() > 0).then(exact_sum(used * pl.col("gpu_scale"))).alias("gpu_hours_used"),
        pl.col("estimated").any(),
        pl.len().alias("claims"),
        exact_sum(pl.col("paid")),
    ]
