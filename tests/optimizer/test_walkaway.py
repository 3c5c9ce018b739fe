"""Walk-away prices: the hand-computed Oracle-8, and bisection on re-solves of the plain program on random quotes."""

import math

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from instances import Case, cases, hour, offer, owned, series
from reference import HELD, Plain, Terms

from optimizer.errors import InfeasibleError
from optimizer.plan import Plan, QuoteValue, plan_of
from optimizer.solve import Memory, solve
from optimizer.stated import solved, stated_of
from optimizer.walkaway import flip, walk_away

ORACLE = (40, 40, 40, 60, 80, 100, 100, 60)
HOURS = len(ORACLE)
NEXT = 1e-3
PRICE = 1e-6
SOME = settings(max_examples=60, derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate))


def oracle(*offers: dict, **changes: object) -> Case:
    """Return the eight hours with on demand at $4.00 and further offers."""
    return Case(usage=series("a", ORACLE), offers=[offer("od"), *offers], **changes)


def quote(price: float = 2.0, option: str = "reserved", **columns: object) -> dict:
    return offer("quote", option, price, status="quote", **columns)


def value(plan: Plan) -> QuoteValue:
    [found] = plan.walk_away
    return found


@pytest.mark.parametrize(
    ("price", "gpus"),
    [(3.9, 40), (2.51, 40), (2.49, 60), (2.4, 60), (1.51, 60), (1.49, 80), (1.01, 80), (0.99, 100), (0.1, 100)],
)
def test_oracle_buys_the_quantity_of_its_price(price, gpus):
    plan = plan_of(oracle(offer("r", "reserved", price)).inputs())
    assert [row.gpus for row in plan.purchases] == pytest.approx([gpus])


def test_oracle_buys_nothing_above_on_demand():
    assert plan_of(oracle(offer("r", "reserved", 4.01)).inputs()).purchases == ()


def test_oracle_figures():
    plan = plan_of(oracle(offer("r", "reserved", 2.4)).inputs())
    summary, [bought] = plan.summary, plan.purchases
    assert summary.cost / HOURS == pytest.approx(194.0)
    assert summary.on_demand_cost / HOURS == pytest.approx(260.0)
    assert summary.savings / HOURS == pytest.approx(66.0)
    assert bought.utilization == pytest.approx(0.875)
    assert bought.break_even_utilization == pytest.approx(0.6)
    assert summary.coverage == pytest.approx(420 / 520)
    assert summary.effective_savings_rate == pytest.approx(66 / 260)


@pytest.mark.parametrize("price", [3.37, 3.38])
def test_a_block_of_64_is_worth_3_375(price):
    found = value(plan_of(oracle(quote(price, min_gpus=64.0, max_gpus=64.0)).inputs()))
    assert found.walk_away == pytest.approx(3.375, abs=PRICE)
    assert found.verdict == ("accept" if price < 3.375 else "counter")


def test_with_40_owned_24_more_are_worth_2_3333():
    case = oracle(quote(2.0, min_gpus=24.0, max_gpus=24.0), commitments=[owned("c", 40.0)])
    assert value(plan_of(case.inputs())).walk_away == pytest.approx(7 / 3, abs=PRICE)


@pytest.mark.parametrize(("lot", "worth"), [(60.0, 2.4), (64.0, 2.34375), (72.0, 2.25), (80.0, 2.175)])
def test_a_lot_against_an_endless_rival(lot, worth):
    case = oracle(offer("rival", "reserved", 2.4), quote(2.0, lot_gpus=lot, max_gpus=lot))
    assert value(plan_of(case.inputs())).walk_away == pytest.approx(worth, abs=PRICE)


@pytest.mark.parametrize(
    ("had", "worth"), [(0, 4.0), (39, 4.0), (40, 2.5), (50, 2.5), (60, 1.5), (80, 1.0), (99, 1.0), (100, 0.0)]
)
def test_the_next_gpu_is_worth_the_share_of_hours_that_it_is_busy(had, worth):
    case = oracle(quote(2.0, min_gpus=8.0), commitments=[owned("c", float(had), 2.4)])
    assert value(plan_of(case.inputs())).next_gpu == pytest.approx(worth, abs=PRICE)


def test_a_flex_quote_pays_for_use_too():
    flex = offer("f", "flex", 0.6, use=1.8)
    plan = plan_of(oracle(flex).inputs())
    assert [row.gpus for row in plan.purchases] == pytest.approx([80])
    assert plan.summary.cost / HOURS == pytest.approx(176.0)


def test_a_flex_block_of_100_against_the_reserved_plan():
    case = oracle(offer("r", "reserved", 2.4), quote(0.6, "flex", use=1.8, min_gpus=100.0, max_gpus=100.0))
    assert value(plan_of(case.inputs())).walk_away == pytest.approx(0.77, abs=PRICE)


def test_a_quote_that_nothing_can_replace_has_no_walk_away_price():
    plan = plan_of(Case(usage=series("a", ORACLE), offers=[quote(2.4)]).inputs())
    assert value(plan).walk_away is None
    assert value(plan).verdict == "accept"
    assert value(plan).because
    assert [row.gpus for row in plan.purchases] == pytest.approx([100])


@pytest.mark.parametrize(
    ("columns", "limits"),
    [
        ({"min_gpus": 8.0, "upfront_share": 1.0}, {"upfront": 10.0}),
        ({"min_gpus": 64.0}, {"committed": 0.1}),
        ({}, {"committed": 0.0}),
    ],
)
def test_a_quote_that_breaks_a_limit_leaves_the_plan_alone(columns, limits):
    plan = plan_of(oracle(quote(2.4, **columns), limits=limits).inputs())
    assert plan.summary.cost / HOURS == pytest.approx(260.0)
    assert value(plan).verdict == "decline"
    assert value(plan).because


def test_a_quote_for_hours_that_the_history_lacks_is_declined():
    usage = [row for row in series("a", ORACLE) if row["hour"] not in (hour(2), hour(3))]
    case = Case(usage=usage, offers=[offer("od"), quote(2.4, start=hour(2), end=hour(4), min_gpus=8.0)])
    assert value(plan_of(case.inputs())).verdict == "decline"


@given(cases(quotes=1))
@settings(SOME, max_examples=25)
def test_a_walk_away_price_is_where_the_plain_program_turns(case):
    check_turns(case)


@pytest.mark.thorough
@given(cases(quotes=2, limited=False))
@settings(SOME, max_examples=15)
def test_two_quotes_are_each_valued_with_the_other_on_offer(case):
    check_turns(case)


@given(cases(quotes=1, quoted=("on_demand", "spot")))
@settings(SOME, max_examples=25)
def test_pay_as_you_go_is_worth_the_highest_price_at_which_it_is_used(case):
    try:
        values = plan_of(case.inputs()).walk_away
    except InfeasibleError:
        return
    plain = case.plain()
    if not values:
        assert plain.hours_in_force("q0") == 0
        return
    [found] = values
    name = found.tariff.offer_id
    without = plain.asked(**{name: Terms(absent=True)}).cost()
    if found.walk_away is None:
        assert plain.hours_in_force(name) == 0 or math.isinf(without)
        return

    def helps(price: float) -> bool:
        return plain.asked(**{name: Terms(usage=price)}).cost() < without - 1e-8 * max(1.0, without)

    if found.walk_away > 0:
        assert helps(found.walk_away - 1e-5)
    assert not helps(found.walk_away + 1e-5)


def check_turns(case: Case) -> None:
    try:
        plan = plan_of(case.inputs())
    except InfeasibleError:
        return
    for found in plan.walk_away:
        if found.walk_away is None:
            has_no_price(case.plain(), found)
        else:
            check_price(case, plan, found)


def has_no_price(plain: Plain, found: QuoteValue) -> None:
    """There is a reason to have no price: no hours, no plan without the quote, or no plan with its block."""
    name = found.tariff.offer_id
    without = plain.asked(**{name: Terms(absent=True)}).cost()
    within = plain.asked(**{name: Terms(quantity=found.gpus, holding=0.0)}).cost()
    assert plain.hours_in_force(name) == 0 or math.inf in (without, within)


def check_price(case: Case, plan: Plan, found: QuoteValue) -> None:
    name, plain = found.tariff.offer_id, case.plain()
    if found.tariff.block is None and name not in {row.tariff.offer_id for row in plan.purchases}:
        assert found.gpus == 1.0
    turn = bisected(plain, name, found.gpus)
    assert found.walk_away == pytest.approx(turn, abs=PRICE * max(1.0, abs(turn)))
    low, high = slopes_at_next_gpu(case, name)
    if found.next_gpu is None:
        assert math.isnan(low)
    else:
        assert low - 2e-6 <= found.next_gpu <= high + 2e-6


def bisected(plain: Plain, name: str, size: float) -> float:
    """Return the price at which the plain program stops taking the quote as all or nothing."""

    program, held = plain.asked(**{name: Terms(all_or_nothing=size)}).program()
    hours = plain.hours_in_force(name)

    def takes(price: float) -> bool:
        program.cost[held[name]] = price * hours
        return program.solve()[1][held[name]] > size / 2

    low, high = -1.0, 8.0
    while not takes(low):
        low *= 8
    while takes(high):
        high *= 2
    while high - low > PRICE / 4:
        middle = (low + high) / 2
        low, high = (middle, high) if takes(middle) else (low, middle)
    return (low + high) / 2


def slopes_at_next_gpu(case: Case, name: str) -> tuple[float, float]:
    """Return the savings per GPU-hour just after and just before the first thousandth of a GPU; NaN if forbidden.

    Lots and minimums of all offers stay as in the plan without the quote. That plan is one of the optimizer's, since
    among equally cheap ones it may choose; that it is as cheap as the plain program's is checked first.
    """
    stated, plain = stated_of(case.inputs()), case.plain()
    names = [tariff.offer_id for tariff in stated.tariffs]
    best = solved(stated, Memory())
    index = names.index(name)
    if best.quantities[index]:
        best = solve(stated.problem.with_terms(index, pinned=0.0, maximum=0.0))
    others = set(names) - {name}  # what has ended, or begins after the plan, is left out of it
    absent = plain.asked(**{name: Terms(absent=True)}).cost()
    fixed = {
        row["offer_id"]: Terms(quantity=float(best.quantities[names.index(row["offer_id"])]))
        for row in plain.available
        if row.get("offer_id", name) in others
        and row["purchase_option"] in HELD
        and (row["lot_gpus"] or row["min_gpus"])
    }
    assert plain.asked(**fixed, **{name: Terms(absent=True)}).cost() == pytest.approx(absent, rel=1e-7, abs=1e-6)
    costs = [plain.asked(**fixed, **{name: Terms(quantity=gpus, holding=0.0)}).cost() for gpus in (0.0, NEXT, 2 * NEXT)]
    if math.isinf(costs[1]):
        return math.nan, math.nan
    before, after = -np.diff(costs) / NEXT / plain.hours_in_force(name)
    return float(after), float(before)


@pytest.mark.thorough
@given(cases(quotes=2))
@SOME
def test_the_decision_turns_at_the_walk_away_price(case):
    try:
        stated = stated_of(case.inputs())
        best = solved(stated, Memory())
    except InfeasibleError:
        return
    for index, tariff in enumerate(stated.tariffs):
        if tariff.status == "quote":
            found = walk_away(stated.problem, index, block=tariff.block, best=best, memory=Memory())
            if found.price is not None and found.price > 1e-3:
                assert flip(stated.problem, index, block=found.block, price=found.price).holds


@pytest.mark.thorough
@given(cases(quotes=1))
@settings(SOME, max_examples=12)
def test_what_was_solved_before_changes_no_figure(case):
    """Edits in one session, the first of them undone at the end: each plan is the one that a fresh session finds."""
    memory = Memory()
    for edited in edits(case):
        try:
            fresh = plan_of(edited.inputs())
        except InfeasibleError:
            with pytest.raises(InfeasibleError):
                plan_of(edited.inputs(), memory)
            continue
        check_same_figures(plan_of(edited.inputs(), memory), fresh)


def edits(case: Case) -> list[Case]:
    """Return the case with other prices, windows and quantities of its offers, one after the other."""
    changes = [
        {"holding_usd_per_gpu_hour": 0.4},
        {"holding_usd_per_gpu_hour": 1.7, "usage_usd_per_gpu_hour": 0.0, "purchase_option": "contract"},
        {"start": hour(1), "end": hour(4)},
        {"start": hour(2), "end": None},
        {"min_gpus": 2.0, "lot_gpus": None, "max_gpus": None},
    ]
    edited = [
        case.but(offers=[row | change if row["offer_id"] == "q0" else row for row in case.offers]) for change in changes
    ]
    return [case, *edited, case]


def test_an_edited_window_of_a_long_history_changes_no_figure():
    needs = range(10, 3010, 10)
    memory = Memory()
    for begin, end in [(0, 150), (150, 300), (100, 200), (0, 290)]:
        reserved = offer("r", "reserved", 2.0, start=hour(begin), end=hour(end))
        case = Case(usage=series("a", needs), offers=[offer("od"), reserved])
        check_same_figures(plan_of(case.inputs(), memory), plan_of(case.inputs()))


def check_same_figures(again: Plan, fresh: Plan) -> None:
    assert again.summary.cost == pytest.approx(fresh.summary.cost, rel=1e-9)
    assert again.summary.gap <= 1e-7
    assert held_in(again) == pytest.approx(held_in(fresh), rel=1e-9)
    assert mixed_in(again) == pytest.approx(mixed_in(fresh), rel=1e-9, abs=1e-6)
    for mine, theirs in zip(again.walk_away, fresh.walk_away, strict=True):
        assert mine.verdict == theirs.verdict
        assert mine.walk_away == pytest.approx(theirs.walk_away, abs=PRICE)
        assert mine.next_gpu == pytest.approx(theirs.next_gpu, abs=PRICE)


def held_in(plan: Plan) -> dict[str, float]:
    return {row.tariff.offer_id: row.gpus for row in (*plan.purchases, *plan.commitments)}


def mixed_in(plan: Plan) -> dict[tuple[str, str], float]:
    return {(row.workload, row.tariff.offer_id): row.gpu_hours for row in plan.mix}
