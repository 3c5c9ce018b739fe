"""Split cost allocation: rows of pods and tasks -> Claims on the machines that they ran on."""

from typing import NamedTuple

import polars as pl

from providers.aws.columns import NET, NUMBERS, TEXT, TIMES, Report
from providers.aws.line_items import netted
from providers.aws.tags import Lookup
from providers.charges import Tags
from providers.columns import TIME
from providers.kubernetes import full_name, is_system, workload_of_pod

_GPU, _CPU, _MEMORY = "-Accelerator-Hours", "-vCPU-Hours", "-GB-Hours"
_ROW = "row"


class Split(NamedTuple):
    """The split rows of a report: `claims` of pods and tasks, and what names neither, which is left out.

    Rows without a pod repeat what is unused of other rows: so many `others`, of a cost of `repeated`.
    """

    claims: pl.LazyFrame
    others: int
    repeated: float


def split_of(report: Report, tags: Tags) -> Split:
    """Return one claim for each split row: requests and uses of one kind of resource, and its part of the cost."""
    look = Lookup(report.schema, tags)
    named = _by_arn(report, look)
    holders = _with_nested(report, named.filter(_is_pod()), look)
    others, repeated = named.filter(~_is_pod()).select(pl.sum("rows", "cost")).row(0)
    return Split(_claims(report, _described(holders, look, tags)), others, repeated)


def _claims(report: Report, holders: pl.DataFrame) -> pl.LazyFrame:
    rows = netted(report.split().lines(), [])
    return rows.join(holders.lazy(), on="resource", build_side="force_right").with_columns(
        hour=pl.col("start").dt.truncate("1h"),
        node=pl.col("parent").str.to_lowercase(),
        estimated=pl.lit(value=False),
        source=pl.lit("aws_cur"),
        **_resources(),
    )


def _is_pod() -> pl.Expr:
    return pl.col("resource").str.contains(r":(?:pod|task)/[^/]+/.*[^/]$").fill_null(value=False)


def _by_arn(report: Report, look: Lookup) -> pl.DataFrame:
    """Return what split rows come to by ARN, of which there are far fewer: rows, cost, and whether it has a GPU.

    Of its last row in time, the tags that are text, and the number of the row, where the others are found.
    """
    allocated = pl.coalesce(report.number(NUMBERS[name]) for name in ("split_usage", "reserved_usage"))
    holds = report.text(TEXT["usage_type"]).str.ends_with(_GPU) & (allocated > 0)
    cost = [
        pl.coalesce(report.number(NET[name]), report.number(NUMBERS[name])) for name in ("split_cost", "unused_cost")
    ]
    begun = report.time(TIMES["start"]).fill_null(pl.lit(0).cast(TIME))  # a row without a time is one all the same
    last = pl.col(_ROW, *look.columns(nested=False)).max_by(begun)
    rows = report.frame.with_row_index(_ROW).filter(report.is_split())
    sums = rows.group_by(report.text(TEXT["resource"]).alias("resource")).agg(
        last, has_gpu=holds.any(), rows=pl.len(), cost=pl.sum_horizontal(cost).sum()
    )
    return sums.collect(engine="streaming")


def _with_nested(report: Report, holders: pl.DataFrame, look: Lookup) -> pl.DataFrame:
    """Add the nested tags of each holder's last row; of what stands before the first and after the last, none is read.

    Most pods of a steady cluster stand in the last hour.
    """
    nested, wanted = look.columns(nested=True), holders[_ROW].sort()
    if not nested or wanted.is_empty():
        return holders.with_columns(pl.lit(None, report.schema[name]).alias(name) for name in nested)
    first, last = wanted[0], wanted[-1]
    part = report.frame.slice(first, last - first + 1).with_row_index(_ROW, first)
    rows = part.filter(pl.col(_ROW).is_in(wanted.implode()))
    return holders.join(rows.select(_ROW, *nested).collect(engine="streaming"), on=_ROW)


def _described(holders: pl.DataFrame, look: Lookup, tags: Tags) -> pl.DataFrame:
    """Return pods and tasks by their ARN: what they are called, their tags, and which of them are `system`.

    A cluster's own helpers are system, but a pod that holds a GPU is work wherever it runs.
    """
    named = holders.with_columns(look.opened()).with_columns(look.described()).with_columns(_read_arn())
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
