"""Units of FOCUS quantities -> hours, and whether they are hours of one GPU or of a machine."""

import re
from collections.abc import Mapping

import polars as pl

_TIME = re.compile(
    r"^\s*(?:(?P<block>\d+(?:\.\d+)?)\s*(?P<scale>[km])?\s*)?"
    r"(?:(?P<gpu>gpu|accelerator|chip)|instance|vm|node|server|machine|compute|unit)?s?[\s_./-]*(?:per\s+)?"
    r"(?P<time>hours?|hrs?|h|minutes?|mins?|seconds?|secs?|s|days?)\.?\s*$",
    re.IGNORECASE,
)
_HOURS = {"h": 1.0, "m": 1 / 60, "s": 1 / 3600, "d": 24.0}
_SCALE = {None: 1.0, "k": 1e3, "m": 1e6}
_MACHINE = re.compile(r"gpu|accelerator|month|year|week|instance|node|unit|count", re.IGNORECASE)

UNIT = pl.Struct(
    {
        "hours": pl.Float64(),  # of one, block set aside; null where it is no time
        "block": pl.Float64(),  # how many one unit of price is, such as 100 Hours; null where it does not say
        "per_gpu": pl.Boolean(),
        "machine": pl.Boolean(),  # may count machines or GPUs, if not by the hour
    }
)


def unit_of(text: str) -> Mapping[str, object]:
    """Return the fields of `UNIT` for a unit as vendors write it.

    >>> unit_of("GPU-Hours")["hours"], unit_of("100 Hours")["block"], unit_of("GB Hours")["hours"]
    (1.0, 100.0, None)
    """
    found = _TIME.match(text)
    if found is None:
        return {"hours": None, "block": None, "per_gpu": False, "machine": bool(_MACHINE.search(text))}
    scale = _SCALE[found["scale"].casefold() if found["scale"] else None]
    return {
        "hours": _HOURS[found["time"][0].casefold()],
        "block": float(found["block"]) * scale if found["block"] else None,
        "per_gpu": found["gpu"] is not None,
        "machine": True,
    }
