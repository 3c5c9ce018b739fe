"""The program of one plan, written out: what is paid, hour by hour, what serves whom, and what limits it."""

import math
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from tests.optimizer.reference_holdings import Holdings
from tests.optimizer.reference_milp import Milp
from tests.optimizer.reference_rows import HELD, factor, name_of, overhead, runs

if TYPE_CHECKING:
    from tests.optimizer.reference import Plain


class Program:
    """The program in which the named sums to spend, and those that are agreed to already, are in force."""

    def __init__(self, plan: "Plain", taken: Iterable[str]) -> None:
        self.plan, self.needs, self.milp = plan, plan.needs, Milp()
        self.floors = [row for row in plan.spends if plan.in_any_case(row) or name_of(row) in taken]
        self.spent: list[dict[int, float]] = [{} for _ in self.floors]
        self.rows = [self._discounted(row) for row in plan.available]
        self.dollars = [
            (name, terms, rates if "commitment_id" in terms else [self._discounted(row) for row in rates])
            for name, terms, rates in plan.dollars
        ]
        self.committed: dict[int, float] = {}
        self.spot: dict[int, float] = {}
        self.pools: dict[str, dict[int, float]] = {}
        self.shares: dict[str, dict[int, float]] = {}
        self.holdings = Holdings(plan, self.milp, self.rows, self.rates)
        self.held = self.holdings.held
        self.spending = {name: self._dollars(name, terms) for name, terms, _ in self.dollars}
        for hour, when, weight in plan.slots:
            self._hour(hour, when, weight)
        self._sums_to_spend()
        self._limits()

    @property
    def columns(self) -> dict[str, int]:
        return {name: holding.gpus for name, holding in self.held.items()} | self.spending

    def _dollars(self, name: str, terms: dict) -> int:
        """Add the dollars an hour of one commitment."""
        fixed = terms.get("usd_per_hour")
        fixed = self.plan.questions[name].quantity if fixed is None and name in self.plan.questions else fixed
        low, high = (0.0, math.inf) if fixed is None else (fixed, fixed)
        return self.milp.variable(0.0, low=low, high=high)

    def _discounted(self, row: dict) -> dict:
        """Take off the list prices of an offer what the floors in force take off."""
        part = self.plan.discount(row, self.floors)
        return row | {key: row[key] * part for key in ("holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour")}

    # What is paid

    def _pay(self, column: int, dollars: float, to: dict, when: datetime, *, as_used: bool = False) -> None:
        """Pay a provider so many dollars for each unit of a column, and let them count towards the sums to spend."""
        self.milp.cost[column] += dollars
        for floor, spent in zip(self.floors, self.spent, strict=True):
            if _counts(floor, to, as_used=as_used) and runs(floor, when):
                spent[column] = spent.get(column, 0.0) + dollars

    def _holding_price(self, row: dict) -> float:
        asked = self.plan.asked_of(row).holding
        return row["holding_usd_per_gpu_hour"] + row["adders_usd_per_gpu_hour"] if asked is None else asked

    def _usage_price(self, row: dict, when: datetime, nodes: float) -> float:
        asked = self.plan.asked_of(row).usage
        if asked is not None:
            return asked + (asked - row["adders_usd_per_gpu_hour"]) * (overhead(row, nodes) / overhead(row) - 1.0)
        if row["purchase_option"] in HELD:
            return row["usage_usd_per_gpu_hour"]
        moved = row["usage_usd_per_gpu_hour"] * factor(self.plan.moves, row, self.plan.begin(), when)
        return (
            moved * (overhead(row, nodes) if row["purchase_option"] == "spot" else 1.0) + row["adders_usd_per_gpu_hour"]
        )

    # One hour

    def _hour(self, hour: datetime, when: datetime, weight: float) -> None:
        running = [row for row in self.rows if self.plan.there(row, when)]
        lanes = {name_of(row): Lanes() for row in running}
        drawn: dict[str, dict[int, float]] = {name: {} for name, terms, _ in self.dollars if runs(terms, when)}
        for stream, needs in self.needs.streams.items():
            serving: dict[int, float] = {}
            for row in running:
                self._serve(stream, row, (when, weight), lanes[name_of(row)], serving)
            self._serve_from_dollars(stream, weight, drawn, serving)
            self.milp.row(serving, needs.get(hour, 0.0), needs.get(hour, 0.0))
        for row in running:
            self._capacity(row, lanes[name_of(row)], when, weight)
        for name, terms, _ in self.dollars:
            if name in drawn:
                self._pay(self.spending[name], weight, terms, when)
                self.milp.row(drawn[name] | {self.spending[name]: -1.0}, -math.inf, 0.0)

    @cached_property
    def rates(self) -> dict[tuple[tuple, str], float]:
        rows = [*self.plan.available, *(row for _, _, rates in self.plan.dollars for row in rates)]
        return {(stream, name_of(row)): self.needs.rate(stream, row) for stream in self.needs.streams for row in rows}

    def _serve(self, stream: tuple, row: dict, at: tuple, lanes: "Lanes", serving: dict[int, float]) -> None:
        """Let one offer serve a stream for an hour: from what is held, from what may be added, from overage."""
        rate, (when, weight) = self.rates[stream, name_of(row)], at
        if rate == 0:
            return
        prices = {"own": self._usage_price(row, when, self.needs.nodes(stream, row))}
        holding = self.held.get(name_of(row))
        if holding and holding.extra is not None:
            prices["burst"] = (row["burst_usd_per_gpu_hour"] or 0.0) + row["adders_usd_per_gpu_hour"]
        if holding and holding.some is not False and row["overage_usd_per_gpu_hour"] is not None:
            prices["overage"] = row["overage_usd_per_gpu_hour"] + row["adders_usd_per_gpu_hour"]
        for lane, price in prices.items():
            x = self.milp.variable(weight * self.needs.moving(stream, row))
            self._pay(x, weight * price, row, when, as_used=holding is None)
            getattr(lanes, lane)[x] = 1.0
            self._count(x, rate, row, weight, serving)

    def _count(self, x: int, rate: float, row: dict, weight: float, serving: dict[int, float]) -> None:
        """Let GPU-hours serve, and count what they serve towards the limits on spot and on a provider."""
        serving[x] = rate
        self.shares.setdefault(row["provider"], {})[x] = rate * weight
        if row["purchase_option"] == "spot":
            self.spot[x] = rate * weight
            self.pools.setdefault(name_of(row), {})[x] = rate * weight

    def _serve_from_dollars(
        self, stream: tuple, weight: float, drawn: dict[str, dict[int, float]], serving: dict[int, float]
    ) -> None:
        """Let a stream be served for one hour at every rate of every commitment in dollars that runs."""
        for name, _, rates in self.dollars:
            for row in rates if name in drawn else []:
                if rate := self.rates[stream, name_of(row)]:
                    x = self.milp.variable(weight * self.needs.moving(stream, row))
                    drawn[name][x] = row["holding_usd_per_gpu_hour"]
                    self._count(x, rate, row, weight, serving)

    def _capacity(self, row: dict, lanes: "Lanes", when: datetime, weight: float) -> None:
        """In one hour, use no more than is there or may be used at once; what is left is resold if it can be."""
        holding = self.held.get(name_of(row))
        if holding is None:
            self.milp.row(lanes.own, -math.inf, math.inf if row["max_gpus"] is None else row["max_gpus"])
            return
        share, until = self.plan.there(row, when), self.plan.exit(row)
        gpus = holding.gpus if until is None or when < until else holding.rest
        self._pay(gpus, weight * share * self._holding_price(row), row, when)
        self.milp.cost[gpus] += weight * share * self.plan.interest(row)
        self.committed[gpus] = self.committed.get(gpus, 0.0) + weight * share
        idle = self.milp.variable(0.0)
        self._pay(idle, -weight * (row["salvage_usd_per_gpu_hour"] or 0.0), row, when)
        self.milp.row(lanes.own | {idle: 1.0, gpus: -share}, 0.0, 0.0)
        if holding.extra is not None:
            self._pay(holding.extra, weight * (row["burst_fee_usd_per_gpu_hour"] or 0.0), row, when)
            self.committed[holding.extra] = self.committed.get(holding.extra, 0.0) + weight
            self.milp.row(lanes.burst | {holding.extra: -1.0}, -math.inf, 0.0)
        if lanes.overage:
            self.holdings.only_if(holding.some, lanes.overage, self.holdings.plenty(row))

    # Over all hours

    def _sums_to_spend(self) -> None:
        """Pay what is missing in each sum to spend; a pool returns the discount on what it was paid for."""
        for floor, spent in zip(self.floors, self.spent, strict=True):
            due = self.plan.to_spend(floor)
            missing = self.milp.variable(1.0)
            self.milp.row(spent | {missing: 1.0}, due, math.inf)
            if floor["purchase_option"] == "prepaid":
                self.milp.variable(-due * floor["discount_share"], low=1.0, high=1.0)

    def _limits(self) -> None:
        cash = {
            self.held[name_of(row)].gpus: self.plan.upfront(row)
            for row in self.rows
            if name_of(row) in self.held and "commitment_id" not in row
        }
        for name, terms, rates in self.dollars:
            column = self.spending[name]
            # As many GPUs as a dollar could be for anybody.
            gpus = max(
                self.rates[one, name_of(row)] / row["holding_usd_per_gpu_hour"]
                for one in self.needs.streams
                for row in rates
            )
            self.committed[column] = self.plan.in_force(terms) * gpus
            if "commitment_id" not in terms:
                cash[column] = self.plan.upfront(terms | {"holding_usd_per_gpu_hour": 1.0})
        parts = {"spot": self.spot, "committed": self.committed}
        parts |= {f"provider.{provider}": shares for provider, shares in self.shares.items()}
        for name, most in self.plan.limits.items():
            if name == "upfront":
                self.milp.row(cash, -math.inf, most)
            elif name == "spot.each":
                for pool in self.pools.values():
                    self.milp.row(pool, -math.inf, most * self.needs.demanded())
            elif name != "term":
                self.milp.row(parts.get(name, {}), -math.inf, most * self.needs.demanded())


class Lanes:
    """GPU-hours of one offer in one hour: of what is held, added on call, and beyond."""

    def __init__(self) -> None:
        self.own: dict[int, float] = {}
        self.burst: dict[int, float] = {}
        self.overage: dict[int, float] = {}


def _counts(floor: dict, row: dict, *, as_used: bool) -> bool:
    """Return whether what is paid for a row counts towards a sum to spend."""
    if floor["provider"] != row["provider"]:
        return False
    if floor["purchase_option"] == "spend_floor":
        return True
    models = (floor["eligible_gpu_models"] or "").split(",")
    return as_used and (models == [""] or row["gpu_model"] in [model.strip() for model in models])
