"""Work that may wait: against a second formulation that sends it from hour to hour, by hand, and by its laws."""

import math
from dataclasses import replace
from itertools import pairwise
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import find, given, settings

from optimizer.demand import WorkloadRule
from optimizer.edits import Change
from optimizer.errors import InfeasibleError
from optimizer.plan import Plan, plan_of
from optimizer.scenarios import Scenario
from optimizer.solve import Memory, solve
from optimizer.stated import Stated, solved, stated_of
from providers.tables import InputError
from tests.optimizer.instances import Case, hour, offer, series
from tests.optimizer.reference import Terms
from tests.optimizer.reference_draws import DRAWN
from tests.optimizer.reference_shift import ShiftCase, shift_cases
from tests.optimizer.test_random_instances import (
    DUST,
    EVERY,
    RELATIVE,
    check_agrees,
    check_limits,
    check_quantities,
    check_service,
)

pytestmark = pytest.mark.thorough

HOURS = 24
PULSES = [0.0, 100.0] * (HOURS // 2)


def waits(hours: int | None, pattern: str = "*") -> WorkloadRule:
    return WorkloadRule(pattern=pattern, interruptible=True, window_hours=hours)


def pulses(window: int | None, *offers: dict, needs: list[float] = PULSES, **changes: object) -> ShiftCase:
    """Return hours of nothing and hours of 100 GPUs, on demand at $4.00 and further offers."""
    return ShiftCase(usage=series("a", needs), offers=[offer("od"), *offers], rules=(waits(window),), **changes)


def reserved(price: float = 1.0, **columns: object) -> dict:
    return offer("r", "reserved", price, **columns)


# Against the second formulation


@pytest.mark.parametrize("limited", [False, True])
def test_a_plan_costs_what_the_program_that_sends_work_costs(limited):
    @given(shift_cases(limited=limited))
    @settings(EVERY, max_examples=30)
    def check(case):
        check_agrees(case)

    check()


@pytest.mark.parametrize("name", DRAWN)
def test_so_does_a_plan_with_one_instrument(name):
    @given(shift_cases(instruments=(name,)))
    @settings(EVERY, max_examples=6)
    def check(case):
        check_agrees(case)

    check()


@given(shift_cases())
@settings(EVERY, max_examples=12)
def test_so_does_a_plan_of_a_long_history(case):
    """The master knows the hours in which work runs as groups, as it does for a year."""
    with patch("optimizer.solve.SMALL", 0):
        check_agrees(case)


@given(shift_cases())
@settings(EVERY, max_examples=20)
def test_with_lots_a_large_program_states_true_bounds(case):
    """What is bought in lots is left out of a large program: it is no proof then, but never wrong."""
    expected = case.plain().cost()
    with patch("optimizer.shifting.WHOLE", 0):
        if expected == math.inf:
            with pytest.raises(InfeasibleError):
                plan_of(case.inputs())
            return
        try:
            summary = plan_of(case.inputs()).summary
        except InfeasibleError:
            return  # the hours that suit parts of lots need not suit lots
    slack = RELATIVE * max(abs(expected), 1.0)
    assert summary.lower_bound - slack <= expected <= summary.cost + slack
    assert summary.gap >= (summary.cost - expected) / max(abs(summary.cost), 1e-12) - RELATIVE


def test_to_wait_makes_a_difference_somewhere():
    """What is drawn is not idle: a window that nothing reads would be found out here."""
    found = find(
        shift_cases(limited=False),
        lambda case: case.plain().cost() < 0.99 * case.windows(1).plain().cost(),
        settings=settings(EVERY, phases=EVERY.phases[:2]),
    )
    assert found.rules


# What must hold of any plan


@given(shift_cases())
@settings(EVERY, max_examples=30)
def test_every_promise_is_kept(case):
    try:
        stated = stated_of(case.inputs())
        solution = solved(stated, Memory())
    except InfeasibleError:
        return
    settled = replace(stated, problem=solution.problem)
    with np.errstate(invalid="ignore"):  # no cap in no hour
        check_service(settled, solution)
    check_limits(case, settled, solution)
    check_quantities(settled, solution)
    check_dollars(plan_of(case.inputs()))
    check_hours_of_work(case, stated, solution.problem.demand)


def check_dollars(plan: Plan) -> None:
    """Every dollar of the plan is in the mix, in a commitment that nobody uses, or missing in a sum to spend."""
    idle = sum(row.cost for row in (*plan.purchases, *plan.commitments) if row.utilization == 0)
    spent = sum(row.cost for row in (*plan.mix, *plan.floors))
    assert spent + idle == pytest.approx(plan.summary.cost, rel=1e-7, abs=1e-5)


def check_hours_of_work(case: ShiftCase, stated: Stated, ran: np.ndarray) -> None:
    """Every GPU-hour runs once, none before it arrives, none later than its window after, none across a gap."""
    plain = case.plain()
    copies = len(plain.stretches)
    cuts = [index for index, (a, b) in enumerate(pairwise(plain.hours), 1) if b - a != hour(1) - hour(0)]
    for stream, arrived, run in zip(stated.demand.streams, stated.demand.gpu_hours, ran, strict=True):
        assert run.min() >= 0
        for came, went in zip(np.split(arrived, copies), np.split(run, copies), strict=True):
            for work, done in zip(np.split(came, cuts), np.split(went, cuts), strict=True):
                by, at = np.cumsum(done), np.cumsum(work)
                due = np.concatenate([np.zeros(stream.window_hours - 1), at])[: len(at)]
                assert (by <= at + DUST).all()
                assert (by >= due - DUST).all()
                assert by[-1] == pytest.approx(at[-1], abs=DUST)


@given(shift_cases())
@settings(EVERY, max_examples=12)
def test_a_window_of_an_hour_is_none(case):
    once = case.windows(1)
    none = once.but(rules=tuple(replace(rule, window_hours=None) for rule in once.rules))
    assert cost(once) == cost(none)


@given(shift_cases())
@settings(EVERY, max_examples=20)
def test_a_wider_window_never_costs_more(case):
    costs = [cost(case.windows(hours)) for hours in (1, 2, 3, 6, 30)]
    for narrow, wide in pairwise(costs):
        assert math.isinf(narrow) or wide <= narrow * (1 + RELATIVE) + RELATIVE


def cost(case: Case) -> float:
    try:
        return plan_of(case.inputs()).summary.cost
    except InfeasibleError:
        return math.inf


# By hand


def test_two_hours_share_a_peak():
    """100 GPUs in every second hour are 50 in every hour; only the last hour has none after it."""
    summary = plan_of(pulses(2, reserved()).inputs()).summary
    assert summary.cost == pytest.approx(50 * HOURS * 1.0 + 50 * 4.0)
    assert summary.lower_bound == pytest.approx(summary.cost)
    even = plan_of(pulses(2, reserved(), needs=PULSES[::-1]).inputs())
    assert [row.gpus for row in even.purchases] == pytest.approx([50])
    assert even.summary.cost == pytest.approx(50 * HOURS * 1.0)
    assert even.summary.utilization == pytest.approx(1)
    assert even.load.peak_gpus == pytest.approx(50)


def test_the_plan_says_what_is_moved():
    plan = plan_of(pulses(2, reserved(), needs=PULSES[::-1]).inputs())
    [note] = [found.message for found in plan.diagnostics if found.code == "waiting"]
    assert note == (
        "work that may wait runs in other hours: 50 % of GPU-hours are moved, by up to an hour; "
        "without it the plan costs $1,200.00 more"  # 100 GPUs held for all 24 hours
    )
    [note] = [found.message for found in plan_of(pulses(2).inputs()).diagnostics if found.code == "waiting"]
    assert note == "work that may wait runs when it arrives: to move it would save nothing"


def test_lots_are_part_of_a_small_program():
    summary = plan_of(pulses(2, reserved(lot_gpus=8.0), needs=PULSES[::-1]).inputs()).summary
    assert summary.cost == pytest.approx(min(48 * 24 + 2 * 24 * 4.0, 56 * 24))
    assert summary.gap <= RELATIVE


def test_nothing_is_moved_across_an_hour_that_is_lacking():
    usage = [row for row in series("a", [100, 0, 0]) if row["hour"] != hour(1)]
    apart = pulses(3, reserved()).but(usage=usage)
    together = pulses(3, reserved()).but(usage=series("a", [100, 0]))
    assert plan_of(apart.inputs()).summary.cost == pytest.approx(min(100 * 2 * 1.0, 100 * 4.0))
    assert plan_of(together.inputs()).summary.cost == pytest.approx(50 * 2 * 1.0)
    check_agrees(apart)


def test_only_the_workloads_named_wait():
    usage = series("a", PULSES[::-1]) + series("b", PULSES[::-1])
    case = pulses(2, reserved()).but(usage=usage, rules=(waits(2, "a"),))
    check_agrees(case)
    plan = plan_of(case.inputs())
    assert plan.summary.cost == pytest.approx(100 * HOURS * 1.0)  # a fills the hours that b leaves


def test_work_waits_for_an_offer_that_begins_later():
    late = offer("late", price=1.0, start=hour(2))
    plan = plan_of(pulses(3, late, needs=[10.0, 10.0, 0.0, 0.0]).inputs())
    assert plan.summary.cost == pytest.approx(20 * 1.0)
    only = ShiftCase(usage=series("a", [10.0, 10.0, 0.0, 0.0]), offers=[late], rules=(waits(3),))
    assert plan_of(only.inputs()).summary.cost == pytest.approx(20 * 1.0)
    [note] = [found.message for found in plan_of(only.inputs()).diagnostics if found.code == "waiting"]
    assert note.endswith("without it there is no plan")


def test_more_may_run_in_an_hour_than_ever_arrives_in_one():
    """All three hours' work runs in the one hour in which anything is on offer, 30 GPUs at once."""
    brief = reserved(start=hour(2), end=hour(3))
    case = ShiftCase(usage=series("a", [10.0, 10.0, 10.0]), offers=[brief], rules=(waits(3),))
    assert plan_of(case.inputs()).summary.cost == pytest.approx(30 * 1.0)
    check_agrees(case)


# Walk-away prices


@pytest.mark.parametrize(("block", "worth"), [(50.0, 4.0), (100.0, 2.0)])
def test_a_block_is_worth_what_work_that_waits_makes_of_it(block, worth):
    """50 GPUs serve every hour of even work, 100 serve as much: $4.00 for every GPU-hour of 50."""
    quote = offer("q", "contract", 1.0, status="quote", min_gpus=block, max_gpus=block)
    [found] = plan_of(pulses(2, quote, needs=PULSES[::-1]).inputs()).walk_away
    assert found.walk_away == pytest.approx(worth, abs=1e-6)
    assert found.next_gpu == pytest.approx(4.0, abs=1e-6)


@given(shift_cases(quotes=1, quoted=("reserved", "contract"), limited=False))
@settings(EVERY, max_examples=12)
def test_walk_away_prices_are_those_of_the_second_formulation(case):
    try:
        [found] = plan_of(case.inputs()).walk_away
    except InfeasibleError:
        return
    if found.walk_away is None or found.gpus is None:
        return
    plain, name = case.plain(), found.tariff.offer_id
    lacking = plain.asked(**{name: Terms(absent=True)}).cost()
    free = plain.asked(**{name: Terms(quantity=found.gpus, holding=0.0)}).cost()
    expected = (lacking - free) / (found.gpus * plain.hours_in_force(name))
    assert found.walk_away == pytest.approx(found.tariff.as_stated(expected), rel=1e-6, abs=1e-6)


# What cannot be


def test_work_that_may_not_be_interrupted_cannot_wait():
    case = pulses(2).but(rules=(WorkloadRule(pattern="*", window_hours=2),))
    with pytest.raises(InputError, match="workload a: has window_hours but is not interruptible"):
        stated_of(case.inputs())


def test_demand_beyond_all_offers_is_named():
    few = ShiftCase(usage=series("a", PULSES[::-1]), offers=[offer("od", max_gpus=49.0)], rules=(waits(2),))
    with pytest.raises(InfeasibleError, match="a would lack 2 GPUs in the worst hour"):
        plan_of(few.inputs())
    assert cost(few.but(offers=[offer("od", max_gpus=50.0)])) == pytest.approx(1200 * 4.0)


def test_a_workload_without_an_offer_is_named():
    none = pulses(2).but(usage=series("a", [1, 1]) + series("b", [1, 1], model="B"))
    with pytest.raises(InfeasibleError, match="b needs B in every hour, and no offer has B"):
        plan_of(none.inputs())


def test_a_limit_that_is_too_low_is_named():
    offers = [offer("od", max_gpus=20.0), offer("s", "spot", 1.0)]
    case = pulses(2).but(offers=offers, limits={"spot": 0.1})
    with pytest.raises(InfeasibleError, match="work may wait, and still no plan meets the demand within spot<=10%"):
        plan_of(case.inputs())


# Several futures


def futures(case: ShiftCase, *factors: float, risk: float = 0.0) -> Stated:
    chance = 1 / len(factors)
    scenarios = tuple(
        Scenario(name=f"s{index}", probability=chance, changes=(Change(workload="*", factor=factor),))
        for index, factor in enumerate(factors)
    )
    return stated_of(replace(case.inputs(), scenarios=scenarios, risk=risk))


def test_work_waits_within_its_own_future():
    """Futures of 50 and of 150 GPUs in every second hour are 25 and 75 in every hour."""
    case = pulses(2, reserved(), needs=PULSES[::-1])
    found = solve(futures(case, 0.5, 1.5).problem)
    ways = [gpus * HOURS + (75 - gpus) * HOURS * 4.0 / 2 for gpus in (25.0, 75.0)]
    assert found.cost == pytest.approx(min(ways))
    sure = solve(futures(case, 1.0).problem)
    assert sure.cost == pytest.approx(plan_of(case.inputs()).summary.cost)


@pytest.mark.parametrize("price", [1.0, 2.5, 3.0])
@pytest.mark.parametrize("risk", [0.0, 0.3, 1.0])
def test_the_tail_counts_where_work_waits(price, risk):
    """With a tail that is the worst future alone, the cost is worked out for each level and the least is taken."""
    case = pulses(2, reserved(price), needs=PULSES[::-1])
    found = solve(futures(case, 0.5, 1.5, risk=risk).problem)
    levels = []
    for gpus in (0.0, 25.0, 75.0):
        costs = [HOURS * (gpus * price + max(need - gpus, 0.0) * 4.0) for need in (25.0, 75.0)]
        levels.append((1 - risk) * sum(costs) / 2 + risk * max(costs))
    assert found.cost == pytest.approx(min(levels))
    assert found.lower_bound == pytest.approx(found.cost, rel=RELATIVE)


def test_one_scenario_that_is_sure_is_the_plan_itself():
    case = pulses(2, reserved())
    alone = plan_of(case.inputs())
    sure = plan_of(replace(case.inputs(), scenarios=(Scenario(name="s", probability=1.0),)))
    assert sure.summary.cost == pytest.approx(alone.summary.cost, rel=1e-9)
    assert sure.purchases[0].gpus == pytest.approx(alone.purchases[0].gpus)
    assert sure.risk is not None
    assert sure.risk.outcomes[0].cost == pytest.approx(alone.summary.cost, rel=1e-9)
    assert sure.risk.outcomes[0].regret == pytest.approx(0.0, abs=1e-6)
