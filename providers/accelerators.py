"""One name per GPU model, every spelling the sources use for it, and the GPUs of every instance type.

A spelling that means different cards in different places ("H100" is SXM, PCIe or NVL) is ambiguous: it has no
canonical name here, and a caller that has the instance type asks `instance_gpus` instead of guessing.
"""

from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import polars as pl


class _Names(NamedTuple):
    """What spellings mean, by spelling without case, spaces, dashes and underscores."""

    models: dict[str, str]
    ambiguous: frozenset[str]


class _Instance(NamedTuple):
    """What one instance type has; `vcpus` and `memory_gb` (GiB) are None where they are not known."""

    gpu_model: str
    gpus: float
    vcpus: float | None
    memory_gb: float | None


def canonical(spelling: str) -> str | None:
    """Return the canonical name of a GPU model, or None when it is unknown or ambiguous.

    >>> canonical("nvidia_h100_80gb_hbm3")
    'H100-SXM-80GB'
    >>> canonical("H100") is None
    True
    """
    return _names().models.get(_key(spelling))


def is_ambiguous(spelling: str) -> bool:
    """Return whether sources use the spelling for different cards."""
    return _key(spelling) in _names().ambiguous


def known(gpu_model: str) -> bool:
    """Return whether the table of accelerators holds exactly this canonical name."""
    return gpu_model in _accelerators()


def instance_gpus(provider: str, instance_type: str) -> tuple[str, float] | None:
    """Return the GPU model of an instance type and how many of it one instance has, or None.

    Parts of a GPU count as a fraction of one. Case does not matter.

    >>> instance_gpus("aws", "p5.48xlarge")
    ('H100-SXM-80GB', 8.0)
    """
    row = _instance_types().get((provider.casefold(), instance_type.casefold()))
    return (row.gpu_model, row.gpus) if row else None


def instance_capacity(provider: str, instance_type: str) -> tuple[float, float] | None:
    """Return the vCPUs and the GiB of memory of an instance type with GPUs, or None where nobody has looked them up.

    >>> instance_capacity("aws", "p5.48xlarge")
    (192.0, 2048.0)
    """
    row = _instance_types().get((provider.casefold(), instance_type.casefold()))
    return (row.vcpus, row.memory_gb) if row and row.vcpus and row.memory_gb else None


def gpus_of_types(provider: str) -> dict[str, tuple[str, float]]:
    """Return the GPU model of every instance type of a provider, in lower case, and how many of it one instance has."""
    mine = provider.casefold()
    return {name: (gpus[0], gpus[1]) for (owner, name), gpus in _instance_types().items() if owner == mine}


def did_you_mean(name: str) -> str | None:
    """Return the canonical name that a mistyped one is closest to, or None when none is close.

    >>> did_you_mean("H100-SMX-80GB")
    'H100-SXM-80GB'
    """
    models = {_key(model): model for model in sorted(_accelerators())}
    close = get_close_matches(_key(name), models, n=1, cutoff=0.75)
    return models[close[0]] if close else None


def _key(spelling: str) -> str:
    return "".join(spelling.casefold().split()).replace("-", "").replace("_", "")


@cache
def _accelerators() -> frozenset[str]:
    return frozenset(_bundled("accelerators.csv")["gpu_model"])


@cache
def _names() -> _Names:
    rows = list(_bundled("spellings.csv").select("spelling", "gpu_model").iter_rows())
    models = {_key(spelling): model for spelling, model in rows if model}
    models |= {_key(model): model for model in _accelerators()}
    return _Names(models, frozenset(_key(spelling) for spelling, model in rows if not model))


@cache
def _instance_types() -> dict[tuple[str, str], _Instance]:
    table = _bundled("instance_types.csv").with_columns(pl.col("gpus", "vcpus", "memory_gb").cast(pl.Float64))
    columns = ("provider", "instance_type", *_Instance._fields)
    return {
        (provider.casefold(), name.casefold()): _Instance(*row)
        for provider, name, *row in table.select(columns).iter_rows()
    }


def _bundled(name: str) -> pl.DataFrame:
    return pl.read_csv(files("data").joinpath(name).read_bytes(), infer_schema=False)
