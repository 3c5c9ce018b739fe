"""Lines of a FOCUS bill -> what they cost in which hour, and which machines they are: GPU-hours, node, workload."""

import polars as pl

from providers.focus.terms import is_unused, purchase_option, residual
from providers.kubernetes import full_name, node_of
from providers.streaming import beside

DAY = pl.duration(days=1)
_CLUSTER_NODES = r"^(?:aks|gke)-"
_NODE_KEY = ("provider", "node", "hour", "granularity")


def costed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add what each line is and costs.

    Only lines that are paid in other hours than they serve can have two different costs: purchases, what a commitment
    or a contract covers, and what was paid before (billed 0). There timing is billed less effective; anywhere else it
    is 0, so that Σ billed = Σ effective + Σ timing checks the two columns. Publishers of samples round EffectiveCost to
    whole units of money: there BilledCost, which is the same cost, counts (`is_rounded`).
    """
    billed, effective = pl.col("billed_cost"), pl.col("effective_cost")
    paid_before = (billed == 0) & (effective != 0)
    kinds = lines.with_columns(
        is_usage=(pl.col("category") == "usage").fill_null(value=False),
        is_purchase=(pl.col("category") == "purchase").fill_null(value=False),
        is_correction=pl.col("class").str.to_lowercase().eq("correction").fill_null(value=False),
        billed_cost="given_billed",
        effective_cost=pl.coalesce("given_effective", "given_billed"),
        contract_id=pl.col("contract").struct.field("id"),
        contract_is_capacity=pl.col("contract").struct.field("capacity").fill_null(value=False),
    )
    covered = pl.any_horizontal(
        "is_purchase", pl.col("commitment_id").is_not_null(), pl.col("contract_id").is_not_null(), paid_before
    )
    covered = covered.fill_null(value=False)
    error = effective - billed
    rounded = ~covered & (error != 0) & (effective == effective.round()) & (error.abs() <= 1)
    timing = pl.when(covered).then(billed - effective).fill_null(0.0)
    told = kinds.with_columns(timing_cost=timing, is_covered=covered, is_rounded=rounded.fill_null(value=False))
    return told.with_columns(effective_cost=pl.when("is_rounded").then(billed).otherwise(effective))


def timed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add the hour of each line, or the day where its charge period is longer than an hour.

    An hour that starts late, or is used in part, counts for the hour it starts in. A period of more than a day has no
    hours that anybody could know (`is_long`), and starts on the day that it starts on.
    """
    span = pl.col("end") - pl.col("start")
    hourly = span.is_between(pl.duration(hours=0), pl.duration(hours=1)).fill_null(value=False)
    return lines.with_columns(
        span_hours=span.dt.total_seconds() / 3600,
        is_long=~span.is_between(pl.duration(hours=0), DAY).fill_null(value=False),
        granularity=pl.when(hourly).then(pl.lit("hour")).otherwise(pl.lit("day")),
        hour=pl.when(hourly).then(pl.col("start").dt.truncate("1h")).otherwise(pl.col("start").dt.truncate("1d")),
    )


def measured(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add the GPUs of each line, and GPU-hours: its quantity in hours, times the GPUs of one machine.

    PricingQuantity comes first: a machine that a commitment covers in part has two lines, and both may state the whole
    hour as consumed. Corrections and negative quantities change what was paid, not what ran: they have 0.
    """
    pricing = _hours("pricing") * pl.coalesce(pl.col("pricing_unit").struct.field("block"), "block_size", 1.0)
    hours = pl.coalesce(pricing, _hours("consumed"))
    of_gpus = pl.when(pricing.is_not_null()).then(_per_gpu("pricing")).otherwise(_per_gpu("consumed"))
    sized = lines.unnest("gpu").with_columns(
        hours=hours,
        node=node_of(pl.coalesce("vm", "resource_id")),
        is_per_gpu=(pl.col("per_gpu") | of_gpus).fill_null(value=False),
        counts_machines=pl.coalesce(
            pl.col(name).struct.field("machine") for name in ("pricing_unit", "consumed_unit")
        ).fill_null(value=True),
    )
    count = pl.when("is_per_gpu").then(1.0).otherwise(pl.coalesce("gpus", 1.0))
    own = pl.coalesce("stated_gpu_hours", pl.col("hours") * count)
    return sized.with_columns(
        is_count_assumed=~pl.col("is_per_gpu") & pl.col("gpus").is_null() & pl.col("stated_gpu_hours").is_null(),
        gpu_hours=pl.when(pl.col("is_correction") | (own < 0)).then(0.0).otherwise(own),
    )


def joined(lines: pl.LazyFrame, parts: pl.LazyFrame) -> pl.LazyFrame:
    """Give lines that price cores or memory the GPU model of their machine in that hour, and 0 GPU-hours.

    Google Cloud prices the parts of a machine one by one; only the line of the GPUs counts them.

    Args:
        lines: measured lines.
        parts: the measured lines of providers that price machines in parts, read on their own: lines that fed both
            sides of the join would be held in memory as a whole.
    """
    priced = pl.col("is_usage") & pl.col("per_gpu") & pl.col("gpu_model").is_not_null() & pl.col("node").is_not_null()
    with_gpus = parts.filter(priced).group_by(_NODE_KEY).agg(machine_gpu=pl.col("gpu_model").max())
    part = pl.col("part").fill_null(value=False)
    return beside(lines, with_gpus, _NODE_KEY).with_columns(
        gpu_model=pl.when(part).then("machine_gpu").otherwise("gpu_model"),
        gpu_hours=pl.when(part).then(pl.lit(0.0)).otherwise("gpu_hours"),
        is_count_assumed=~part & pl.col("is_count_assumed"),
    )


def placed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add where each line's cost goes: node, workload or residual, and the terms of its purchase.

    A charge that the bill itself allocates is its consumer's, without a node. What is left on the origin of such
    charges is a machine that nobody was given.
    """
    named = pl.col("gpu_model").is_not_null() | pl.col("unclear").is_not_null()
    known = pl.col("gpu_hours").is_not_null() & ~pl.col("is_long")
    machine = pl.col("is_usage") & pl.col("gpu_model").is_not_null() & known
    allocated = pl.any_horizontal(
        pl.col("allocated_id").is_not_null(), pl.col("allocated_name").is_not_null(), "has_allocated_tags"
    )
    flagged = lines.with_columns(
        is_machine=machine,
        is_unplaced=named & ~machine & pl.col("counts_machines"),
        is_allocated=allocated,
        is_origin=pl.col("method").is_not_null() & ~allocated,
        instance_type=pl.when(named).then("instance_type"),
        cluster=pl.coalesce(_tag("allocated_tags", "cluster"), _tag("tags", "cluster")),
        namespace=_tag("allocated_tags", "namespace"),
    )
    return (
        flagged.with_columns(residual=residual(), purchase_option=purchase_option())
        .with_columns(workload=_workload(), gpu_hours=_gpu_hours(), list_cost=_list_cost())
        .with_columns(
            node=pl.when(_is_work() & ~pl.col("is_allocated") & ~pl.col("is_origin")).then("node"),
            commitment_id=pl.coalesce("commitment_id", _capacity_id()),
            source=pl.lit("focus"),
        )
    )


def known(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return lines with their costs, times and GPUs."""
    return measured(timed(costed(lines)))


def _hours(which: str) -> pl.Expr:
    return pl.col(f"{which}_quantity") * pl.col(f"{which}_unit").struct.field("hours")


def _per_gpu(which: str) -> pl.Expr:
    return pl.col(f"{which}_unit").struct.field("per_gpu")


def _tag(column: str, name: str) -> pl.Expr:
    return pl.col(column).struct.field(name)


def _is_work() -> pl.Expr:
    return pl.col("residual").is_null()


def _workload() -> pl.Expr:
    """Return the workload of allocated charges, also of machines without GPUs, and of machines outside clusters.

    A machine that no tag names is called by its own name, or else by the account that pays for it.
    """
    consumer = pl.coalesce(
        _tag("allocated_tags", "named"), "allocated_name", _tag("allocated_tags", "application"), "allocated_id"
    )
    own = pl.coalesce(
        _tag("tags", "named"), _tag("tags", "application"), "resource_name", "node", "account", "provider"
    )
    in_cluster = pl.col("cluster").is_not_null() | pl.col("node").str.contains(_CLUSTER_NODES).fill_null(value=False)
    spelt_out = consumer.str.contains("/", literal=True)
    return (
        pl.when("is_allocated")
        .then(pl.when(spelt_out).then(consumer).otherwise(full_name(pl.col("namespace"), consumer)))
        .when(_is_work() & ~pl.col("is_origin") & ~in_cluster)
        .then(own)
    )


def _gpu_hours() -> pl.Expr:
    """Return the GPU-hours of work, and of reserved capacity that stood unused; unknown for spend that was not used.

    An allocated charge has the GPU-hours that its elements measure; 0 where they measure only other things; otherwise
    its own quantity, which is its part of the origin's.
    """
    measured_hours = pl.coalesce(
        pl.col("split").struct.field("gpu_hours"), pl.col("split").struct.field("gpus") * pl.col("span_hours")
    )
    measures = pl.col("split").struct.field("named").fill_null(value=False)
    part = pl.col("part").fill_null(value=False) | pl.col("is_correction")
    capacity = (pl.col("commitment_category") != "spend").fill_null(value=True)
    return (
        pl.when(_is_work() & pl.col("is_allocated") & ~part & measured_hours.is_not_null())
        .then(measured_hours)
        .when(_is_work() & pl.col("is_allocated") & measures)
        .then(pl.lit(0.0))
        .when(_is_work() | ((pl.col("residual") == "unused_commitment") & capacity & pl.col("gpu_model").is_not_null()))
        .then("gpu_hours")
    )


def _list_cost() -> pl.Expr:
    """Return the list cost of what ran; a list price of 0 on something that cost money is a price that is missing."""
    listed = pl.col("given_list")
    ran = pl.col("is_usage") & ~pl.col("is_correction") & ~is_unused()
    missing = (listed < 0) | ((listed == 0) & (pl.col("effective_cost") > 0))
    return pl.when(ran & ~missing).then(listed)


def _capacity_id() -> pl.Expr:
    option = pl.col("purchase_option")
    return pl.when(option == "contract").then("contract_id").when(option == "capacity_block").then("reservation_id")
