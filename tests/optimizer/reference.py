"""The plan's cost, computed a second time: a variable per stream, offer, stretch and hour, and nothing reduced.

It reads the same tables and shares no code with the optimizer. It is written to be read, not to be fast.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

MONTH = 730
HELD = {"reserved", "savings_plan", "cud", "capacity_block", "contract", "flex"}
SCALE = 1e3  # HiGHS ends branch and bound within 1e-6 of the objective: count it in tenths of a cent


@dataclass(frozen=True)
class Terms:
    """What a question changes about one offer, named by its id.

    quantity: exactly so many GPUs. all_or_nothing: none or exactly so many. holding, usage: another price, while the
    cash paid upfront stays as it was quoted. absent: not on offer.
    """

    quantity: float | None = None
    all_or_nothing: float | None = None
    holding: float | None = None
    usage: float | None = None
    absent: bool = False


@dataclass
class Milp:
    """A mixed-integer program that grows by one variable and one row at a time."""

    cost: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)

    def variable(self, cost: float, *, low: float = 0.0, high: float = math.inf, whole: bool = False) -> int:
        self.cost.append(cost)
        self.low.append(low)
        self.high.append(high)
        self.whole.append(int(whole))
        return len(self.cost) - 1

    def row(self, terms: Mapping[int, float], low: float, high: float) -> None:
        self.rows.append((dict(terms), low, high))

    def solve(self) -> tuple[float, np.ndarray]:
        """Return the optimum, and inf where there is none; integers are rounded and the rest solved again."""
        if not self.cost:
            fits = all(low <= 0 <= high for _, low, high in self.rows)
            return (0.0 if fits else math.inf), np.zeros(0)
        low, high = np.array(self.low), np.array(self.high)
        whole = np.array(self.whole)
        found = self._run(low, high, whole)
        if found is None or not whole.any():
            return (math.inf, np.zeros(0)) if found is None else found
        fixed = whole == 1
        low[fixed] = high[fixed] = np.round(found[1][fixed])
        exact = self._run(low, high, np.zeros_like(whole))
        assert exact is not None, "rounding the whole numbers left no solution"
        return exact

    def _run(self, low: np.ndarray, high: np.ndarray, whole: np.ndarray) -> tuple[float, np.ndarray] | None:
        for presolve in (True, False):  # HiGHS's presolve now and then gives up, or says infeasible too soon
            result = milp(
                np.array(self.cost) * SCALE,
                integrality=whole,
                bounds=Bounds(low, high),
                constraints=self._constraints,
                options={"mip_rel_gap": 0.0, "presolve": presolve},
            )
            if result.status == 0:
                return float(np.dot(self.cost, result.x)), result.x
        assert result.status == 2, result.message
        return None

    @cached_property
    def _constraints(self) -> list[LinearConstraint]:
        if not self.rows:
            return []
        at = [(index, column) for index, (terms, _, _) in enumerate(self.rows) for column in terms]
        values = [value for terms, _, _ in self.rows for value in terms.values()]
        shape = (len(self.rows), len(self.cost))
        where = np.array(at, dtype=np.int32).reshape(-1, 2)
        matrix = csr_array((values, (where[:, 0], where[:, 1])), shape=shape)
        return [LinearConstraint(matrix, [low for _, low, _ in self.rows], [high for _, _, high in self.rows])]


@dataclass(frozen=True)
class Stretch:
    """Hours that are alike for every offer: each history hour counts `weight` times."""

    begins: datetime | None  # None: every hour begins at its own time
    weight: float


@dataclass
class Plain:
    """One plan to make; `limits` maps spot, committed, upfront, term and provider.NAME to a number."""

    usage: list[dict]
    offers: list[dict]
    commitments: list[dict]
    rules: tuple
    limits: Mapping[str, float]
    months: float | None
    now: datetime
    questions: Mapping[str, Terms] = field(default_factory=dict)

    def cost(self) -> float:
        """Return the cost of the cheapest plan, inf where there is none."""
        return self.solved()[0]

    def asked(self, **questions: Terms) -> "Plain":
        """Return the same plan with other terms for some offers."""
        return replace(self, questions={**self.questions, **questions})

    def solved(self) -> tuple[float, dict[str, float]]:
        """Return the cost, and the GPUs held of each offer and commitment."""
        program, held = self.program()
        cost, values = program.solve()
        return cost, {name: float(values[column]) for name, column in held.items()} if len(values) else {}

    # The time that is planned

    @cached_property
    def hours(self) -> list[datetime]:
        return sorted({hour for row in self.usage for hour, _ in spread(row)})

    def begin(self) -> datetime:
        return self.hours[0] if self.months is None else self.now.replace(minute=0, second=0, microsecond=0)

    def end(self) -> datetime:
        if self.months is None:
            return self.hours[-1] + timedelta(hours=1)
        return self.begin() + timedelta(hours=self.months * MONTH)

    @cached_property
    def stretches(self) -> list[Stretch]:
        if self.months is None:
            return [Stretch(None, 1.0)]
        rows = [*self.available, *(terms for _, terms, _ in self.dollars)]
        seen = [time for row in rows for time in (*window(self.begun(row)), *(at for at, _ in self.ramp(row)))]
        times = {time for time in seen if time and self.begin() < time < self.end()}
        cuts = [self.begin(), *sorted(times), self.end()]
        count = len(self.hours)
        return [Stretch(a, (b - a).total_seconds() / 3600 / count) for a, b in pairwise(cuts)]

    def ramp(self, row: dict) -> list[tuple[datetime, float]]:
        """Return from when on which share of an offer's GPUs is there; empty where all always are."""
        if not row.get("ramp") or row["purchase_option"] not in HELD:
            return []
        steps = sorted((int(month), float(gpus)) for gpus, month in (step.split("@") for step in row["ramp"].split()))
        begin, most = self.begun(row)["start"], max(gpus for _, gpus in steps)
        return [(begin + timedelta(hours=(month - 1) * MONTH), gpus / most) for month, gpus in steps]

    def begun(self, row: dict) -> dict:
        """Let an offer with a ramp and no start begin with the plan; it ends where it says, or never."""
        if not row.get("ramp") or row["start"] is not None:
            return row
        return row | {"start": self.begin(), "end": row["end"] or datetime.max.replace(tzinfo=self.begin().tzinfo)}

    def there(self, row: dict, time: datetime) -> float:
        """Return the share of an offer's GPUs that is there at a time."""
        if not runs(self.begun(row), time):
            return 0.0
        shares = [share for at, share in self.ramp(row) if at <= time]
        return shares[-1] if shares else float(not self.ramp(row))

    def in_force(self, row: dict) -> float:
        """Return the hours of the horizon in which an offer runs."""
        return sum(
            stretch.weight * self.there(row, stretch.begins or hour)
            for stretch in self.stretches
            for hour in self.hours
        )

    def hours_in_force(self, name: str) -> float:
        return self.in_force(next(row for row in (*self.offers, *self.commitments) if name_of(row) == name))

    # What is on offer

    @cached_property
    def available(self) -> list[dict]:
        """Return offers and commitments that the plan may or must use."""
        longest = self.limits.get("term", math.inf)
        offers = [
            row
            for row in self.offers
            if row["plan"] is None and (row["purchase_option"] not in HELD or (row["term_months"] or 0) <= longest)
        ]
        return [
            row
            for row in (*self.commitments, *offers)
            if row["status"] != "declined"
            and row["purchase_option"] != "spend_floor"
            and not self.asked_of(row).absent
            and not _free_money(row)
            and ("commitment_id" not in row or row["gpus"] is not None)
        ]

    @cached_property
    def dollars(self) -> list[tuple[str, dict, list[dict]]]:
        """Return commitments in dollars an hour, on offer or owned: name, terms, and the rows of their rates."""
        rates: dict[str, list[dict]] = {}
        for row in self.offers:
            if row["plan"] is not None and row["status"] != "declined":
                rates.setdefault(row["plan"], []).append(row)
        longest = self.limits.get("term", math.inf)
        offered = [(plan, rows[0], rows) for plan, rows in rates.items() if (rows[0]["term_months"] or 0) <= longest]
        owned = [row for row in self.commitments if row["gpus"] is None and row["plan"] in rates]
        return [*offered, *((row["commitment_id"], row, rates[row["plan"]]) for row in owned)]

    def asked_of(self, row: dict) -> Terms:
        return self.questions.get(name_of(row), Terms())

    def holding(self, row: dict) -> float:
        asked = self.asked_of(row).holding
        return row["holding_usd_per_gpu_hour"] + row["adders_usd_per_gpu_hour"] if asked is None else asked

    def upfront(self, row: dict) -> float:
        """Return the dollars paid at the start for one GPU."""
        start, end = self.begun(row)["start"], window(row)[1]
        horizon = sum(stretch.weight for stretch in self.stretches) * len(self.hours)
        term = row["term_months"] * MONTH if row["term_months"] else None
        dated = (end - start).total_seconds() / 3600 if start and end else None
        whole, steps = term or dated, self.ramp(row)
        if whole and steps:
            edges = [*((at - start).total_seconds() / 3600 for at, _ in steps), whole]
            spans = [max(min(b, whole) - min(a, whole), 0.0) for a, b in pairwise(edges)]
            whole = sum(share * span for (_, share), span in zip(steps, spans, strict=True))
        return row["upfront_share"] * row["holding_usd_per_gpu_hour"] * (whole or horizon)

    # What is needed

    @cached_property
    def streams(self) -> dict[tuple, dict[datetime, float]]:
        """Return the demand of each stream (workload, GPU model, bound provider, bound region) by the hour."""
        found: dict[tuple, dict[datetime, float]] = {}
        for row in self.usage:
            stays = self.said(row["workload"], "movable") is False
            place = (row["provider"], row["region"]) if stays else (None, None)
            needs = found.setdefault((row["workload"], row["gpu_model"], *place), {})
            for hour, gpus in spread(row):
                needs[hour] = needs.get(hour, 0.0) + gpus
        return found

    def said(self, workload: str, what: str) -> object:
        """Return what the last rule that matches a workload says, None where none does."""
        words = [getattr(rule, what) for rule in self.rules if fnmatchcase(workload, rule.pattern)]
        return next((word for word in reversed(words) if word is not None), None)

    def interruptible(self, stream: tuple) -> bool:
        told = self.said(stream[0], "interruptible")
        rows = [row for row in self.usage if (row["workload"], row["gpu_model"]) == stream[:2]]
        return all(row["interruptible"] is True for row in rows) if told is None else bool(told)

    def rate(self, stream: tuple, row: dict) -> float:
        """Return how much of a stream one GPU-hour of an offer serves, 0 where it may not."""
        workload, model, provider, region = stream
        providers = (provider,) if provider else self.said(workload, "providers")
        regions = (region,) if region else self.said(workload, "regions")
        if row["purchase_option"] == "spot" and not self.interruptible(stream):
            return 0.0
        if providers is not None and row["provider"] not in providers:
            return 0.0
        here = row["region"]
        if regions is not None and here and not any(fnmatchcase(here, pattern) for pattern in regions):
            return 0.0
        if row["gpu_model"] == model:
            return 1.0
        ratios = [rule.runs_on for rule in self.rules if fnmatchcase(workload, rule.pattern)]
        return next((r[row["gpu_model"]] for r in reversed(ratios) if row["gpu_model"] in r), 0.0)

    # The program

    def program(self) -> tuple[Milp, dict[str, int]]:
        program = Milp()
        rows = self.available
        rates = {(stream, name_of(row)): self.rate(stream, row) for stream in self.streams for row in rows}
        held = {name_of(row): self._quantity(program, row) for row in rows if row["purchase_option"] in HELD}
        spending = {name: self._dollars(program, name, terms) for name, terms, _ in self.dollars}
        spot: dict[int, float] = {}
        shares: dict[str, dict[int, float]] = {}
        demanded = 0.0
        for stretch in self.stretches:
            for hour in self.hours:
                running = [row for row in rows if self.there(row, stretch.begins or hour)]
                spent: dict[str, dict[int, float]] = {
                    name: {} for name, terms, _ in self.dollars if runs(terms, stretch.begins or hour)
                }
                drawn: dict[str, list[int]] = {name_of(row): [] for row in running}
                for stream, needs in self.streams.items():
                    need = needs.get(hour, 0.0)
                    demanded += need * stretch.weight
                    serving: dict[int, float] = {}
                    for row in running:
                        rate = rates[stream, name_of(row)]
                        if rate == 0:
                            continue
                        x = program.variable(stretch.weight * self.paid(row))
                        serving[x] = rate
                        drawn[name_of(row)].append(x)
                        if row["purchase_option"] == "spot":
                            spot[x] = rate * stretch.weight
                        shares.setdefault(row["provider"], {})[x] = rate * stretch.weight
                    for row, x in self._at_rates(program, stream, spent):
                        serving[x] = self.rate(stream, row)
                        shares.setdefault(row["provider"], {})[x] = serving[x] * stretch.weight
                    program.row(serving, need, need)
                for name, drawn_dollars in spent.items():
                    program.row(drawn_dollars | {spending[name]: -1.0}, -math.inf, 0.0)
                for row in running:
                    share = self.there(row, stretch.begins or hour)
                    self._capacity(program, row, drawn[name_of(row)], held.get(name_of(row)), (stretch.weight, share))
        self._limits(program, rows, held, spot, shares, demanded, spending)
        return program, held | spending

    def paid(self, row: dict) -> float:
        asked = self.asked_of(row).usage
        price = row["usage_usd_per_gpu_hour"] if asked is None else asked
        price = price * overhead(row) if row["purchase_option"] == "spot" and asked is None else price
        goes = row["purchase_option"] not in HELD and asked is None
        return price + row["adders_usd_per_gpu_hour"] if goes else price

    def _at_rates(self, program: Milp, stream: tuple, spent: dict[str, dict[int, float]]) -> list[tuple[dict, int]]:
        """Let a stream be served for one hour at every rate of every commitment in dollars that runs."""
        found = []
        for name, _, rates in self.dollars:
            for row in rates:
                if name in spent and self.rate(stream, row):
                    x = program.variable(0.0)
                    spent[name][x] = row["holding_usd_per_gpu_hour"]
                    found.append((row, x))
        return found

    def _dollars(self, program: Milp, name: str, terms: dict) -> int:
        """Add the dollars an hour of one commitment: each costs a dollar in every hour in which it runs."""
        fixed = terms.get("usd_per_hour")
        fixed = self.questions.get(name, Terms()).quantity if fixed is None else fixed
        low, high = (0.0, math.inf) if fixed is None else (fixed, fixed)
        return program.variable(self.in_force(terms), low=low, high=high)

    def _quantity(self, program: Milp, row: dict) -> int:
        """Add the GPUs held of one offer, with its lots, minimum and maximum."""
        price = self.holding(row) * self.in_force(row)
        asked = self.asked_of(row)
        fixed = asked.quantity
        if fixed is None and "commitment_id" in row:
            fixed = row["gpus"]
        if fixed is None and asked.all_or_nothing is None and row["status"] == "accepted":
            fixed = block(row)
        if fixed is not None:
            return program.variable(price, low=fixed, high=fixed)
        if asked.all_or_nothing is not None:
            quantity = program.variable(price)
            taken = program.variable(0.0, high=1.0, whole=True)
            program.row({quantity: 1.0, taken: -asked.all_or_nothing}, 0.0, 0.0)
            return quantity
        most = math.inf if row["max_gpus"] is None else row["max_gpus"]
        quantity = program.variable(price, high=most)
        if row["lot_gpus"]:
            lots = program.variable(0.0, high=math.ceil(self._plenty(row) / row["lot_gpus"]), whole=True)
            program.row({quantity: 1.0, lots: -row["lot_gpus"]}, 0.0, 0.0)
        if row["min_gpus"] > 0:
            taken = program.variable(0.0, high=1.0, whole=True)
            program.row({quantity: 1.0, taken: -row["min_gpus"]}, 0.0, math.inf)
            program.row({quantity: 1.0, taken: -self._plenty(row)}, -math.inf, 0.0)
        return quantity

    def _plenty(self, row: dict) -> float:
        """Return more GPUs of an offer than all demand at once could use."""
        rates = [rate for stream in self.streams if (rate := self.rate(stream, row)) > 0]
        demand = [sum(needs.get(hour, 0.0) for needs in self.streams.values()) for hour in self.hours]
        least = min([1.0, *(share for _, share in self.ramp(row) if share)])
        return max(demand) / min([1.0, *rates]) / least + row["min_gpus"] + (row["lot_gpus"] or 0.0)

    def _capacity(self, program: Milp, row: dict, drawn: list[int], quantity: int | None, at: tuple) -> None:
        """In one hour, use no more than is there or may be used at once; what is left is resold if it can be."""
        used, (weight, share) = dict.fromkeys(drawn, 1.0), at
        if quantity is not None and row["salvage_usd_per_gpu_hour"]:
            resold = program.variable(-row["salvage_usd_per_gpu_hour"] * weight)
            program.row(used | {resold: 1.0, quantity: -share}, 0.0, 0.0)
        elif quantity is not None:
            program.row(used | {quantity: -share}, -math.inf, 0.0)
        elif row["max_gpus"] is not None:
            program.row(used, -math.inf, row["max_gpus"])

    def _limits(
        self,
        program: Milp,
        rows: Iterable[dict],
        held: Mapping[str, int],
        spot: dict[int, float],
        shares: Mapping[str, dict[int, float]],
        demanded: float,
        spending: Mapping[str, int],
    ) -> None:
        hours = {held[name_of(row)]: self.in_force(row) for row in rows if name_of(row) in held}
        cash = {
            held[name_of(row)]: self.upfront(row) for row in rows if name_of(row) in held and "commitment_id" not in row
        }
        for name, terms, rates in self.dollars:
            # As many GPUs as a dollar could be for anybody.
            most_gpus = max(
                self.rate(one, row) / row["holding_usd_per_gpu_hour"] for one in self.streams for row in rates
            )
            hours[spending[name]] = self.in_force(terms) * most_gpus
            if "commitment_id" not in terms:
                cash[spending[name]] = self.upfront(terms | {"holding_usd_per_gpu_hour": 1.0})
        for name, most in self.limits.items():
            if name == "spot":
                program.row(spot, -math.inf, most * demanded)
            elif name == "committed":
                program.row(hours, -math.inf, most * demanded)
            elif name == "upfront":
                program.row(cash, -math.inf, most)
            elif name.startswith("provider."):
                program.row(shares.get(name.removeprefix("provider."), {}), -math.inf, most * demanded)


def _free_money(row: dict) -> bool:
    """Return whether what is held could be resold for more than it costs."""
    price = row["holding_usd_per_gpu_hour"] + row["adders_usd_per_gpu_hour"]
    return row["purchase_option"] in HELD and (row["salvage_usd_per_gpu_hour"] or 0.0) > price


def name_of(row: dict) -> str:
    return row["commitment_id"] if "commitment_id" in row else row["offer_id"]


def spread(row: dict) -> list[tuple[datetime, float]]:
    """Return the hours that a row of usage stands for, and its GPUs in each."""
    if row["granularity"] == "day":
        return [(row["hour"] + timedelta(hours=hour), row["gpu_hours"] / 24) for hour in range(24)]
    return [(row["hour"], row["gpu_hours"])]


def window(row: dict) -> tuple[datetime | None, datetime | None]:
    """Return from when until when an offer serves; an end that is not given follows from start and term."""
    start, end = row["start"], row["end"]
    if end is None and start is not None and row["term_months"] is not None:
        end = start + timedelta(hours=row["term_months"] * MONTH)
    return start, end


def runs(row: dict, time: datetime) -> bool:
    start, end = window(row)
    return (start is None or start <= time) and (end is None or time < end)


def block(row: dict) -> float | None:
    """Return the GPUs that a vendor is talking about: its minimum in whole lots, else one lot, else all there is."""
    lot = row["lot_gpus"]
    if row["min_gpus"] > 0:
        return math.ceil(row["min_gpus"] / lot) * lot if lot else row["min_gpus"]
    return lot if lot is not None and lot > 1 else row["max_gpus"]


def overhead(row: dict) -> float:
    """Return hours of spot that are paid for one useful hour: 1 + δ/τ + (τ/2 + r)/M."""
    tau, between = row["checkpoint_hours"], row["mean_hours_between_interruptions"]
    saving = row["checkpoint_cost_hours"] / tau if tau else 0.0
    losing = ((tau or 0.0) / 2 + row["restart_hours"]) / between if between else 0.0
    return 1 + saving + losing


def _whole_ramp(row: dict) -> dict:
    """Let a ramp that names no other quantity be bought whole or not at all."""
    if not row["ramp"] or row["purchase_option"] not in HELD:
        return row
    most = max(float(step.split("@")[0]) for step in row["ramp"].split())
    return row | {"min_gpus": row["min_gpus"] or most, "max_gpus": most if row["max_gpus"] is None else row["max_gpus"]}


def plain_cost(usage, offers, commitments, rules, limits, months, now) -> float:
    """Return the cost of the cheapest plan for checked tables, inf where there is none."""
    return plain(usage, offers, commitments, rules, limits, months, now).cost()


def plain(usage, offers, commitments, rules, limits, months, now) -> Plain:
    """State a plan from checked tables."""
    return Plain(
        usage=usage.to_dicts(),
        offers=[_whole_ramp(row) for row in offers.to_dicts()],
        commitments=[] if commitments is None else commitments.to_dicts(),
        rules=tuple(rules),
        limits=limits,
        months=months,
        now=now,
    )
