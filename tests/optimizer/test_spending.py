"""Commitments to spend in a plan, and what quotes with riders are worth: by hand, and by the second formulation."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import Case, cases, offer, series
from reference import Terms

from optimizer.errors import InfeasibleError
from optimizer.plan import Plan, plan_of
from tests.optimizer.reference_worked import RESERVED, edp
from tests.optimizer.test_random_instances import EVERY

RIDERS = (
    {"overage_usd_per_gpu_hour": 1.2},
    {"burst_gpus": 3.0, "burst_fee_usd_per_gpu_hour": 0.2, "burst_usd_per_gpu_hour": 0.9},
    {"tiers": "3@1.5 8@0.8"},
    {"exit_after_months": 3.0},
    {"exit_after_months": 6.0, "overage_usd_per_gpu_hour": 2.0},
    {"ramp": "2@1 4@4", "overage_usd_per_gpu_hour": 1.0},
)


@pytest.mark.parametrize(
    ("case", "taken", "shortfall", "worth", "largest"),
    [
        # alone 170,820 is spent: with 9,180 short it costs 180,000, and 189,800 is the most worth signing
        (edp(180_000), True, 9_180, 9_800, 189_800),
        # R7: beside a plan of 141,620 it is left, 38,380 too dear, and no floor above 141,620 is worth signing
        (edp(180_000, RESERVED), False, 0, -38_380, 141_620),
        # 10 % off 141,620 and nothing short
        (edp(100_000, RESERVED), True, 0, 14_162, 141_620),
        # half of a sum for two months falls due: the largest sum is for two months too
        (edp(360_000, term_months=2.0), True, 9_180, 9_800, 379_600),
    ],
)
def test_the_largest_least_spend_worth_signing(case, taken, shortfall, worth, largest):
    [found] = plan_of(case.inputs()).floors
    assert found.taken is taken
    assert found.shortfall == pytest.approx(shortfall, abs=1e-3)
    assert found.worth == pytest.approx(worth, abs=1e-3)
    assert found.largest_usd == pytest.approx(largest, abs=0.02)


def test_a_discount_is_in_the_prices_of_the_plan():
    plan = plan_of(edp(100_000, RESERVED).inputs())
    [bought] = plan.purchases
    assert bought.tariff.stated_holding == pytest.approx(2.4 * 0.9)
    assert {row.tariff.offer_id: row.cost for row in plan.mix} == pytest.approx(
        {"r": 60 * 2.16 * 730, "od": (260 - 60 * 4 * 0.875) * 0.9 * 730}
    )
    assert plan.summary.cost == pytest.approx(127_458)


def test_an_accepted_floor_has_no_value_and_a_pool_no_largest_spend():
    [signed] = plan_of(edp(180_000, RESERVED, status="accepted").inputs()).floors
    assert (signed.taken, signed.worth, signed.largest_usd) == (True, None, None)
    [pool] = plan_of(edp(100_000, purchase_option="prepaid").inputs()).floors
    assert (pool.worth, pool.largest_usd, pool.cost) == (pytest.approx(10_000), None, pytest.approx(-10_000))


@given(cases(instruments=("floors",)))
@settings(EVERY, max_examples=20)
def test_at_the_largest_least_spend_it_is_all_the_same(case):
    """With the largest sum in force the plan costs what it does without, and with a little more it is dearer."""
    try:
        plan = plan_of(case.inputs())
    except InfeasibleError:
        return
    for found in plan.floors:
        if found.largest_usd and len(plan.floors) == 1:
            plain = [
                case.but(offers=[row for row in case.offers if row["offer_id"] != found.floor.terms.offer_id] + added)
                for added in ([], [_signed(case, found.floor.terms.offer_id, found.largest_usd)])
            ]
            without, with_it = (one.plain().cost() for one in plain)
            assert with_it <= without + 0.02 + 1e-7 * abs(without)
            dearer = _signed(case, found.floor.terms.offer_id, found.largest_usd * 1.01 + 1.0)
            assert plain[0].but(offers=[*plain[0].offers, dearer]).plain().cost() > without


def _signed(case: Case, name: str, usd: float) -> dict:
    [row] = [row for row in case.offers if row["offer_id"] == name]
    return row | {"spend_usd": usd, "status": "accepted"}


@pytest.mark.thorough
@given(cases(quotes=1, limited=False), st.sampled_from(RIDERS))
@settings(EVERY, max_examples=25)
def test_at_its_walk_away_price_a_quote_with_riders_is_neither_here_nor_there(drawn, rider):
    """The second formulation with the block at that price, whatever comes with it, costs what it does without."""
    quote = next(row for row in drawn.offers if row.get("status") == "quote")
    sold = {"min_gpus": 2.0, "max_gpus": None, "lot_gpus": None, "start": None, "end": None}
    case = drawn.but(offers=[row | (sold | rider if row is quote else {}) for row in drawn.offers], months=12)
    try:
        plan = plan_of(case.inputs())
    except InfeasibleError:
        return
    for value in plan.walk_away:
        check_indifferent(case, plan, value)


def check_indifferent(case: Case, plan: Plan, value) -> None:
    name, price = value.tariff.offer_id, value.walk_away
    if price is None or value.gpus is None:
        return
    plain = case.plain()
    without = plain.asked(**{name: Terms(absent=True)}).cost()
    with_it = plain.asked(**{name: Terms(quantity=value.gpus, holding=price)}).cost()
    assert math.isfinite(without)
    assert with_it == pytest.approx(without, rel=1e-7, abs=1e-6)
    assert (value.verdict == "accept") == (value.quoted <= price * (1 + 1e-9)) or price <= 0


def test_a_tier_that_the_plan_buys_is_worth_its_price():
    """100 GPUs at 2.05 from 64 on, at 2.20 from 32 on, or on demand at 4.00: each tier is worth the other's price."""
    quote = offer("q", "contract", 2.2, status="quote", min_gpus=32.0, tiers="64@2.05")
    plan = plan_of(Case(usage=series("a", [100.0] * 2), offers=[offer("od"), quote]).inputs())
    found = {value.tariff.offer_id: (value.walk_away, value.gpus, value.verdict) for value in plan.walk_away}
    assert found["q"] == (pytest.approx(2.05), pytest.approx(100), "counter")
    assert found["q@64"] == (pytest.approx(2.2), pytest.approx(100), "accept")
    assert [row.tariff.offer_id for row in plan.purchases] == ["q@64"]


def test_an_exit_makes_a_term_worth_more():
    """4 GPUs are needed for half a year, on demand at 4.00: a year of them is worth 2.00, with a way out 4.00."""
    from dataclasses import replace
    from datetime import timedelta

    from instances import NOW
    from reference import MONTH

    from optimizer.edits import Change

    ends = Change(workload="*", start=NOW + timedelta(hours=6 * MONTH), factor=0.0)
    for exit_after, worth in ((None, 2.0), (6.0, 4.0)):
        quote = offer("q", "contract", 1.0, status="quote", min_gpus=4.0, max_gpus=4.0, exit_after_months=exit_after)
        case = Case(usage=series("a", [4.0, 4.0]), offers=[offer("od"), quote], months=12)
        [value] = plan_of(replace(case.inputs(), changes=(ends,))).walk_away
        assert value.walk_away == pytest.approx(worth, abs=1e-6)
