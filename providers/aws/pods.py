"""Split cost allocation: rows of pods and tasks -> Claims on the machines that they ran on."""

import polars as pl

from providers.aws.columns import WORKLOAD, Lookup
from providers.charges import Tags
from providers.kubernetes import full_name, is_system, workload_of_pod

_GPU, _CPU, _MEMORY = "-Accelerator-Hours", "-vCPU-Hours", "-GB-Hours"


def claims_of(lines: pl.LazyFrame, pods: pl.DataFrame, tags: Tags) -> pl.LazyFrame:
    """Return one claim for each split row: requests and uses of one kind of resource, and its part of the cost.

    An accelerator's allocation is what AWS takes: the greater of what was reserved and used. Rows without a pod only
    repeat what others say, and are no claims.
    """
    claims = lines.filter(pl.col("parent").is_not_null()).drop("workload", "cluster", *tags.chains)
    told = claims.join(pods.lazy(), on="resource").with_columns(
        node=pl.col("parent").str.to_lowercase(), **_resources()
    )
    return told.with_columns(
        residual=pl.when(pl.col("is_helper") & (pl.col("gpu_hours") == 0)).then(pl.lit("system")),
        estimated=pl.lit(value=False),
        source=pl.lit("aws_cur"),
    )


def pods_of(seen: pl.DataFrame, look: Lookup, tags: Tags) -> pl.DataFrame:
    """Return every pod and task among distinct sets of tags by its ARN: cluster, namespace, pod, workload, and tags.

    Whose a pod is does not change while it lives; of several tags that its rows have, the last in the alphabet counts.
    is_helper marks the cluster's own.
    """
    found = seen.filter(is_pod()).select("resource", look.first(WORKLOAD).alias("workload"), *tags.columns(look.tag))
    named = found.group_by("resource").agg(pl.all().max()).sort("resource").with_columns(_read_arn(pl.col("resource")))
    return named.with_columns(
        workload=full_name(pl.col("namespace"), pl.coalesce("workload", "name")),
        is_helper=is_system(pl.col("namespace")),
    ).drop("name")


def _read_arn(arn: pl.Expr) -> list[pl.Expr]:
    """Read …:pod/cluster/namespace/pod/uid, and …:task/cluster/id, which has no namespace."""
    parts = arn.str.split("/")
    is_pod = arn.str.contains(":pod/", literal=True)
    second, third = parts.list.get(2, null_on_oob=True), parts.list.get(3, null_on_oob=True)
    cluster = parts.list.get(1, null_on_oob=True)
    return [
        cluster.alias("cluster"),
        pl.when(is_pod).then(second).alias("namespace"),
        pl.when(is_pod).then(third).otherwise(second).alias("pod"),
        pl.when(is_pod).then(workload_of_pod(third)).otherwise(cluster).alias("name"),
    ]


def is_claim() -> pl.Expr:
    """Return whether a split row stands for somebody: it names a machine, and a pod or task."""
    return pl.col("parent").is_not_null() & is_pod()


def is_pod() -> pl.Expr:
    """Return whether a resource is a pod or a task."""
    return pl.col("resource").str.contains(r":(?:pod|task)/").fill_null(value=False)


def _resources() -> dict[str, pl.Expr]:
    usage = pl.col("usage_type")
    gpu, cpu, memory = (usage.str.ends_with(end).fill_null(value=False) for end in (_GPU, _CPU, _MEMORY))
    return {
        "gpu_hours": pl.when(gpu).then("split_usage").otherwise(0.0),
        "gpu_hours_used": pl.when(gpu & (pl.col("actual_usage") > 0)).then("actual_usage"),
        "vcpu_hours": pl.when(cpu).then("reserved_usage"),
        "vcpu_hours_used": pl.when(cpu).then("actual_usage"),
        "gb_hours": pl.when(memory).then("reserved_usage"),
        "gb_hours_used": pl.when(memory).then("actual_usage"),
    }
