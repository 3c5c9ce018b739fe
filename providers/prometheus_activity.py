"""How busy GPUs were: the DCGM exporter's series -> one row a device, holder and hour."""

from collections.abc import Mapping, Sequence

import polars as pl

from providers.prometheus_series import Series, table

_HOST = ("Hostname", "hostname", "node")  # renamed in May 2026
_DEVICE = {"cluster": ("cluster",), "uuid": ("UUID", "uuid"), "instance": ("GPU_I_ID",), "host": _HOST}
_HOLDER = {
    "namespace": ("exported_namespace", "pod_namespace", "namespace"),
    "pod": ("exported_pod", "pod_name", "pod"),
}
_KEY = ["hour", "cluster", "uuid", "instance"]


def activity(series: Mapping[str, Sequence[Series]]) -> pl.DataFrame:
    """Return hour, cluster, uuid, instance (of MIG), host, model, namespace, pod, active (0 to 1) and repeated.

    The activity of the engines counts before the utilisation, which also holds time in which a kernel waits. Values out
    of range are sentinels. `repeated`: the meter repeated the device's activity for several holders; they have it in
    equal parts.
    """
    engine, util = _measured(series, "engine"), _measured(series, "util")
    better = util.join(engine, on=_KEY, how="anti", nulls_equal=True)
    return _located(pl.concat([engine, better]), series).sort(*_KEY, "namespace", "pod")


def _located(rows: pl.DataFrame, series: Mapping[str, Sequence[Series]]) -> pl.DataFrame:
    """Return the rows with the node of their pod as their host: what an exporter calls its host may be its own pod."""
    pods = {"cluster": ("cluster",), "namespace": ("namespace",), "pod": ("pod",), "node_name": ("node",)}
    known = table(series.get("requests", ()), pods).select("hour", *pods)
    pod = ["hour", "cluster", "namespace", "pod"]
    placed = rows.join(known.unique(pod, keep="last", maintain_order=True), on=pod, how="left", nulls_equal=True)
    return placed.with_columns(host=pl.coalesce("node_name", "host")).drop("node_name")


def _measured(series: Mapping[str, Sequence[Series]], name: str) -> pl.DataFrame:
    rows = table(series.get(name, ()), {**_DEVICE, "model": ("modelName",), **_HOLDER})
    again = table(series.get(f"{name}_repeated", ()), _DEVICE).select(*_KEY, repeated=pl.lit(value=True)).unique()
    real = rows.filter(pl.col("value").is_between(0, 1)).rename({"value": "active"})
    return real.join(again, on=_KEY, how="left", nulls_equal=True).with_columns(
        pl.col("repeated").fill_null(value=False)
    )
