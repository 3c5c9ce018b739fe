"""Capacity that is delivered step by step is there, and paid for, only as far as it is delivered."""

import polars as pl
import pytest
from instances import Case, offer, series

from optimizer.plan import plan_of
from optimizer.tariffs import RampStep, ramp_of
from providers.tables import OFFERS, InputError, checked

MONTH = 730


def ramped(**more):
    contract = offer("c", "contract", 2.0, provider="x", ramp="50@1 100@4", term_months=12.0, status="quote", **more)
    return Case(usage=series("a", [100.0, 100.0]), offers=[offer("od"), contract], months=12)


def test_what_has_not_come_yet_is_not_paid_and_does_not_serve():
    plan = plan_of(ramped().inputs())
    assert plan.summary.cost == pytest.approx(3 * MONTH * (50 * 2 + 50 * 4) + 9 * MONTH * 100 * 2)
    [bought] = plan.purchases
    assert bought.gpus == 100
    assert bought.total_commitment == pytest.approx(2.0 * (50 * 3 + 100 * 9) * MONTH)
    assert bought.utilization == pytest.approx(1.0)
    assert "more falls due" not in bought.because


def test_the_walk_away_price_is_of_the_hours_that_are_delivered():
    [value] = plan_of(ramped().inputs()).walk_away
    assert value.gpus == 100
    assert value.walk_away == pytest.approx(4.0)
    assert value.headroom == pytest.approx((4.0 - 2.0) * (50 * 3 + 100 * 9) * MONTH)


def test_too_much_too_early_is_worth_less():
    case = Case(
        usage=series("a", [60.0] * 2),
        offers=[
            offer("od"),
            offer("c", "contract", 2.0, provider="x", ramp="30@1 120@7", term_months=12.0, status="quote"),
        ],
        months=12,
    )
    [value] = plan_of(case.inputs()).walk_away
    assert value.walk_away == pytest.approx(4.0 * (30 * 6 + 60 * 6) / (30 * 6 + 120 * 6))


def test_a_ramp_that_begins_on_a_date_waits_for_it():
    late = ramped(start=None)
    contract = late.offers[1] | {"start": late.inputs().now.replace(month=7)}
    plan = plan_of(late.but(offers=[late.offers[0], contract]).inputs())
    before = (contract["start"] - late.inputs().now).total_seconds() / 3600
    after = 8760 - before
    paid = 3 * MONTH * (50 * 2 + 50 * 4) + (after - 3 * MONTH) * 100 * 2
    assert plan.summary.cost == pytest.approx(before * 400 + paid)


def test_cash_at_the_start_is_of_what_will_be_delivered():
    [bought] = plan_of(ramped(upfront_share=0.5).inputs()).purchases
    assert bought.upfront == pytest.approx(0.5 * 2.0 * (50 * 3 + 100 * 9) * MONTH)


def test_a_ramp_is_read_in_any_order():
    assert ramp_of("128@4 64@1") == ((RampStep(0, 0.5), RampStep(3, 1.0)), 128)
    assert ramp_of(None) == ((), 0.0)


@pytest.mark.parametrize("text", ["64", "64@0", "0@1", "64@1,128@4", "64@1 128@x"])
def test_a_ramp_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="is no ramp"):
        checked(pl.DataFrame([offer("c", "contract", 2.0, ramp=text)]), OFFERS, where="test")
