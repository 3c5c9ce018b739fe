"""The plan's cost, computed a second time: a variable per stream, offer, stretch and hour, and nothing reduced.

It reads the same tables and shares no code with the optimizer. It is written to be read, not to be fast: the rows mean
what `reference_rows` says, the program is written in `reference_program` and solved in `reference_milp`.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import combinations, pairwise

from tests.optimizer.reference_milp import Milp
from tests.optimizer.reference_needs import Needs
from tests.optimizer.reference_program import Program
from tests.optimizer.reference_rows import (
    HELD,
    MONTH,
    SPEND,
    at_dates,
    at_tiers,
    factor,
    free_money,
    in_gpus,
    is_list,
    later,
    name_of,
    runs,
    spread,
    whole_ramp,
    window,
)


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


@dataclass(frozen=True)
class Stretch:
    """Hours that are alike for every offer: each history hour counts `weight` times."""

    begins: datetime | None  # None: every hour begins at its own time
    weight: float


@dataclass
class Plain:
    """One plan to make; `limits` maps spot, spot.each, committed, upfront, term and provider.NAME to a number.

    capital: what capital costs in a year, as a share of it.
    """

    usage: list[dict]
    offers: list[dict]
    commitments: list[dict]
    rules: tuple
    limits: Mapping[str, float]
    months: float | None
    now: datetime
    questions: Mapping[str, Terms] = field(default_factory=dict)
    ladder_months: float | None = None
    moves: tuple = ()
    capital: float = 0.0

    def cost(self) -> float:
        """Return the cost of the cheapest plan, inf where there is none."""
        return self.solved()[0]

    def asked(self, **questions: Terms) -> "Plain":
        """Return the same plan with other terms for some offers."""
        return replace(self, questions={**self.questions, **questions})

    def solved(self) -> tuple[float, dict[str, float]]:
        """Return the cost of the best plan, and what it holds, by name: GPUs, or dollars an hour.

        What can be left at a sliver to be paid for its overage or burst only is not named: how little is no answer.
        """
        return min((self._solved(taken) for taken in self._choices()), key=lambda found: found[0])

    def program(self, taken: tuple[str, ...] = ()) -> tuple[Milp, dict[str, int]]:
        """Return the program in which just these sums to spend are taken, and the column of what is held, by name."""
        written = Program(self, taken)
        return written.milp, written.columns

    def _solved(self, taken: tuple[str, ...]) -> tuple[float, dict[str, float]]:
        written = Program(self, taken)
        cost, values = written.milp.solve()
        named = {name: at for name, at in written.columns.items() if name not in written.holdings.slivers}
        return cost, {name: float(values[column]) for name, column in named.items()} if len(values) else {}

    def _choices(self) -> Iterator[tuple[str, ...]]:
        """Return every subset of the sums to spend that a plan may agree to."""
        free = [name_of(row) for row in self.spends if not self.in_any_case(row)]
        for count in range(len(free) + 1):
            yield from combinations(free, count)

    # The time that is planned

    @cached_property
    def hours(self) -> list[datetime]:
        return sorted({hour for row in self.usage for hour, _ in spread(row)})

    def begin(self) -> datetime:
        return self.hours[0] if self.months is None else self.now.replace(minute=0, second=0, microsecond=0)

    def end(self) -> datetime:
        if self.months is None:
            return self.hours[-1] + timedelta(hours=1)
        return later(self.begin(), self.months)

    @cached_property
    def stretches(self) -> list[Stretch]:
        if self.months is None:
            return [Stretch(None, 1.0)]
        rows = [*self.available, *(terms for _, terms, _ in self.dollars), *self.spends]
        seen = [time for row in rows for time in (*window(self.begun(row)), self.exit(row), *dict(self.ramp(row)))]
        seen += [later(self.begin(), move.from_month) for move in self.moves]
        times = {time for time in seen if time and self.begin() < time < self.end()}
        cuts = [self.begin(), *sorted(times), self.end()]
        count = len(self.hours)
        return [Stretch(a, (b - a).total_seconds() / 3600 / count) for a, b in pairwise(cuts)]

    @cached_property
    def slots(self) -> list[tuple[datetime, datetime, float]]:
        """Return every hour of the history in every stretch: the hour, when it is, and how often it counts."""
        return [(hour, stretch.begins or hour, stretch.weight) for stretch in self.stretches for hour in self.hours]

    def ramp(self, row: dict) -> list[tuple[datetime, float]]:
        """Return from when on which share of an offer's GPUs is there; empty where all always are."""
        if not row.get("ramp") or row["purchase_option"] not in HELD:
            return []
        steps = sorted((int(month), float(gpus)) for gpus, month in (step.split("@") for step in row["ramp"].split()))
        begin, most = self.begun(row)["start"], max(gpus for _, gpus in steps)
        return [(later(begin, month - 1), gpus / most) for month, gpus in steps]

    def exit(self, row: dict) -> datetime | None:
        """Return from when on a part may be given back, None where none may."""
        if not row["exit_after_months"] or row["purchase_option"] not in HELD or not in_gpus(row):
            return None
        return later(self.begun(row)["start"], row["exit_after_months"])

    def begun(self, row: dict) -> dict:
        """Let an offer with a ramp or exit and no start begin with the plan; it ends where it says, or never."""
        if not (row.get("ramp") or row["exit_after_months"]) or row["start"] is not None:
            return row
        return row | {"start": self.begin(), "end": row["end"] or datetime.max.replace(tzinfo=self.begin().tzinfo)}

    def there(self, row: dict, time: datetime) -> float:
        """Return the share of an offer's GPUs that is there at a time."""
        if not runs(self.begun(row), time):
            return 0.0
        shares = [share for at, share in self.ramp(row) if at <= time]
        return shares[-1] if shares else float(not self.ramp(row))

    def begins(self, row: dict) -> bool:
        """Return whether an offer's term, also where a ramp has no GPUs in it yet, touches the horizon."""
        return any(runs(self.begun(row), when) for _, when, _ in self.slots)

    def in_force(self, row: dict) -> float:
        """Return the hours of the horizon in which an offer runs."""
        return sum(weight * self.there(row, when) for _, when, weight in self.slots)

    def hours_in_force(self, name: str) -> float:
        return self.in_force(next(row for row in (*self.on_offer, *self.commitments) if name_of(row) == name))

    # What is on offer

    @cached_property
    def on_offer(self) -> list[dict]:
        """Return each offer once for each date and tier at which it can be bought, at the list price of the date."""
        return [
            tier | {"holding_usd_per_gpu_hour": tier["holding_usd_per_gpu_hour"] * self._moved(tier)}
            for row in self.offers
            for dated in at_dates(whole_ramp(row), self.begin(), self._dates())
            for tier in at_tiers(dated)
        ]

    def _dates(self) -> list[float]:
        if self.months is None or self.ladder_months is None:
            return []
        return [index * self.ladder_months for index in range(math.ceil(self.months / self.ladder_months))]

    def _moved(self, row: dict) -> float:
        """Return what the moves make of a holding price: what has a start of its own is bought at the begin."""
        if row["plan"] is not None or row["purchase_option"] not in HELD:
            return 1.0
        return factor(self.moves, row, self.begin(), row.get("bought", self.begin()))

    @cached_property
    def available(self) -> list[dict]:
        """Return offers and commitments of GPUs that the plan may or must use."""
        longest = self.limits.get("term", math.inf)
        offers = [
            row for row in self.on_offer if row["purchase_option"] not in HELD or (row["term_months"] or 0) <= longest
        ]
        return [
            row
            for row in (*self.commitments, *offers)
            if row["status"] != "declined" and in_gpus(row) and not self.asked_of(row).absent and not free_money(row)
        ]

    @cached_property
    def dollars(self) -> list[tuple[str, dict, list[dict]]]:
        """Return commitments in dollars an hour, on offer or owned: name, terms, and the rows of their rates."""
        rates: dict[str, list[dict]] = {}
        for row in self.on_offer:
            if row["plan"] is not None and row["status"] != "declined":
                rates.setdefault(row["plan"], []).append(row)
        longest = self.limits.get("term", math.inf)
        offered = [(plan, rows[0], rows) for plan, rows in rates.items() if (rows[0]["term_months"] or 0) <= longest]
        owned = [row for row in self.commitments if row["gpus"] is None and row["plan"] in rates]
        return [*offered, *((row["commitment_id"], row, rates[row["plan"]]) for row in owned)]

    @cached_property
    def spends(self) -> list[dict]:
        """Return the sums to spend that the plan may or must agree to."""
        rows = [row for row in (*self.commitments, *self.offers) if row["purchase_option"] in SPEND]
        return [row for row in rows if row["status"] != "declined" and not self.asked_of(row).absent]

    def in_any_case(self, row: dict) -> bool:
        return "commitment_id" in row or row["status"] == "accepted"

    def to_spend(self, row: dict) -> float:
        """Return the part of a sum to spend that falls into the horizon, in dollars."""
        start, end = window(row)
        dated = (end - start).total_seconds() / 3600 if start and end else None
        term = row["term_months"] * MONTH if row["term_months"] else dated or self.needs.horizon_hours
        within = sum(weight for _, when, weight in self.slots if runs(row, when))
        whole = row["usd_per_hour"] * term if row["spend_usd"] is None else row["spend_usd"]
        return whole * min(within / term, 1.0)

    def discount(self, row: dict, floors: list[dict]) -> float:
        """Return what floors make of a list price: each counts that runs as long as the plan."""
        if not is_list(row):
            return 1.0
        taken = [
            floor
            for floor in floors
            if floor["purchase_option"] == "spend_floor"
            and floor["provider"] == row["provider"]
            and all(runs(floor, when) for _, when, _ in self.slots)
        ]
        return math.prod(1 - floor["discount_share"] for floor in taken)

    def asked_of(self, row: dict) -> Terms:
        return self.questions.get(name_of(row), Terms())

    def upfront(self, row: dict) -> float:
        """Return the dollars paid at the start for one GPU."""
        hours = self.paid_hours(row) or self.needs.horizon_hours
        return row["upfront_share"] * row["holding_usd_per_gpu_hour"] * hours

    def interest(self, row: dict) -> float:
        """Return what paying a part at the start costs more, by the hour of one GPU, than paying it month by month.

        A dollar at the start of n months is worth the same n payments at the ends of the months, each discounted: of
        what capital costs in a month, as often as it makes up a year's cost in twelve.
        """
        paid = self.paid_hours(row)
        months = self.months if paid is None else paid / MONTH
        if not self.capital or not months or "commitment_id" in row:
            return 0.0
        worth = (1 - (1 + self.capital) ** (-months / 12)) / ((1 + self.capital) ** (1 / 12) - 1)
        return row["upfront_share"] * row["holding_usd_per_gpu_hour"] * (months / worth - 1)

    def paid_hours(self, row: dict) -> float | None:
        """Return the hours that a GPU is paid for: its term or its dates, ramped up; None where it has neither."""
        start, end = self.begun(row)["start"], window(row)[1]
        term = row["term_months"] * MONTH if row["term_months"] else None
        dated = (end - start).total_seconds() / 3600 if start and end else None
        whole, steps = term or dated, self.ramp(row)
        if whole and steps:
            edges = [*((at - start).total_seconds() / 3600 for at, _ in steps), whole]
            spans = [max(min(b, whole) - min(a, whole), 0.0) for a, b in pairwise(edges)]
            whole = sum(share * span for (_, share), span in zip(steps, spans, strict=True))
        return whole

    @cached_property
    def needs(self) -> Needs:
        return Needs(self.usage, self.rules, self.slots)


def plain_cost(usage, offers, commitments, rules, limits, months, now, **more) -> float:
    """Return the cost of the cheapest plan for checked tables, inf where there is none."""
    return plain(usage, offers, commitments, rules, limits, months, now, **more).cost()


def plain(usage, offers, commitments, rules, limits, months, now, **more) -> Plain:
    """State a plan from checked tables; `more` is ladder_months, moves and capital."""
    return Plain(
        usage=usage.to_dicts(),
        offers=offers.to_dicts(),
        commitments=[] if commitments is None else commitments.to_dicts(),
        rules=tuple(rules),
        limits=limits,
        months=months,
        now=now,
        **more,
    )
