"""The machines of a bill: which charges price one machine in one hour, and what that machine has."""

from typing import TypeVar

import polars as pl
import polars.selectors as cs

from providers.accelerators import instance_capacity, instance_gpus
from providers.charges import LIVE

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)
AMOUNTS = ("effective_cost", "billed_cost", "list_cost")
DAY = pl.col("hour").dt.truncate("1d").alias("day")
_PER_UNIT, _DECIMALS = 1e12, 12
_HOURS = 1 << 20  # more hours than from 1970 to 2089, so that machine and hour fit into one number


def exact_sum(amount: pl.Expr) -> pl.Expr:
    """Return a sum that does not depend on the order of its rows, which a stream does not keep.

    Amounts are added as whole numbers of 1e-12: floats would differ in the last digits from one run to the next.
    """
    whole = (amount * _PER_UNIT).round().cast(pl.Int128, strict=False).sum().cast(pl.Float64)
    return (whole / _PER_UNIT).round(_DECIMALS)  # polars divides by a constant as it multiplies by its inverse


def known_sum(name: str) -> pl.Expr:
    """Return the sum of a column, null where none of it is known."""
    return pl.when(pl.col(name).count() > 0).then(exact_sum(pl.col(name))).alias(name)


def coded(rows: Frame) -> Frame:
    """Return the rows with each text as a number of a list of texts: of millions of rows most texts are the same."""
    return rows.with_columns(cs.string().cast(pl.Categorical))


def spelled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with their texts as they were before `coded`."""
    return rows.with_columns(cs.categorical().cast(pl.String))


def slot(nodes: pl.Enum) -> pl.Expr:
    """Return one number for a machine in an hour; null for a machine that is not among the nodes."""
    node = pl.col("node").cast(nodes, strict=False).to_physical().cast(pl.Int64)
    return (node * _HOURS + pl.col("hour").dt.timestamp("us") // 3_600_000_000).alias("slot")


def places(slots: pl.DataFrame, nodes: pl.Enum) -> pl.DataFrame:
    """Return the node and the hour of each slot, `coded` as charges are."""
    names = nodes.categories
    found = slots.select(
        node=names.gather(slots["slot"] // _HOURS) if slots.height else pl.lit(None, pl.String),
        hour=(pl.col("slot") % _HOURS * 3_600_000_000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    )
    return coded(found)


def without_live(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out what a live source says about machines whose day a bill covers.

    Where two live sources see a machine in an hour, the one that knows a price counts.
    """
    live = pl.col("source").is_in(LIVE).fill_null(value=False)
    if rows.filter(live).is_empty():
        return rows
    seen = live & pl.col("list_cost").is_not_null()
    priced = rows.filter(seen).group_by("node", "hour").agg(pl.col("source").unique().alias("priced_by"))
    rows = rows.join(priced, on=["node", "hour"], how="left")
    again = pl.col("source").is_in(LIVE) & pl.col("source").is_in("priced_by").not_()
    rows = rows.filter(~again.fill_null(value=False)).drop("priced_by")
    billed = rows.filter(~live).select("node", DAY).unique()
    kept = rows.filter(live).with_columns(DAY).join(billed, on=["node", "day"], how="anti").drop("day")
    return pl.concat([rows.filter(~live), kept])


def with_shape(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the GPUs, vCPUs and GiB of each row's instance type; null where nobody knows."""
    kinds = rows.select("provider", "instance_type").drop_nulls().unique().sort("provider", "instance_type")
    shapes = [_shape(provider, name) for provider, name in kinds.iter_rows()]
    shape = {"gpus": pl.Float64(), "vcpus": pl.Float64(), "gb": pl.Float64()}
    known = pl.concat([kinds, pl.DataFrame(shapes, schema=shape, orient="row")], how="horizontal")
    return rows.join(known, on=["provider", "instance_type"], how="left")


def _shape(provider: str, instance_type: str) -> tuple[float | None, float | None, float | None]:
    counted = instance_gpus(provider, instance_type)
    vcpus, gb = instance_capacity(provider, instance_type) or (None, None)
    return (counted[1] if counted else None, vcpus, gb)


def capacities(rows: pl.DataFrame) -> pl.DataFrame:
    """Return for each slot what its machine has, in units times the hours that it was up, and what it costs.

    A machine was up for its GPU-hours divided by its GPUs, so that a machine of half an hour has half of its vCPUs.
    """
    sums = (
        with_shape(rows)
        .group_by("slot")
        .agg(
            exact_sum(pl.col("gpu_hours")).clip(lower_bound=0.0).alias("gpu_available"),
            known_sum("effective_cost"),
            pl.col("gpus", "vcpus", "gb").max(),
        )
    )
    up = pl.col("gpu_available") / pl.col("gpus")
    return sums.select(
        "slot", "effective_cost", "gpu_available", vcpu_available=pl.col("vcpus") * up, gb_available=pl.col("gb") * up
    )
