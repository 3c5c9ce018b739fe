"""The difference between two plans: parts by hand, and parts that add up to it exactly whatever the plans."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.compare import CAUSES, Held, Snapshot, Use, compared

ALIKE = dict.fromkeys(CAUSES, "same")


def held(quantity=60.0, holding="2.40", used=420.0, paid=480.0, **more):
    figures = {"unit": "GPUs", "term": "12 mo", "usage": Decimal(0), "used_hours": used, "paid_hours": paid}
    return Held(quantity=quantity, holding=Decimal(holding), **(figures | more))


def use(gpu_hours, cost):
    return Use(gpu_hours=float(gpu_hours), cost=Decimal(str(cost)))


def plan(**more):
    """Oracle-8 at $2.40: 60 GPUs held all day serve 420 GPU-hours, and 100 go at $4."""
    figures = {
        "cost": Decimal("1552.00"),
        "existing": Decimal(0),
        "hours": 8.0,
        "gpu_hours": 520.0,
        "work": {"train": use(520, 1552)},
        "spot_and_on_demand": {("train", "od"): use(100, 400)},
        "purchases": {"r": held()},
        "commitments": {},
        "limits": {},
        "inputs": ALIKE,
    }
    return Snapshot(**(figures | more))


def causes(*names):
    return {**ALIKE, **dict.fromkeys(names, "other")}


def parts(found):
    return {part.cause: part.usd for part in found.parts}


def test_a_plan_does_not_differ_from_itself():
    found = compared(plan(), plan())
    assert (found.difference, found.parts, found.causes, found.changes, found.differs) == (0, (), (), (), False)


@pytest.mark.parametrize("cause", CAUSES)
def test_where_one_input_differs_the_whole_difference_is_due_to_it(cause):
    found = compared(plan(), plan(cost=Decimal("1600.10"), inputs=causes(cause)))
    assert parts(found) == {cause: Decimal("48.10")}
    assert found.causes == (cause,)


def test_where_no_input_differs_nothing_is_blamed():
    found = compared(plan(), plan(cost=Decimal("1552.01")))
    assert parts(found) == {"together": Decimal("0.01")}
    assert found.differs
    assert not compared(plan(), plan(cost=Decimal("1552.000001"))).differs


def test_price_is_counted_at_the_old_quantities():
    """On demand $4 to $5 on 100 GPU-hours, held $2.40 to $2.50 on 480 paid, whatever is used of them."""
    new = plan(
        cost=Decimal("1705.00"),
        spot_and_on_demand={("train", "od"): use(101, 505)},
        purchases={"r": held(holding="2.50")},
        inputs=causes("price", "limit"),
    )
    found = compared(plan(), new)
    assert parts(found) == {"price": Decimal("148.00"), "together": Decimal("5.00")}
    prices = [(one.name, one.before, one.after) for one in found.changes if one.what == "price"]
    assert prices == [("od", 4.0, 5.0), ("r", 2.4, 2.5)]


def test_demand_is_counted_at_the_old_cost_of_each_workload():
    work = {"train": use(400, 1200), "serve": use(120, 352)}
    new_work = {"train": use(500, 1300), "batch": use(60, 200)}
    new = plan(
        cost=Decimal("1500.00"), gpu_hours=560.0, work=new_work, inputs=causes("demand", "price"),
        spot_and_on_demand={},
    )  # fmt: skip
    found = compared(plan(work=work), new)
    assert parts(found) == {"demand": Decimal(100 * 3 - 352 + 200), "together": Decimal(-52 - 148)}
    served = [(one.name, one.before, one.after) for one in found.changes if one.what == "served"]
    assert served == [("batch", None, 60.0), ("serve", 120.0, None), ("train", 400.0, 500.0)]


def test_demand_served_on_another_model_is_not_less_demand():
    """520 GPU-hours are asked for in both; the new plan serves them in 260 on a model that does twice the work."""
    new = plan(cost=Decimal("1300.00"), work={"train": use(260, 1300)}, inputs=causes("demand", "price"))
    assert parts(compared(plan(), new)) == {"together": Decimal("-252.00")}


def test_a_longer_plan_and_commitments():
    """Twice the hours cost twice as much; what is owned cost 100 and would cost 200, and costs 150."""
    old = plan(existing=Decimal(100))
    new = plan(
        cost=Decimal(3000), hours=16.0, gpu_hours=1040.0, existing=Decimal(150), work={"train": use(1040, 3000)},
        inputs=causes("horizon", "commitment"),
    )  # fmt: skip
    expected = {"horizon": Decimal("1552.00"), "commitment": Decimal("-50.00"), "together": Decimal("-54.00")}
    assert parts(compared(old, new)) == expected


def test_what_changed():
    new = plan(
        purchases={"r": held(quantity=64.0, term="24 mo"), "s": held(quantity=12.5, unit="an hour")},
        commitments={"c": held(quantity=8.0)},
        limits={"spot": "40%"},
    )
    found = compared(plan(limits={"term": "12mo"}), new)
    said = [(one.what, one.name, one.before, one.after, one.unit) for one in found.changes]
    assert said == [
        ("purchase", "r", 60.0, 64.0, "GPUs"),
        ("purchase", "r", "12 mo", "24 mo", ""),
        ("purchase", "s", None, 12.5, "an hour"),
        ("commitment", "c", None, 8.0, "GPUs"),
        ("limit", "spot", None, "40%", ""),
        ("limit", "term", "12mo", None, ""),
    ]


AMOUNTS = st.decimals(0, 10**7, places=6)
HOURS = st.integers(0, 10**9).map(lambda thousandths: thousandths / 1000)
USES = st.builds(Use, gpu_hours=HOURS, cost=AMOUNTS)
HELDS = st.builds(
    Held, quantity=HOURS, unit=st.sampled_from(["GPUs", "an hour"]), term=st.sampled_from(["12 mo", "open"]),
    holding=AMOUNTS, usage=AMOUNTS, paid_hours=HOURS, used_hours=HOURS,
)  # fmt: skip
NAMES = st.sampled_from(["a", "b", "c"])
PLANS = st.builds(
    Snapshot, cost=AMOUNTS, existing=AMOUNTS, hours=st.integers(0, 9000).map(float), gpu_hours=HOURS,
    work=st.dictionaries(NAMES, USES), spot_and_on_demand=st.dictionaries(st.tuples(NAMES, NAMES), USES),
    purchases=st.dictionaries(NAMES, HELDS), commitments=st.dictionaries(NAMES, HELDS),
    limits=st.dictionaries(NAMES, st.sampled_from(["40%", "50%"])),
    inputs=st.fixed_dictionaries({cause: st.sampled_from("xy") for cause in CAUSES}),
)  # fmt: skip


@settings(deadline=None)
@given(old=PLANS, new=PLANS)
def test_parts_add_up_to_the_difference_exactly(old, new):
    found = compared(old, new)
    assert sum((part.usd for part in found.parts), Decimal(0)) == new.cost - old.cost == found.difference
    assert len({part.cause for part in found.parts}) == len(found.parts)


@settings(deadline=None)
@given(old=PLANS, new=PLANS)
def test_the_way_back_has_the_opposite_difference_and_the_same_changes(old, new):
    there, back = compared(old, new), compared(new, old)
    assert there.difference == -back.difference
    assert there.differs == back.differs
    assert [(one.what, one.name) for one in there.changes] == [(one.what, one.name) for one in back.changes]


@settings(deadline=None)
@given(old=PLANS)
def test_only_the_fingerprints_differ_then_nothing_did(old):
    new = replace(old, inputs=causes(*CAUSES))
    assert compared(old, new).parts == ()
