"""What is held of each offer and commitment: quantities in lots, minimums, one of several, and what hangs on them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.optimizer.reference_milp import Milp
from tests.optimizer.reference_rows import HELD, block, name_of, smallest

if TYPE_CHECKING:
    from tests.optimizer.reference import Plain

DUST = 1e-9  # a pinned quantity that is not more than this is none


@dataclass(frozen=True)
class Holding:
    """What is held of one offer: columns of the program.

    gpus: how many until the exit, and rest: how many from then on. extra: the GPUs that may be added on call.
    some: whether any are held; a column that is 1 only then where that is a decision.
    """

    gpus: int
    rest: int
    extra: int | None
    some: int | bool


class Holdings:
    """The columns of all that is held; `rates` is what a GPU-hour of each offer serves of each stream."""

    def __init__(self, plan: "Plain", program: Milp, rows: list[dict], rates: Mapping[tuple, float]) -> None:
        self.plan, self.milp, self.rates = plan, program, rates
        self.rows = [row for row in rows if row["purchase_option"] in HELD]
        self.held = {name_of(row): self._holding(row) for row in self.rows}
        self._at_most_one_of_each_name()

    @property
    def slivers(self) -> set[str]:
        """Return the names of what is held for its overage or burst even if no more than a sliver of it is."""
        return {
            name_of(row)
            for row in self.rows
            if self.held[name_of(row)].some is True
            and (row["overage_usd_per_gpu_hour"] is not None or row["burst_gpus"])
            and self._fixed(row) is None
        }

    def _holding(self, row: dict) -> Holding:
        gpus, some = self._quantity(row)
        rest = gpus
        if self.plan.exit(row):
            rest = self.milp.variable(0.0)
            self.milp.row({rest: 1.0, gpus: -1.0}, -math.inf, 0.0)
        extra = None
        if row["burst_gpus"] and some is not False:
            extra = self.milp.variable(0.0, high=row["burst_gpus"])
            self.only_if(some, {extra: 1.0}, row["burst_gpus"])
        return Holding(gpus, rest, extra, some)

    def only_if(self, some: int | bool, use: dict[int, float], most: float) -> None:
        """Use something only if some of what it hangs on is held, and then as much as could be wanted."""
        if some is not True:
            self.milp.row(use | {some: -most}, -math.inf, 0.0)

    def _fixed(self, row: dict) -> float | None:
        """Return the GPUs held of an offer where that is no decision."""
        asked = self.plan.asked_of(row)
        if asked.quantity is not None:
            return asked.quantity
        if "commitment_id" in row:
            return row["gpus"]
        return block(row) if asked.all_or_nothing is None and row["status"] == "accepted" else None

    def _quantity(self, row: dict) -> tuple[int, int | bool]:
        """Add the GPUs held of one offer, with its lots, minimum and maximum; and say whether some are held."""
        fixed, whole = self._fixed(row), self.plan.asked_of(row).all_or_nothing
        if fixed is not None:
            return self.milp.variable(0.0, low=fixed, high=fixed), fixed > DUST
        if whole is not None:
            quantity, taken = self.milp.variable(0.0), self._yes_or_no()
            self.milp.row({quantity: 1.0, taken: -whole}, 0.0, 0.0)
            return quantity, taken
        most = math.inf if row["max_gpus"] is None else row["max_gpus"]
        quantity, plenty = self.milp.variable(0.0, high=most), self.plenty(row)
        if row["lot_gpus"]:
            lots = self.milp.variable(0.0, high=math.ceil(plenty / row["lot_gpus"]), whole=True)
            self.milp.row({quantity: 1.0, lots: -row["lot_gpus"]}, 0.0, 0.0)
        if not smallest(row):
            return quantity, most > 0
        taken = self._yes_or_no()
        self.milp.row({quantity: 1.0, taken: -smallest(row)}, 0.0, math.inf)
        self.milp.row({quantity: 1.0, taken: -plenty}, -math.inf, 0.0)
        return quantity, taken

    def _yes_or_no(self) -> int:
        return self.milp.variable(0.0, high=1.0, whole=True)

    def plenty(self, row: dict) -> float:
        """Return more GPUs of an offer than all demand at once could use."""
        rates = [rate for stream in self.plan.needs.streams if (rate := self.rates[stream, name_of(row)]) > 0]
        demand = [sum(needs.get(hour, 0.0) for needs in self.plan.needs.streams.values()) for hour in self.plan.hours]
        least = min([1.0, *(share for _, share in self.plan.ramp(row) if share)])
        return max(demand) / min([1.0, *rates]) / least + row["min_gpus"] + (row["lot_gpus"] or 0.0)

    def _at_most_one_of_each_name(self) -> None:
        """Of the offers that share a name in `exclusive`, hold at most one; a term outside the plan rivals nobody."""
        names: dict[str, list[dict]] = {}
        for row in self.rows:
            if row["exclusive"] and "commitment_id" not in row and self.plan.begins(row):
                names.setdefault(row["exclusive"], []).append(row)
        for rows in names.values():
            sure = sum(1 for row in rows if (self._fixed(row) or 0.0) > DUST)
            free = [self._whether(row) for row in rows if self._fixed(row) is None]
            self.milp.row(dict.fromkeys(free, 1.0), -math.inf, 1.0 - sure)

    def _whether(self, row: dict) -> int:
        """Return a column that is 1 where some of an offer is held."""
        holding = self.held[name_of(row)]
        if not isinstance(holding.some, bool):
            return holding.some
        taken = self._yes_or_no()
        self.milp.row({holding.gpus: 1.0, taken: -self.plenty(row)}, -math.inf, 0.0)
        return taken
