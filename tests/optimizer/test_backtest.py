"""Rules decide on the past and live through what came after, at costs that are worked out by hand here."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from instances import Case, cases, offer, owned, series

from optimizer.backtest import backtest
from optimizer.demand import WorkloadRule
from optimizer.edits import Change
from optimizer.errors import InfeasibleError
from optimizer.plan import plan_of

ORACLE = [40, 40, 40, 60, 80, 100, 100, 60]
YEAR = 8760


def tried(case, train=2 / 3):
    return {one.rule: one for one in backtest(case.inputs(), train=train).outcomes}


def falling(**more):
    """Demand is that of Oracle-8 twice, and then 40 GPUs and no more."""
    offers = [offer("od"), offer("r", "reserved", 2.4)]
    return Case(usage=series("a", [*ORACLE, *ORACLE, *[40] * 8]), offers=offers, months=12, **more)


def test_what_was_bought_is_paid_though_demand_falls():
    found = tried(falling())
    assert found["hindsight"].cost == pytest.approx(40 * 2.4 * YEAR)
    planned = found["the plan of the first part"]
    assert planned.cost == pytest.approx(60 * 2.4 * YEAR)
    assert (planned.regret, planned.stranded) == (pytest.approx(20 * 2.4 * YEAR), pytest.approx(20 * 2.4 * YEAR))
    assert found["nothing but what is owned"].cost == pytest.approx(40 * 4 * YEAR)
    assert found["the 50th percentile of each GPU"].cost == pytest.approx(60 * 2.4 * YEAR)
    assert found["the 90th percentile of each GPU"].cost == pytest.approx(100 * 2.4 * YEAR)


def test_what_is_owned_counts_towards_a_percentile():
    found = tried(falling(commitments=[owned("c", 30.0, 1.0)]))
    assert found["the 50th percentile of each GPU"].cost == pytest.approx((30 * 1.0 + 30 * 2.4) * YEAR)
    assert found["nothing but what is owned"].cost == pytest.approx((30 * 1.0 + 10 * 4.0) * YEAR)


def test_percentiles_are_bought_in_whole_lots():
    case = falling()
    lots = case.but(offers=[case.offers[0], case.offers[1] | {"lot_gpus": 16.0}])
    assert tried(lots)["the 50th percentile of each GPU"].cost == pytest.approx(48 * 2.4 * YEAR)


def test_when_nothing_changes_the_plan_of_the_past_is_hindsight():
    case = Case(usage=series("a", ORACLE * 3), offers=[offer("od"), offer("r", "reserved", 2.4)], months=12)
    found = tried(case)
    assert found["the plan of the first part"].regret == pytest.approx(0.0, abs=1e-6)
    assert found["hindsight"].cost == pytest.approx(194.0 * YEAR)


def test_the_last_days_decide_on_the_last_days_only():
    needs = [100] * 24 * 20 + [40] * 24 * 31 + [40] * 24 * 10
    case = Case(usage=series("a", needs), offers=[offer("od"), offer("r", "reserved", 2.4)], months=12)
    found = tried(case, train=51 / 61)
    assert found["the plan of its last 30 days"].regret == pytest.approx(0.0, abs=1e-6)
    assert found["the plan of the first part"].cost == pytest.approx(40 * 2.4 * YEAR)


def rising():
    """Three weeks of 10, 20 and 30 GPUs, and one of 30: the last week tells best what comes."""
    needs = [10] * 168 + [20] * 168 + [30] * 168 + [30] * 168
    return Case(usage=series("a", needs), offers=[offer("od"), offer("r", "reserved", 2.4)], months=12)


def test_a_forecast_decides_on_what_it_expects_of_the_rest_where_the_first_part_ends():
    inputs = replace(rising().inputs(), forecast="seasonal_naive")
    found = {one.rule: one for one in backtest(inputs, train=3 / 4).outcomes}
    assert found["the plan of the forecast seasonal_naive"].regret == pytest.approx(0.0, abs=1e-6)
    # 10, 20 and 30 GPUs, each a third of the time: 20 GPUs are busy two thirds of it, and $2.40 of $4.00 is less.
    assert found["the plan of the first part"].cost == pytest.approx((20 * 2.4 + 10 * 4.0) * YEAR)
    assert found["hindsight"].cost == pytest.approx(30 * 2.4 * YEAR)


def test_the_best_forecast_is_chosen_on_the_first_part_only():
    inputs = replace(rising().inputs(), forecast="best")
    found = {one.rule: one for one in backtest(inputs, train=3 / 4).outcomes}
    assert found["the plan of the forecast best"].cost < found["the plan of the first part"].cost


def test_what_is_planned_for_the_time_to_come_has_no_part_in_the_past():
    inputs = rising().inputs()
    retired = replace(inputs, changes=(Change(workload="a", factor=0.0),), forecast="trend", growth_per_month=0.1)
    plain, planned = backtest(inputs, train=3 / 4), backtest(retired, train=3 / 4)
    kept = [one for one in planned.outcomes if one.rule != "the plan of the forecast trend"]
    assert tuple(kept) == plain.outcomes
    assert len(planned.outcomes) == len(plain.outcomes) + 1


def test_a_forecast_keeps_what_may_not_move_where_it_is():
    usage = series("a", [10] * 400, provider="aws", region="us-1")
    offers = [
        offer("od", region="us-1"),
        offer("gcp", price=1.0, provider="gcp"),
        offer("eu", price=1.0, region="eu-1"),
    ]
    rules = (WorkloadRule(pattern="a", movable=False),)
    inputs = replace(Case(usage=usage, offers=offers, rules=rules, months=12).inputs(), forecast="seasonal_mean")
    found = {one.rule: one.cost for one in backtest(inputs, train=1 / 2).outcomes}
    assert found["the plan of the forecast seasonal_mean"] == pytest.approx(10 * 4 * YEAR)


@pytest.mark.parametrize("train", [0.0, 1.0, 0.001])
def test_a_part_without_hours_is_refused(train):
    with pytest.raises(ValueError, match="leaves a part empty"):
        backtest(falling().inputs(), train=train)


@pytest.mark.thorough
@given(cases())
@settings(deadline=None, max_examples=20)
def test_no_rule_is_cheaper_than_hindsight_which_is_the_plan_of_the_rest(case):
    case = case.but(months=12)
    try:
        found = backtest(case.inputs(), train=0.5)
    except (InfeasibleError, ValueError):
        return
    hindsight = next(one for one in found.outcomes if one.rule == "hindsight")
    assert all(one.cost is None or one.regret >= -1e-6 * max(1.0, hindsight.cost) for one in found.outcomes)
    hours = sorted({row["hour"] for row in case.usage})
    rest = [row for row in case.usage if row["hour"] >= hours[found.decided_on]]
    assert plan_of(case.but(usage=rest).inputs()).summary.cost == pytest.approx(hindsight.cost, rel=1e-7, abs=1e-6)
