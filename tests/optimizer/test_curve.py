"""The demand curve of a quote: its steps against the plain program, and the figures of Oracle-8."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from instances import Case, cases, offer, series
from reference import Terms

from optimizer.curve import demand_curve, vendor_value
from optimizer.errors import InfeasibleError
from optimizer.plan import plan_of
from optimizer.stated import stated_of

ORACLE = (40, 40, 40, 60, 80, 100, 100, 60)


def curve(case, name, **options):
    stated = stated_of(case.inputs())
    places = [tariff.offer_id for tariff in stated.tariffs]
    return demand_curve(stated.problem, places.index(name), **options) if name in places else []


def steps(found):
    return [(round(step.low, 6), round(step.high, 6), round(step.gpus, 6)) for step in found]


def oracle(*offers):
    return Case(usage=series("a", ORACLE), offers=[offer("od"), *offers])


def test_the_steps_of_oracle_8():
    found = curve(oracle(offer("q", "contract", 2.4, provider="x", status="quote")), "q")
    assert steps(found) == [(0, 1, 100), (1, 1.5, 80), (1.5, 2.5, 60), (2.5, 4, 40)]
    assert all(step.exact for step in found)


def test_a_rival_without_end_takes_everything_above_its_price():
    rival = offer("rival", "contract", 2.4, provider="y")
    found = curve(oracle(rival, offer("q", "contract", 3.0, provider="x", status="quote", min_gpus=64.0)), "q")
    assert steps(found) == [(0, 1, 100), (1, 1.5, 80), (1.5, 2.4, 60)]


def test_whole_lots_are_bought_or_not():
    found = curve(oracle(offer("q", "contract", 2.4, provider="x", status="quote", lot_gpus=64.0)), "q")
    # The first lot is worth 3.375 a GPU; a second adds 16 GPUs for one hour of eight and 36 for two.
    second = ((80 - 64) + (100 - 64) * 2) * 4 / 8 / 64
    assert steps(found) == [(0, round(second, 6), 128), (round(second, 6), 3.375, 64)]


def test_resale_moves_the_threshold():
    """A GPU that is busy a share u of the hours pays from (c - s) / (p - s) on: at 2.40 and 0.80 from half of them."""
    found = curve(oracle(offer("q", "contract", 2.4, provider="x", status="quote", salvage_usd_per_gpu_hour=0.8)), "q")
    stated = [round(step.high + 0.8, 6) for step in found]
    assert stated == [round(0.8 + share * (4 - 0.8), 6) for share in (2 / 8, 3 / 8, 5 / 8, 1.0)]


def test_few_solves_bound_what_they_leave_open():
    case = Case(
        usage=series("a", range(1, 40)), offers=[offer("od"), offer("q", "contract", 2.0, provider="x", status="quote")]
    )
    rough, fine = curve(case, "q", solves=3), curve(case, "q")
    assert not all(step.exact for step in rough)
    for step in fine:
        middle = (step.low + step.high) / 2
        bound = next(one.gpus for one in rough if one.low <= middle <= one.high)
        assert step.gpus <= bound + 1e-6


def test_a_vendor_is_worth_what_the_plan_costs_more_without_it():
    offers = [offer("r", "contract", 2.4, provider="x"), offer("s", "contract", 2.6, provider="y")]
    problem = stated_of(oracle(*offers).inputs()).problem
    cost = plan_of(oracle(*offers).inputs()).summary.cost
    assert vendor_value(problem, "x", cost=cost) == pytest.approx(
        plan_of(oracle(offers[1]).inputs()).summary.cost - cost
    )
    assert vendor_value(problem, "y", cost=cost) == pytest.approx(0.0, abs=1e-6)
    assert vendor_value(problem, "aws", cost=cost) > 0
    alone = Case(usage=series("a", ORACLE), offers=[offer("od")])
    assert vendor_value(stated_of(alone.inputs()).problem, "aws", cost=2080.0) is None


@pytest.mark.thorough
@given(cases(quotes=1, quoted=("reserved", "contract")))
@settings(deadline=None, max_examples=30)
def test_every_step_is_what_the_plain_program_buys(case):
    offers = [row | {"min_gpus": 0.0, "max_gpus": None} if row["offer_id"] == "q0" else row for row in case.offers]
    open_case = case.but(offers=offers)
    try:
        found = curve(case, "q0", solves=40)
    except InfeasibleError:
        return
    plain = open_case.plain()
    assert all(one.high == pytest.approx(two.low) for one, two in pairwise(found))
    assert all(one.gpus > two.gpus for one, two in pairwise(found))
    for step in found:
        if not step.exact or step.high - step.low < 1e-4:
            continue
        price = (max(step.low, 1e-3 * step.high) + step.high) / 2
        best = plain.asked(q0=Terms(holding=price)).cost()
        mine = plain.asked(q0=Terms(holding=price, quantity=step.gpus)).cost()
        assert math.isfinite(best)
        assert mine == pytest.approx(best, rel=1e-7, abs=1e-6)
