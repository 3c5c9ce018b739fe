"""Planned changes: what they make of the demand is worked out by hand, or follows from what must be conserved."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import NOW, series, table

from optimizer.demand import Horizon, WorkloadRule, demand_of, usage_hours
from optimizer.edits import Change
from providers.tables import USAGE, InputError

WEEKS = 4
START = NOW + timedelta(hours=WEEKS * 168)  # the horizon follows on the history
MONTH = timedelta(hours=730)
HOURLY = (None, "seasonal_mean")


def flat(workload="a", gpus=100.0, **columns):
    return series(workload, [gpus] * WEEKS * 168, **columns)


def cycle(workload="a", **columns):
    """Nothing at night, and 48 GPUs by day."""
    return series(workload, ([0.0] * 12 + [48.0] * 12) * 7 * WEEKS, **columns)


def demand(rows, *changes, months=12, **options):
    usage = table(rows, USAGE)
    horizon = Horizon.of(usage_hours(usage), months=months, now=START)
    return demand_of(usage, rules=options.pop("rules", ()), horizon=horizon, planned=changes, **options)


def totals(found):
    """Return GPU-hours over the horizon by workload and model."""
    sums = {}
    for stream, gpu_hours in zip(found.streams, found.gpu_hours @ found.weight, strict=True):
        key = (stream.workload, stream.gpu_model)
        sums[key] = sums.get(key, 0.0) + float(gpu_hours)
    return sums


@pytest.mark.parametrize("forecast", HOURLY)
def test_a_factor_holds_from_its_date_until_its_end(forecast):
    sharing = Change(workload="a", start=START + 3 * MONTH, end=START + 7 * MONTH, factor=0.25)
    assert totals(demand(flat(), sharing, forecast=forecast)) == {("a", "A"): pytest.approx(100 * 730 * (8 + 4 * 0.25))}


@pytest.mark.parametrize("forecast", HOURLY)
def test_what_is_retired_is_gone_from_its_date(forecast):
    rows = flat("team/old") + flat("team/new", 30.0)
    found = totals(demand(rows, Change(workload="*/old", start=START + 6 * MONTH, factor=0.0), forecast=forecast))
    assert found == {("team/old", "A"): pytest.approx(100 * 4380), ("team/new", "A"): pytest.approx(30 * 8760)}


@pytest.mark.parametrize("forecast", HOURLY)
def test_growth_compounds_by_the_month_from_its_start(forecast):
    growing = Change(workload="a", start=START + 2 * MONTH, per_month=0.05)
    expected = 100 * 730 * (2 + sum(1.05**month for month in range(10)))
    assert totals(demand(flat(), growing, forecast=forecast)) == {("a", "A"): pytest.approx(expected)}


@pytest.mark.parametrize("forecast", HOURLY)
def test_growth_in_a_part_of_a_month_is_that_of_the_month(forecast):
    found = demand(flat(), Change(workload="a", per_month=0.1), months=2.5, forecast=forecast)
    assert totals(found) == {("a", "A"): pytest.approx(100 * 730 * (1 + 1.1 + 1.21 / 2))}


def test_growth_ends_when_its_change_does():
    growing = Change(workload="a", end=START + 2 * MONTH, per_month=0.1)
    assert totals(demand(flat(), growing)) == {("a", "A"): pytest.approx(100 * 730 * (1 + 1.1 + 10))}


@pytest.mark.parametrize("forecast", HOURLY)
def test_a_launch_adds_its_gpus_in_its_window(forecast):
    launch = Change(workload="new", gpu_model="B", gpus=8.0, start=START + MONTH, end=START + 3 * MONTH)
    found = demand(flat(), launch, forecast=forecast)
    assert totals(found) == {("a", "A"): pytest.approx(100 * 8760), ("new", "B"): pytest.approx(8 * 1460)}
    assert set(found.gpu_hours[1]) == {0.0, 8.0}


def test_a_launch_may_grow():
    launch = Change(workload="new", gpu_model="B", gpus=8.0, start=START + 10 * MONTH, per_month=0.5)
    assert totals(demand(flat(), launch))["new", "B"] == pytest.approx(730 * (8 + 12))


@pytest.mark.parametrize("forecast", HOURLY)
def test_a_launch_may_rise_and_fall_with_another(forecast):
    found = demand(cycle(), Change(workload="new", gpu_model="B", gpus=6.0, like="a"), forecast=forecast)
    assert found.gpu_hours[1] == pytest.approx(found.gpu_hours[0] / 4)
    assert totals(found)["new", "B"] == pytest.approx(6 * 8760, rel=2e-3)  # 8,760 hours are not whole weeks


def test_rules_hold_for_what_is_launched():
    launch = Change(workload="new", gpu_model="B", gpus=1.0, interruptible=True)
    rules = (WorkloadRule(pattern="new", providers=("gcp",), runs_on={"C": 0.5}),)
    stream = demand(flat(), launch, rules=rules).streams[1]
    assert (stream.providers, stream.runs_on) == (frozenset({"gcp"}), {"B": 1.0, "C": 0.5})
    assert stream.interruptible
    assert not demand(flat(), replace(launch, interruptible=False), rules=rules).streams[1].interruptible


@pytest.mark.parametrize("forecast", HOURLY)
def test_what_moves_to_another_model_leaves_nothing_behind(forecast):
    move = Change(workload="a", to_model="L4", factor=1.6, start=START + 6 * MONTH)
    found = demand(cycle(), move, forecast=forecast)
    before = demand(cycle(), forecast=forecast, changes=[START + 6 * MONTH])
    assert found.gpu_hours[0] + found.gpu_hours[1] / 1.6 == pytest.approx(before.gpu_hours[0])
    assert not np.any((found.gpu_hours[0] > 0) & (found.gpu_hours[1] > 0))
    assert totals(found)["a", "L4"] == pytest.approx(1.6 * 24 * 4380, rel=5e-3)


def test_what_moved_is_counted_in_hours_of_its_new_model():
    """One hour of B does 2 of A and one of C does 1: in hours of B it is 1 and 1/2, of A 1/2."""
    rules = (WorkloadRule(pattern="*", runs_on={"B": 2.0, "C": 1.0}),)
    stream = demand(flat(), Change(workload="a", to_model="B", factor=0.5), rules=rules).streams[1]
    assert stream.runs_on == {"A": 0.5, "B": 1.0, "C": 0.5}
    assert demand(flat(), Change(workload="a", to_model="B")).streams[1].runs_on == {"B": 1.0}


@pytest.mark.parametrize("forecast", HOURLY)
def test_hours_that_are_all_but_idle_are_given_back(forecast):
    """Of two GPUs held all day the use is 5 % at night, and 60 % by day."""
    needs = [2.0] * 24 * 7 * WEEKS
    used = ([0.1] * 12 + [1.2] * 12) * 7 * WEEKS
    rows = [row | {"gpu_hours_used": share} for row, share in zip(series("a", needs), used, strict=True)]
    asleep = Change(workload="a", idle_below=0.1, start=START + 6 * MONTH)
    found = demand(rows, asleep, forecast=forecast)
    days = 4380 / 2 if forecast is None else 183 * 12  # the forecast's half year begins at noon, with a day
    assert totals(found)["a", "A"] == pytest.approx(2 * 4380 + 2 * days)
    assert set(found.gpu_hours[0]) == {0.0, 2.0}
    assert totals(demand(rows, replace(asleep, idle_below=0.04)))["a", "A"] == pytest.approx(2 * 8760)


def test_a_day_given_as_one_row_has_the_use_of_a_day():
    rows = [{**row, "granularity": "day", "gpu_hours_used": 6.0} for row in series("a", [48.0] * 25)[::24]]
    asleep = Change(workload="a", idle_below=0.2)
    assert totals(demand(rows, asleep))["a", "A"] == 0.0
    assert totals(demand(rows, replace(asleep, idle_below=0.1)))["a", "A"] == pytest.approx(2 * 8760)


def test_use_that_nobody_measured_gives_nothing_back_and_says_so():
    found = demand(flat(), Change(workload="a", idle_below=0.5))
    assert totals(found)["a", "A"] == pytest.approx(100 * 8760)
    assert "how busy a is" in found.diagnostics[0].message


# What shipped before the history ends is in the usage


@pytest.mark.parametrize("forecast", [None, "typical", "seasonal_naive", "seasonal_mean", "trend"])
def test_what_shipped_in_the_history_does_not_count_twice(forecast):
    shipped = NOW + timedelta(days=17)
    rows = series("a", [100.0] * 17 * 24 + [25.0] * 11 * 24)
    found = demand(rows, Change(workload="a", start=shipped, factor=0.25), forecast=forecast)
    assert found.gpu_hours == pytest.approx(25.0)
    ended = demand(rows, Change(workload="a", start=shipped, end=START + MONTH, factor=0.25), forecast=forecast)
    assert totals(ended)["a", "A"] == pytest.approx(730 * (25 + 11 * 100))


def test_growth_goes_on_from_where_it_is():
    months = 5
    needs = np.repeat(64 * 1.25 ** np.arange(months), 730)
    usage = table(series("a", needs), USAGE)
    now = NOW + months * MONTH
    horizon = Horizon.of(usage_hours(usage), months=2, now=now)
    growing = Change(workload="a", start=NOW, per_month=0.25)
    found = demand_of(usage, rules=(), horizon=horizon, planned=[growing])
    assert {round(value, 6) for value in found.gpu_hours[0]} == {round(64 * 1.25**month, 6) for month in (5, 6)}


def test_a_move_that_was_made_in_the_history_is_finished():
    rows = series("a", [100.0] * 300 + [0.0] * 372) + series("a", [0.0] * 300 + [40.0] * 372, model="B")
    found = demand(rows, Change(workload="a", gpu_model="A", to_model="B", factor=0.4, start=NOW))
    assert totals(found) == {("a", "A"): 0.0, ("a", "B"): pytest.approx(40 * 8760)}


def test_on_the_history_itself_a_change_says_what_would_have_been():
    change = Change(workload="a", start=NOW + timedelta(hours=10), factor=0.5)
    assert totals(demand(flat(), change, months=None)) == {("a", "A"): pytest.approx(1000 + 50 * (WEEKS * 168 - 10))}


# One after another


def test_a_later_change_finds_what_an_earlier_one_made():
    launch = Change(workload="new", gpu_model="A", gpus=10.0)
    move, halve = Change(workload="new", to_model="B"), Change(workload="new", gpu_model="B", factor=0.5)
    assert totals(demand(flat(), launch, move, halve))["new", "B"] == pytest.approx(5 * 8760)
    assert totals(demand(flat(), halve, launch, move))["new", "B"] == pytest.approx(10 * 8760)


@given(
    factors=st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.5, 3.0]), min_size=1, max_size=4),
    hours=st.lists(st.integers(0, 9000), min_size=4, max_size=4),
    forecast=st.sampled_from(HOURLY),
)
@settings(deadline=None, max_examples=40)
def test_factors_multiply_in_any_order(factors, hours, forecast):
    """On whole hours, of a horizon of 8,760, where what starts later changes nothing."""
    changes = [
        Change(workload="*", start=START + timedelta(hours=hour), factor=factor)
        for factor, hour in zip(factors, hours, strict=False)
    ]
    found = demand(flat(), *changes, forecast=forecast)
    expected = np.full(8760, 100.0)
    for factor, hour in zip(factors, hours, strict=False):
        expected[hour:] *= factor
    assert totals(found)["a", "A"] == pytest.approx(expected.sum())
    assert totals(demand(flat(), *reversed(changes), forecast=forecast)) == pytest.approx(totals(found))


@pytest.mark.parametrize("forecast", HOURLY)
def test_a_change_of_something_else_changes_nothing(forecast):
    found = demand(cycle(), Change(workload="b", factor=0.0), forecast=forecast)
    assert np.array_equal(found.gpu_hours, demand(cycle(), forecast=forecast).gpu_hours)
    assert "no workload is called 'b'" in found.diagnostics[0].message


# What is wrong with a change


def test_a_launch_like_nothing_is_refused():
    with pytest.raises(InputError, match="new is to be like b, which the usage does not have"):
        demand(flat(), Change(workload="new", gpu_model="B", gpus=1.0, like="b"))


def test_a_launch_of_what_runs_already_is_said():
    found = demand(flat(), Change(workload="a", gpu_model="A", gpus=8.0))
    assert "a runs on A already, and its launch adds 8 GPUs" in found.diagnostics[0].message
    assert totals(found)["a", "A"] == pytest.approx(108 * 8760)


def test_growth_without_end_is_refused():
    with pytest.raises(InputError, match="would grow for 240 months"):
        demand(flat(), Change(workload="a", per_month=0.05), months=240)


# What it is for


@pytest.mark.parametrize("forecast", HOURLY)
def test_how_much_less_to_commit_if_it_ships(forecast):
    """At 60 % of on demand a GPU has to be busy in 60 % of the year: what four share after three months is not."""
    sharing = Change(workload="a", start=START + 3 * MONTH, factor=0.25)
    assert worth_holding(demand(flat(), forecast=forecast), 0.6) == pytest.approx(100.0)
    assert worth_holding(demand(flat(), sharing, forecast=forecast), 0.6) == pytest.approx(25.0)
    later = replace(sharing, start=START + 9 * MONTH)
    assert worth_holding(demand(flat(), later, forecast=forecast), 0.6) == pytest.approx(100.0)


def worth_holding(found, price):
    """Return the GPUs that are busy in more than this share of the hours."""
    needed = found.gpu_hours.sum(axis=0)
    busy = [needed_at for needed_at in set(needed) if found.weight[needed >= needed_at].sum() > price * 8760]
    return max(busy, default=0.0)
