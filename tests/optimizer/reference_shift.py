"""Work that may wait, in the second formulation: GPU-hours sent from the hour they arrive in to the hour they run in.

Nothing is kept as a backlog: each hour's work has a variable for every hour in which it may run.
"""

import math
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from unittest.mock import patch

from hypothesis import strategies as st

from optimizer.demand import WorkloadRule
from tests.optimizer.instances import Case, cases
from tests.optimizer.reference import Plain
from tests.optimizer.reference_holdings import Holdings
from tests.optimizer.reference_program import Lanes, Program
from tests.optimizer.reference_rows import name_of, runs

HOUR = timedelta(hours=1)


class Transport(Program):
    """The program in which work of a stream with a window is sent to the hours in which it runs."""

    def __init__(self, plan: "Waits", taken: tuple[str, ...]) -> None:
        self.sent: dict[tuple, dict[int, float]] = {}
        plenty = Holdings.plenty
        widest = max([1, *map(plan.window, plan.needs.streams)])
        with patch.object(Holdings, "plenty", lambda holdings, row: widest * plenty(holdings, row)):
            super().__init__(plan, taken)
        for (stream, _, hour), sent in self.sent.items():
            needed = self.needs.streams[stream].get(hour, 0.0)
            self.milp.row(sent, needed, needed)

    def _hour(self, hour: datetime, when: datetime, weight: float) -> None:
        """As the program it extends, but what is served in an hour is what is sent to it."""
        running = [row for row in self.rows if self.plan.there(row, when)]
        lanes = {name_of(row): Lanes() for row in running}
        drawn: dict[str, dict[int, float]] = {name: {} for name, terms, _ in self.dollars if runs(terms, when)}
        for stream in self.needs.streams:
            serving: dict[int, float] = {}
            for row in running:
                self._serve(stream, row, (when, weight), lanes[name_of(row)], serving)
            self._serve_from_dollars(stream, weight, drawn, serving)
            self.milp.row(serving | dict.fromkeys(self._arriving(stream, hour, when), -1.0), 0.0, 0.0)
        for row in running:
            self._capacity(row, lanes[name_of(row)], when, weight)
        for name, terms, _ in self.dollars:
            if name in drawn:
                self._pay(self.spending[name], weight, terms, when)
                self.milp.row(drawn[name] | {self.spending[name]: -1.0}, -math.inf, 0.0)

    def _arriving(self, stream: tuple, hour: datetime, when: datetime) -> list[int]:
        """Return a variable for each hour whose work may run in this one; none across an hour that is lacking."""
        copy = when if self.plan.months else None  # each stretch of a horizon of months is the history once more
        found = []
        for back in range(self.plan.window(stream)):
            arrived = hour - back * HOUR
            if arrived not in self.plan.hours:
                break
            found.append(self.milp.variable(0.0))
            self.sent.setdefault((stream, copy, arrived), {})[found[-1]] = 1.0
        return found


@dataclass
class Waits(Plain):
    """A plan in which work may wait for as long as the rules say."""

    def window(self, stream: tuple) -> int:
        """Return the hours in which work of a stream may run."""
        return self.needs.said(stream[0], "window_hours") or 1

    def _solved(self, taken: tuple[str, ...]) -> tuple[float, dict[str, float]]:
        written = Transport(self, taken)
        cost, values = written.milp.solve()
        named = {name: at for name, at in written.columns.items() if name not in written.holdings.slivers}
        return cost, {name: float(values[column]) for name, column in named.items()} if len(values) else {}


@dataclass(frozen=True)
class ShiftCase(Case):
    """A plan to make in which work may wait."""

    def plain(self) -> Waits:
        """Return the case as the reference takes it."""
        plain = super().plain()
        return Waits(**{each.name: getattr(plain, each.name) for each in fields(Plain)})

    def windows(self, hours: int) -> "ShiftCase":
        """Return the case with another window wherever one is set."""
        rules = tuple(
            rule if rule.window_hours is None else WorkloadRule(**_rule(rule) | {"window_hours": hours})
            for rule in self.rules
        )
        return self.but(rules=rules)


def _rule(rule: WorkloadRule) -> dict:
    return {each.name: getattr(rule, each.name) for each in fields(WorkloadRule)}


@st.composite
def shift_cases(draw, **wanted) -> ShiftCase:
    """Draw a plan as `cases` does, and let some of its workloads wait."""
    case = draw(cases(**wanted))
    names = sorted({row["workload"] for row in case.usage})
    rules = tuple(
        WorkloadRule(pattern=name, interruptible=True, window_hours=draw(st.sampled_from([2, 2, 3, 5, 24])))
        for name in names
        if draw(st.sampled_from([1, 1, 0])) or name == names[-1]
    )
    kept = {each.name: getattr(case, each.name) for each in fields(Case)}
    return ShiftCase(**kept | {"rules": case.rules + rules})
