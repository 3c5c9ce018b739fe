"""Who carries the cost that belongs to nobody: idle machines, a platform's overhead, a namespace that serves all."""

from collections.abc import Sequence
from typing import Literal

import polars as pl

Way = Literal["separate", "weighted", "even"]
"""separate: stays a row of its own. weighted: in proportion to each one's own cost. even: the same for everybody."""


def share_out(
    usage: pl.DataFrame,
    what: pl.Expr,
    *,
    how: Way = "separate",
    within: Sequence[str] = (),
    among: Sequence[str] = ("workload",),
) -> pl.DataFrame:
    """Hand the cost of some rows of a Usage table to the rows of work that remain, in the column `shared_cost`.

    What a row comes to is effective_cost + shared_cost: a row that hands its cost out, and what it was handed before,
    comes to 0. Every other column stays as it is, GPU-hours above all: capacity is planned by GPU-hours, never by
    shared dollars. Where there is nobody to receive, or nobody with a cost to go by, the rows keep what they have.
    The whole comes to the same as before.

    Args:
        usage: rows of Usage, or parts of such rows.
        what: the rows that are handed out, such as `pl.col("residual") == "idle"`.
        how: in which proportion.
        within: columns that giver and receiver must have in common, such as cluster.
        among: for `even`: what counts as one receiver, by its columns; the rows of one share by cost.
    """
    shared = pl.col("shared_cost").fill_null(0.0) if "shared_cost" in usage.columns else pl.lit(0.0)
    table = usage.with_columns(shared.alias("shared_cost"))
    if how == "separate":
        return table
    gives = what.fill_null(value=False)
    cost = pl.col("effective_cost").fill_null(0.0)
    own = pl.when(~gives & pl.col("residual").is_null()).then(cost.clip(lower_bound=0.0)).otherwise(0.0)
    if how == "even":
        own = _or_zero(own / _total(own, [*within, *among]))
    given = _total(pl.when(gives).then(cost + pl.col("shared_cost")).otherwise(0.0), within)
    everybody = _total(own, within)
    received = pl.col("shared_cost") + given * _or_zero(own / everybody)
    hands_out = gives & (everybody > 0)
    return table.with_columns(pl.when(hands_out).then(-cost).otherwise(received).alias("shared_cost"))


def with_shared_idle(usage: pl.DataFrame, *, how: Way, among: Sequence[str]) -> pl.DataFrame:
    """Return a table in which the idle part of machines is paid by those who hold GPUs of the same kind and cluster."""
    idle = pl.col("residual") == "idle"
    shared = share_out(usage, idle, how=how, within=("source", "cluster", "gpu_model"), among=among)
    return shared.with_columns(pl.col("effective_cost") + pl.col("shared_cost")).drop("shared_cost")


def _total(amount: pl.Expr, within: Sequence[str]) -> pl.Expr:
    return amount.sum().over(list(within)) if within else amount.sum()


def _or_zero(ratio: pl.Expr) -> pl.Expr:
    return pl.when(ratio.is_finite()).then(ratio).otherwise(0.0)
