"""Rows of OpenCost -> which machine each ran on, what that machine is, and in which hours."""

import polars as pl

from providers.kubernetes import full_name, node_of, workload_of_pod
from providers.machine_names import model_of, option_of, provider_of

SHARED = pl.col("is_shared").fill_null(value=False) | (pl.col("replicas") > 1)
_MACHINE = ["cluster", "node_name"]
_SPECIAL = ["__unmounted__", "__unallocated__", "__idle__", "__shared__", "__external__"]


def once(found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows without those that an earlier answer holds too; the last counts.

    Rows that name no machine, such as the idle cost of a cluster, are the same only if they cost the same.
    """
    own = pl.when(pl.col("provider_id").is_null()).then("total_cost")
    key = ["window_start", "window_end", "name", "provider_id"]
    return found.with_columns(own.alias("own")).unique([*key, "own"], keep="last", maintain_order=True).drop("own")


def on_machines(found: pl.DataFrame) -> pl.DataFrame:
    """Add what each row is, its GPU-hours, and what is known of its machine.

    `node` is set on machines with GPUs only. Everything else has in `rest` the residual that its cost is.
    """
    named = _kinds(found).join(_machines(_kinds(found)), on=_MACHINE, how="left", nulls_equal=True)
    measured = _measured(named)
    idle_gpus = pl.when("is_idle").then("gpu_cost").otherwise("gpu_cost_idle").fill_null(0.0).clip(lower_bound=0.0)
    placed = pl.col("has_gpus") & pl.col("node_name").is_not_null()
    alone = pl.coalesce("workload", "namespace")
    return measured.with_columns(
        node=pl.when(placed).then("machine"),
        workload=pl.when(placed).then("workload").otherwise(alone),
        gpu_hours_idle=(idle_gpus / pl.col("gpu_price")).fill_nan(0.0).fill_null(0.0) / pl.col("replicas"),
        gpu_model=pl.when(placed | (pl.col("gpu_hours") > 0)).then("gpu_model"),
        instance_type=pl.when(placed).then("instance_type"),
        purchase_option=pl.when(placed).then("purchase_option"),
        uncounted_cost=pl.when((idle_gpus > 0) & pl.col("gpu_price").is_null()).then(idle_gpus).otherwise(0.0),
        rest=_rest(),
    )


def hourly(placed: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each hour that an allocation ran in, and in `part` how much of it falls into that hour."""
    start, end = pl.col("start"), pl.col("end")
    hours = pl.datetime_ranges(
        start.dt.truncate("1h"), pl.max_horizontal(end, start.dt.offset_by("1us")), "1h", closed="left"
    )
    cut = placed.with_columns(hour=hours).explode("hour")
    overlap = pl.min_horizontal(end, pl.col("hour").dt.offset_by("1h")) - pl.max_horizontal(start, "hour")
    part = overlap.dt.total_microseconds() / (end - start).dt.total_microseconds()
    return cut.with_columns(part=pl.when(end > start).then(part).otherwise(1.0))


def _kinds(found: pl.DataFrame) -> pl.DataFrame:
    """Add whether a row is a pod or idle, and its workload.

    A pod without a controller has `__unallocated__` in its name and is a pod all the same.
    """
    controller = pl.col("controller").str.replace(r"-\d{8,}$", "")  # a CronJob's run is named after its minute
    pod = pl.col("pod").is_not_null() & ~pl.col("pod").is_in(_SPECIAL)
    name = pl.coalesce(
        pl.when(~controller.is_in(_SPECIAL)).then(controller), pl.when(pod).then(workload_of_pod(pl.col("pod")))
    )
    idle = pl.col("name").str.contains("__idle__", literal=True)
    spread = pl.col("gpu_request") * pl.col("minutes") / 60
    return found.with_columns(
        is_idle=idle,
        is_pod=pod & ~idle,
        workload=full_name(pl.col("namespace"), name),
        gpu_hours=pl.when(idle)
        .then(0.0)
        .when(pl.col("gpu_hours") > 0)
        .then("gpu_hours")
        .otherwise(spread)
        .fill_null(0.0),
        replicas_known=pl.col("replicas").cast(pl.Float64, strict=False),
    )


def _machines(found: pl.DataFrame) -> pl.DataFrame:
    """Return what all rows of a machine say of it together.

    The idle row of a machine may state its name as its provider id, so the id of its pods goes first.
    """
    own = pl.col("provider_id").filter(~pl.col("is_idle")).drop_nulls().last()
    price = (
        (pl.col("gpu_cost").fill_null(0.0) - pl.col("gpu_cost_idle").fill_null(0.0))
        .filter(pl.col("gpu_hours") > 0)
        .sum()
    )
    gpus = (pl.col("gpu_hours") > 0) | (pl.col("gpu_cost").abs() > 1e-6) | (pl.col("gpu_cost_idle").abs() > 1e-6)
    told = ["product", "instance", "zone_region", "capacity", "gke_spot", "gpu_name"]
    sums = (
        found.sort("start", maintain_order=True)
        .group_by(_MACHINE)
        .agg(
            pl.coalesce(own, pl.col("provider_id").drop_nulls().last(), pl.col("node_name").first()).alias("id"),
            (price / pl.col("gpu_hours").sum()).alias("gpu_price"),
            (gpus.fill_null(value=False).any() | pl.col("gpu_name").is_not_null().any()).alias("has_gpus"),
            pl.col("replicas_known").max().fill_null(1.0).clip(lower_bound=1.0).alias("machine_replicas"),
            *(pl.col(name).drop_nulls().last().alias(f"of_{name}") for name in told),
        )
    )
    named = sums.with_columns(
        machine=node_of(pl.col("id")),
        provider=provider_of(pl.col("id")),
        region=pl.col("of_zone_region"),
        instance_type=pl.col("of_instance"),
        purchase_option=option_of(pl.col("of_capacity"), pl.col("of_gke_spot")),
        gpu_price=pl.when(pl.col("gpu_price").is_finite() & (pl.col("gpu_price") > 0)).then("gpu_price"),
    )
    facts = named.select("provider", "instance_type", "of_gpu_name", "of_product").iter_rows()
    models = [model_of(provider, instance, products) for provider, instance, *products in facts]
    kept = [
        *_MACHINE,
        "machine",
        "provider",
        "region",
        "instance_type",
        "purchase_option",
        "gpu_price",
        "has_gpus",
        "machine_replicas",
    ]
    return named.select(*kept, pl.Series("gpu_model", models, dtype=pl.String))


def _measured(named: pl.DataFrame) -> pl.DataFrame:
    """Add GPU-hours of physical GPUs, and how many of them were active.

    The activity of a pod with several containers is their sum, so one above 1 counts in GPUs.
    """
    seen = (pl.col("gpu_usage") > 0).any().over("cluster")
    ratio = pl.when(seen.fill_null(value=False) & (pl.col("gpu_hours") > 0)).then("gpu_usage")
    hours = pl.col("minutes") / 60
    used = pl.when(ratio > 1).then(pl.min_horizontal(ratio * hours, "gpu_hours")).otherwise(ratio * pl.col("gpu_hours"))
    replicas = pl.col("machine_replicas").fill_null(1.0)
    return named.with_columns(
        gpu_hours=pl.col("gpu_hours") / replicas, gpu_hours_used=used / replicas, replicas=replicas
    )


def _rest() -> pl.Expr:
    """Return the residual of what is on no machine with GPUs: other, but for idle GPUs and shared overhead."""
    overhead = pl.col("name").str.contains("__shared__", literal=True)
    idle = pl.col("is_idle") & (pl.col("gpu_cost").fill_null(0.0) != 0)
    return pl.when(idle).then(pl.lit("idle")).when(overhead).then(pl.lit("system")).otherwise(pl.lit("other"))
