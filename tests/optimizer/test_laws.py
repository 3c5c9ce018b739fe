"""What holds of every plan, whatever it is made of."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import PROVIDERS, Case, cases

from optimizer.errors import InfeasibleError
from optimizer.plan import plan_of
from tests.optimizer.test_random_instances import EVERY

PRICES = (
    "holding_usd_per_gpu_hour", "usage_usd_per_gpu_hour", "adders_usd_per_gpu_hour", "salvage_usd_per_gpu_hour",
    "overage_usd_per_gpu_hour", "burst_usd_per_gpu_hour", "burst_fee_usd_per_gpu_hour", "spend_usd", "usd_per_hour",
)  # fmt: skip
SOME = settings(EVERY, max_examples=15)


def cost(case: Case) -> float:
    try:
        return plan_of(case.inputs()).summary.cost
    except InfeasibleError:
        return math.inf


def no_dearer(one: float, other: float) -> bool:
    return one <= other + 1e-7 * abs(other) + 1e-6 if math.isfinite(other) else True


@given(cases(instruments=True), st.sampled_from(PROVIDERS))
@SOME
def test_all_providers_together_cost_no_more_than_any_of_them_alone(case, provider):
    alone = case.but(offers=[row for row in case.offers if row["provider"] == provider])
    if alone.offers:
        assert no_dearer(cost(case), cost(alone))


@given(cases(instruments=True), st.data())
@SOME
def test_an_offer_less_saves_nothing(case, data):
    gone = data.draw(st.sampled_from(case.offers))
    fewer = case.but(offers=[row for row in case.offers if row is not gone])
    if fewer.offers and gone.get("status") != "accepted" and not gone.get("plan"):
        assert no_dearer(cost(case), cost(fewer))


@given(cases(instruments=("tiers",)))
@SOME
def test_whole_lots_and_minimums_cost_no_less_than_parts_of_them(case):
    parts = [
        row if row.get("status") == "accepted" else row | {"lot_gpus": None, "min_gpus": 0.0} for row in case.offers
    ]
    assert no_dearer(cost(case.but(offers=parts)), cost(case))


@given(cases(limited=True))
@SOME
def test_a_plan_without_limits_costs_no_more(case):
    assert no_dearer(cost(case.but(limits={})), cost(case))


@given(cases(limited=False), st.sampled_from([0.5, 3.0]))
@SOME
def test_prices_in_other_units_cost_as_many_of_them(case, unit):
    """Every price times a number is every plan's cost times that number."""

    def scaled(row: dict) -> dict:
        return row | {name: row[name] * unit for name in PRICES if row.get(name) is not None}

    if any(row.get("tiers") for row in case.offers) or any(rule.migration_usd for rule in case.rules):
        return
    rules = case.rules if not any(rule.egress_usd_per_gpu_hour for rule in case.rules) else ()
    one = case.but(rules=rules)
    dear = one.but(offers=[scaled(row) for row in one.offers], commitments=[scaled(row) for row in one.commitments])
    assert cost(dear) == pytest.approx(unit * cost(one), rel=1e-7, abs=1e-6)
