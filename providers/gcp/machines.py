"""Which rows of a Google bill price a GPU machine, whose they are, and how they were bought."""

import polars as pl

from providers.accelerators import instance_gpus
from providers.kubernetes import full_name, node_of
from providers.streaming import beside

BUCKETS = {
    "kube:system-overhead": "system",
    "kube:unallocated": "idle",
    "goog-k8s-unsupported-sku": "unsupported",
    "goog-k8s-unknown": "unsupported",
}
"""Namespaces that Google's split writes where a cost has no workload."""
_KEY = ("machine_node", "hour")


def noded(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add the machine of each row, and the GPUs of rows that price GPUs."""
    gpu = pl.col("names_gpu").fill_null(value=False) & ~pl.col("is_fee")
    seconds = pl.col("unit").str.contains("second").fill_null(value=False)
    amount = pl.when(seconds).then(pl.col("amount") / 3600).otherwise("amount")
    return lines.with_columns(
        machine_node=node_of(pl.coalesce("resource", "resource_name")),
        is_gpu=gpu,
        gpu_hours=pl.when(gpu).then(amount.fill_null(0.0)).otherwise(0.0),
    )


def machines(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return the machines that have GPUs, hour by hour: machine_node, hour, named (a GPU model) and machine."""
    rows = lines.filter("is_gpu").rename({"sku_gpu": "named"})
    known = rows.group_by(_KEY).agg(pl.col("named").drop_nulls().first(), pl.col("machine").drop_nulls().first())
    return known.sort(_KEY)


def modelled(found: pl.DataFrame) -> pl.DataFrame:
    """Return `machines` with their GPU model, by instance type where that is known, and instance_type."""
    types = {name: instance_gpus("gcp", name) for name in found["machine"].unique().drop_nulls()}
    models = {name: gpus[0] for name, gpus in types.items() if gpus}
    by_type = pl.col("machine").replace_strict(models, default=None, return_dtype=pl.String)
    return found.select(
        *_KEY, gpu_model=pl.coalesce(by_type, "named"), instance_type="machine", has_gpu=pl.lit(value=True)
    )


def placed(lines: pl.LazyFrame, with_gpus: pl.DataFrame) -> pl.LazyFrame:
    """Add what Charges says of a row: its machine, workload or residual, and how it was bought.

    The rows of cores and memory belong to the machine whose GPUs are priced in the same hour. Rows that Google has
    split among the workloads of a cluster are theirs, without a machine; what its split does not cover may still be
    shared by what a cluster says about itself.
    """
    joined = beside(lines, with_gpus, _KEY)
    priced = pl.col("has_gpu").fill_null(value=False) & ~pl.col("is_fee") & _runs()
    named = priced & pl.col("gpu_model").is_not_null()
    bucket = pl.col("namespace").replace_strict(BUCKETS, default=None, return_dtype=pl.String)
    split = pl.col("namespace").is_not_null() & bucket.is_null()
    shared = ~split & (bucket.is_null() | (bucket == "unsupported"))
    own = pl.coalesce(
        "own_name", pl.concat_str([pl.col("account"), pl.coalesce("instance_type", "gpu_model")], separator="/")
    )
    workload = (
        pl.when(split)
        .then(full_name(pl.col("namespace"), pl.coalesce("workload", pl.lit("unknown"))))
        .when(pl.col("cluster").is_null())
        .then(own)
    )
    return joined.with_columns(
        provider=pl.lit("gcp"),
        node=pl.when(named & shared).then("machine_node"),
        workload=pl.when(named & bucket.is_null()).then(workload),
        namespace=pl.when(split).then("namespace"),
        purchase_option=pl.when(named).then(_option()),
        commitment_id="subscription",
        residual=pl.when(named).then(bucket).when(priced).then(pl.lit("unsupported")).otherwise(_residual()),
    )


def _runs() -> pl.Expr:
    """Return whether a row is usage, and neither tax nor a correction of one."""
    return pl.col("cost_type").is_in(["regular"]).fill_null(value=True)


def _option() -> pl.Expr:
    committed = pl.col("model").str.contains("(?i)cud|commit").fill_null(value=False)
    return (
        pl.when("sells_spot")
        .then(pl.lit("spot"))
        .when("sells_block")
        .then(pl.lit("capacity_block"))
        .when(committed)
        .then(pl.lit("cud"))
        .otherwise(pl.lit("on_demand"))
    )


def _residual() -> pl.Expr:
    kinds = {"tax": "tax", "rounding_error": "rounding", "adjustment": "credit"}
    kind = pl.col("cost_type").replace_strict(kinds, default=None, return_dtype=pl.String)
    return pl.when(pl.col("is_fee")).then(pl.lit("unused_commitment")).otherwise(pl.coalesce(kind, pl.lit("other")))
