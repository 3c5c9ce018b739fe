"""Which rows of an AWS bill are GPU machines, how they were bought, and whose they are outside of clusters."""

import polars as pl

from providers.accelerators import gpus_of_types
from providers.aws.line_items import RUNNING, residual

_ACCELERATED = r"^(?:p\d|g\d|gr\d|trn\d|inf\d|dl\d|vt\d)[a-z0-9-]*\."
_HOURS = r"(?:BoxUsage|SpotUsage|DedicatedUsage|HostUsage|UnusedBox|UnusedDed|Reservation|CapacityBlock|Host)"


def typed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add the instance type of rows that price an instance's hours: instance, gpu_model, gpus, is_accelerated.

    Spot rows carry no product attributes: their type begins the description, else it ends the usage type.
    """
    described = pl.col("description").str.extract(r"^([a-z][a-z0-9-]*\.[a-z0-9-]+) ", 1)
    used = pl.col("usage_type").str.extract(rf"{_HOURS}[^:]*:([a-z0-9.-]+)", 1)
    instance = pl.coalesce("instance_type", described, used).str.strip_prefix("ml.").str.to_lowercase()
    hours = pl.col("type").is_in(list(RUNNING)) & (_is_compute() | _is_training())
    named = lines.with_columns(instance=pl.when(hours).then(instance))
    types = gpus_of_types("aws")
    models, counts = ({name: gpus[part] for name, gpus in types.items()} for part in (0, 1))
    return named.with_columns(
        gpu_model=pl.col("instance").replace_strict(models, default=None, return_dtype=pl.String),
        gpus=pl.col("instance").replace_strict(counts, default=None, return_dtype=pl.Float64),
        is_accelerated=pl.col("instance").str.contains(_ACCELERATED).fill_null(value=False),
    )


def placed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add what Charges says of a row: its machine, GPU-hours, workload or residual, and how it was bought."""
    reserved = pl.col("capacity_status").is_in(["Reserved", "Cancelling", "Unused"]).fill_null(value=False)
    reserved |= pl.col("usage_type").str.contains(r"UnusedBox|UnusedDed|Reservation:").fill_null(value=False)
    machine = pl.col("gpu_model").is_not_null() & ~reserved
    own = pl.coalesce("own_name", pl.concat_str(["account", "instance"], separator="/"))
    unsupported = pl.col("is_accelerated") & pl.col("gpu_model").is_null()
    return lines.with_columns(
        provider=pl.lit("aws"),
        region=pl.coalesce("region", "legacy_region"),
        node=pl.when(machine).then(pl.coalesce(pl.col("resource").str.to_lowercase(), own)),
        workload=pl.when(machine & pl.col("cluster").is_null()).then(pl.coalesce("workload", own)),
        instance_type=pl.when(machine | unsupported | reserved).then("instance"),
        gpu_hours=pl.when(machine).then(pl.col("amount") * pl.col("gpus")).otherwise(0.0),
        purchase_option=pl.when(machine | reserved).then(_option()),
        commitment_id=pl.coalesce("savings_plan", "reservation", "capacity"),
        residual=pl.when(machine)
        .then(None)
        .when(reserved & pl.col("gpu_model").is_not_null())
        .then(pl.lit("unused_commitment"))
        .when(unsupported)
        .then(pl.lit("unsupported"))
        .otherwise(residual()),
    )


def _option() -> pl.Expr:
    block = pl.col("capacity_type").str.contains("Capacity Block").fill_null(value=False)
    return (
        pl.when(block)
        .then(pl.lit("capacity_block"))
        .when(pl.col("savings_plan").is_not_null())
        .then(pl.lit("savings_plan"))
        .when(pl.col("reservation").is_not_null())
        .then(pl.lit("reserved"))
        .when(pl.col("usage_type").str.contains("Spot", literal=True))
        .then(pl.lit("spot"))
        .otherwise(pl.lit("on_demand"))
    )


def _is_compute() -> pl.Expr:
    """Return whether a row prices an EC2 instance's hours; spot and reservation rows name no family."""
    family = pl.col("family")
    runs = pl.col("operation").str.contains("RunInstances", literal=True).fill_null(value=False)
    fits = family.str.contains("Compute Instance", literal=True) | family.is_null()
    apart = pl.col("usage_type").str.contains("DataTransfer|EBS|-Bytes|LoadBalancer").fill_null(value=False)
    return runs & fits & ~apart


def _is_training() -> pl.Expr:
    """Return whether a row prices a SageMaker instance's hours."""
    return pl.col("instance_type").str.starts_with("ml.").fill_null(value=False)
