"""Saved answers of OpenCost's /allocation -> one row an allocation and step, costs and averages as they stand there.

OpenCost writes numbers that are not finite as null, steps in which it saw nothing as null or {}, and 0 as the GPU
activity of whatever nothing measured. Newer releases hold what they know of a GPU in `gpuAllocation`.
"""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from providers.charges import Tags
from providers.columns import TIME
from providers.labels import picked
from providers.machine_names import MACHINE_LABELS
from providers.recognise import File
from providers.scan import GZIP_MAGIC
from providers.tables import InputError

_GIB = 2**30
_NUMBERS = (
    "minutes", "gpu_hours", "gpu_request", "gpu_usage", "gpu_cost", "gpu_cost_idle", "vcpu_request", "vcpu_usage",
    "gib_request", "gib_usage", "total_cost",
)  # fmt: skip
_TEXTS = (
    "name",
    "cluster",
    "node_name",
    "namespace",
    "controller_kind",
    "controller",
    "pod",
    "provider_id",
    "gpu_name",
)


class _Properties(msgspec.Struct, rename="camel"):
    cluster: str | None = None
    node: str | None = None
    namespace: str | None = None
    controller_kind: str | None = None
    controller: str | None = None
    pod: str | None = None
    provider_id: str | None = msgspec.field(default=None, name="providerID")
    labels: dict[str, str] | None = None
    namespace_labels: dict[str, str] | None = None


class _Gpu(msgspec.Struct, rename="camel"):
    gpu_model: str | None = None
    is_shared: bool | None = msgspec.field(default=None, name="isGPUShared")
    gpu_usage_average: float | None = None
    gpu_request_average: float | None = None


class _Window(msgspec.Struct):
    start: str | None = None
    end: str | None = None


class _Allocation(msgspec.Struct, rename="camel"):
    name: str | None = None
    properties: _Properties | None = None
    window: _Window | None = None
    start: str | None = None
    end: str | None = None
    minutes: float | None = None
    cpu_core_request_average: float | None = None
    cpu_core_usage_average: float | None = None
    ram_byte_request_average: float | None = None
    ram_byte_usage_average: float | None = None
    gpu_hours: float | None = None
    gpu_request_average: float | None = None
    gpu_usage_average: float | None = None
    gpu_cost: float | None = None
    gpu_cost_adjustment: float | None = None
    gpu_cost_idle: float | None = None
    gpu_allocation: _Gpu | None = None
    total_cost: float | None = None


class Answered(msgspec.Struct):
    """An answer of /allocation: one set of allocations a step."""

    code: int | None = None
    message: str | None = None
    data: list[dict[str, _Allocation] | None] | None = None


ANSWER = msgspec.json.Decoder(Answered)


def rows(files: Sequence[File], tags: Tags) -> pl.DataFrame:
    """Return the allocations of some files, in their order.

    Raises:
        InputError: a file is no answer of /allocation.
    """
    keys = sorted({key for name in tags.chains for key in tags.keys(name)})
    found = [row for file in files for answer in _answers(file) for row in _rows(answer, keys)]
    schema = {
        **dict.fromkeys(_TEXTS, pl.String()),
        **dict.fromkeys(("window_start", "window_end", "start", "end"), pl.String()),
        **dict.fromkeys(_NUMBERS, pl.Float64()),
        "is_shared": pl.Boolean(),
        **dict.fromkeys(MACHINE_LABELS, pl.String()),
        **{f"tag:{key}": pl.String() for key in keys},
    }
    return _timed(pl.DataFrame(found, schema=schema, orient="row"))


def _answers(file: File) -> Iterator[Answered]:
    """Return the answers of a file: one, or one a line."""
    try:
        content = Path(file.path).read_bytes()
        content = gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
        text = content.removeprefix(b"\xef\xbb\xbf").strip()
        try:
            answers = [ANSWER.decode(text)]
        except msgspec.DecodeError:
            answers = ANSWER.decode_lines(text)
    except (msgspec.DecodeError, OSError, EOFError) as error:
        problem = f"is no whole answer of OpenCost's /allocation ({error})"
        raise InputError(file.name, problem, "fetch it again") from None
    if not answers:
        raise InputError(file.name, "is empty", "fetch it again")
    for answer in answers:
        if answer.code not in (None, 200):
            raise InputError(file.name, f"is an answer of OpenCost that failed ({answer.code})", "fetch it again")
        yield answer


def _rows(answer: Answered, keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    for step in answer.data or ():
        for name, one in (step or {}).items():
            yield _row(name, one, keys)


def _row(name: str, one: _Allocation, keys: Sequence[str]) -> dict[str, Any]:
    of, gpu, window = one.properties or _Properties(), one.gpu_allocation or _Gpu(), one.window or _Window()
    told = picked([key for spellings in MACHINE_LABELS.values() for key in spellings], of.labels)
    labels = picked(keys, of.labels, of.namespace_labels)
    usage = one.gpu_usage_average if gpu.gpu_usage_average is None else gpu.gpu_usage_average
    request = one.gpu_request_average if gpu.gpu_request_average is None else gpu.gpu_request_average
    return {
        "name": one.name or name, "cluster": of.cluster, "node_name": of.node, "namespace": of.namespace,
        "controller_kind": of.controller_kind, "controller": of.controller, "pod": of.pod,
        "provider_id": of.provider_id, "gpu_name": gpu.gpu_model,
        "window_start": window.start, "window_end": window.end, "start": one.start, "end": one.end,
        "minutes": one.minutes, "gpu_hours": one.gpu_hours, "gpu_request": request, "gpu_usage": usage,
        "gpu_cost": _sum(one.gpu_cost, one.gpu_cost_adjustment), "gpu_cost_idle": one.gpu_cost_idle,
        "vcpu_request": one.cpu_core_request_average, "vcpu_usage": one.cpu_core_usage_average,
        "gib_request": _gib(one.ram_byte_request_average), "gib_usage": _gib(one.ram_byte_usage_average),
        "total_cost": one.total_cost, "is_shared": gpu.is_shared,
        **{part: next((told[key] for key in keys_ if told[key]), None) for part, keys_ in MACHINE_LABELS.items()},
        **{f"tag:{key}": value for key, value in labels.items()},
    }  # fmt: skip


def _sum(*amounts: float | None) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def _gib(size: float | None) -> float | None:
    return None if size is None else size / _GIB


def _timed(found: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with times, and the minutes of each: its own, and of its step where it states none."""
    times = [_time(name) for name in ("window_start", "window_end", "start", "end")]
    blank = [pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in _TEXTS]
    timed = found.with_columns(*times, *blank)
    start, end = pl.coalesce("start", "window_start"), pl.coalesce("end", "window_end")
    span = (end - start).dt.total_microseconds() / 60e6
    return timed.with_columns(start.alias("start"), end.alias("end"), pl.coalesce("minutes", span).alias("minutes"))


def _time(name: str) -> pl.Expr:
    """Return the time in UTC; Go writes fractions of a second where there are any."""
    text = pl.col(name).str.replace("Z$", "+00:00")
    return text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", strict=False, time_unit="us").cast(TIME).alias(name)
