"""Every gate at its limit, just beyond it, and where it cannot be measured; the figures are Oracle-8's or published."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import Case, offer, owned, series

from optimizer import gates
from optimizer.plan import plan_of
from optimizer.stated import stated_of

ORACLE = (40, 40, 40, 60, 80, 100, 100, 60)
NOW = datetime(2026, 11, 21, tzinfo=UTC)


def ago(**length):
    return NOW - timedelta(**length)


def oracle(*offers, **more):
    return Case(usage=series("a", ORACLE), offers=[offer("od"), *offers], **more).inputs()


@pytest.mark.parametrize(("limit", "outcome"), [(1552.0, "passed"), (1551.99, "failed"), (2000.0, "passed")])
def test_over_fails_above_its_limit_and_not_at_it(limit, outcome):
    found = gates.over(1552.0, limit=limit)
    assert (found.gate, found.value, found.limit, found.outcome) == ("fail-over", 1552.0, limit, outcome)


@pytest.mark.parametrize(("limit", "outcome"), [(0.1, "passed"), (0.0999, "failed")])
def test_increase_compares_the_cost_of_an_hour(limit, outcome):
    """1,100 a hundred hours against 2,000 two hundred: a tenth more an hour, though less in all."""
    found = gates.increase(1100.0, 100.0, old_cost=2000.0, old_hours=200.0, limit=limit)
    assert found.value == pytest.approx(0.1)
    assert found.outcome == outcome


def test_increase_from_nothing_has_no_bound_and_fails():
    found = gates.increase(1.0, 1.0, old_cost=0.0, old_hours=1.0, limit=9.0)
    assert (found.value, found.outcome) == (None, "failed")
    assert gates.increase(0.0, 1.0, old_cost=0.0, old_hours=1.0, limit=0.0).outcome == "passed"


@settings(deadline=None)
@given(old=st.floats(1, 1e9), share=st.floats(-0.9, 9), hours=st.floats(1, 9000), stretch=st.floats(0.1, 10))
def test_increase_does_not_depend_on_the_length_of_the_plan(old, share, hours, stretch):
    found = gates.increase(old * (1 + share) * stretch, hours * stretch, old_cost=old, old_hours=hours, limit=0.5)
    assert found.value == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("quantities", "cost"),
    [
        ({}, 8 * 260.0),  # all on demand
        ({"r": 60.0}, 8 * 194.0),  # the optimum
        ({"r": 40.0}, 8 * (40 * 2.4 + 25 * 4)),  # 40 held all day, and 25 on average go at $4
        ({"r": 100.0}, 8 * 240.0),
        ({"gone": 60.0}, 8 * 260.0),  # what is not on offer cannot be had
    ],
)
def test_keeping_to_decided_quantities_costs_what_it_does_by_hand(quantities, cost):
    inputs = oracle(offer("r", "reserved", 2.4))
    assert gates.cost_of_keeping(stated_of(inputs), quantities) == pytest.approx(cost)


def test_what_is_owned_counts_as_kept():
    inputs = oracle(offer("r", "reserved", 2.4), commitments=[owned("c", 40.0, 2.0)])
    assert gates.cost_of_keeping(stated_of(inputs), {}) == pytest.approx(8 * (40 * 2.0 + 25 * 4))


def test_the_plan_itself_leaves_nothing_on_the_table():
    inputs = oracle(offer("r", "reserved", 2.4, lot_gpus=8.0))
    plan = plan_of(inputs)
    kept = gates.cost_of_keeping(stated_of(inputs), {one.tariff.offer_id: one.gpus for one in plan.purchases})
    assert kept == pytest.approx(plan.summary.cost)
    assert gates.savings_missed(plan.summary.cost, kept=kept, limit=0.01, what="it").outcome == "passed"


def test_savings_missed_is_the_difference():
    found = gates.savings_missed(1552.0, kept=2080.0, limit=527.99, what="buying nothing new")
    assert (found.value, found.outcome) == (528.0, "failed")
    assert gates.savings_missed(1552.0, kept=2080.0, limit=528.0, what="").outcome == "passed"


def test_what_cannot_be_served_at_all_fails():
    only_held = Case(usage=series("a", ORACLE), offers=[offer("r", "reserved", 2.4)]).inputs()
    kept = gates.cost_of_keeping(stated_of(only_held), {})
    found = gates.savings_missed(1.0, kept=kept, limit=1e9, what="buying nothing new")
    assert (kept, found.value, found.outcome) == (None, None, "failed")


def test_stale_takes_the_oldest_source_and_of_each_the_newest_price():
    prices = {"a.csv": ago(days=3), "b.csv": ago(days=9)}
    found = gates.stale(ago(days=1), prices, now=NOW, limit=8.0)
    assert (found.value, found.outcome, found.about) == (9.0, "failed", "the age of the prices of b.csv")
    assert gates.stale(ago(days=1), prices, now=NOW, limit=9.0).outcome == "passed"
    found = gates.stale(ago(days=30), prices, now=NOW, limit=9.0)
    assert (found.value, found.about) == (30.0, "the age of the usage")


def test_prices_without_a_day_cannot_be_shown_to_be_fresh():
    found = gates.stale(NOW, {"a.csv": None}, now=NOW, limit=1e6)
    assert (found.value, found.outcome) == (None, "failed")
    assert "a.csv" in found.about


def usage(*rows):
    names = ("residual", "gpu_hours", "effective_cost", "team", "cost_center")
    schema = dict(zip(names, (pl.String, pl.Float64, pl.Float64, pl.String, pl.String), strict=True))
    return pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows], schema=schema)


def test_untagged_is_a_share_of_cost_and_leaves_residuals_out():
    frame = usage(
        (None, 1.0, 30.0, "red", "1"), (None, 9.0, 10.0, " ", "1"), (None, 0.0, 0.0, None, "1"),
        ("idle", 90.0, 960.0, None, None),
    )  # fmt: skip
    found = gates.untagged(frame, ["team"], limit=0.25)
    assert (found.value, found.outcome, found.about) == (0.25, "passed", "the share of cost without team")
    assert gates.untagged(frame, ["team"], limit=0.2499).outcome == "failed"
    assert gates.untagged(frame, ["team", "absent"], limit=0.99).value == 1.0


def test_untagged_is_a_share_of_gpu_hours_where_a_cost_is_unknown():
    frame = usage((None, 3.0, None, "red", None), (None, 1.0, 100.0, None, "7"))
    found = gates.untagged(frame, ["team"], limit=0.1)
    assert (found.value, found.about) == (0.25, "the share of GPU-hours without team")
    assert gates.untagged(frame, ["team", "cost_center"], limit=0.1).value == 1.0
    assert gates.untagged(frame, [], limit=0.0).outcome == "passed"


@pytest.mark.parametrize(("utilization", "outcome"), [(0.875, "passed"), (0.8, "passed"), (0.7999, "failed")])
def test_utilization_below(utilization, outcome):
    assert gates.utilization_below(utilization, limit=0.8).outcome == outcome


def test_nothing_committed_is_not_idle():
    assert gates.utilization_below(None, limit=0.8).outcome == "passed"


def bought(**more):
    """A year at $0.12 on demand: $300 at the start and $0.075 an hour, always used (cloudcostkit's example)."""
    total = 300 + 0.075 * 8760
    figures = {"upfront": 300.0, "total_commitment": total, "term_months": 12.0, "utilization": 1.0}
    figures |= {"break_even_utilization": total / 8760 / 0.12}
    return gates.Bought(offer_id="r", **(figures | more))


def test_break_even_is_the_published_6667_hours():
    assert gates.break_even_months(bought()) * 730 == pytest.approx(300 / (0.12 - 0.075))
    assert gates.break_even_months(bought()) == pytest.approx(9.13, abs=0.005)


@pytest.mark.parametrize(("limit", "outcome"), [(9.2, "passed"), (9.0, "failed")])
def test_break_even_above(limit, outcome):
    found = gates.break_even_above([bought(upfront=0.0), bought()], limit=limit)
    assert (found.outcome, found.about) == (outcome, "the break-even of r")


def test_break_even_without_cash_or_without_an_end():
    assert gates.break_even_months(bought(upfront=0.0)) == 0.0
    assert gates.break_even_above([], limit=0.0).outcome == "passed"
    assert gates.break_even_months(bought(break_even_utilization=None)) == 0.0
    never = gates.break_even_above([bought(utilization=0.1)], limit=1e6)
    assert (never.value, never.outcome) == (None, "failed")


@settings(deadline=None)
@given(upfront=st.floats(1, 1e6), recurring=st.floats(0, 5), price=st.floats(0.1, 20), used=st.floats(0.05, 1))
def test_at_break_even_both_ways_have_cost_the_same(upfront, recurring, price, used):
    """Cash out by then: upfront + recurring for every hour, against the on-demand price for those used."""
    total = upfront + recurring * 8760
    one = bought(upfront=upfront, total_commitment=total, utilization=used, break_even_utilization=total / 8760 / price)
    months = gates.break_even_months(one)
    if used * price > recurring + 1e-6:
        assert upfront + recurring * months * 730 == pytest.approx(used * price * months * 730, rel=1e-6)
    elif used * price < recurring - 1e-6:
        assert months == float("inf")


def commitments(**ends):
    rows = [{"commitment_id": name, "start": start, "end": end, "term_months": term} for name, (start, end, term) in
            ends.items()]  # fmt: skip
    zone = pl.Datetime("us", "UTC")
    schema = {"commitment_id": pl.String, "start": zone, "end": zone, "term_months": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def test_expiring_names_the_next_one_that_is_not_over():
    frame = commitments(
        over=(None, ago(days=1), None), late=(None, NOW + timedelta(days=99), None), open=(ago(days=5), None, None),
        termed=(ago(days=355), None, 12.0),
    )  # fmt: skip
    found = gates.expiring_within(frame, now=NOW, limit=10.0)
    assert (found.value, found.outcome) == (10.0, "failed")
    assert "termed" in found.about
    assert gates.expiring_within(frame, now=NOW, limit=9.99).outcome == "passed"
    for none in (None, commitments(open=(None, None, None))):
        assert gates.expiring_within(none, now=NOW, limit=1e6).outcome == "passed"


@pytest.mark.parametrize(
    ("cost", "outcome"), [(79.99, "passed"), (80.0, "warned"), (100.0, "warned"), (100.01, "failed")]
)
def test_a_budget_warns_at_80_percent_and_fails_above_100(cost, outcome):
    found = gates.budget("team-a/*", cost=cost, usd_per_month=100.0)
    assert (found.gate, found.outcome) == ("budget team-a/*", outcome)
