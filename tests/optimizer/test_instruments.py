"""Instruments beyond a plain commitment: figures derived by hand, properties, and the plan against the second one."""

import math
from dataclasses import replace

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from instances import NOW, Case, cases, offer
from reference import MONTH, Terms

from optimizer.ladder import PriceMove
from tests.optimizer.reference_draws import DRAWN
from tests.optimizer.reference_worked import BOUGHT, EXTRAS, FLOORS, MOVED, flat
from tests.optimizer.test_random_instances import EVERY, check_agrees

WORKED = FLOORS | EXTRAS | BOUGHT | MOVED
FEW = settings(EVERY, max_examples=12)


@pytest.mark.parametrize("name", WORKED)
def test_the_second_formulation_costs_what_is_worked_out_by_hand(name):
    case, usd = WORKED[name]
    assert case.plain().cost() == pytest.approx(usd, rel=1e-9)


@pytest.mark.parametrize("name", WORKED)
def test_a_plan_costs_what_is_worked_out_by_hand(name):
    check_agrees(WORKED[name][0])


def test_two_that_are_signed_and_exclude_each_other_leave_no_plan():
    signed = [offer(name, "contract", 2.0, min_gpus=4.0, exclusive="either", status="accepted") for name in "xy"]
    case = flat(10, *signed)
    assert math.isinf(case.plain().cost())
    check_agrees(case)
    later = [signed[0], signed[1] | {"start": NOW.replace(year=2028)}]  # long after the plan
    assert flat(10, *later).plain().cost() == pytest.approx(8760 * (4 * 2.0 + 6 * 4.0))
    check_agrees(flat(10, *later))


def test_what_is_signed_excludes_the_others_before_its_first_gpus_are_there():
    signed = offer("x", "contract", 1.0, max_gpus=4.0, exclusive="either", status="accepted", ramp="4@30")
    other = offer("y", "contract", 1.0, max_gpus=4.0, exclusive="either")
    assert flat(10, other).plain().cost() == pytest.approx(8760 * (4 * 1.0 + 6 * 4.0))
    assert flat(10, signed, other).plain().cost() == pytest.approx(8760 * 10 * 4.0)  # its GPUs come after the plan
    check_agrees(flat(10, signed, other))


def test_overage_is_only_there_with_something_held():
    plain = EXTRAS["overage"][0].plain()
    assert plain.asked(r=Terms(quantity=0.0)).cost() == pytest.approx(8 * 260.0)
    assert plain.asked(r=Terms(all_or_nothing=120.0)).cost() == pytest.approx(8 * 260.0)  # 120 · 2.9 held


@pytest.mark.parametrize("limited", [False, True])
def test_a_plan_with_instruments_costs_what_the_plain_program_costs(limited):
    @given(cases(limited=limited, instruments=True))
    @settings(EVERY, max_examples=40)
    def check(case):
        check_agrees(case)

    check()


@pytest.mark.parametrize("name", DRAWN)
def test_a_plan_with_one_instrument_costs_what_the_plain_program_costs(name):
    @given(cases(instruments=(name,)))
    @FEW
    def check(case):
        check_agrees(case)

    check()


# Of the second formulation itself

COLUMNS = {
    "overage": ("overage_usd_per_gpu_hour",),
    "burst": ("burst_gpus",),
    "exclusive": ("exclusive",),
    "tiers": ("tiers",),
    "exit": ("exit_after_months",),
}


def without(case: Case, name: str) -> Case:
    """Return a case without one instrument."""
    empty = dict.fromkeys(COLUMNS.get(name, ()))
    option = {"floors": "spend_floor", "pools": "prepaid"}.get(name)
    at_home = {**dict.fromkeys(("data_at", "egress_usd_per_gpu_hour", "migration_usd", "overlap_hours")), "quality": {}}
    return case.but(
        offers=[row | empty for row in case.offers if row["purchase_option"] != option],
        commitments=[row | empty for row in case.commitments if row["purchase_option"] != option],
        rules=tuple(replace(rule, **at_home if name == "moving" else {}) for rule in case.rules),
        moves=() if name == "moves" else case.moves,
        ladder_months=None if name == "ladder" else case.ladder_months,
    )


def cost_without(case: Case, name: str) -> float:
    return without(case, name).plain().cost()


@pytest.mark.parametrize("name", DRAWN)
def test_every_instrument_makes_a_difference_somewhere(name):
    """What is drawn is not idle: an instrument that nothing reads would be found out here."""
    found = find(
        cases(instruments=(name,), limited=False),
        lambda case: abs(cost_without(case, name) - case.plain().cost()) > 1e-3,
        settings=settings(EVERY, phases=EVERY.phases[:2]),
    )
    assert found.offers


@pytest.mark.parametrize("name", ["overage", "burst", "tiers", "exit"])
def test_what_may_be_done_besides_never_costs_more(name):
    @given(cases(instruments=(name,)))
    @FEW
    def check(case):
        assert at_most(case.plain().cost(), cost_without(case, name))

    check()


def at_most(cost: float, bound: float) -> bool:
    return math.isinf(bound) or cost <= bound * (1 + 1e-9) + 1e-6


@given(cases(), st.sampled_from(["spend_floor", "prepaid"]), st.sampled_from(["aws", "gcp"]))
@FEW
def test_a_sum_to_spend_that_may_be_left_never_costs_more(case, option, provider):
    floor = offer("floor", option, 0.0, provider=provider, gpu_model="any", spend_usd=500.0, discount_share=0.2)
    kept = [row | {"salvage_usd_per_gpu_hour": None} for row in case.offers]  # lest it be resold at a profit
    without_it = case.but(offers=kept)
    assert at_most(without_it.but(offers=[*kept, floor]).plain().cost(), without_it.plain().cost())


@given(cases(), st.sampled_from([0.01, 100.0, 50_000.0]))
@FEW
def test_a_sum_to_spend_without_a_discount_costs_no_more_than_itself(case, usd):
    floor = offer("floor", "spend_floor", 0.0, gpu_model="any", spend_usd=usd, status="accepted")
    before, after = case.plain().cost(), case.but(offers=[*case.offers, floor]).plain().cost()
    assert at_most(before, after)
    assert at_most(after, before + usd)


@given(cases())
@FEW
def test_a_price_that_moves_to_itself_costs_the_same(case):
    moves = tuple(PriceMove(gpu_model="*", from_month=month, factor=1.0) for month in (0.0, 1.5 / MONTH, 4.0))
    assert case.but(moves=moves).plain().cost() == pytest.approx(case.but(moves=()).plain().cost(), rel=1e-7, abs=1e-6)


@given(cases())
@FEW
def test_dates_to_buy_at_cost_no_more_where_every_term_is_as_long_as_the_plan(case):
    offers = [row | {"term_months": 12.0} for row in case.offers]
    still = case.but(offers=offers, months=12, ladder_months=None, moves=())
    assert at_most(still.but(ladder_months=6.0).plain().cost(), still.plain().cost())
