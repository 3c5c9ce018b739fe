"""Work that may wait: how much of it can be put off in every hour, and whose work runs when.

Work that arrives in hour t runs in hours t to t + window - 1. With the backlog b[t] = b[t-1] + D[t] - run[t] that is no
more than a bound on each hour: what is left over is nothing that arrived more than window - 2 hours ago,

    0 <= b[t] <= D[t - window + 2] + ... + D[t],

since the oldest work may always run first. Nothing is left over at the end of a run of consecutive hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from providers.tables import InputError

if TYPE_CHECKING:
    from optimizer.demand import Demand

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
DUST = 1e-9  # of the largest amount: the solver's tolerance, not work


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """When work arrives and how long it may take.

    arrives[w, t]: GPU-hours of stream w that arrive in each hour of slot t. window[w]: hours in which they may run,
    1 for at once. follows[t]: whether slot t is the hour right after slot t - 1.
    """

    arrives: Floats
    window: Ints
    follows: Bools

    def at(self, slots: Bools) -> Waiting:
        """Return what there is of it in some slots, which are whole runs of hours."""
        return Waiting(arrives=self.arrives[:, slots], window=self.window, follows=self.follows[slots])

    def left(self, streams: Ints, weight: Floats) -> Floats:
        """Return the most that may be left over of the sum of streams of one window at the end of each slot.

        GPU-hours of the first hour of the run of hours, as by `measure`.
        """
        window = int(self.window[streams[0]])
        first = np.maximum.accumulate(np.where(self.follows, 0, np.arange(len(weight))))
        last = np.r_[~self.follows[1:], True]
        work = self.arrives[streams].sum(axis=0) * self.measure(weight)
        total = np.concatenate([[0.0], np.cumsum(work)])
        here = np.arange(len(weight))
        since = np.maximum(first, here - window + 2)
        most = np.where(since > here, 0.0, total[here + 1] - total[np.minimum(since, here)])
        return np.where(last, 0.0, np.maximum(most, 0.0))

    def measure(self, weight: Floats) -> Floats:
        """Return how long each slot is, in slots as long as the first of its run of hours."""
        first = np.maximum.accumulate(np.where(self.follows, 0, np.arange(len(weight))))
        return np.asarray(weight / weight[first])

    def most(self, weight: Floats) -> Floats:
        """Return the most of each stream that may run in each slot, [w, t]: what arrives and what may be left over."""
        length = self.measure(weight)
        left = np.array([self.left(np.array([stream]), weight) for stream in range(len(self.window))])
        before = np.where(self.follows, np.roll(left, 1, axis=1), 0.0)
        return np.asarray(self.arrives + before / length)

    def shared(self, streams: Ints, run: Floats, weight: Floats) -> Floats:
        """Share what runs of several streams of one window among them, the oldest work first: [w, t]."""
        if len(streams) == 1:
            return run[None, :]
        length = self.measure(weight)
        work = self.arrives[streams] * length
        arrived, done = (np.concatenate([[0.0], np.cumsum(each)]) for each in (work.sum(axis=0), run * length))
        mine = [np.interp(done, arrived, np.concatenate([[0.0], np.cumsum(each)])) for each in work]
        return np.maximum(np.diff(np.array(mine), axis=1), 0.0) / length

    def moved(self, run: Floats, weight: Floats) -> float:
        """Return the GPU-hours that leave the hours in which they arrive when run[w, t] runs."""
        return float(np.maximum(self.arrives - run, 0.0).sum(axis=0) @ weight)

    def longest(self, run: Floats, weight: Floats) -> int:
        """Return the most hours that any work waits when the oldest runs first."""
        length = self.measure(weight)
        return max((_longest(arrives * length, ran * length) for arrives, ran in zip(self.arrives, run, strict=True)))


def waiting_of(demand: Demand) -> Waiting | None:
    """Return the work that may wait, None where there is none.

    Raises:
        InputError: work that may not be interrupted is to wait.
    """
    window = np.array([stream.window_hours for stream in demand.streams], dtype=np.int64)
    for stream in demand.streams:
        if stream.window_hours > 1 and not stream.interruptible:
            problem = "has window_hours but is not interruptible, so that it cannot wait"
            remedy = "set interruptible = true in its [workloads] table, or take window_hours away"
            raise InputError(f"workload {stream.workload}", problem, remedy)
    if not (window > 1).any():
        return None
    return Waiting(arrives=demand.gpu_hours, window=window, follows=demand.follows)


def _longest(arrived: Floats, ran: Floats) -> int:
    least = DUST * max(1.0, float(arrived.max(initial=0.0)))
    at = np.flatnonzero(ran > least)
    before = np.cumsum(ran)[at] - ran[at]
    since = np.searchsorted(np.cumsum(arrived), before + least, side="right")
    return int((at - since).max(initial=0))
