"""Which tariff may serve which stream, how much of it an hour there serves, and what it costs to be there."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from optimizer.demand import Demand, Floats, Stream
from optimizer.tariffs import Tariff


def rates_of(demand: Demand, tariffs: Sequence[Tariff]) -> Floats:
    """Return rates[w, o]: how much of a stream's demand one GPU-hour of a tariff serves, 0 where it may not.

    Away from home an hour serves 1 + overlap / horizon times less: what moves runs twice for the overlap.
    """
    places = [(tariff.gpu_model, tariff.provider, tariff.region, tariff.spot, tariff.rates) for tariff in tariffs]
    kinds = [(*place, tariff.room) for place, tariff in zip(places, tariffs, strict=True)]
    first = {kind: index for index, kind in reversed(list(enumerate(kinds)))}  # a price book has few kinds
    place = {kind: column for column, kind in enumerate(first)}
    found = np.array(
        [[tariffs[index].rate_for(stream) for index in first.values()] for stream in demand.streams], dtype=float
    )
    found = found.reshape(len(demand.streams), len(first))[:, [place[kind] for kind in kinds]]
    twice = np.array([stream.overlap_hours for stream in demand.streams]) / float(demand.weight.sum())
    return np.asarray(found / (1.0 + away(demand.streams, tariffs) * twice[:, None]), dtype=float)


def moving_of(demand: Demand, tariffs: Sequence[Tariff], rates: Floats) -> Floats:
    """Return moving[w, o]: $ per GPU-hour of a tariff for serving a stream away from home.

    Data that leaves is paid by GPU-hour of demand; a migration once, by the part of the workload's demand that moves.
    """
    streams = demand.streams
    needed = demand.gpu_hours @ demand.weight
    names = np.array([stream.workload for stream in streams])
    whole = np.array([needed[names == name].sum() for name in names])
    once = np.array([stream.migration_usd for stream in streams])
    leaving = np.array([stream.leaving_usd_per_gpu_hour for stream in streams])
    leaving = leaving + np.divide(once, whole, out=np.zeros_like(once), where=whole > 0)
    return np.asarray(rates * away(streams, tariffs) * leaving[:, None], dtype=float)


def stalling_of(demand: Demand, tariffs: Sequence[Tariff], rates: Floats) -> Floats:
    """Return stalling[w, o]: what a stream's gangs add to the price of spot, as a share of it; 0 for what is no gang.

    On n nodes a gang is interrupted n times as often, and loses n · lost hours where one node loses `lost` of them.
    """
    found = np.zeros(rates.shape)
    for index, stream in enumerate(demand.streams):
        if stream.gang_gpus:
            found[index] = [(tariff.nodes_of(stream) - 1.0) * tariff.lost / tariff.overhead for tariff in tariffs]
    return np.where(rates > 0, found, 0.0)


def away(streams: Sequence[Stream], tariffs: Sequence[Tariff]) -> npt.NDArray[np.bool_]:
    """Return away[w, o]: whether a tariff is of another provider than the one where the stream is at home."""
    homes = np.array([stream.home or "" for stream in streams])[:, None]
    return np.asarray((homes != "") & (homes != np.array([tariff.provider for tariff in tariffs], dtype=str)[None, :]))
