"""What is to know of gangs: how much dearer spot is for GPUs that are interrupted together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optimizer.demand import Stream
from optimizer.reasons import gpus, money
from optimizer.tariffs import Tariff
from providers.tables import Diagnostic


def notes_on_gangs(streams: Iterable[Stream], tariffs: Sequence[Tariff]) -> list[Diagnostic]:
    """Say once for each workload that runs in gangs, and may run on spot, what the cheapest spot costs it."""
    found: dict[str, Diagnostic] = {}
    for stream in streams:
        if stream.gang_gpus and stream.interruptible and stream.workload not in found:
            note = _note(stream, [tariff for tariff in tariffs if tariff.spot])
            found |= {stream.workload: note} if note else {}
    return list(found.values())


def gang_price(stream: Stream, tariff: Tariff) -> float:
    """Return what a useful GPU-hour of spot costs a stream: price · (1 + δ/τ + n (τ/2 + r)/M), on n nodes a gang."""
    return tariff.usage + tariff.advertised_usage * tariff.lost * (tariff.nodes_of(stream) - 1.0)


def _note(stream: Stream, spot: Sequence[Tariff]) -> Diagnostic | None:
    able = [tariff for tariff in spot if tariff.rate_for(stream) > 0]
    cheapest = min(able, key=lambda one: (gang_price(stream, one) / one.rate_for(stream), one.offer_id), default=None)
    if cheapest is not None:
        return _about(stream, cheapest)
    if any(stream.runs_on.get(tariff.gpu_model) and tariff.room < stream.gang_gpus for tariff in spot):
        return _said(stream, f"no spot pool has room for gangs of {gpus(stream.gang_gpus)}")
    return None


def _about(stream: Stream, tariff: Tariff) -> Diagnostic | None:
    """Compare what a spot offer costs the stream with what it costs a workload of single nodes."""
    more, price = gang_price(stream, tariff), money(tariff.usage, tariff.currency)
    if more == tariff.usage:
        return None
    often = f"{tariff.nodes_of(stream):.4g} times as often"
    costs = f"{tariff.offer_id} at {price} costs it {money(more, tariff.currency)}"
    return _said(stream, f"gangs of {gpus(stream.gang_gpus)} are interrupted {often}: {costs}")


def _said(stream: Stream, message: str) -> Diagnostic:
    return Diagnostic(level="note", code="gang", message=f"{stream.workload}: {message}", where=stream.workload)
