"""Single rules with figures worked out by hand."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from instances import NOW, Case, hour, offer, owned, series, table

from optimizer.demand import Horizon, WorkloadRule
from optimizer.errors import InfeasibleError
from optimizer.limits import LimitError, Limits, parse
from optimizer.plan import Plan, plan_of
from optimizer.tariffs import spot_overhead
from optimizer.terms import tariffs_of
from providers.tables import OFFERS

ORACLE = (40, 40, 40, 60, 80, 100, 100, 60)
MONTH = timedelta(hours=730)


def planned(usage: list[dict], *offers: dict, **changes: object) -> Plan:
    return plan_of(Case(usage=usage, offers=list(offers), **changes).inputs())


# Limits


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spot<=40%", Limits(spot=0.4)),
        ("spot<=0.4", Limits(spot=0.4)),
        ("  SPOT < 40% ", Limits(spot=0.4)),
        ("spot<=0%", Limits(spot=0.0)),
        ("committed<=70%", Limits(committed=0.7)),
        ("provider.aws<=50%", Limits(providers={"aws": 0.5})),
        ("provider.Foo-Bar.eu<=50%", Limits(providers={"Foo-Bar.eu": 0.5})),
        ("upfront<=2M", Limits(upfront_usd=2e6)),
        ("upfront<=$1,500", Limits(upfront_usd=1500.0)),
        ("upfront<=1.5k", Limits(upfront_usd=1500.0)),
        ("upfront<=0", Limits(upfront_usd=0.0)),
        ("term<=12mo", Limits(term_months=12.0)),
        ("term<=3y", Limits(term_months=36.0)),
        ("term<=6m", Limits(term_months=6.0)),
    ],
)
def test_a_limit_is_read(text, expected):
    assert parse([text]) == expected


def test_the_later_of_two_limits_holds():
    assert parse(["spot<=40%", "spot<=20%", "term<=1y"]) == Limits(spot=0.2, term_months=12.0)
    assert parse([]) == Limits()


@pytest.mark.parametrize(
    "text",
    [
        *("", "spot", "spot<=", "<=40%", "spot>=40%", "spot=40%", "spot<=-1%", "spot<=a", "spot<=40%%", "spot<=nan"),
        *("gpus<=4", "provider<=50%", "provider.<=50%", "spot.x<=50%", "upfront<=40%", "upfront<=2x", "upfront<=-1"),
        *("term<=12", "term<=12d", "term<=12mo 3", "spot<=1e-3", "upfront<=inf"),
    ],
)
def test_a_limit_that_cannot_be_read_is_refused(text):
    with pytest.raises(LimitError, match=r"spot<=40%"):
        parse([text])


def test_limits_are_written_as_they_are_read():
    texts = {"spot": "40%", "committed": "70%", "provider.aws": "33.3%", "upfront": "2000000", "term": "18mo"}
    limits = parse(f"{name}<={value}" for name, value in texts.items())
    assert limits.described() == texts
    assert parse(f"{name}<={value}" for name, value in limits.described().items()) == limits


# Tariffs


@pytest.mark.parametrize(("between", "factor", "discount"), [(5.0, 1.14, 0.658), (1.0, 1.54, 0.538)])
def test_spot_costs_what_its_interruptions_cost(between, factor, discount):
    overhead = spot_overhead(interruptions=between, restart=0.25, checkpoint=0.5, checkpoint_cost=0.02)
    assert overhead == pytest.approx(factor)
    assert 1 - 0.3 * overhead == pytest.approx(discount)


def test_spot_without_interruptions_or_checkpoints_costs_its_price():
    assert spot_overhead(interruptions=None, restart=1.0, checkpoint=None, checkpoint_cost=0.5) == 1.0
    assert spot_overhead(interruptions=4.0, restart=1.0, checkpoint=None, checkpoint_cost=0.5) == 1.25


@pytest.mark.parametrize(
    ("sizes", "block"),
    [
        ({"min_gpus": 64.0}, 64.0),
        ({"min_gpus": 60.0, "lot_gpus": 8.0}, 64.0),
        ({"min_gpus": 64.0, "lot_gpus": 8.0}, 64.0),
        ({"lot_gpus": 8.0, "max_gpus": 80.0}, 8.0),
        ({"lot_gpus": 1.0, "max_gpus": 80.0}, 80.0),
        ({"max_gpus": 80.0}, 80.0),
        ({"min_gpus": 0.3, "lot_gpus": 0.1, "max_gpus": 80.0}, 0.3),
        ({"lot_gpus": 1.0}, None),
        ({}, None),
    ],
)
def test_a_block_is_the_quantity_the_vendor_is_talking_about(sizes, block):
    horizon = Horizon(start=NOW, end=NOW + MONTH, months=1)
    rows = table([offer("o", "reserved", 2.0, **sizes)], OFFERS)
    [tariff], _ = tariffs_of(rows, None, horizon=horizon, limits=Limits())
    assert tariff.block == (None if block is None else pytest.approx(block))


def test_what_is_left_out_is_said():
    horizon = Horizon(start=NOW, end=NOW + 12 * MONTH, months=12)
    rows = [
        offer("declined", "reserved", 2.0, status="declined", term_months=1.0),
        offer("over", "reserved", 2.0, end=NOW, term_months=1.0),
        offer("late", "reserved", 2.0, start=NOW + 12 * MONTH, term_months=1.0),
        offer("long", "reserved", 2.0, start=None, term_months=36.0),
        offer("floor", "spend_floor", 0.0, term_months=1.0, spend_usd=100.0, status="declined"),
        offer("kept", "reserved", 2.0, end=NOW + timedelta(hours=1), term_months=12.0),
    ]
    kept, found = tariffs_of(table(rows, OFFERS), None, horizon=horizon, limits=Limits(term_months=12))
    assert [tariff.offer_id for tariff in kept] == ["kept"]
    assert sorted(diagnostic.where for diagnostic in found) == ["declined", "floor", "late", "long", "over"]


# Time


def test_a_quote_beside_a_contract_that_ends_after_month_6():
    """24 GPUs on top of 40 are worth 2.3333, alone they are worth 4.0000: half a year of each, 3.1667."""
    quote = offer("q", "reserved", 2.0, status="quote", min_gpus=24.0, max_gpus=24.0)
    found = {}
    for months in (0, 6, 12):
        had = [owned("c", 40.0, end=NOW + months * MONTH)] if months else []
        plan = planned(series("a", ORACLE), offer("od"), quote, commitments=had, months=12)
        found[months] = plan.walk_away[0].walk_away
    assert found == {12: pytest.approx(7 / 3), 0: pytest.approx(4.0), 6: pytest.approx(19 / 6)}


def test_a_contract_costs_nothing_after_its_end():
    had = [owned("c", 40.0, 1.5, end=NOW + 6 * MONTH)]
    plan = planned(series("a", ORACLE), offer("od"), commitments=had, months=12)
    assert plan.summary.hours == pytest.approx(8760)
    assert plan.summary.existing_commitment_cost == pytest.approx(40 * 1.5 * 4380)
    assert plan.summary.cost == pytest.approx(40 * 1.5 * 4380 + 4.0 * (25 * 4380 + 65 * 4380))
    assert plan.summary.gpu_hours == pytest.approx(65 * 8760)


def test_the_horizon_begins_on_the_hour():
    late = NOW + timedelta(minutes=59, seconds=59, microseconds=1)
    horizon = Horizon.of(table([offer("o")], OFFERS)["start"], months=12, now=late)
    assert horizon.start == NOW
    assert horizon.end == datetime(2027, 1, 1, tzinfo=UTC)


def test_usage_by_the_day_is_spread_over_its_hours():
    rows = [
        {"hour": NOW, "workload": "a", "gpu_model": "A", "gpu_hours": 48.0, "granularity": "day"},
        {"hour": hour(3), "workload": "b", "gpu_model": "A", "gpu_hours": 5.0, "granularity": "hour"},
    ]
    plan = planned(rows, offer("od"), offer("r", "reserved", 2.0))
    assert plan.summary.hours == 24
    assert plan.summary.gpu_hours == pytest.approx(53)
    assert [row.gpus for row in plan.purchases] == pytest.approx([2.0])
    assert plan.summary.cost == pytest.approx(2 * 2.0 * 24 + 5 * 4.0)


def test_hours_that_the_history_lacks_are_not_planned():
    rows = [row for index, row in enumerate(series("a", ORACLE)) if index not in (3, 4)]
    plan = planned(rows, offer("od"))
    assert plan.summary.hours == 6
    assert plan.summary.cost == pytest.approx(4 * (520 - 140))


# Reference costs


def test_on_demand_cost_is_at_the_provider_that_the_usage_names():
    rows = series("a", [10], provider="aws", region="us") + series("a", [30], provider="gcp")
    rows += series("b", [5], provider="nobody") + series("c", [2]) + series("d", [1], provider="aws", region="xx")
    offers = [
        offer("aws-us", price=4.0, region="us"),
        offer("aws-eu", price=3.5, region="eu"),
        offer("gcp", price=3.0, provider="gcp"),
        offer("spot", "spot", 0.1),
        offer("r", "reserved", 0.5),
    ]
    plan = planned(rows, *offers)
    assert plan.summary.on_demand_cost == pytest.approx(10 * 4.0 + 30 * 3.0 + 5 * 3.0 + 2 * 3.0 + 1 * 3.5)
    assert plan.summary.savings == pytest.approx(plan.summary.on_demand_cost - plan.summary.cost)


def test_the_cheapest_eligible_rate_heeds_the_rules_and_ratios():
    rules = (
        WorkloadRule(pattern="a", providers=("aws",)),
        WorkloadRule(pattern="b", runs_on={"B": 2.0}),
    )
    offers = [offer("aws", price=4.0), offer("gcp", price=3.0, provider="gcp"), offer("b", price=5.0, gpu_model="B")]
    plan = planned(series("a", [10]) + series("b", [10]), *offers, rules=rules)
    assert plan.summary.on_demand_cost == pytest.approx(10 * 4.0 + 10 * 2.5)


def test_without_on_demand_there_is_no_reference():
    plan = planned(series("a", [10]), offer("r", "reserved", 2.0))
    assert plan.summary.on_demand_cost is None
    assert plan.summary.savings is None
    assert plan.summary.effective_savings_rate is None


def test_current_cost_is_the_bill_scaled_to_the_horizon():
    rows = [row | {"effective_cost": 3.0 * row["gpu_hours"]} for row in series("a", ORACLE)]
    assert planned(rows, offer("od")).summary.current_cost == pytest.approx(3 * 520)
    assert planned(rows, offer("od"), months=12).summary.current_cost == pytest.approx(3 * 65 * 8760)
    assert planned(rows, offer("od"), months=12).summary.on_demand_cost == pytest.approx(4 * 65 * 8760)
    assert planned(series("a", ORACLE), offer("od")).summary.current_cost is None
    partly = [rows[0] | {"effective_cost": None}, *rows[1:]]
    assert planned(partly, offer("od")).summary.current_cost is None


# Rules


def test_of_two_rules_that_match_the_later_holds():
    rules = (
        WorkloadRule(pattern="*", interruptible=True, runs_on={"B": 2.0}),
        WorkloadRule(pattern="a*", interruptible=False),
    )
    usage = series("a", [10], interruptible=True) + series("b", [10], interruptible=False)
    offers = [offer("od", price=4.0), offer("spot", "spot", 1.0)]
    plan = planned(usage, *offers, rules=rules)
    assert {(row.workload, row.tariff.offer_id) for row in plan.mix} == {("a", "od"), ("b", "spot")}


def test_a_workload_that_may_not_move_stays():
    usage = series("a", [10], provider="aws", region="us") + series("a", [5], provider="gcp")
    offers = [
        offer("aws-us", price=4.0, region="us"),
        offer("aws-eu", price=1.0, region="eu"),
        offer("gcp-eu", price=3.0, provider="gcp", region="eu"),
    ]
    assert planned(usage, *offers).summary.cost == pytest.approx(15.0)
    stays = (WorkloadRule(pattern="a", movable=False),)
    assert planned(usage, *offers, rules=stays).summary.cost == pytest.approx(55.0)


# Conflicts


@pytest.mark.parametrize(
    ("offers", "limits", "words"),
    [
        ([offer("b", gpu_model="B")], {}, ["train", "A", "every hour", "no offer"]),
        ([offer("s", "spot")], {}, ["train", "A", "spot only", "interruptible"]),
        ([offer("late", start=hour(2))], {}, ["train", "A", "2 hours from 2026-01-01T00:00Z"]),
        ([offer("gone", "reserved", end=hour(6))], {}, ["train", "2 hours from 2026-01-01T06:00Z"]),
        ([offer("few", max_gpus=70.0)], {}, ["train", "30 GPUs", "max_gpus"]),
        ([offer("few", "reserved", max_gpus=70.0)], {}, ["train", "30 GPUs", "max_gpus"]),
        ([offer("r", "reserved")], {"committed": 0.5}, ["committed<=50%", "153.85%"]),
        ([offer("od")], {"provider.aws": 0.5}, ["provider.aws<=50%", "100%"]),
        ([offer("r", "reserved", 2.0, upfront_share=0.5)], {"upfront": 10.0}, ["upfront<=10", "$800.00"]),
        (
            [offer("r", "reserved", 2.0, term_months=36.0)],
            {"term": 12.0},
            ["train", "A", "term<=12mo"],
        ),
        (
            [offer("od", max_gpus=60.0), offer("spot", "spot", 1.0)],
            {"spot": 0.1},
            ["spot<=10%", "19.24%"],
        ),
    ],
)
def test_a_conflict_names_what_contradicts_what(offers, limits, words):
    soft = limits.get("spot") is not None
    case = Case(usage=series("train", ORACLE, interruptible=soft), offers=offers, limits=limits)
    with pytest.raises(InfeasibleError) as caught:
        plan_of(case.inputs())
    for word in words:
        assert word in str(caught.value)


def test_a_conflict_counts_further_workloads():
    usage = series("eval", [1]) + series("serve", [1], model="B") + series("train", [1])
    with pytest.raises(InfeasibleError, match=r"eval .*1 more workload.* needs A"):
        planned(usage, offer("b", gpu_model="B"))


def test_a_place_without_an_offer_is_named():
    rules = (WorkloadRule(pattern="train", providers=("gcp",), regions=("eu-1",)),)
    with pytest.raises(InfeasibleError, match=r"train needs A.*gcp.*eu-1"):
        planned(series("train", ORACLE), offer("od"), rules=rules)


def test_nothing_demanded_and_something_held_breaks_a_committed_limit():
    case = Case(usage=series("a", [0]), offers=[offer("od")], commitments=[owned("c", 4.0)], limits={"committed": 0.3})
    assert math.isinf(case.plain().cost())
    with pytest.raises(InfeasibleError, match="committed"):
        plan_of(case.inputs())


def test_a_spot_quote_is_valued_in_the_terms_of_its_vendor():
    """An hour of use takes 1.14 hours of spot, so spot is worth the on-demand price / 1.14."""
    terms = {"checkpoint_hours": 0.5, "checkpoint_cost_hours": 0.02, "restart_hours": 0.25}
    quote = offer("q", "spot", 2.0, status="quote", mean_hours_between_interruptions=5.0, **terms)
    rule = WorkloadRule(pattern="*", interruptible=True)
    [found] = planned(series("w", [3, 5, 2]), offer("od", "on_demand", 4.0), quote, rules=(rule,)).walk_away
    assert found.quoted == pytest.approx(2.0)
    assert found.walk_away == pytest.approx(4.0 / 1.14)
