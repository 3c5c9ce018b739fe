"""A Usage table rolled up by any dimension: teams, projects, clusters, tags; what has no tag is a row of its own."""

from collections.abc import Mapping, Sequence

import polars as pl

SUMS = ("gpu_hours", "gpu_hours_used", "list_cost", "effective_cost")


def filled(usage: pl.DataFrame, chains: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Return the table with each dimension taken from the columns of its chain where no tag fills it.

    Only rows of work fall back: the idle part of a cluster does not become the namespace that it lies next to.
    """
    work = pl.col("residual").is_null()
    return usage.with_columns(
        pl.when(work).then(pl.coalesce(name, *columns)).otherwise(name).alias(name)
        for name, chain in chains.items()
        if (columns := [column for column in chain if column in usage.columns and column != name])
    )


def with_interruptible(usage: pl.DataFrame) -> pl.DataFrame:
    """Return the table with what ran on spot marked as interruptible: it has shown that it can be."""
    spot = pl.when(pl.col("residual").is_null()).then((pl.col("purchase_option") == "spot").fill_null(value=False))
    return usage.with_columns(interruptible=spot)


def rolled_up(usage: pl.DataFrame, dimensions: Sequence[str]) -> pl.DataFrame:
    """Sum a table by some of its columns, dearest first; `residual` tells the rows of no workload apart.

    Returns the dimensions, residual, gpu_hours, gpu_hours_used (null where nothing is measured), list_cost and
    effective_cost (null where none is known); a null dimension of a row of work is what nobody tagged.
    """
    sums = [pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in SUMS]
    grouped = usage.group_by(*dimensions, "residual").agg(sums)
    order = [pl.col("residual").is_not_null(), -pl.col("effective_cost").fill_null(0.0)]
    return grouped.sort(*order, *dimensions, "residual", nulls_last=True)


def untagged(usage: pl.DataFrame, dimension: str) -> tuple[float, float]:
    """Return the cost and the GPU-hours of work that nobody tagged with this dimension."""
    rows = usage.filter(pl.col("residual").is_null(), pl.col(dimension).is_null())
    return float(rows["effective_cost"].sum()), float(rows["gpu_hours"].sum())
