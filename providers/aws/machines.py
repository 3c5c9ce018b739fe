"""Which rows of an AWS bill are GPU machines, how they were bought, and whose they are outside of clusters.

Only rows that price an instance's hours are machines. What the table of accelerators does not know, and rows of more
than a day, whose hours nobody can place, are `unsupported`. A row with a negative cost corrects another one: it has its
cost and no hours.
"""

from importlib.resources import files

import polars as pl

from providers.aws.line_items import RUNNING, residual
from providers.streaming import beside

ACCELERATED = r"^(?:p|g|gr|trn|inf|dl|vt)\d[a-z0-9-]*\."
RESERVED = ("Reserved", "Cancelling", "Unused")
"""States of a capacity reservation in which a row prices the reservation, and no machine that runs in it."""


def instances(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add what prices an instance's hours: instance (its type), gpu_model, gpus, state and is_accelerated.

    Spot rows carry no product attributes: their type begins the description, else it ends the usage type. SageMaker
    sets `ml.` before it.
    """
    tail = pl.col("usage_type").str.split_exact(":", 1).struct.field("field_1")
    described = pl.col("description").str.extract(r"^([a-z][a-z0-9-]*\.[a-z0-9-]+) ", 1)
    given = pl.coalesce("instance_type", described, tail)
    training = pl.coalesce(tail, "instance_type").str.starts_with("ml.").fill_null(value=False)
    hours = pl.col("type").is_in(list(RUNNING)) & (_is_compute() | training)
    named = pl.when(training).then(pl.coalesce(tail, "instance_type")).otherwise(given)
    typed = lines.with_columns(instance=pl.when(hours).then(named.str.to_lowercase().str.strip_prefix("ml.")))
    return beside(typed, known(), ["instance"]).with_columns(
        region=pl.coalesce("region", "legacy_region", _region_of("zone")),
        state=_state(),
        is_accelerated=pl.col("instance").str.contains(ACCELERATED).fill_null(value=False),
        is_long=(pl.col("end") - pl.col("start") > pl.duration(days=1)).fill_null(value=False),
    )


def placed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add what Charges says of a row: its machine, GPU-hours, workload or residual, and how it was bought."""
    own = pl.coalesce("own_name", pl.concat_str(["account", "instance"], separator="/"))
    unsupported = pl.col("is_accelerated") & (pl.col("gpu_model").is_null() | pl.col("is_long"))
    reserved = pl.col("state").is_in(list(RESERVED)).fill_null(value=False)
    machine = pl.col("gpu_model").is_not_null() & ~pl.col("is_long") & ~reserved
    node = pl.col("resource").str.to_lowercase().str.replace(r"^.*:instance/", "")
    counted = machine & (pl.col("billed_cost") >= 0)
    kept = pl.col("gpu_model").is_not_null() | pl.col("is_accelerated")
    why = residual()
    paid = why.is_in(["unused_commitment", "commitment_payment"])
    return lines.with_columns(
        provider=pl.lit("aws"),
        node=pl.when(machine).then(node),
        workload=pl.when(machine & pl.col("cluster").is_null()).then(own),
        cluster=pl.when(machine).then("cluster"),
        instance_type=pl.when(kept).then("instance"),
        gpu_model=pl.when(machine).then("gpu_model"),
        gpu_hours=pl.when(counted).then(pl.col("amount").clip(lower_bound=0.0) * pl.col("gpus")).otherwise(0.0),
        purchase_option=pl.when(kept).then(_option()),
        commitment_id=pl.when(kept | paid | reserved | pl.col("is_prepaid")).then(commitment()),
        residual=pl.when("is_prepaid")
        .then(pl.lit("commitment_payment"))
        .when(reserved)
        .then(pl.lit("unused_commitment"))
        .when(unsupported)
        .then(pl.lit("unsupported"))
        .when(~machine)
        .then(why),
    )


def commitment() -> pl.Expr:
    """Return the ARN of what a row runs on: a capacity block, else what discounts it, else a reservation."""
    return pl.coalesce(pl.when(_is_block()).then("capacity"), "savings_plan", "reservation", "capacity")


def known() -> pl.LazyFrame:
    """Return GPU model and number of GPUs by instance type, as the table of accelerators has them."""
    table = pl.read_csv(files("data").joinpath("instance_types.csv").read_bytes(), infer_schema=False)
    mine = table.filter(pl.col("provider") == "aws").unique("instance_type", keep="first")
    name = pl.col("instance_type").str.to_lowercase().alias("instance")
    return mine.lazy().select(name, "gpu_model", pl.col("gpus").cast(pl.Float64))


def _option() -> pl.Expr:
    return (
        pl.when(_is_block())
        .then(pl.lit("capacity_block"))
        .when(pl.col("savings_plan").is_not_null())
        .then(pl.lit("savings_plan"))
        .when(pl.col("reservation").is_not_null())
        .then(pl.lit("reserved"))
        .when(pl.col("usage_type").str.contains("Spot", literal=True))
        .then(pl.lit("spot"))
        .otherwise(pl.lit("on_demand"))
    )


def _is_block() -> pl.Expr:
    return pl.col("capacity_type").str.contains("Capacity Block", literal=True).fill_null(value=False)


def _is_compute() -> pl.Expr:
    """Return whether a row prices an EC2 instance's hours; spot rows name no family, nor do those of reservations."""
    runs = pl.col("operation").str.contains("RunInstances", literal=True).fill_null(value=False)
    family = pl.col("family").str.contains("Compute Instance", literal=True)
    usage = pl.col("usage_type").str.contains(r"(?:Usage|Box|Ded|Reservation|DedicatedRes):[a-z]")
    return runs & pl.coalesce(family, usage).fill_null(value=False)


def _state() -> pl.Expr:
    """Return the state of a capacity reservation; reports without the column tell it by the usage type."""
    usage = pl.col("usage_type")
    unused = usage.str.contains(r"Unused(?:Box|Ded)").fill_null(value=False)
    reserved = usage.str.contains(r"(?:Reservation|DedicatedRes):").fill_null(value=False)
    told = pl.when(unused).then(pl.lit("Unused")).when(reserved).then(pl.lit("Reserved"))
    return pl.when(pl.col("instance").is_not_null()).then(pl.coalesce("capacity_status", told))


def _region_of(zone: str) -> pl.Expr:
    return pl.col(zone).str.extract(r"^([a-z]+(?:-[a-z]+)+-\d)", 1)
