"""Rules decide on the past and live through what came after, at costs that are worked out by hand here."""

import pytest
from hypothesis import given, settings
from instances import Case, cases, offer, owned, series

from optimizer.backtest import backtest
from optimizer.plan import plan_of
from optimizer.solve import InfeasibleError

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


@pytest.mark.parametrize("train", [0.0, 1.0, 0.001])
def test_a_part_without_hours_is_refused(train):
    with pytest.raises(ValueError, match="leaves a part empty"):
        backtest(falling().inputs(), train=train)


@given(cases())
@settings(deadline=None, max_examples=40)
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
