"""What a part of a GPU is: MIG slices, replicas of a shared GPU, and what of a card nobody can be given.

A whole GPU and a MIG slice are exact. Replicas of a time-sliced GPU, or of one shared through MPS, are an estimate:
each counts 1/N of the card, however busy its holder is, since no meter tells the holders apart.

Claims on MIG slices are counted by compute, so that the seven slices of a card make one GPU. Memory is given beside it:
seven slices of 1g.5gb leave 16.9 % of an A100-40GB to nobody. What a card's layout leaves over by the basis in use
(a seventh, where it is cut into two 3g) can be bought by nobody either: it is booked to the platform, as `system`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_SEVENTHS = ("A100-", "H100-", "H200-", "GH200-", "B200-", "GB200-", "B300-", "GB300-")
_QUARTERS = ("A30-", "RTXPRO6000-")
# NVIDIA Multi-Instance GPU User Guide, "Supported MIG Profiles": the fraction of SMs is slices / 7 on these cards and
# memory comes in eighths; on A30 and RTX PRO 6000 both come in quarters.
_PROFILE = re.compile(r"(\d+)g\.(\d+)gb(?:\+[a-z.]+)*", re.IGNORECASE)
_RESOURCE = re.compile(r"mig[-_](\d+)g[._](\d+)gb", re.IGNORECASE)
# What `nvidia-smi mig -lgip` states as memory of one instance: less than its eighths, since the driver keeps some.
_MIB = {
    ("A100-40GB", 1, 5): 4_864,  # 4.75 GiB
    ("A100-40GB", 2, 10): 9_984,
    ("A100-40GB", 3, 20): 20_096,
    ("A100-40GB", 4, 20): 20_096,
    ("H100-SXM-80GB", 1, 10): 9_984,  # 9.75 GiB
    ("H100-SXM-80GB", 1, 20): 20_096,
    ("H100-SXM-80GB", 2, 20): 20_096,
    ("H100-SXM-80GB", 3, 40): 40_448,
    ("H100-SXM-80GB", 4, 40): 40_448,
    ("H200-141GB", 1, 18): 16_384,  # 16.00 GiB
}


class Part(NamedTuple):
    """A part of one card: of its compute, and of its memory where that is known."""

    compute: float
    memory: float | None


def profile_of(name: str) -> str | None:
    """Return the MIG profile that a resource or a product is named after, or None.

    >>> profile_of("nvidia_com_mig_1g_10gb_me"), profile_of("NVIDIA-H100-80GB-HBM3-MIG-3g.40gb"), profile_of("gpu")
    ('1g.10gb', '3g.40gb', None)
    """
    found = _RESOURCE.search(name)
    return f"{found[1]}g.{found[2]}gb" if found else None


def mig_part(gpu_model: str | None, profile: str) -> Part | None:
    """Return which part of a card one MIG instance is, or None where the name or the card is no MIG.

    An unknown card is taken to have seven slices, as all but the smallest do; then its memory is not known.

    >>> mig_part("A100-80GB", "3g.40gb")
    Part(compute=0.42857142857142855, memory=0.5)
    """
    found = _PROFILE.fullmatch(profile)
    slices = _slices(gpu_model)
    if found is None or slices is None or int(found[1]) > slices:
        return None
    return Part(int(found[1]) / slices, _memory(gpu_model, int(found[1]), int(found[2])))


def unallocatable(gpu_model: str, profiles: Iterable[str]) -> Part | None:
    """Return what a card that is cut into these instances leaves to nobody, or None where one of them is unknown."""
    parts = [mig_part(gpu_model, profile) for profile in profiles]
    known = [part for part in parts if part is not None]
    memories = [part.memory for part in known if part.memory is not None]
    if len(known) < len(parts):
        return None
    memory = 1 - sum(memories) if len(memories) == len(parts) else None
    return Part(1 - sum(part.compute for part in known), memory)


def replica(replicas: float, *, percent: float = 100.0) -> float:
    """Return which part of a card one replica of N is, or a holder whose share of the cores is capped at a percentage.

    >>> replica(4), replica(1, percent=25)
    (0.25, 0.25)
    """
    return percent / 100 / replicas


def replicas_of(units: float, cards: float | None) -> float:
    """Return how many units of `nvidia.com/gpu` one card is advertised as, from how many cards a machine has.

    One, where that is no whole number: a card that reports nothing is no sharing.

    >>> replicas_of(32, 8), replicas_of(8, 7), replicas_of(8, None)
    (4.0, 1.0, 1.0)
    """
    ratio = units / cards if cards else 1.0
    return float(round(ratio)) if ratio > 1.5 and abs(ratio - round(ratio)) < 1e-9 else 1.0


def split_equally(activity: float, holders: int) -> float:
    """Return the activity of one holder of a card, from the activity of the card that the meter repeats for each."""
    return activity / holders


def split_error(activity: float, shares: Sequence[float]) -> list[float]:
    """Return by how many GPUs an equal split misses each holder whose true share is known; they sum to 0."""
    return [activity * (1 / len(shares) - share) for share in shares]


def exposure(*, exclusive: float, shared: float) -> float | None:
    """Return which part of the used GPU-hours is an estimate, because their cards are shared; None of nothing."""
    whole = exclusive + shared
    return shared / whole if whole else None


def _slices(gpu_model: str | None) -> int | None:
    if gpu_model is None or gpu_model.startswith(_SEVENTHS):
        return 7
    return 4 if gpu_model.startswith(_QUARTERS) else None


def _memory(gpu_model: str | None, slices: int, gigabytes: int) -> float | None:
    """Return the part of the card's memory: as the driver states it where that was read, else in eighths (quarters)."""
    if gpu_model is None:
        return None
    size = re.search(r"(\d+)GB", gpu_model)
    if size is None:
        return None
    card = int(size[1])
    stated = _MIB.get((gpu_model, slices, gigabytes))
    if stated is not None:
        return stated / (card * 1024)
    steps = 4 if gpu_model.startswith(_QUARTERS) else 8
    return min(1.0, round(gigabytes / card * steps) / steps)
