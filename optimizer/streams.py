"""What the settings say of workloads, and the streams of demand that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadRule:
    """What `[workloads."glob"]` says of the workloads it matches; None leaves a thing as it is.

    runs_on: GPU model -> how much of the demand one GPU-hour of that model serves.
    data_at: the provider where its data is; where nothing is said, the one that it runs at today.
    egress_usd_per_gpu_hour: $ for data that goes to another provider, per GPU-hour of demand served there.
    migration_usd: what it costs once to move all of it; a part of it costs in proportion.
    overlap_hours: hours in which what moves runs at both places.
    quality: provider -> how much of the demand one GPU-hour there serves, against 1 elsewhere.
    gang_gpus: GPUs that run together, so that an interruption of any of their nodes stops all of them.
    window_hours: hours in which its work may run, the one in which it arrives included.
    """

    pattern: str
    interruptible: bool | None = None
    movable: bool | None = None
    providers: tuple[str, ...] | None = None
    regions: tuple[str, ...] | None = None
    runs_on: Mapping[str, float] = field(default_factory=dict)
    data_at: str | None = None
    egress_usd_per_gpu_hour: float | None = None
    migration_usd: float | None = None
    overlap_hours: float | None = None
    quality: Mapping[str, float] = field(default_factory=dict)
    gang_gpus: float | None = None
    window_hours: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One workload's demand for one GPU model, and where it may be served.

    providers, regions: the places allowed, None for any.
    runs_on: GPU model -> how much of the demand one GPU-hour of it serves; 1 for its own.
    home: the provider where its data is, None where nothing is known of it.
    leaving_usd_per_gpu_hour, migration_usd, overlap_hours, quality: as in `WorkloadRule`.
    gang_gpus: as there; 0 where each node runs by itself.
    window_hours: as there; 1 for work that runs when it arrives.
    """

    workload: str
    gpu_model: str
    interruptible: bool
    providers: frozenset[str] | None
    regions: tuple[str, ...] | None
    runs_on: Mapping[str, float]
    home: str | None = None
    leaving_usd_per_gpu_hour: float = 0.0
    migration_usd: float = 0.0
    overlap_hours: float = 0.0
    quality: Mapping[str, float] = field(default_factory=dict)
    gang_gpus: float = 0.0
    window_hours: int = 1


def stream_of(row: Mapping[str, object], rules: tuple[WorkloadRule, ...]) -> Stream:
    """Return the stream of a row as `streams_of` gives them, with what the rules say of its workload."""
    name = str(row["workload"])
    interruptible = said(rules, name, "interruptible", default=bool(row["interruptible"]))
    anywhere: tuple[str, ...] | None = None
    providers = said(rules, name, "providers", default=anywhere)
    regions = said(rules, name, "regions", default=anywhere)
    home = None if row["home"] is None else str(row["home"])
    if row["bound_provider"] is not None:
        providers = (str(row["bound_provider"]),)
    if row["bound_region"] is not None:
        regions = (str(row["bound_region"]),)
    return Stream(
        workload=name,
        gpu_model=str(row["gpu_model"]),
        interruptible=bool(interruptible),
        providers=None if providers is None else frozenset(providers),
        regions=regions,
        runs_on={**_merged(rules, name, "runs_on"), str(row["gpu_model"]): 1.0},
        home=said(rules, name, "data_at", default=home),
        leaving_usd_per_gpu_hour=said(rules, name, "egress_usd_per_gpu_hour", default=0.0),
        migration_usd=said(rules, name, "migration_usd", default=0.0),
        overlap_hours=said(rules, name, "overlap_hours", default=0.0),
        quality=_merged(rules, name, "quality"),
        gang_gpus=said(rules, name, "gang_gpus", default=0.0),
        window_hours=said(rules, name, "window_hours", default=1),
    )


def said(rules: tuple[WorkloadRule, ...], name: str, key: str, *, default: T) -> T:
    """Return what the last rule that says it says of a workload."""
    values = [value for rule in _matching(rules, name) if (value := getattr(rule, key)) is not None]
    return values[-1] if values else default


def _matching(rules: tuple[WorkloadRule, ...], name: str) -> list[WorkloadRule]:
    return [rule for rule in rules if fnmatchcase(name, rule.pattern)]


def _merged(rules: tuple[WorkloadRule, ...], name: str, key: str) -> dict[str, float]:
    return {what: value for rule in _matching(rules, name) for what, value in getattr(rule, key).items()}
