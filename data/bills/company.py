"""The month itself: which machines ran, who held their GPUs, and what that cost, before any export writes it down.

Every name and price is fictional. Pods ask for whole GPUs, and for vCPUs and memory in the same proportion, so that
every rule of allocation that counts resources comes to the same cost. What a machine costs hour by hour is its GPUs
times the price of how they were bought; a commitment covers a fixed part of some machines and is paid also when those
are off.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

START = datetime(2026, 10, 1, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)
HOURS, SEED = (END - START).days * 24, 20261001
CLUSTER = "prod"
COMMITTED_GPUS, COMMITMENT = 12, "h100-2026"


class Kind(NamedTuple):
    """A machine that every cloud sells: what it has, and its prices in $ per GPU-hour."""

    gpu_model: str
    gpus: int
    vcpus: int
    memory_gb: int
    list_price: float
    spot_price: float
    committed_price: float
    aws: str
    gcp: str
    azure: str


class Machine(NamedTuple):
    """One machine: `covered` is the part of it that the commitment pays for; off from `off` to `on` of every day."""

    name: str
    kind: str
    option: str = "on_demand"
    covered: float = 0.0
    off: int = 0
    on: int = 0


class Workload(NamedTuple):
    """Who holds GPUs of a machine: `gpus` by night, `day` more by day (UTC 8 to 20), never more than fit."""

    machine: str
    namespace: str
    name: str
    gpus: int
    day: int = 0
    tags: Mapping[str, str] = MappingProxyType({})


class Holding(NamedTuple):
    """One workload's GPUs on one machine in one hour; None holds what is idle."""

    hour: datetime
    machine: Machine
    workload: Workload | None
    gpus: int


class Part(NamedTuple):
    """How a part of a machine-hour was bought: its share, and what a GPU-hour costs."""

    option: str
    share: float
    price: float


KINDS = {
    "h100": Kind("H100-SXM-80GB", 8, 192, 2048, 7.0, 2.8, 4.2,
                 "p5.48xlarge", "a3-highgpu-8g", "Standard_ND96isr_H100_v5"),
    "a100": Kind("A100-80GB", 8, 96, 1152, 4.0, 1.6, 2.4,
                 "p4de.24xlarge", "a2-ultragpu-8g", "Standard_ND96amsr_A100_v4"),
    "t4": Kind("T4-16GB", 4, 48, 192, 0.9, 0.3, 0.6, "g4dn.12xlarge", "n1-standard-48", "Standard_NC64as_T4_v3"),
}  # fmt: skip
MACHINES = (
    Machine("h100-0", "h100", covered=1.0, off=2, on=4),
    Machine("h100-1", "h100", covered=0.5),
    Machine("h100-2", "h100"),
    Machine("h100-3", "h100", off=0, on=6),
    Machine("a100-0", "a100"),
    Machine("a100-1", "a100"),
    Machine("a100-2", "a100", off=20, on=24),
    Machine("t4-0", "t4", "spot"),
    Machine("t4-1", "t4", "spot", off=22, on=24),
    Machine("t4-2", "t4"),
)
_SEARCH = {"team": "search", "project": "answers", "environment": "production"}
_LANGUAGE = {"team": "language", "project": "base-model", "environment": "research"}
_VISION = {"team": "vision", "project": "scenes", "environment": "research"}
WORKLOADS = (
    Workload("h100-0", "language", "train-base", 8, tags=_LANGUAGE),
    Workload("h100-1", "language", "train-base", 4, tags=_LANGUAGE),
    Workload("h100-1", "search", "answer", 1, 2, _SEARCH),
    Workload("h100-2", "search", "answer", 2, 3, _SEARCH),
    Workload("h100-2", "search", "embed", 1, 1, _SEARCH),
    Workload("h100-3", "language", "tune", 4, 3, _LANGUAGE),
    Workload("a100-0", "vision", "train-scene", 8, tags=_VISION),
    Workload("a100-1", "vision", "train-scene", 4, tags=_VISION),
    Workload("a100-1", "lab", "notebook", 1, 2),
    Workload("a100-2", "language", "evaluate", 3, 4, _LANGUAGE),
    Workload("t4-0", "media", "transcode", 2, 1, {"team": "media"}),
    Workload("t4-1", "media", "transcode", 1, 2, {"team": "media"}),
    Workload("t4-2", "search", "spell", 1, 1, _SEARCH),
    Workload("t4-2", "lab", "notebook", 1),
)
TAX, CREDIT, CORRECTION, CPU_PRICE = 1234.56, -500.0, -37.25, 0.384
CPU_MACHINE = "web-0"


def parts(machine: Machine) -> tuple[Part, ...]:
    """Return how a machine was bought: what the commitment covers of it, and the rest."""
    kind = KINDS[machine.kind]
    rest = kind.spot_price if machine.option == "spot" else kind.list_price
    both = (Part("reserved", machine.covered, kind.committed_price), Part(machine.option, 1 - machine.covered, rest))
    return tuple(part for part in both if part.share)


def hours() -> Iterator[datetime]:
    """Return the hours of the month."""
    return (START + timedelta(hours=hour) for hour in range(HOURS))


def is_on(machine: Machine, hour: datetime) -> bool:
    """Return whether a machine ran in an hour."""
    return not machine.off <= hour.hour < machine.on


def holdings() -> Iterator[Holding]:
    """Return who held how many GPUs of every machine, hour by hour; what is left over is idle."""
    noise = {one: _stream(f"{one.machine}/{one.name}").integers(-1, 2, HOURS) for one in map(_key, WORKLOADS)}
    for index, hour in enumerate(hours()):
        for machine in MACHINES:
            if not is_on(machine, hour):
                continue
            free = KINDS[machine.kind].gpus
            for workload in (one for one in WORKLOADS if one.machine == machine.name):
                by_day = workload.day if 8 <= hour.hour < 20 else 0
                wanted = workload.gpus + by_day + (int(noise[_key(workload)][index]) if by_day else 0)
                gpus = min(wanted, free)
                free -= gpus
                if gpus:
                    yield Holding(hour, machine, workload, gpus)
            if free:
                yield Holding(hour, machine, None, free)


def unused_gpu_hours(hour: datetime) -> float:
    """Return the GPU-hours of the commitment that no machine took in an hour."""
    used = sum(one.covered * KINDS[one.kind].gpus for one in MACHINES if is_on(one, hour))
    return COMMITTED_GPUS - used


class _Key(NamedTuple):
    machine: str
    name: str


def _key(workload: Workload) -> _Key:
    return _Key(workload.machine, workload.name)


def _stream(name: str) -> np.random.Generator:
    """Return a random stream of its own for each name."""
    return np.random.Generator(np.random.PCG64([SEED, *name.encode()]))
