"""What the demand costs without a plan, also of workloads that are not in the usage, and at prices that move."""

from dataclasses import replace
from datetime import timedelta

import pytest
from instances import NOW, Case, offer, series

from optimizer.baseline import current_cost, on_demand_rates
from optimizer.edits import Change
from optimizer.ladder import Buying, PriceMove
from optimizer.plan import plan_of
from optimizer.stated import stated_of

YEAR = 8760
OFFERS = [offer("dear", price=5.0), offer("cheap", price=4.0), offer("gcp", price=3.0, provider="gcp")]


def usage(**columns):
    return series("a", [10] * 8, provider="aws", **columns)


def rates(inputs):
    stated = stated_of(inputs)
    return on_demand_rates(inputs.usage, stated.demand, stated.tariffs, stated.problem)


def current(inputs):
    stated = stated_of(inputs)
    return current_cost(inputs.usage, stated.demand, rates(inputs))


def inputs_of(*changes, rows=None, offers=OFFERS, **more):
    case = Case(usage=usage() if rows is None else rows, offers=list(offers), months=12)
    return replace(case.inputs(), changes=changes, **more)


def test_a_launch_counts_at_the_cheapest_price_that_it_may_be_served_at():
    inputs = inputs_of(Change(workload="new", gpu_model="A", gpus=5.0))
    assert rates(inputs) == pytest.approx({("a", "A"): 4.0, ("new", "A"): 3.0})
    assert plan_of(inputs).summary.on_demand_cost == pytest.approx((10 * 4 + 5 * 3) * YEAR)


def test_what_moves_to_another_gpu_model_counts_at_that_ones_price():
    offers = [*OFFERS, offer("b", price=6.0, gpu_model="B")]
    inputs = inputs_of(
        Change(workload="a", to_model="B", factor=0.5, start=NOW + timedelta(hours=6 * 730)), offers=offers
    )
    assert rates(inputs) == pytest.approx({("a", "A"): 4.0, ("a", "B"): 6.0})
    assert plan_of(inputs).summary.on_demand_cost == pytest.approx((10 * 4 + 5 * 6) * YEAR / 2)


def test_what_nobody_sells_on_demand_has_no_price():
    found = rates(inputs_of(Change(workload="new", gpu_model="C", gpus=5.0), offers=[*OFFERS, _held("C")]))
    assert found["a", "A"] == pytest.approx(4.0)
    assert found["new", "C"] != found["new", "C"]


def _held(model):
    return offer("held", "reserved", 2.0, gpu_model=model)


def test_prices_that_move_count_by_the_demand_that_meets_them():
    moves = Buying(moves=(PriceMove(gpu_model="A", from_month=3.0, factor=0.5),))
    inputs = inputs_of(buying=moves)
    assert rates(inputs) == pytest.approx({("a", "A"): (3 * 4.0 + 9 * 2.0) / 12})
    grown = replace(inputs, changes=(Change(workload="a", factor=3.0, start=NOW + timedelta(hours=3 * 730)),))
    assert plan_of(grown).summary.on_demand_cost == pytest.approx((3 * 10 * 4.0 + 9 * 30 * 2.0) * 730)


def test_without_a_change_today_s_bill_is_scaled_to_the_horizon():
    rows = usage(effective_cost=25.0)
    assert current(inputs_of(rows=rows)) == pytest.approx(25.0 * YEAR)
    assert current(inputs_of(rows=rows)) == pytest.approx(plan_of(inputs_of(rows=rows)).summary.current_cost)
    assert current(inputs_of()) is None


def test_a_row_of_a_day_costs_what_its_hours_do():
    days = [row | {"granularity": "day"} for row in usage(effective_cost=25.0) if row["hour"].hour == 0]
    hours = [
        row | {"hour": row["hour"] + timedelta(hours=hour), "granularity": "hour"} for row in days for hour in range(24)
    ]
    spread = [row | {name: row[name] / 24 for name in ("gpu_hours", "effective_cost")} for row in hours]
    change = Change(workload="a", factor=0.5)
    assert current(inputs_of(change, rows=days)) == pytest.approx(current(inputs_of(change, rows=spread)))
    assert rates(inputs_of(rows=days)) == rates(inputs_of(rows=spread))


def test_with_changes_each_gpu_hour_costs_what_it_does_on_the_bill_and_a_launch_what_it_does_on_demand():
    changes = (Change(workload="a", factor=0.5), Change(workload="new", gpu_model="A", gpus=5.0))
    assert current(inputs_of(*changes, rows=usage(effective_cost=25.0))) == pytest.approx((12.5 + 5 * 3.0) * YEAR)
    retired = inputs_of(Change(workload="a", factor=0.0), changes[1], rows=usage(effective_cost=25.0))
    assert current(retired) == pytest.approx(5 * 3.0 * YEAR)
