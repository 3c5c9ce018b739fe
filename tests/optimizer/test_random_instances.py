"""On small plans of every kind, the plan costs what a second formulation costs, and keeps every promise."""

import math
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from instances import Case, cases, hour, offer, series
from reference import Terms

from optimizer.demand import WorkloadRule
from optimizer.dispatch import dispatch_of
from optimizer.errors import InfeasibleError
from optimizer.plan import Plan, plan_of
from optimizer.solve import Memory, Solution
from optimizer.stated import Stated, solved, stated_of

RELATIVE = 1e-7
DUST = 1e-6
EVERY = settings(
    max_examples=120,
    derandomize=True,
    deadline=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


@given(cases(limited=False))
@EVERY
def test_a_plan_costs_what_the_plain_program_costs(case):
    check_agrees(case)


@given(cases(limited=True))
@EVERY
def test_a_plan_within_limits_costs_what_the_plain_program_costs(case):
    check_agrees(case)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("instruments", [False, ("moves", "ladder"), ("floors", "exit", "overage")])
def test_hours_in_groups_change_nothing(limited, instruments):
    """Every history is long: the master starts from three groups of hours, as it does for a year."""

    @given(cases(limited=limited, instruments=instruments))
    @settings(EVERY, max_examples=25 if instruments else 40)
    def check(case):
        with patch("optimizer.solve.SMALL", 0):
            check_agrees(case)

    check()


@pytest.mark.parametrize("lot", [8.0, None])
def test_a_minimum_that_only_a_limit_on_a_provider_makes_worth_buying(lot):
    offers = [
        offer("o0", "contract", 0.3929, provider="gcp", min_gpus=10.0, max_gpus=12.0),
        offer("o1", "contract", 0.9, lot_gpus=8.0, max_gpus=8.0, start=hour(1)),
        offer("o2", "reserved", 0.1, lot_gpus=lot),
    ]
    check_agrees(Case(usage=series("a", [1, 13]), offers=offers, limits={"provider.aws": 0.6}))


@pytest.mark.parametrize("most", [0.3, 0.0])
def test_lots_that_only_a_limit_on_a_provider_makes_worth_buying(most):
    offers = [offer("od", price=2.5), offer("r", "reserved", 0.5, provider="gcp", lot_gpus=1.0)]
    check_agrees(Case(usage=series("a", [0.0] * 8 + [0.3]), offers=offers, limits={"provider.aws": most}))


@pytest.mark.parametrize(
    ("limit", "option"), [("provider.aws", "on_demand"), ("provider.aws", "spot"), ("spot", "spot")]
)
def test_a_limit_makes_a_commitment_worth_more_than_the_cheapest_offer(limit, option):
    """No hour of it saves anything over the cheap offer, of which there is no more than the limit allows."""
    usage = series("a", [1, 2, 3, 4], interruptible=True)
    offers = [
        offer("cheap", option, 1.0),
        offer("r", "reserved", 2.0, provider="gcp"),
        offer("od", price=9.0, provider="gcp"),
    ]
    check_agrees(Case(usage=usage, offers=offers, limits={limit: 0.3}))


@pytest.mark.parametrize(
    "columns",
    [{"term_months": 12.0}, {"term_months": 36.0}, {"start": hour(0), "end": hour(4380)}, {"start": hour(2)}, {}],
)
def test_cash_at_the_start_is_of_the_whole_term(columns):
    offers = [offer("od"), offer("r", "reserved", 2.0, upfront_share=0.5, **columns)]
    case = Case(usage=series("a", [1, 2, 3, 4]), offers=offers, limits={"upfront": 12000.0}, months=12)
    check_agrees(case)
    [bought] = plan_of(case.inputs()).purchases
    assert bought.upfront == pytest.approx(12000.0)


@pytest.mark.parametrize("months", [None, 12])
def test_an_endless_offer_with_a_window(months):
    """It has no cap while it runs and a cap of 0 when it does not, for two classes that are served differently."""
    offers = [offer("od", price=3.0), offer("brief", price=1.0, start=hour(1), end=hour(3)), offer("b", gpu_model="B")]
    usage = series("a", [1, 2, 3, 4]) + series("b", [4, 3, 2, 1], model="B")
    rules = (WorkloadRule(pattern="b", runs_on={"A": 0.5}),)
    check_agrees(Case(usage=usage, offers=[*offers, offer("r", "reserved", 1.5)], rules=rules, months=months))


@pytest.mark.parametrize("dear", [None, 1e4])
def test_the_peak_of_a_long_history_can_be_bought(dear):
    """Groups of hours have a lower peak than their hours; what may be bought must not be cut to it."""
    needs = [10.0 * index for index in range(1, 301)]
    offers = [offer("r", "reserved", 2.0)] + ([] if dear is None else [offer("od", price=dear)])
    plan = plan_of(Case(usage=series("a", needs), offers=offers).inputs())
    assert plan.summary.cost == pytest.approx(3000 * 2.0 * 300)
    assert [row.gpus for row in plan.purchases] == pytest.approx([3000])


def test_a_minimum_that_alone_can_serve_a_long_history():
    """Each of 3,000 hours lacks a little more than the last; all that is on offer has to reach the last of them."""
    needs = [100.0 + index / 10 for index in range(3000)]
    plan = plan_of(Case(usage=series("a", needs), offers=[offer("q", "contract", 2.2, min_gpus=32.0)]).inputs())
    assert [row.gpus for row in plan.purchases] == pytest.approx([399.9])
    assert plan.summary.cost == pytest.approx(2.2 * 399.9 * 3000)


@given(cases())
@settings(EVERY, max_examples=50)
def test_every_promise_is_kept(case):
    try:
        stated = stated_of(case.inputs())
        solution = solved(stated, Memory())
    except InfeasibleError:
        return
    check_service(stated, solution)
    check_limits(case, stated, solution)
    check_quantities(stated, solution)
    check_money(plan_of(case.inputs()))


def check_agrees(case: Case) -> None:
    """Plan the case both ways; and ask the plain program what it costs with the quantities that the plan buys."""
    plain = case.plain()
    expected = plain.cost()
    if expected == math.inf:
        with pytest.raises(InfeasibleError, match=r"."):
            plan_of(case.inputs())
        return
    plan = plan_of(case.inputs())
    summary = plan.summary
    assert summary.cost == pytest.approx(expected, rel=RELATIVE, abs=1e-7)
    assert summary.lower_bound <= summary.cost * (1 + 1e-9)
    assert summary.gap <= RELATIVE
    rows = (*plan.purchases, *plan.commitments)
    bought = {row.tariff.offer_id: row.gpus if row.usd_per_hour is None else row.usd_per_hour for row in rows}
    held = {name: Terms(quantity=bought.get(name, 0.0)) for name in plain.solved()[1]}
    assert plain.asked(**held).cost() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def check_service(stated: Stated, solution: Solution) -> None:
    """Every stream gets what it needs, from what may serve it, out of what is held."""
    problem, dispatch = stated.problem, dispatch_of(solution)
    needed = problem.demand @ problem.weight
    served = (dispatch.gpu_hours * problem.rates).sum(axis=1)
    assert served == pytest.approx(needed, rel=1e-7, abs=1e-5)
    assert dispatch.gpu_hours.min(initial=0.0) >= -DUST
    assert not dispatch.gpu_hours[problem.rates == 0].any()
    for stream, row in zip(stated.demand.streams, dispatch.gpu_hours, strict=True):
        for tariff, used in zip(stated.tariffs, row, strict=True):
            assert used == 0 or stream.interruptible or tariff.purchase_option != "spot"
    room = np.where(problem.held, dispatch.held, problem.maximum * problem.hours)
    assert (dispatch.used[problem.hours > 0] <= room[problem.hours > 0] * (1 + 1e-7) + 1e-5).all()
    for part in solution.parts:
        check_hours(stated, part)


def check_hours(stated: Stated, solved_part: object) -> None:
    """In every hour of a part the pools give no more than they hold, and every class gets what it needs."""
    part, problem = solved_part.part, stated.problem
    got = np.zeros_like(part.demand)
    np.add.at(got, part.pair_class, part.pair_rate[:, None] * solved_part.served)
    assert got == pytest.approx(part.demand, rel=1e-7, abs=1e-6)
    for supply, tariffs in enumerate(part.supply_tariffs):
        drawn = solved_part.served[part.pair_supply == supply].sum(axis=0)
        if problem.held[tariffs[0]]:
            mine = part.supply_of == supply
            room = solved_part.quantities[mine] @ part.calendar[mine][:, part.stretch]
        else:
            room = part.payg_cap[supply][part.stretch]
        assert (drawn <= room + DUST).all()


def check_limits(case: Case, stated: Stated, solution: Solution) -> None:
    problem, dispatch = stated.problem, dispatch_of(solution)
    served = (dispatch.gpu_hours * problem.rates).sum(axis=0)
    amounts = {
        "spot": served[problem.spot].sum() / max(problem.demanded, DUST),
        "committed": dispatch.held @ problem.gpus / max(problem.demanded, DUST),
        "upfront": float(problem.upfront @ solution.quantities),
    }
    for name, most in case.limits.items():
        if name == "term":
            longest = [tariff.term_months or 0 for tariff in stated.tariffs if tariff.held and tariff.owned is None]
            assert max(longest, default=0) <= most
            continue
        provider = problem.provider == name.removeprefix("provider.")
        amount = amounts.get(name, served[provider].sum() / max(problem.demanded, DUST))
        assert amount <= most * (1 + 1e-6) + DUST, name


def check_quantities(stated: Stated, solution: Solution) -> None:
    for tariff, gpus in zip(stated.tariffs, solution.quantities, strict=True):
        if tariff.owned is not None:
            assert not tariff.held or gpus == tariff.owned
        elif tariff.status == "accepted" and tariff.held and tariff.block is not None:
            assert gpus == tariff.block
        elif gpus:
            assert tariff.minimum - 1e-9 <= gpus <= tariff.maximum + 1e-9
            assert not tariff.lot or gpus / tariff.lot == round(gpus / tariff.lot)


def check_money(plan: Plan) -> None:
    """Every dollar of the plan is in the mix, or in a commitment that nobody uses."""
    idle = sum(row.cost for row in (*plan.purchases, *plan.commitments) if row.utilization == 0)
    mixed = sum(row.cost for row in plan.mix)
    spent = sum(row.cost for row in plan.floors)
    assert mixed + idle + spent == pytest.approx(plan.summary.cost, rel=1e-7, abs=1e-5)
    existing = sum(row.cost for row in plan.commitments)  # none of them is paid by use
    assert plan.summary.existing_commitment_cost == pytest.approx(existing, abs=1e-6)
