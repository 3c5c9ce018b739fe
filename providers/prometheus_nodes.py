"""Machines with GPUs, hour by hour: what kube-state-metrics says of nodes, and the DCGM exporter of their cards.

A node advertises units, not cards: replicas of a shared GPU, MIG slices, Neuron cores. Cards are counted by the
instance type, else by the UUIDs that are measured, else by the units divided by the replicas that a label states. The
label `gpu.count` is never used, since sharing and MIG change what it counts.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from providers.accelerators import instance_gpus
from providers.gpu_sharing import mig_part, profile_of, replicas_of
from providers.kubernetes import node_of
from providers.machine_names import MACHINE_LABELS, model_of, option_of, provider_of, region_of
from providers.prometheus_series import Series, table

WHOLE = ("nvidia_com_gpu", "nvidia_com_gpu_shared", "amd_com_gpu", "habana_ai_gaudi")
CHIPS = ("aws_amazon_com_neuron", "aws_amazon_com_neurondevice")
CORES = "aws_amazon_com_neuroncore"
_NODE = {"cluster": ("cluster",), "node_name": ("node",)}
_KEY = ["hour", *_NODE]


class Cards(NamedTuple):
    """How a machine's units and its cards hang together.

    gpus: physical GPUs. replicas: units of one GPU. unit: part of a GPU of one unit that MIG made (`single` strategy).
    core: part of a chip of one Neuron core. rest: GPUs that the layout of MIG leaves to nobody.
    """

    gpus: float
    replicas: float
    unit: float
    core: float
    rest: float
    is_shared: bool


def machines(series: Mapping[str, Sequence[Series]], busy: pl.DataFrame) -> pl.DataFrame:
    """Return a row a machine and hour.

    Columns: hour, cluster, node_name, node, provider, region, instance_type, gpu_model, purchase_option, minutes
    (observed), up (part of the observed time), and those of `Cards`.
    """
    observed = table(series.get("observed", ()), {"cluster": ("cluster",)}).rename({"value": "minutes"})
    rows = _up(series).join(observed, on=["hour", "cluster"], how="left", nulls_equal=True)
    rows = rows.with_columns(up=pl.min_horizontal(pl.col("up_minutes") / pl.col("minutes"), 1.0))
    rows = _named(rows.join(_labels(series), on=_KEY, how="left", nulls_equal=True))
    rows = rows.join(_measured(busy, rows), on=_KEY, how="left", nulls_equal=True)
    rows = rows.join(_units(series), on=_KEY, how="left", nulls_equal=True).sort(_KEY)
    return _counted(_filled(rows))


def _up(series: Mapping[str, Sequence[Series]]) -> pl.DataFrame:
    found = table(series.get("nodes", ()), {**_NODE, "provider_id": ("provider_id",)})
    return found.group_by(_KEY).agg(
        pl.col("value").sum().alias("up_minutes"), pl.col("provider_id").drop_nulls().last()
    )


def _labels(series: Mapping[str, Sequence[Series]]) -> pl.DataFrame:
    found = table(series.get("node_labels", ()), {**_NODE, **MACHINE_LABELS}, own=True)
    return found.group_by(_KEY).agg(pl.col(name).drop_nulls().last() for name in MACHINE_LABELS)


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the names that the tables use. Labels that an hour lacks are those of another hour of the machine."""
    whole = [
        pl.col(name).forward_fill().backward_fill().over(["cluster", "node_name"], order_by="hour")
        for name in MACHINE_LABELS
    ]
    identity = pl.coalesce(pl.when(pl.col("provider_id") != "").then("provider_id"), "node_name")
    return rows.with_columns(whole).with_columns(
        node=node_of(identity),
        provider=provider_of(identity),
        region=pl.coalesce("zone_region", region_of(identity)),
        instance_type="instance",
        purchase_option=option_of(pl.col("capacity"), pl.col("gke_spot")),
    )


def _measured(busy: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return how many cards of a machine are measured, and what they are called; hosts that are no node count not."""
    here = busy.rename({"host": "node_name"}).join(rows.select(_KEY), on=_KEY, how="semi", nulls_equal=True)
    return here.group_by(_KEY).agg(
        pl.col("uuid").n_unique().cast(pl.Float64).alias("cards"), pl.col("model").drop_nulls().last()
    )


def _units(series: Mapping[str, Sequence[Series]]) -> pl.DataFrame:
    """Return the units of each resource that a machine has, as a list of pairs."""
    found = table(series.get("allocatable", ()), {**_NODE, "resource": ("resource",)})
    return found.group_by(_KEY, maintain_order=True).agg(pl.struct("resource", "value").alias("units"))


def _filled(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the model of each machine's GPUs; a machine keeps its model in hours that do not say it."""
    told = rows.select("provider", "instance_type", "product", "model")
    models = [model_of(provider, kind, products) for provider, kind, *products in told.iter_rows()]
    named = rows.with_columns(pl.Series("gpu_model", models, dtype=pl.String))
    machine = ["cluster", "node_name"]
    return named.with_columns(
        pl.col("gpu_model", "cards").forward_fill().backward_fill().over(machine, order_by="hour")
    )


def _counted(rows: pl.DataFrame) -> pl.DataFrame:
    cards = [cards_of(row) for row in rows.select(_FACTS).iter_rows(named=True)]
    schema = {**dict.fromkeys(Cards._fields, pl.Float64()), "is_shared": pl.Boolean()}
    kept = ["minutes", "up", "node", "provider", "region", "instance_type", "gpu_model", "purchase_option"]
    return pl.concat([rows.select(*_KEY, *kept), pl.DataFrame(cards, schema=schema, orient="row")], how="horizontal")


_FACTS = ("provider", "instance_type", "gpu_model", "product", "replicas", "cards", "units")


def cards_of(row: Mapping[str, Any]) -> Cards:
    """Return how the units of a machine and its cards hang together, from the facts of `machines`."""
    units = {one["resource"]: one["value"] or 0.0 for one in row["units"] or ()}
    known = instance_gpus(row["provider"] or "", row["instance_type"] or "")
    cards = known[1] if known else row["cards"]
    chips = max((units[name] for name in CHIPS if name in units), default=0.0) or (cards or 0.0) * (CORES in units)
    core = chips / units[CORES] if units.get(CORES) else 1.0
    whole = sum(units.get(name, 0.0) for name in WHOLE)
    slices = _slices(row["gpu_model"], units)
    single = mig_part(row["gpu_model"], profile_of(row["product"] or "") or "")
    if single is not None:
        return _cut(cards, whole * single.compute, taken=0.0, unit=single.compute, core=core)
    replicas = _replicas(row["replicas"]) or replicas_of(whole, None if slices else cards)
    if slices:
        return _cut(cards, slices, taken=whole / replicas, replicas=replicas, core=core)
    is_shared = (replicas > 1 and (cards or 1.0) >= 1) or "nvidia_com_gpu_shared" in units  # a vGPU is not shared
    return Cards(whole / replicas + chips, replicas, 1.0, core, 0.0, is_shared)


def _cut(
    cards: float | None, slices: float, *, taken: float, unit: float = 1.0, replicas: float = 1.0, core: float
) -> Cards:
    """Return the cards of a machine with MIG: what slices and whole GPUs do not use of them is the rest."""
    gpus = max(cards or 0.0, taken + math.ceil(slices - 1e-9))
    return Cards(gpus, replicas, unit, core, max(0.0, gpus - taken - slices), replicas > 1)


def _slices(gpu_model: str | None, units: Mapping[str, float]) -> float:
    """Return how many GPUs the MIG slices of a machine make, by compute."""
    parts = _parts(gpu_model, units)
    return sum(part * units[name] for name, part in parts.items())


def _parts(gpu_model: str | None, resources: Iterable[str]) -> dict[str, float]:
    """Return the part of a GPU of each resource that is a MIG slice; one that the card does not have is whole."""
    found = {name: profile for name in resources if (profile := profile_of(name))}
    known = {name: mig_part(gpu_model, profile) for name, profile in found.items()}
    return {name: part.compute if part else 1.0 for name, part in known.items()}


def _replicas(label: str | None) -> float | None:
    """Return how many replicas a label states, where it states sharing."""
    return float(label) if label and label.isdecimal() and int(label) > 1 else None
