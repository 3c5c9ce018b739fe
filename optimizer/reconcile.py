"""The bill against what became of it: every amount that was read stands in the Usage table once, by kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from providers.tables import RESIDUALS

CENT = 0.01
_BY = ["source", "currency"]
_COSTS = ("effective_cost", "list_cost", "gpu_hours", "gpu_hours_used")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """One source's bill, and where each part of it went; amounts in `currency`.

    `billed` is the plain sum of the invoiced column over the export, taken past every join and every filter; `timing`
    is what of it pays for other hours, from columns of its own. What is left must be what the hours cost: `allocated`
    and the `residuals`, summed over the finished table. `billed` is None where the source has no bill. Activity is
    measured for `metered_gpu_hours` of the allocated ones; `gpu_hours_used` is None where it is for none.
    """

    source: str
    currency: str
    rows: int
    billed: float | None
    timing: float
    allocated: float
    residuals: Mapping[str, float]
    list_cost: float
    gpu_hours: float
    gpu_hours_used: float | None
    metered_gpu_hours: float
    idle_gpu_hours: float

    @property
    def is_bill(self) -> bool:
        """Return whether the source has rows of a bill, or costs: a live cluster has neither."""
        return bool(self.rows) or self.billed is not None

    @property
    def effective(self) -> float:
        """Return what the hours cost: the allocated part and every residual."""
        return self.allocated + sum(self.residuals.values())

    @property
    def difference(self) -> float | None:
        """Return what is missing from the table, or stands in it too often."""
        return None if self.billed is None else self.billed - self.timing - self.effective

    @property
    def holds(self) -> bool:
        """Return whether the table adds up to the bill, to less than half a cent."""
        return self.difference is None or abs(self.difference) < CENT / 2


def reconcile(usage: pl.DataFrame, totals: pl.DataFrame, timing: pl.DataFrame) -> tuple[Reconciliation, ...]:
    """Reconcile a Usage table with the exports that it came from, source by source.

    Args:
        usage: the finished table, residual rows included.
        totals: source, currency, rows, billed_cost: what the exports sum to.
        timing: source, currency, timing_cost: what pays for, or is paid by, other hours.
    """
    used, priced = pl.col("gpu_hours_used").is_not_null(), pl.col("effective_cost").count()
    metered = pl.col("gpu_hours").filter(used).sum()
    sums = usage.group_by(*_BY, "residual").agg(
        pl.col(_COSTS).sum(), metered.alias("metered_gpu_hours"), priced.alias("priced")
    )
    parts: dict[tuple[str, str], dict[str | None, Mapping[str, float]]] = {}
    for row in sums.sort(*_BY, "residual").iter_rows(named=True):
        parts.setdefault((row["source"], row["currency"]), {})[row["residual"]] = row
    read = {(row["source"], row["currency"]): row for row in totals.iter_rows(named=True)}
    moved = {(row["source"], row["currency"]): row["timing_cost"] for row in timing.iter_rows(named=True)}
    keys = sorted({*parts, *read}, key=lambda key: (str(key[0]), str(key[1])))
    return tuple(_one(key, parts.get(key, {}), read.get(key), moved.get(key)) for key in keys)


def _one(
    key: tuple[str, str],
    parts: Mapping[str | None, Mapping[str, float]],
    read: Mapping[str, float] | None,
    timing: float | None,
) -> Reconciliation:
    work, idle = parts.get(None, {}), parts.get("idle", {})
    unbilled = 0.0 if any(part["priced"] for part in parts.values()) else None
    return Reconciliation(
        source=key[0],
        currency=key[1],
        rows=int(read["rows"]) if read else 0,
        billed=read["billed_cost"] if read else unbilled,
        timing=timing or 0.0,
        allocated=work.get("effective_cost", 0.0),
        residuals=MappingProxyType({name: parts[name]["effective_cost"] for name in RESIDUALS if name in parts}),
        list_cost=sum(part["list_cost"] for part in parts.values()),
        gpu_hours=work.get("gpu_hours", 0.0),
        gpu_hours_used=work["gpu_hours_used"] if work.get("metered_gpu_hours") else None,
        metered_gpu_hours=work.get("metered_gpu_hours", 0.0),
        idle_gpu_hours=idle.get("gpu_hours", 0.0),
    )
