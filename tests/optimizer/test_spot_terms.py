"""Gangs on spot, a limit on each spot pool, and what capital costs: by hand, by law, and against the plain program."""

import math
from dataclasses import dataclass, replace

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from instances import NOW, Case, cases, offer, series
from reference import MONTH, Plain

from optimizer.demand import WorkloadRule
from optimizer.errors import InfeasibleError
from optimizer.ladder import PriceMove
from optimizer.plan import Plan, plan_of
from optimizer.reduce import parts_of
from optimizer.scenarios import Scenario
from optimizer.solve import Memory
from optimizer.stated import Inputs, stated_of
from optimizer.walkaway import flip, walk_away
from providers.tables import InputError
from tests.optimizer.reference_draws import DRAWN, with_instruments
from tests.optimizer.reference_worked import flat
from tests.optimizer.test_random_instances import EVERY, check_agrees

pytestmark = pytest.mark.thorough

SOME = settings(EVERY, max_examples=30)
FEW = settings(EVERY, max_examples=8)
HABITS = {
    "mean_hours_between_interruptions": 24.0,
    "restart_hours": 0.25,
    "checkpoint_hours": 0.5,
    "checkpoint_cost_hours": 0.02,
    "gpus_per_node": 8.0,
}
SPOT = offer("s", "spot", 2.0, **HABITS)
SINGLE = 2.0 * (1 + 0.02 / 0.5 + (0.25 + 0.25) / 24)  # $2.1217
SOFT = series("train/base", [100.0] * 10, interruptible=True)


@dataclass(frozen=True)
class SpotCase(Case):
    """A case in which capital may cost something."""

    capital: float = 0.0

    def inputs(self) -> Inputs:
        inputs = super().inputs()
        return replace(inputs, buying=replace(inputs.buying, capital_per_year=self.capital))

    def plain(self) -> Plain:
        return replace(super().plain(), capital=self.capital)


@st.composite
def spot_cases(draw, *names: str, others: tuple[str, ...] | None = None) -> SpotCase:
    """Draw a case with these terms, and with others or, where none are named, now and then with one of them."""
    drawn = draw(st.sampled_from([(), (), *((name,) for name in DRAWN)])) if others is None else others
    case = draw(cases(instruments=drawn))
    return with_instruments(draw, SpotCase(**vars(case)), names, NOW)


def gang(gpus: float | None, **columns: object) -> Case:
    rule = WorkloadRule(pattern="train/*", gang_gpus=gpus)
    return Case(usage=SOFT, offers=[offer("od"), SPOT | columns], rules=(rule,))


def notes(plan: Plan) -> list[str]:
    return [found.message for found in plan.diagnostics if found.code == "gang"]


def cost(case: Case) -> float:
    try:
        return plan_of(case.inputs()).summary.cost
    except InfeasibleError:
        return math.inf


# Against the plain program


@pytest.mark.parametrize("names", [("gangs",), ("each",), ("capital",), ("gangs", "each", "capital")])
def test_a_plan_with_these_terms_costs_what_the_plain_program_costs(names):
    @given(spot_cases(*names))
    @SOME
    def check(case):
        check_agrees(case)

    check()


@pytest.mark.parametrize(
    ("name", "other"), [("gangs", "floors"), ("gangs", "pools"), ("each", "moves"), ("capital", "floors")]
)
def test_they_go_with_what_bends_prices(name, other):
    @given(spot_cases(name, others=(other,)))
    @FEW
    def check(case):
        check_agrees(case)

    check()


def without(case: SpotCase, name: str) -> SpotCase:
    rules = tuple(replace(rule, gang_gpus=None) for rule in case.rules)
    return case.but(
        rules=rules if name == "gangs" else case.rules,
        limits={key: most for key, most in case.limits.items() if (name, key) != ("each", "spot.each")},
        capital=0.0 if name == "capital" else case.capital,
    )


@pytest.mark.parametrize("name", ["gangs", "each", "capital"])
def test_each_of_them_makes_a_difference_somewhere(name):
    found = find(
        spot_cases(name, others=()),
        lambda case: without(case, name).plain().cost() < case.plain().cost() - 1e-3 < math.inf,
        settings=settings(EVERY, phases=EVERY.phases[:2]),
    )
    assert found.offers


# Gangs


@pytest.mark.parametrize(
    ("gpus", "price", "said"),
    [
        (None, SINGLE, None),
        (1.0, SINGLE, None),
        (8.0, SINGLE, None),
        (64.0, 2.0 * (1.04 + 8 * 0.5 / 24), "64 GPUs are interrupted 8 times as often: s at $2.1217 costs it $2.4133"),
        (
            256.0,
            2.0 * (1.04 + 32 * 0.5 / 24),
            "256 GPUs are interrupted 32 times as often: s at $2.1217 costs it $3.4133",
        ),
        (4000.0, 4.0, "4,000 GPUs are interrupted 500 times as often: s at $2.1217 costs it $22.9133"),  # on demand
    ],
)
def test_a_gang_is_interrupted_as_often_as_it_has_nodes(gpus, price, said):
    case = gang(gpus)
    plan = plan_of(case.inputs())
    assert plan.summary.cost == pytest.approx(1000 * price)
    assert sum(row.cost for row in plan.mix) == pytest.approx(1000 * price)
    assert sum(row.gpu_hours for row in plan.mix) == pytest.approx(1000)
    assert notes(plan) == ([f"train/base: gangs of {said}"] if said else [])
    check_agrees(case)


def test_what_is_paid_beside_the_price_is_not_paid_for_lost_hours():
    plan = plan_of(gang(64.0, adders_usd_per_gpu_hour=0.3).inputs())
    assert plan.summary.cost == pytest.approx(1000 * (0.3 + 2.0 * (1.04 + 8 * 0.5 / 24)))


@pytest.mark.parametrize(("room", "served"), [(63.0, 0.0), (64.0, 640.0)])
def test_a_gang_runs_where_there_is_room_for_it(room, served):
    plan = plan_of(gang(64.0, max_gpus=room).inputs())
    assert sum(row.gpu_hours for row in plan.mix if row.tariff.spot) == pytest.approx(served)
    assert bool(served) != (notes(plan) == ["train/base: no spot pool has room for gangs of 64 GPUs"])


def test_gangs_that_fit_nowhere_are_named():
    case = gang(64.0, max_gpus=40.0)
    with pytest.raises(InfeasibleError, match="no offer of A has room for its gangs of 64 GPUs: raise max_gpus"):
        plan_of(case.but(offers=case.offers[1:]).inputs())


@pytest.mark.parametrize("gpus", [None, 64.0])
def test_the_walk_away_price_of_spot_is_what_the_gang_can_pay(gpus):
    """Of a useful hour at 4.00 on demand 0.3 go to adders; the price is per hour paid, lost hours among them."""
    paid = 1.04 + (1 if gpus is None else 8) * 0.5 / 24
    case = gang(gpus, status="quote", adders_usd_per_gpu_hour=0.3)
    plan = plan_of(case.inputs())
    [value] = plan.walk_away
    assert value.walk_away == pytest.approx((4.0 - 0.3) / paid)
    problem = stated_of(case.inputs()).problem
    price = value.tariff.as_compared(value.walk_away)
    assert flip(problem, 1, block=None, price=price).holds


@given(spot_cases("gangs", others=()), st.floats(0.0, 3.0))
@FEW
def test_the_walk_away_price_of_any_spot_is_where_the_plan_turns(case, usd):
    quote = offer("q", "spot", usd, status="quote", **HABITS)
    case = case.but(offers=[*case.offers, quote], limits={})
    if math.isinf(case.plain().cost()):
        return
    stated = stated_of(case.inputs())
    [index] = [index for index, tariff in enumerate(stated.tariffs) if tariff.offer_id == "q"]
    best = plan_of(case.inputs()).summary.cost
    from optimizer.solve import solve

    found = walk_away(stated.problem, index, block=None, best=solve(stated.problem), memory=Memory())
    if found.price is None or found.price <= stated.tariffs[index].adders:
        return
    assert best <= case.but(offers=case.offers[:-1]).plain().cost() * (1 + 1e-9) + 1e-6
    assert flip(stated.problem, index, block=None, price=found.price).holds


def test_a_commitment_breaks_even_against_what_spot_costs_the_gang():
    case = gang(64.0)
    plan = plan_of(case.but(offers=[*case.offers, offer("r", "reserved", 2.3)]).inputs())
    [bought] = plan.purchases
    assert bought.break_even_utilization == pytest.approx(2.3 / (2.0 * (1.04 + 8 * 0.5 / 24)))
    assert "against s at $2.1217, $2.4133 for its gangs" in bought.because


def test_lost_hours_count_as_spent_with_the_provider():
    """2,413.33 is paid for the 1,000 hours on spot, more than the 2,400 that are due; single nodes pay 2,121.67."""
    floor = offer("f", "spend_floor", 0.0, gpu_model="any", spend_usd=2400.0, discount_share=0.0, status="accepted")
    case = gang(64.0)
    dear = plan_of(case.but(offers=[*case.offers, floor]).inputs())
    assert (dear.floors[0].spent, dear.floors[0].shortfall) == (pytest.approx(2413.3333333), 0.0)
    cheap = plan_of(case.but(offers=[*case.offers, floor], rules=()).inputs())
    assert cheap.summary.cost == pytest.approx(2400.0)


@given(spot_cases("gangs"))
@FEW
def test_gangs_never_cost_less_and_gangs_of_one_node_cost_the_same(case):
    alone = without(case, "gangs")
    ones = case.but(rules=tuple(replace(rule, gang_gpus=rule.gang_gpus and 1.0) for rule in case.rules))
    assert cost(alone) <= cost(case) * (1 + 1e-7) + 1e-6 or math.isinf(cost(case))
    if all(row.get("max_gpus") is None or row["max_gpus"] >= 1 for row in case.offers):
        assert cost(ones) == pytest.approx(cost(alone), rel=1e-9) or math.isinf(cost(alone))


# Each spot pool


def pools(*prices: float, **changes: object) -> Case:
    offers = [offer("od"), *(offer(f"s{index}", "spot", price) for index, price in enumerate(prices))]
    return Case(usage=series("a", [10.0] * 10, interruptible=True), offers=offers, limits={"spot.each": 0.1}, **changes)


def test_every_pool_serves_its_share_and_a_point_more_saves_three_differences():
    """10 hours each at 1.00, 1.10 and 1.20, 70 at 4.00; one hour more of each saves 3.00 + 2.90 + 2.80."""
    plan = plan_of(pools(1.0, 1.1, 1.2).inputs())
    assert plan.summary.cost == pytest.approx(10 * (1.0 + 1.1 + 1.2) + 70 * 4.0)
    [limit] = plan.limits
    assert (limit.name, limit.at, limit.most) == ("spot.each", pytest.approx(0.1), 0.1)
    assert limit.saving == pytest.approx(3.0 + 2.9 + 2.8)


def test_the_limit_says_how_far_it_would_have_to_give():
    case = pools(1.0, 1.1, 1.2)
    with pytest.raises(InfeasibleError, match=r"spot.each<=10% would have to be at least 33.34%"):
        plan_of(case.but(offers=case.offers[1:]).inputs())
    both = case.but(offers=case.offers[1:], limits={"spot.each": 0.1, "spot": 0.9})
    with pytest.raises(InfeasibleError, match=r"spot<=90%, spot.each<=10% contradict each other"):
        plan_of(both.inputs())


def test_a_pool_is_one_at_whatever_price():
    """Half price from month 6 on: its tenth is served then, and not once before and once after."""
    case = pools(1.0, months=12, moves=(PriceMove(gpu_model="A", from_month=6.0, factor=0.5),))
    case = case.but(offers=[offer("od", status="quote"), *case.offers[1:]])
    assert plan_of(case.inputs()).summary.cost == pytest.approx(10 * 12 * MONTH * (0.9 * 4.0 + 0.1 * 0.5))
    check_agrees(case)


def test_pools_that_cheaper_ones_stand_in_for_are_not_considered():
    """Ten pools of a tenth each serve all; the eleventh and twelfth never run. With spot for a quarter three do."""
    case = pools(*(1.0 + index / 10 for index in range(12)))
    for limits, count in (({}, 10), ({"spot": 0.25}, 3)):
        limited = case.but(limits=case.limits | limits)
        problem = stated_of(limited.inputs()).problem
        [part] = parts_of(problem)
        assert sum(bool(problem.spot[head]) for head in part.heads) == count
        check_agrees(limited)


def test_a_limit_on_each_pool_does_not_go_with_a_weight_of_risk():
    inputs = replace(pools(1.0, months=12).inputs(), scenarios=(Scenario(name="sure", probability=1.0),))
    expected = 10 * 12 * MONTH * (0.9 * 4.0 + 0.1)
    assert plan_of(inputs).summary.cost == pytest.approx(expected)
    with pytest.raises(InputError, match="limits on shares"):
        plan_of(replace(inputs, risk=0.5))


@given(spot_cases("each"))
@FEW
def test_the_limit_never_makes_a_plan_cheaper(case):
    assert cost(without(case, "each")) <= cost(case) * (1 + 1e-7) + 1e-6 or math.isinf(cost(case))


# What capital costs

RESERVED = offer("r", "reserved", 2.0, term_months=12.0, upfront_share=1.0)


def test_a_dollar_at_the_start_is_worth_twelve_payments_of_an_annuity():
    """12 equal payments, one at the end of each month, that are worth a dollar today at 8 % a year."""
    payment = 1 / sum(1.08 ** (-month / 12) for month in range(1, 13))
    case = SpotCase(**vars(flat(10, RESERVED)), capital=0.08)
    assert plan_of(case.inputs()).summary.cost == pytest.approx(10 * 2.0 * 8760 * 12 * payment)
    assert 12 * payment == pytest.approx(1.04231, abs=1e-5)
    half = case.but(offers=[offer("od"), RESERVED | {"upfront_share": 0.5}])
    assert plan_of(half.inputs()).summary.cost == pytest.approx(10 * 2.0 * 8760 * (0.5 + 0.5 * 12 * payment))


def test_what_capital_costs_is_spent_with_nobody():
    """175,200 is paid for 10 GPUs, 4,800 are missing; what the cash costs comes on top of the 180,000."""
    floor = offer("f", "spend_floor", 0.0, gpu_model="any", spend_usd=180_000.0, discount_share=0.0, status="accepted")
    case = SpotCase(**vars(flat(10).but(offers=[RESERVED, floor])), capital=0.25)
    interest = cost(case.but(offers=[RESERVED])) - 175_200.0
    assert interest > 4_800
    assert cost(case) == pytest.approx(180_000 + interest)
    check_agrees(case)


def test_a_ramp_ties_up_capital_for_the_hours_that_it_is_paid_for():
    ramp = offer("r", "reserved", 2.0, upfront_share=1.0, ramp="4@1 10@4", end=NOW.replace(month=7))
    check_agrees(SpotCase(**vars(flat(10, ramp)), capital=0.25))
