"""What moving saves, and the price at home that would keep a workload: worked out by hand, and by repricing home."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import Case, offer, series

from optimizer.demand import WorkloadRule
from optimizer.plan import plan_of
from optimizer.solve import Memory
from optimizer.stated import stated_of
from optimizer.staying import staying

ORACLE = [40, 40, 40, 60, 80, 100, 100, 60]


def asked(case, **more):
    return staying(stated_of(case.inputs()), **more)


def flat(rule=None, *, home=4.0, **columns):
    """Ten GPUs for eight hours at home on aws at $4, while gcp asks $3."""
    rules = () if rule is None else (rule,)
    offers = [offer("od", price=home), offer("gcp", price=3.0, provider="gcp")]
    return Case(usage=series("a", [10] * 8, provider="aws", **columns), offers=offers, rules=rules)


def test_moving_costs_come_off_what_moving_saves():
    rule = WorkloadRule(pattern="a", egress_usd_per_gpu_hour=0.5, migration_usd=8.0)
    (found,) = asked(flat(rule), last_hour=True)
    # 80 GPU-hours: $4.00 at home, $3.00 + $0.50 + $8 / 80 elsewhere.
    assert (found.workload, found.homes, found.gpu_hours, found.away_gpu_hours) == ("a", ("aws",), 80, 80)
    assert found.saves_before == pytest.approx(80 * 1.0)
    assert found.saves == pytest.approx(80 * 0.4)
    assert found.cut_usd_per_gpu_hour == found.last_cut_usd_per_gpu_hour == pytest.approx(0.4)
    assert found.home_usd_per_gpu_hour == pytest.approx(4.0)
    assert found.keeps_usd_per_gpu_hour == pytest.approx(3.6)
    assert found.exact


def test_running_twice_for_a_while_is_a_moving_cost():
    (found,) = asked(flat(WorkloadRule(pattern="a", overlap_hours=0.8)))
    # 0.8 of 8 hours twice: an hour elsewhere costs 1.1 times $3.00.
    assert (found.saves_before, found.saves) == (pytest.approx(80.0), pytest.approx(80 * 0.7))
    assert found.keeps_usd_per_gpu_hour == pytest.approx(3.3)


def test_a_poor_provider_is_no_moving_cost():
    (found,) = asked(flat(WorkloadRule(pattern="a", quality={"gcp": 0.8})))
    assert (found.saves_before, found.saves) == (pytest.approx(80 * 0.25), pytest.approx(80 * 0.25))
    assert (found.last_cut_usd_per_gpu_hour, found.exact) == (None, False)


def test_what_stays_or_has_no_home_is_not_asked_about():
    assert asked(flat(WorkloadRule(pattern="a", egress_usd_per_gpu_hour=1.5))) == ()
    assert asked(Case(usage=series("a", [10] * 8), offers=flat().offers)) == ()


def test_of_a_workload_that_moves_in_part_the_last_hour_sets_the_price():
    offers = [offer("od"), offer("r", "reserved", 2.4, provider="gcp")]
    case = Case(usage=series("a", ORACLE, provider="aws"), offers=offers)
    (found,) = asked(case, last_hour=True)
    # 60 GPUs are worth reserving at gcp; they serve all but 20 + 40 + 40 GPU-hours.
    assert found.away_gpu_hours == pytest.approx(420)
    assert found.saves == found.saves_before == pytest.approx(520 * 4 - (60 * 8 * 2.4 + 100 * 4))
    assert found.keeps_usd_per_gpu_hour == pytest.approx(4.0 - 528 / 520)
    # The first 40 GPUs are always busy, so that only a list price of $2.40 at home keeps them too.
    assert found.last_cut_usd_per_gpu_hour == pytest.approx(1.6)
    assert found.exact


def test_where_home_cannot_serve_it_there_is_no_such_price():
    offers = [offer("od", max_gpus=5.0), offer("gcp", price=3.0, provider="gcp")]
    (found,) = asked(flat().but(offers=offers))
    assert (found.saves, found.saves_before, found.cut_usd_per_gpu_hour) == (None, None, None)
    assert found.keeps_usd_per_gpu_hour is None


def test_only_the_biggest_movers_are_asked_about():
    usage = [row for size in range(1, 8) for row in series(f"w{size}", [size] * 4, provider="aws")]
    found = asked(flat().but(usage=usage), most=5)
    assert [one.workload for one in found] == ["w7", "w6", "w5", "w4", "w3"]
    assert [one.gpu_hours for one in found] == [28, 24, 20, 16, 12]


def test_what_is_remembered_changes_nothing():
    case, memory = flat(WorkloadRule(pattern="a", egress_usd_per_gpu_hour=0.5)), Memory()
    plan = plan_of(case.inputs(), memory)
    (found,) = staying(stated_of(case.inputs()), memory)
    assert (found,) == asked(case)
    assert plan.summary.cost + found.saves == pytest.approx(320)


@given(
    st.lists(st.sampled_from([0.0, 1.0, 3.0, 7.0]), min_size=4, max_size=8).filter(any),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.sampled_from([0.0, 5.0, 40.0]),
    st.sampled_from([0.0, 0.5]),
    st.sampled_from([1.1, 1.7, 2.5, 3.2]),
    st.sampled_from([None, 1.0, 4.0]),
)
@settings(deadline=None, max_examples=30)
def test_a_list_price_keeps_the_last_hour_a_little_dearer_does_not_and_a_deal_for_all_costs_what_the_plan_does(
    needs, egress, once, overlap, price, lot
):
    rule = WorkloadRule(
        pattern="a", data_at="aws", egress_usd_per_gpu_hour=egress, migration_usd=once, overlap_hours=overlap
    )
    offers = [
        offer("od"),
        offer("r", "reserved", price, provider="gcp", lot_gpus=lot),
        offer("there", price=3.5, provider="gcp"),
    ]
    case = Case(usage=series("a", needs), offers=offers, rules=(rule,))
    for one in asked(case, last_hour=True):
        assert one.exact
        assert one.saves_before >= one.saves - 1e-6 >= -2e-6
        assert one.last_cut_usd_per_gpu_hour >= one.cut_usd_per_gpu_hour - 1e-6
        keeps = one.home_usd_per_gpu_hour - one.last_cut_usd_per_gpu_hour
        cheaper = _repriced(case, keeps - 0.002)
        assert {service.tariff.provider for service in cheaper.mix} == {"aws"}
        deal = plan_of(_only_home(case, one.keeps_usd_per_gpu_hour).inputs()).summary.cost
        assert deal == pytest.approx(plan_of(case.inputs()).summary.cost, rel=1e-7, abs=1e-6)
        if one.last_cut_usd_per_gpu_hour > 0.002:
            dearer = _repriced(case, keeps + 0.002)
            assert "gcp" in {service.tariff.provider for service in dearer.mix}


def _only_home(case, price):
    return case.but(offers=[offer("od", price=price)])


def _repriced(case, price):
    return plan_of(case.but(offers=[offer("od", price=price), *case.offers[1:]]).inputs())
