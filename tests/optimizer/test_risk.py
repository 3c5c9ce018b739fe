"""Plans over several futures: against the whole program written out, and against what must hold of any such plan."""

from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import NOW, Case, cases, offer, series
from scipy.optimize import linprog

from optimizer.edits import Change
from optimizer.errors import InfeasibleError
from optimizer.ladder import PriceMove
from optimizer.plan import Plan, plan_of
from optimizer.scenarios import Drought, Scenario
from optimizer.tail import cvar, percentile
from providers.tables import InputError

MONTH = 730.0
HALF = 6.0  # months after which prices move, and until which a drought lasts


def planned(case: Case, scenarios, *, risk: float = 0.0, tail: float = 0.8) -> Plan:
    return plan_of(replace(case.inputs(), scenarios=tuple(scenarios), risk=risk, tail=tail))


def future(name: str, chance: float, *, demand: float = 1.0, price: float = 1.0, dry: bool = False) -> Scenario:
    return Scenario(
        name=name,
        probability=chance,
        changes=(Change(workload="*", factor=demand),),
        moves=(PriceMove(gpu_model="*", from_month=HALF, factor=price),),
        droughts=(Drought(gpu_model="*", provider="*", from_month=0.0, until_month=HALF),) if dry else (),
    )


@st.composite
def futures(draw) -> list[Scenario]:
    chances = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    return [
        future(
            f"s{index}",
            chance / sum(chances),
            demand=draw(st.sampled_from([0.0, 0.5, 1.0, 1.7])),
            price=draw(st.sampled_from([0.5, 1.0, 1.4])),
            dry=draw(st.booleans()),
        )
        for index, chance in enumerate(chances)
    ]


PRICES = {"od": 4.0, "spot": 1.5}


def table() -> list[dict]:
    reserved = [offer("r", "reserved", 2.0), offer("half", "contract", 1.4, end=None, max_gpus=3.0)]
    return [offer("od", price=PRICES["od"]), offer("spot", "spot", PRICES["spot"], max_gpus=2.0), *reserved]


class Program:
    """A linear program that grows by one variable and one row at a time."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.bounds: list[tuple[float | None, float | None]] = []
        self.above: list[tuple[dict[int, float], float]] = []
        self.equal: list[tuple[dict[int, float], float]] = []

    def variable(self, cost: float = 0.0, *, low: float | None = 0.0, high: float | None = None) -> int:
        self.cost.append(cost)
        self.bounds.append((low, high))
        return len(self.cost) - 1

    def least(self) -> float:
        rows = [(self._dense(kind), [to for _, to in kind]) for kind in (self.above, self.equal)]
        (above, above_to), (equal, equal_to) = rows
        found = linprog(self.cost, A_ub=above, b_ub=above_to, A_eq=equal, b_eq=equal_to, bounds=self.bounds)
        assert found.status == 0
        return float(found.fun)

    def _dense(self, rows: list[tuple[dict[int, float], float]]) -> np.ndarray:
        matrix = np.zeros((len(rows), len(self.cost)))
        for index, (row, _) in enumerate(rows):
            matrix[index, list(row)] = list(row.values())
        return matrix


def written_out(needs, scenarios, *, risk: float, tail: float) -> float:
    """Return the least of (1 - risk) · E + risk · CVaR, a variable for each scenario, half, hour and offer."""
    program = Program()
    shared = {"r": program.variable(), "half": program.variable(high=3.0)}
    paid = [lived_through(program, shared, needs, scenario) for scenario in scenarios]
    eta = program.variable(risk, low=None)
    for scenario, dollars in zip(scenarios, paid, strict=True):
        for column, price in dollars.items():
            program.cost[column] += (1 - risk) * scenario.probability * price
        worse = program.variable(risk * scenario.probability / (1 - tail))
        program.above.append(({**dollars, eta: -1.0, worse: -1.0}, 0.0))
    return program.least()


def lived_through(program: Program, shared: dict[str, int], needs, scenario: Scenario) -> dict[int, float]:
    """Serve every hour of a scenario, and return what a unit of each variable costs in it."""
    factor, move = scenario.changes[0].factor, scenario.moves[0].factor
    paid = {shared["r"]: 2.0 * 12 * MONTH, shared["half"]: 1.4 * 12 * MONTH}
    for half in (0, 1):
        dry = half == 0 and bool(scenario.droughts)
        for need in needs:
            held = {name: program.variable() for name in shared}
            used = {"od": program.variable(), "spot": program.variable(high=0.0 if dry else 2.0)}
            paid |= {used[name]: 6 * MONTH / len(needs) * PRICES[name] * (move if half else 1.0) for name in used}
            program.equal.append((dict.fromkeys((*held.values(), *used.values()), 1.0), need * factor))
            program.above += [({held[name]: 1.0, shared[name]: -1.0}, 0.0) for name in shared]
    return paid


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 5.0]), min_size=2, max_size=5),
    futures(),
    st.sampled_from([0.0, 0.3, 0.8, 1.0]),
    st.sampled_from([0.0, 0.5, 0.9]),
)
@settings(max_examples=50, deadline=None)
def test_a_plan_weighs_cost_and_tail_as_the_whole_program_does(needs, scenarios, risk, tail):
    case = Case(usage=series("a", needs, interruptible=True), offers=table(), months=12)
    with patch("optimizer.solve.SMALL", 0):  # hours in groups, as in a long history
        plan = planned(case, scenarios, risk=risk, tail=tail)
    assert plan.risk is not None
    weighed = (1 - risk) * plan.risk.expected + risk * plan.risk.cvar
    assert plan.risk.weighed == pytest.approx(weighed)
    assert weighed == pytest.approx(written_out(needs, scenarios, risk=risk, tail=tail), rel=1e-7, abs=1e-4)
    assert plan.summary.cost == pytest.approx(plan.risk.expected, rel=1e-9, abs=1e-6)
    assert plan.summary.lower_bound <= plan.summary.cost * (1 + 1e-9) + 1e-6
    assert all(outcome.regret >= -1e-6 * max(outcome.cost, 1.0) for outcome in plan.risk.outcomes)


@given(cases(limited=False, instruments=("moves",)))
@settings(max_examples=20, deadline=None)
def test_one_scenario_is_the_plan_without_any(case):
    only = [Scenario(name="only", probability=1.0)]
    try:
        sure = plan_of(case.inputs())
    except InfeasibleError:
        with pytest.raises(InfeasibleError):
            planned(case, only)
        return
    plan = planned(case, only, risk=0.5)
    assert plan.summary.cost == pytest.approx(sure.summary.cost, rel=1e-9, abs=1e-7)
    assert plan.risk is not None
    assert plan.risk.cvar == pytest.approx(sure.summary.cost, rel=1e-9, abs=1e-6)
    assert plan.risk.p5 == plan.risk.p95


@given(st.lists(st.sampled_from([1.0, 2.0, 5.0]), min_size=2, max_size=4), futures())
@settings(max_examples=20, deadline=None)
def test_less_risk_never_costs_less(needs, scenarios):
    case = Case(usage=series("a", needs, interruptible=True), offers=table(), months=12)
    plan = planned(case, scenarios)
    assert plan.risk is not None
    assert len(plan.risk.frontier) >= 5
    for calm, wary in pairwise(plan.risk.frontier):
        assert wary.expected >= calm.expected * (1 - 1e-7) - 1e-6
        assert wary.cvar <= calm.cvar * (1 + 1e-7) + 1e-6


def test_what_is_bought_later_may_differ_by_scenario_and_what_is_bought_now_may_not():
    """From month 6 on 4 GPUs are needed or none: a second half-year term is bought in one future, and not in the other.

    6 months of 4 GPUs cost 4 · 2.00 · 4,380 = 35,040; all of the year on demand would be 140,160 and 70,080.
    """
    offers = [offer("od", price=4.0), offer("r", "reserved", 2.0, term_months=6.0)]
    case = Case(usage=series("a", [4.0, 4.0]), offers=offers, months=12, ladder_months=6.0)
    ends = NOW + HALF * MONTH * (series("a", [0.0, 0.0])[1]["hour"] - NOW)
    stops = Scenario(name="stops", probability=0.5, changes=(Change(workload="*", start=ends, factor=0.0),))
    plan = planned(case, [stops, Scenario(name="goes on", probability=0.5)])
    assert plan.risk is not None
    assert {one.scenario: one.cost for one in plan.risk.outcomes} == pytest.approx({"stops": 35040, "goes on": 70080})
    assert {row.tariff.offer_id: row.gpus for row in plan.purchases} == pytest.approx({"r": 4, "r+6mo if goes on": 4})
    assert [outcome.regret for outcome in plan.risk.outcomes] == pytest.approx([0, 0], abs=1e-6)


def test_the_tail_buys_what_the_mean_does_not():
    """10 GPUs are needed with 10 %: one is reserved for 2.00, against 0.40 expected, and 4.00 in the worst tenth."""
    case = Case(usage=series("a", [10.0]), offers=[offer("od", price=4.0), offer("r", "reserved", 2.0)], months=12)
    rare = [future("boom", 0.1), future("quiet", 0.9, demand=0.0)]
    calm, wary = (planned(case, rare, risk=risk, tail=0.9) for risk in (0.0, 1.0))
    year = 12 * MONTH
    assert (calm.purchases, calm.risk.expected, calm.risk.cvar) == (
        (),
        pytest.approx(4 * year),
        pytest.approx(40 * year),
    )
    assert [row.gpus for row in wary.purchases] == pytest.approx([10])
    assert (wary.risk.expected, wary.risk.cvar) == (pytest.approx(20 * year), pytest.approx(20 * year))
    assert wary.risk.stranded_cvar == pytest.approx(20 * year)


def test_the_measures_of_a_list_of_costs():
    """Of 10, 20, 30, 40, 25 % each, the worst fifth is 40, the worst half 40 and 30, the worst 0.4 (5·40 + 3·30)/8."""
    costs, chances = np.array([30.0, 10.0, 40.0, 20.0]), np.full(4, 0.25)
    assert [cvar(costs, chances, tail) for tail in (0.0, 0.5, 0.6, 0.8)] == pytest.approx([25, 35, 36.25, 40])
    assert [percentile(costs, chances, share) for share in (0.05, 0.25, 0.5, 0.95)] == [10, 10, 20, 40]


def test_shares_under_risk_and_commitments_to_spend_are_refused():
    two = [Scenario(name="a", probability=0.5), Scenario(name="b", probability=0.5)]
    case = Case(usage=series("a", [1.0]), offers=[offer("od")], months=12, limits={"spot": 0.5})
    with pytest.raises(InputError, match="limits on shares under a weight of risk"):
        planned(case, two, risk=0.5)
    floor = offer("edp", "spend_floor", 0.0, spend_usd=10.0)
    with pytest.raises(InputError, match="commitments to spend"):
        planned(case.but(offers=[offer("od"), floor], limits={}), two)
