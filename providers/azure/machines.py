"""Which rows of an Azure bill are GPU machines, how they were bought, and whose they are outside of clusters."""

import polars as pl

from providers.accelerators import gpus_of_types
from providers.kubernetes import node_of

_ACCELERATED = r"(?i)standard_n[cdgpv]\w*|\bN[CDGPV]\d+\w*"
_REGIONS = {
    "us east": "eastus", "us east 2": "eastus2", "us west": "westus", "us west 2": "westus2", "us west 3": "westus3",
    "us central": "centralus", "us north central": "northcentralus", "us south central": "southcentralus",
    "eu west": "westeurope", "eu north": "northeurope", "uk south": "uksouth", "ap southeast": "southeastasia",
    "ja east": "japaneast", "ca central": "canadacentral",
}  # fmt: skip
_OPTIONS = {"spot": "spot", "reservation": "reserved", "savingsplan": "savings_plan"}


def sized(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add the GPU model, GPUs and hours of rows that price a VM's hours.

    The size is what AdditionalInfo says: a meter's name may stand for several sizes, and is never guessed from. A unit
    of measure may be a block such as "100 Hours".
    """
    block = pl.col("unit").str.extract(r"^\s*(\d+)", 1).cast(pl.Float64, strict=False).fill_null(1.0)
    hourly = pl.col("unit").str.contains("(?i)hour").fill_null(value=False)
    vm = (pl.col("category").str.to_lowercase() == "virtual machines").fill_null(value=False)
    runs = vm & hourly & (pl.col("charge").str.to_lowercase() == "usage").fill_null(value=False)
    size = pl.col("size").str.to_lowercase()
    types = gpus_of_types("azure")
    models, counts = ({name: gpus[part] for name, gpus in types.items()} for part in (0, 1))
    accelerated = pl.coalesce("size", "meter").str.contains(_ACCELERATED).fill_null(value=False)
    timed = lines.with_columns(hours=pl.when(runs).then(pl.col("quantity") * block), instance=pl.when(runs).then(size))
    return timed.with_columns(
        gpu_model=pl.col("instance").replace_strict(models, default=None, return_dtype=pl.String),
        gpus=pl.col("instance").replace_strict(counts, default=None, return_dtype=pl.Float64),
        is_accelerated=runs & accelerated,
    )


def placed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add what Charges says of a row: its machine, GPU-hours, workload or residual, and how it was bought."""
    machine = pl.col("gpu_model").is_not_null()
    in_set = pl.col("group").str.to_uppercase().str.starts_with("MC_").fill_null(value=False)
    in_set |= pl.col("vm_kind").str.contains("AKS").fill_null(value=False)
    in_set |= pl.col("cluster_tag").is_not_null()
    cluster = pl.when(in_set).then(pl.coalesce("cluster_tag", pl.col("group").str.to_lowercase(), pl.lit("aks")))
    own = pl.coalesce("own_name", pl.concat_str([pl.coalesce("group", "account"), pl.col("size")], separator="/"))
    pricing = pl.col("pricing").str.to_lowercase()
    return lines.with_columns(
        provider=pl.lit("azure"),
        region=_region(),
        cluster=pl.when(machine).then(cluster),
        node=pl.when(machine).then(pl.coalesce(pl.col("vm").str.to_lowercase(), node_of(pl.col("resource")))),
        workload=pl.when(machine & ~in_set).then(own),
        instance_type=pl.when(machine | pl.col("is_accelerated")).then("size"),
        gpu_hours=pl.when(machine).then(pl.col("hours") * pl.col("gpus")).otherwise(0.0),
        purchase_option=pl.when(machine).then(pricing.replace_strict(_OPTIONS, default="on_demand")),
        commitment_id=pl.coalesce("benefit", "reservation").str.to_lowercase(),
        list_cost=pl.when(pl.col("list_price") > 0).then(pl.col("list_price") * pl.col("quantity")),
        residual=pl.when(~machine).then(pl.when("is_accelerated").then(pl.lit("unsupported")).otherwise(residual())),
    )


def residual() -> pl.Expr:
    """Return why a row that is no GPU machine belongs to no workload."""
    charge = pl.col("charge").str.to_lowercase()
    kinds = {
        "unusedreservation": "unused_commitment",
        "unusedsavingsplan": "unused_commitment",
        "roundingadjustment": "rounding",
        "tax": "tax",
        "refund": "credit",
        "credit": "credit",
    }
    kind = charge.replace_strict(kinds, default="other")
    return pl.when(is_payment()).then(pl.lit("commitment_payment")).otherwise(kind)


def is_payment() -> pl.Expr:
    """Return whether a row is cash for a commitment, or cash back for one."""
    return _low("charge").is_in(["purchase", "refund"]) & _low("pricing").is_in(["reservation", "savingsplan"])


def is_committed() -> pl.Expr:
    """Return whether a row is what a commitment covers, or leaves unused."""
    used = (_low("charge") == "usage") & _low("pricing").is_in(["reservation", "savingsplan"])
    return used | _low("charge").is_in(["unusedreservation", "unusedsavingsplan"])


def _low(name: str) -> pl.Expr:
    return pl.col(name).str.to_lowercase().fill_null("")


def _region() -> pl.Expr:
    text = pl.col("region").str.to_lowercase().str.strip_chars()
    return text.replace(_REGIONS).str.replace_all(" ", "")
