"""What a unit of each resource costs on each machine in each hour, and which rows of the bill that cost is made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import polars.selectors as cs

from optimizer.machines import AMOUNTS, exact_sum, known_sum
from optimizer.policies import Policy, rates

_NOTHING = 1e-12  # the part of a machine below which nothing is left of it
_WHOSE = (
    "hour", "granularity", "provider", "region", "account", "cluster", "namespace", "instance_type", "gpu_model",
    "purchase_option", "commitment_id", "currency", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """Machine-hours that are shared.

    terms: by slot, sorted: what a claim needs to know (`holdings.by_workload`). rows: by kind, the rows of the bill
    that a claim on such a machine-hour becomes, and the factors of its amounts. idle: what no claim holds.

    Machine-hours whose charge differs in nothing but amounts are of one kind. Where several charges price one
    machine-hour (two purchase options, say) it is a kind of its own, with one row for each of them.
    """

    terms: pl.DataFrame
    rows: pl.DataFrame
    idle: pl.DataFrame


def terms_of(machines: pl.DataFrame, held: pl.DataFrame, policy: Policy, *, own_split: bool) -> pl.DataFrame:
    """Return what a unit costs by slot, as a part of the machine's cost, and what stays with nobody.

    Where two sources claim parts of one machine, the one whose split the bill states counts, then the first in
    `holdings.SOURCES`. A split above the machine's cost, and GPU-hours above the machine's, are scaled down to it.

    Args:
        machines: `machines.capacities` of the machines with claims.
        held: `holdings.by_machine`.
        policy: how to share where the bill does not.
        own_split: whether the bill's split goes first.
    """
    order = ["slot", pl.col("split_rows") == 0, "rank"]
    owners = held.sort(order).unique("slot", keep="first", maintain_order=True)
    sums = machines.join(owners, on="slot").with_columns(rates(policy))
    given = (pl.col("split_rows") > 0) & (pl.col("split_cost") > 0) & (pl.col("effective_cost") > 0)
    given = given.fill_null(value=False) & own_split
    sums = sums.with_columns(
        *(pl.when(given).then(0.0).otherwise(f"{name}_rate").alias(f"{name}_rate") for name in policy.weights),
        pl.when(given).then(1 / pl.max_horizontal("effective_cost", "paid")).otherwise(0.0).alias("split_rate"),
        _scale(pl.col("gpu_available"), pl.col("gpu_hours")).alias("gpu_scale"),
    )
    taken = [pl.col(f"{name}_held") * pl.col(f"{name}_rate") for name in policy.weights]
    return sums.with_columns(
        _left(pl.sum_horizontal(*taken, pl.col("split_cost") * pl.col("split_rate"))).alias("cost_left"),
        _left(_or_zero(pl.col("gpu_hours") * pl.col("gpu_scale") / pl.col("gpu_available"))).alias("gpu_left"),
    ).sort("slot")


def _scale(available: pl.Expr, claimed: pl.Expr) -> pl.Expr:
    """Return what makes no more of the claims than there is; nothing where there is nothing."""
    fits = (claimed <= available) & (available > 0)
    return pl.when(fits).then(1.0).otherwise(_or_zero(available / claimed))


def _left(taken: pl.Expr) -> pl.Expr:
    """Return what is left of one; nothing of next to nothing, and nothing of nothing."""
    left = 1 - taken
    return pl.when(left > _NOTHING).then(left).otherwise(0.0)


def priced(shared: pl.DataFrame, terms: pl.DataFrame, dimensions: Sequence[str]) -> Priced:
    """Return the shared charges by kind, and what of them is idle."""
    whose = [*_WHOSE, *dimensions]
    alone = pl.col("slot").is_unique()
    kinds = _kinds(shared.filter(alone), whose)
    single = kinds.select("kind", "slot", *AMOUNTS, "gpu_hours").explode("slot", *AMOUNTS, "gpu_hours")
    several = _merged(shared.filter(~alone), whose).join(terms.select("slot", "gpu_available"), on="slot")
    several = several.with_columns(kind=(kinds.height + pl.col("slot").rank("dense") - 1).cast(pl.UInt32))
    amounts = pl.concat([single.select("slot", "kind", *_or_zeros()), several.select("slot", "kind", *_ones())])
    unit = ["slot", pl.col("rank").alias("owner"), cs.ends_with("_rate"), "gpu_scale"]
    kinds = kinds.select("kind", *whose)
    left = terms.select("slot", "cost_left", "gpu_left")
    return Priced(
        terms=terms.select(unit).join(amounts.unique("slot"), on="slot").sort("slot"),
        rows=pl.concat(
            [
                kinds.join(_known(single), on="kind").select("kind", *whose, *AMOUNTS, gpu_part=pl.lit(1.0)),
                several.select(
                    "kind", *whose, *AMOUNTS, gpu_part=_or_zero(pl.col("gpu_hours") / pl.col("gpu_available"))
                ),
            ]
        ),
        idle=pl.concat(
            [
                kinds.join(_idle(single.join(left, on="slot"), ["kind"]), on="kind").drop("kind"),
                _idle(several.join(left, on="slot"), whose),
            ]
        ),
    )


def _kinds(single: pl.DataFrame, whose: Sequence[str]) -> pl.DataFrame:
    """Return the machine-hours that one charge prices, by kind: who they belong to, and lists of slots and amounts."""
    known = [pl.col(name).is_not_null().alias(f"{name}_known") for name in AMOUNTS]
    kinds = single.group_by(*whose, *known).agg("slot", *AMOUNTS, "gpu_hours")
    return kinds.sort(*whose, *(f"{name}_known" for name in AMOUNTS)).with_row_index("kind")


def _merged(shared: pl.DataFrame, whose: Sequence[str]) -> pl.DataFrame:
    """Sum the charges of one machine-hour that differ in nothing but amounts.

    The rows that price its cores and its memory belong to the GPU model of the row that prices its GPUs.
    """
    filled = shared.with_columns(
        pl.col(name).fill_null(pl.col(name).max().over("slot")) for name in ("gpu_model", "instance_type")
    )
    return filled.group_by("slot", *whose).agg(exact_sum(pl.col("gpu_hours")), *(known_sum(name) for name in AMOUNTS))


def _known(single: pl.DataFrame) -> pl.DataFrame:
    """Return by kind a factor of one for each amount that is known, and of null for the others."""
    ones = [pl.when(pl.col(name).count() > 0).then(1.0).alias(name) for name in AMOUNTS]
    return single.group_by("kind").agg(ones)


def _idle(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Sum what is left of machine-hours."""
    left = rows.filter((pl.col("cost_left") > 0) | (pl.col("gpu_left") > 0)).with_columns(
        *(pl.col(name) * pl.col("cost_left") for name in AMOUNTS),
        gpu_hours=pl.col("gpu_hours") * pl.col("gpu_left"),
    )
    sums = [*(known_sum(name) for name in AMOUNTS), exact_sum(pl.col("gpu_hours"))]
    return left.group_by(by).agg(sums).with_columns(residual=pl.lit("idle"))


def _or_zeros() -> list[pl.Expr]:
    return [pl.col(name).fill_null(0.0) for name in AMOUNTS]


def _ones() -> list[pl.Expr]:
    return [pl.lit(1.0).alias(name) for name in AMOUNTS]


def _or_zero(ratio: pl.Expr) -> pl.Expr:
    return pl.when(ratio.is_finite()).then(ratio).otherwise(0.0)
