"""Split cost allocation: rows of pods and tasks -> Claims on the machines that they ran on."""

import polars as pl

from providers.aws.columns import NUMBERS, TEXT, TIMES, Report
from providers.aws.line_items import netted
from providers.aws.tags import Lookup
from providers.charges import Tags
from providers.kubernetes import full_name, is_system, workload_of_pod

_GPU, _CPU, _MEMORY = "-Accelerator-Hours", "-vCPU-Hours", "-GB-Hours"


def claims_of(report: Report, tags: Tags) -> pl.LazyFrame:
    """Return one claim for each split row: requests and uses of one kind of resource, and its part of the cost."""
    rows = netted(report.split().lines(), [])
    return rows.join(_holders(report, tags).lazy(), on="resource").with_columns(
        hour=pl.col("start").dt.truncate("1h"),
        node=pl.col("parent").str.to_lowercase(),
        estimated=pl.lit(value=False),
        source=pl.lit("aws_cur"),
        **_resources(),
    )


def is_claim() -> pl.Expr:
    """Return whether a split row stands for somebody: it names a pod or task. Others only repeat what is unused."""
    return pl.col("resource").str.contains(r":(?:pod|task)/[^/]+/.*[^/]$").fill_null(value=False)


def _holders(report: Report, tags: Tags) -> pl.DataFrame:
    """Return pods and tasks by their ARN: what they are called, their tags, and which of them are `system`.

    There are far fewer of them than rows, so that names are read and tags opened once for each, and at once. A pod has
    the tags that it had last. A cluster's own helpers are system, but a pod that holds a GPU is work wherever it runs.
    All rows that are billed stand in one group without an ARN: to filter them out first would copy the tags of the
    others.
    """
    look = Lookup(report.schema, tags)
    arn = pl.when(report.is_split()).then(report.text(TEXT["resource"])).alias("resource")
    allocated = pl.coalesce(report.number(NUMBERS[name]) for name in ("split_usage", "reserved_usage"))
    holds = report.text(TEXT["usage_type"]).str.ends_with(_GPU) & (allocated > 0)
    last = [pl.col(name).max_by(report.time(TIMES["start"])) for name in look.columns()]
    ever = report.frame.group_by(arn).agg(*last, holds.any().alias("has_gpu")).filter(is_claim())
    found = ever.collect(engine="streaming")
    named = found.with_columns(look.opened()).with_columns(look.described()).with_columns(_read_arn())
    helper = is_system(pl.col("namespace")) & ~pl.col("has_gpu").fill_null(value=False)
    workload = full_name(pl.col("namespace"), pl.coalesce("controller", "name"))
    residual = pl.when(helper).then(pl.lit("system")).alias("residual")
    return named.select("resource", "cluster", "namespace", "pod", workload.alias("workload"), residual, *tags.chains)


def _read_arn() -> list[pl.Expr]:
    """Read …:pod/cluster/namespace/pod/uid, and …:task/cluster/id, whose workload is its service, else its cluster."""
    arn = pl.col("resource")
    cluster, second, third = (arn.str.split("/").list.get(place, null_on_oob=True) for place in (1, 2, 3))
    is_pod = arn.str.contains(":pod/", literal=True)
    return [
        cluster.alias("cluster"),
        pl.when(is_pod).then(second).alias("namespace"),
        pl.when(is_pod).then(third).otherwise(second).alias("pod"),
        pl.when(is_pod).then(workload_of_pod(third)).otherwise(cluster).alias("name"),
    ]


def _resources() -> dict[str, pl.Expr]:
    """Return requests and measured use; AWS measures vCPUs and memory, and accelerators where the use is not 0.

    Of an accelerator, what is requested is what is allocated: it cannot be lent.
    """
    usage, actual = pl.col("usage_type"), pl.col("actual_usage")
    gpu, cpu, memory = (usage.str.ends_with(end).fill_null(value=False) for end in (_GPU, _CPU, _MEMORY))
    return {
        "gpu_hours": pl.when(gpu).then(pl.coalesce("split_usage", "reserved_usage")).otherwise(0.0),
        "gpu_hours_used": pl.when(gpu & (actual > 0)).then(actual),
        "vcpu_hours": pl.when(cpu).then("reserved_usage"),
        "vcpu_hours_used": pl.when(cpu).then(actual),
        "gb_hours": pl.when(memory).then("reserved_usage"),
        "gb_hours_used": pl.when(memory).then(actual),
    }
