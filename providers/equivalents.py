"""What one GPU model can do of the work of another: memory, peak rates, and measured throughput by workload.

No single ratio is right: of the same two models one may be 1.8 or 4.2 times the other, depending on the work. So all
that was measured is shown, and the lowest ratio is the one to suggest: with it a plan buys enough for any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import polars as pl

LOWER_IS_BETTER = ("GPU-hours a run",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalent:
    """One GPU model beside another one.

    fits: whether its memory holds whatever the other one holds. tflops: peak dense BF16; bandwidth: of memory, GB/s;
    None where no data sheet was read. ratios: by workload, how many GPU-hours of the other model an hour of it does.
    """

    gpu_model: str
    memory_gb: float
    fits: bool
    tflops: float | None
    bandwidth: float | None
    ratios: Mapping[str, float] = field(default_factory=dict)

    @property
    def suggestion(self) -> float | None:
        """Return the lowest ratio measured, which no measured workload falls short of; None where it does not fit."""
        return min(self.ratios.values(), default=None) if self.fits else None


def equivalents_of(gpu_model: str) -> list[Equivalent]:
    """Return every model beside the one given, it first, then the most able first, then by name.

    Args:
        gpu_model: a canonical name; of an unknown one nothing is known.
    """
    memory, specs, measured = _memory(), _specs(), _measured()
    if gpu_model not in memory:
        return []
    mine = measured.get(gpu_model, {})
    found = [
        Equivalent(
            gpu_model=model,
            memory_gb=gb,
            fits=gb >= memory[gpu_model],
            tflops=specs.get(model, (None, None))[0],
            bandwidth=specs.get(model, (None, None))[1],
            ratios={work: rate / mine[work] for work, rate in measured.get(model, {}).items() if work in mine},
        )
        for model, gb in memory.items()
    ]
    shown = [one for one in found if one.ratios or one.tflops or one.gpu_model == gpu_model]
    return sorted(shown, key=lambda one: (one.gpu_model != gpu_model, -(one.suggestion or 0), one.gpu_model))


@cache
def _memory() -> dict[str, float]:
    return dict(_bundled("accelerators.csv").select("gpu_model", pl.col("memory_gb").cast(pl.Float64)).iter_rows())


@cache
def _specs() -> dict[str, tuple[float | None, float | None]]:
    numbers = pl.col("dense_bf16_tflops", "memory_gb_per_s").cast(pl.Float64)
    return {
        model: (tflops, speed)
        for model, tflops, speed in _bundled("gpu_specs.csv").select("gpu_model", numbers).iter_rows()
    }


@cache
def _measured() -> dict[str, dict[str, float]]:
    """Return what was measured of each model, by workload, turned so that more is better."""
    value = pl.col("measured").cast(pl.Float64)
    rate = pl.when(pl.col("unit").is_in(list(LOWER_IS_BETTER))).then(1 / value).otherwise(value)
    found: dict[str, dict[str, float]] = {}
    for model, work, one in _bundled("gpu_throughput.csv").select("gpu_model", "workload", rate).iter_rows():
        found.setdefault(model, {})[work] = one
    return found


def _bundled(name: str) -> pl.DataFrame:
    return pl.read_csv(files("data").joinpath(name).read_bytes(), infer_schema=False)
