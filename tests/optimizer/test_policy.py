"""What limits cost."""

import pytest
from hypothesis import given, settings
from instances import Case, cases, offer, series

from optimizer.errors import InfeasibleError
from optimizer.plan import plan_of
from tests.optimizer.test_random_instances import EVERY


def test_a_point_more_of_spot_saves_what_the_prices_differ_by():
    """100 GPU-hours, 40 of them at most on spot at 1.00 instead of 4.00: one more hour saves 3.00."""
    offers = [offer("od", price=4.0), offer("spot", "spot", 1.0)]
    usage = series("a", [10.0] * 10, interruptible=True)
    [found] = plan_of(Case(usage=usage, offers=offers, limits={"spot": 0.4}).inputs()).limits
    assert (found.name, found.most) == ("spot", 0.4)
    assert (found.at, found.saving) == (pytest.approx(0.4), pytest.approx(3.0))


def test_cash_is_worth_what_it_buys():
    """4 GPUs for 8,760 hours at 2.00 instead of 4.00, half of it paid at the start; cash is for 2 of them, 17,520."""
    offers = [offer("od", price=4.0), offer("r", "reserved", 2.0, upfront_share=0.5)]
    case = Case(usage=series("a", [4.0] * 2), offers=offers, limits={"upfront": 17520.0}, months=12)
    [found] = plan_of(case.inputs()).limits
    assert (found.at, found.step) == (pytest.approx(17520), pytest.approx(175.2))
    assert found.saving == pytest.approx(2 * 175.2)  # a dollar of cash holds what saves two


def test_a_limit_that_does_not_bind_costs_nothing():
    case = Case(usage=series("a", [4.0] * 2), offers=[offer("od")], limits={"committed": 0.5, "provider.gcp": 0.2})
    assert [(found.name, found.at, found.saving) for found in plan_of(case.inputs()).limits] == [
        ("committed", 0.0, 0.0),
        ("provider.gcp", 0.0, 0.0),
    ]


@given(cases(limited=True))
@settings(EVERY, max_examples=30)
def test_a_wider_limit_saves_what_the_second_formulation_says(case):
    try:
        plan = plan_of(case.inputs())
    except InfeasibleError:
        return
    for found in plan.limits:
        wider = case.but(limits=case.limits | {found.name: found.most + found.step}).plain().cost()
        assert found.saving == pytest.approx(plan.summary.cost - wider, rel=1e-6, abs=1e-6 * abs(wider) + 1e-6)
