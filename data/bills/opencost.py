"""The month as OpenCost answers for it: who asked for what on which machine, hour by hour, at list prices."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from data.bills import company
from data.bills.company import KINDS, Holding, Machine

GIB = 1 << 30
SHARES = {"gpu": 0.8, "cpu": 0.12, "ram": 0.08}


def write(folder: Path, provider_id: Callable[[Machine], str], *, cluster: str) -> None:
    """Write one answer with a step for each hour, as a server gives it to a request for the month."""
    folder.mkdir(parents=True, exist_ok=True)
    steps: dict[datetime, dict[str, Any]] = {hour: {} for hour in company.hours()}
    for one in company.holdings():
        allocation = _allocation(one, provider_id(one.machine), cluster)
        steps[one.hour][allocation["name"]] = allocation
    answer = {"code": 200, "status": "success", "data": list(steps.values())}
    (folder / "opencost.json").write_text(json.dumps(answer, separators=(",", ":")) + "\n")


def _allocation(one: Holding, provider_id: str, cluster: str) -> dict[str, Any]:
    kind, workload = KINDS[one.machine.kind], one.workload
    until = one.hour + timedelta(hours=1)
    share, idle = one.gpus / kind.gpus, workload is None
    cost = one.gpus * kind.list_price
    window = {"start": f"{one.hour:%Y-%m-%dT%H:%M:%SZ}", "end": f"{until:%Y-%m-%dT%H:%M:%SZ}"}
    asked = 0 if idle else 1
    return {
        "name": "/".join((cluster, *_path(one))),
        "properties": {"cluster": cluster, **_properties(one, provider_id, kind.gpu_model)},
        "window": window,
        **window,
        "minutes": 60.0,
        "cpuCoreRequestAverage": kind.vcpus * share * asked,
        "cpuCoreHours": kind.vcpus * share,
        "cpuCost": cost * SHARES["cpu"],
        "gpuCount": float(one.gpus * asked),
        "gpuRequestAverage": float(one.gpus * asked),
        "gpuHours": float(one.gpus * asked),
        "gpuCost": cost * SHARES["gpu"],
        "ramByteRequestAverage": kind.memory_gb * share * GIB * asked,
        "ramByteHours": kind.memory_gb * share * GIB,
        "ramCost": cost * SHARES["ram"],
        "totalCost": cost,
    }


def _path(one: Holding) -> Iterator[str]:
    yield one.machine.name
    if one.workload is None:
        yield "__idle__"
    else:
        yield from (one.workload.namespace, "deployment", one.workload.name, _pod(one))


def _properties(one: Holding, provider_id: str, gpu_model: str) -> dict[str, Any]:
    said: dict[str, Any] = {"node": one.machine.name, "providerID": provider_id}
    if one.workload is None:
        return said
    labels = {**one.workload.tags, "nvidia_com_gpu_product": gpu_model}
    return said | {"namespace": one.workload.namespace, "controllerKind": "deployment", "controller": one.workload.name,
                   "pod": _pod(one), "labels": labels}  # fmt: skip


def _pod(one: Holding) -> str:
    return f"{one.workload.name if one.workload else ''}-{one.machine.name}-0"
