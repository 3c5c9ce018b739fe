"""Pods on machines with GPUs, hour by hour -> Claims: what they asked for, how busy it was, and whose they are."""

from collections.abc import Mapping, Sequence

import polars as pl

from providers.charges import Tags
from providers.gpu_sharing import mig_part, profile_of
from providers.kubernetes import full_name, is_system, workload_of_pod
from providers.prometheus_nodes import CHIPS, CORES, WHOLE
from providers.prometheus_series import Series, table

_POD = {"cluster": ("cluster",), "namespace": ("namespace",), "pod": ("pod",)}
_OWNER = {"kind": ("owner_kind",), "owner": ("owner_name",)}
_KEY = ["hour", *_POD]
_GIB = 2**30
_NONE = "<none>"  # what kube-state-metrics writes where there is no owner


def claims(series: Mapping[str, Sequence[Series]], nodes: pl.DataFrame, busy: pl.DataFrame, tags: Tags) -> pl.DataFrame:
    """Return one claim a pod and hour, and one for what the layout of MIG leaves to nobody.

    Args:
        series: what was answered.
        nodes: `prometheus_nodes.machines`.
        busy: `prometheus_activity.activity`.
        tags: the dimensions to read from labels of pods.
    """
    asked = table(series.get("requests", ()), {**_POD, "node_name": ("node",), "resource": ("resource",)})
    there = asked.join(nodes, on=["hour", "cluster", "node_name"], nulls_equal=True)
    pods = _capped(_requested(there), series)
    pods = pods.join(_used(busy), on=_KEY, how="left", nulls_equal=True)
    pods = pods.join(_owners(series), on=_KEY, how="left", nulls_equal=True)
    pods = pods.join(_tagged(series, tags), on=_KEY, how="left", nulls_equal=True)
    has_gpus = pl.col("active_hours") > 0
    name = pl.coalesce("owner", workload_of_pod(pl.col("pod")))
    whole = pods.with_columns(
        workload=full_name(pl.col("namespace"), name),
        gpu_hours_used=pl.when(has_gpus).then(pl.col("active") * pl.col("active_hours")),
        estimated=pl.col("estimated") | (pl.col("repeated").fill_null(value=False) & has_gpus),
        residual=pl.when(is_system(pl.col("namespace")) & (pl.col("gpu_hours") == 0)).then(pl.lit("system")),
    )
    both = pl.concat([whole, _rest(nodes)], how="diagonal").with_columns(source=pl.lit("prometheus"))
    return both.sort("hour", "cluster", "node", "namespace", "pod")


def _requested(there: pl.DataFrame) -> pl.DataFrame:
    """Return what each pod asked for, times the part of the hour that it ran, in physical GPUs.

    `active_hours` is what its devices would come to if they were all active: a MIG instance is measured against itself,
    a replica of a shared GPU against the whole card.
    """
    hours, resource = pl.col("value") / pl.col("minutes"), pl.col("resource")
    is_device = pl.col("part").is_not_null()
    sums = (
        _by_part(there)
        .group_by(*_KEY, "node")
        .agg(
            (hours * pl.col("part")).sum().alias("gpu_hours"),
            (hours * pl.when(resource.is_in(WHOLE)).then("unit").otherwise("part"))
            .filter(is_device)
            .sum()
            .alias("active_hours"),
            hours.filter(resource == "cpu").sum().alias("vcpu_hours"),
            (hours.filter(resource == "memory").sum() / _GIB).alias("gb_hours"),
            (pl.col("is_shared") & resource.is_in(WHOLE)).any().alias("estimated"),
            pl.col("minutes").max(),
        )
    )
    return sums.sort(*_KEY, "node")


def _by_part(there: pl.DataFrame) -> pl.DataFrame:
    """Add which part of a physical GPU one unit of a resource is; null for CPU and memory."""
    resource = pl.col("resource")
    kinds = there.select("gpu_model", "resource").unique().sort("gpu_model", "resource")
    profiles = [(model, profile_of(name)) for model, name in kinds.iter_rows()]
    parts = [mig_part(model, profile) if profile else None for model, profile in profiles]
    known = [part.compute if part else 1.0 for part in parts]  # a profile that the card does not have counts as a card
    mig = kinds.with_columns(pl.Series("mig", known, dtype=pl.Float64))
    return there.join(mig, on=["gpu_model", "resource"], nulls_equal=True, how="left").with_columns(
        part=pl.when(resource.str.starts_with("nvidia_com_mig_"))
        .then("mig")
        .when(resource == CORES)
        .then("core")
        .when(resource.is_in(CHIPS))
        .then(1.0)
        .when(resource.is_in(WHOLE))
        .then(pl.col("unit") / pl.col("replicas"))
    )


def _capped(pods: pl.DataFrame, series: Mapping[str, Sequence[Series]]) -> pl.DataFrame:
    """Count pods whose share of a GPU's cores is capped (HAMi) by that share, which is an estimate of what they use."""
    found = table(series.get("capped", ()), _POD).rename({"value": "capped"})
    rows = pods.join(found, on=_KEY, how="left", nulls_equal=True)
    is_capped = (pl.col("capped") > 0).fill_null(value=False)
    return rows.with_columns(
        gpu_hours=pl.when(is_capped).then(pl.col("capped") / pl.col("minutes")).otherwise("gpu_hours"),
        estimated=pl.col("estimated") | is_capped,
    )


def _used(busy: pl.DataFrame) -> pl.DataFrame:
    """Return how active the devices of each pod were on average; devices that are not measured are as the others."""
    held = busy.filter(pl.col("pod").is_not_null())
    return held.group_by(_KEY).agg(pl.col("active").mean(), pl.col("repeated").any())


def _owners(series: Mapping[str, Sequence[Series]]) -> pl.DataFrame:
    """Return the controller of each pod: of a ReplicaSet its Deployment, of a Job its CronJob, where there is one."""
    pods = _owned(series, "pod_owners", _POD)
    for name, kind in (("replicaset", "ReplicaSet"), ("job_name", "Job")):
        question = {"replicaset": "replicaset_owners", "job_name": "job_owners"}[name]
        above = _owned(
            series, question, {"cluster": ("cluster",), "namespace": ("namespace",), "owner": (name,)}, as_="above"
        )
        pods = pods.join(above, on=["hour", "cluster", "namespace", "owner"], how="left", nulls_equal=True)
        hop = pl.when(pl.col("kind") == kind).then(pl.coalesce("above", "owner")).otherwise("owner")
        pods = pods.with_columns(owner=hop).drop("above")
    return pods.drop("kind")


def _owned(
    series: Mapping[str, Sequence[Series]], name: str, key: Mapping[str, Sequence[str]], *, as_: str = "owner"
) -> pl.DataFrame:
    owner = {"kind": ("owner_kind",), as_: ("owner_name",)} if as_ == "owner" else {as_: ("owner_name",)}
    found = table(series.get(name, ()), {**key, **owner}).filter(pl.col(as_) != _NONE)
    return found.drop("value").unique(["hour", *key], keep="last", maintain_order=True)


def _tagged(series: Mapping[str, Sequence[Series]], tags: Tags) -> pl.DataFrame:
    keys = sorted({key for name in tags.chains for key in tags.keys(name)})
    columns = {**_POD, **{f"tag:{key}": (key,) for key in keys}}
    found = table(series.get("pod_labels", ()), columns, own=True)
    rows = found.group_by(_KEY).agg(pl.col(f"tag:{key}").drop_nulls().last() for key in keys)
    return rows.select(*_KEY, *tags.columns(lambda key: pl.col(f"tag:{key}")))


def _rest(nodes: pl.DataFrame) -> pl.DataFrame:
    """Return what the layout of MIG leaves to nobody, as the platform's."""
    return nodes.filter(pl.col("rest") > 1e-9).select(
        "hour",
        "cluster",
        "node",
        gpu_hours=pl.col("rest") * pl.col("up"),
        residual=pl.lit("system"),
        estimated=pl.lit(value=False),
    )
