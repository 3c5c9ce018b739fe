"""What a person should know about how a bill was shared."""

import polars as pl

from optimizer.policies import Policy
from providers.tables import Diagnostic

_CENT = 0.01
_RELATIVE = 1e-6  # what rounding in an export may come to


def findings(
    policy: Policy, terms: pl.DataFrame, held: pl.DataFrame, paid: pl.DataFrame, rows: pl.DataFrame
) -> tuple[Diagnostic, ...]:
    """Return what did not fit together, each with how often and how much.

    Args:
        policy: how it was shared where the bill did not say.
        terms: `pricing.terms_of`.
        held: `holdings.by_machine`.
        paid: `holdings.by_workload`.
        rows: what the usage table is made of.
    """
    found = (
        _unmatched(paid),
        _split_above_cost(terms),
        _overcommitted(terms),
        _claimed_twice(terms, held),
        _nameless(rows),
        _unmeasured(paid) if policy.basis == "used" else None,
    )
    return tuple(one for one in found if one is not None)


def _unmatched(paid: pl.DataFrame) -> Diagnostic | None:
    lost = paid.filter(pl.col("kind").is_null())
    if lost.is_empty():
        return None
    claims, hours, cost = lost["claims"].sum(), lost["gpu_hours"].sum(), lost["paid"].sum()
    return Diagnostic(
        level="warning",
        code="claims-unmatched",
        message=f"{claims:,} claims of {hours:,.1f} GPU-hours, with a split cost of {cost:,.2f}, "
        "are on machines that no bill read here holds",
        hint="read the bill of the same period and account; their GPU-hours are kept as unmatched, without a cost",
    )


def _split_above_cost(terms: pl.DataFrame) -> Diagnostic | None:
    cost = pl.max_horizontal(pl.col("effective_cost"), 0.0)
    above = terms.select(
        above=pl.when((pl.col("split_rows") > 0) & pl.col("effective_cost").is_not_null()).then(pl.col("paid") - cost),
        allowed=pl.max_horizontal(_CENT, cost * _RELATIVE),
    ).filter(pl.col("above") > pl.col("allowed"))
    if above.is_empty():
        return None
    return Diagnostic(
        level="warning",
        code="split-above-cost",
        message=f"on {above.height:,} machine-hours the split costs exceed the cost of the machine, "
        f"by {above['above'].sum():,.2f} in all",
        hint="they were scaled down to it; a delivery that was read twice would look like this",
    )


def _overcommitted(terms: pl.DataFrame) -> Diagnostic | None:
    excess = pl.col("gpu_hours") - pl.col("gpu_available")
    over = terms.select(excess=excess, allowed=_RELATIVE * pl.max_horizontal("gpu_hours", 1.0))
    over = over.filter(pl.col("excess") > pl.col("allowed"))
    if over.is_empty():
        return None
    return Diagnostic(
        level="warning",
        code="gpus-overcommitted",
        message=f"on {over.height:,} machine-hours more GPU-hours are claimed than the machine has, "
        f"by {over['excess'].sum():,.1f} in all",
        hint="they were scaled down; replicas of a shared GPU that are counted as whole GPUs would look like this",
    )


def _claimed_twice(terms: pl.DataFrame, held: pl.DataFrame) -> Diagnostic | None:
    twice = held.join(terms.select("slot"), on="slot", how="semi").filter(pl.col("slot").is_duplicated())
    hours = twice["slot"].n_unique()
    if not hours:
        return None
    return Diagnostic(
        level="note",
        code="claims-overlap",
        message=f"on {hours:,} machine-hours several sources say who claimed what; "
        "the bill was believed before live sources, and these only for how busy the GPUs were",
    )


def _nameless(rows: pl.DataFrame) -> Diagnostic | None:
    work = rows.filter(pl.col("residual").is_null())
    lost = work.filter(pl.col("workload").is_null() | pl.col("gpu_model").is_null())
    if lost.is_empty():
        return None
    return Diagnostic(
        level="warning",
        code="work-without-model",
        message=f"{lost['gpu_hours'].sum():,.1f} GPU-hours of work, costing {lost['effective_cost'].sum():,.2f}, "
        "name no workload or run on a machine whose GPU model is unknown",
        hint="they are in the row other",
    )


def _unmeasured(paid: pl.DataFrame) -> Diagnostic | None:
    lost = paid.filter(pl.col("owns") & pl.col("gpu_hours_used").is_null() & (pl.col("gpu_hours") > 0))
    if lost.is_empty():
        return None
    return Diagnostic(
        level="note",
        code="use-not-measured",
        message=f"nothing measures the use of {lost['gpu_hours'].sum():,.1f} GPU-hours: they pay by request",
        hint="read a live source of the same hours too, or share by another policy",
    )
