"""Forecasts against second formulations of them, the laws they keep, and real histories."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from instances import NOW, series, table

from optimizer.demand import Horizon, WorkloadRule, demand_of, history_of, usage_hours
from optimizer.forecast import METHODS, WEEK, ahead, alike
from optimizer.forecast_choice import forecast_of, wape
from providers.tables import USAGE, InputError, checked

HISTORIES = Path(__file__).parents[2].parent / "shared" / "data" / "usage"
FIRST = int(NOW.timestamp()) // 3600
FORECASTING = tuple(name for name in METHODS if name != "typical")
DAILY = 10 + np.arange(WEEK) % 24


def hours(count, start=FIRST):
    return np.arange(start, start + count)


def after(past, count=2 * WEEK):
    return np.arange(past[-1] + 1, past[-1] + 1 + count)


def some(weeks=6, streams=3, seed=1):
    return np.random.default_rng(seed).gamma(2.0, 5.0, (streams, weeks * WEEK))


def means(row, past, to_come):
    """Return the mean of the same weekday and hour of the day, by another library and the calendar."""
    stamps = pl.DataFrame({"epoch": past * 3600, "need": row}).with_columns(time=pl.from_epoch("epoch"))
    keys = [pl.col("time").dt.weekday().alias("day"), pl.col("time").dt.hour().alias("hour")]
    wanted = pl.DataFrame({"epoch": to_come * 3600}).with_columns(time=pl.from_epoch("epoch")).select(keys)
    found = stamps.group_by(keys).agg(pl.col("need").mean())
    return wanted.join(found, on=["day", "hour"], maintain_order="left")["need"].to_numpy()


def test_typical_is_the_mean_of_the_same_hours_of_the_week():
    gpus, past = some(), hours(6 * WEEK)
    expected = [means(row, past, after(past)) for row in gpus]
    assert ahead("typical", gpus, past, after(past)) == pytest.approx(np.array(expected))


def test_the_seasonal_mean_is_that_of_the_last_four_weeks():
    gpus, past = some(), hours(6 * WEEK)
    late = past >= past[-1] + 1 - 4 * WEEK
    expected = [means(row[late], past[late], after(past)) for row in gpus]
    assert ahead("seasonal_mean", gpus, past, after(past)) == pytest.approx(np.array(expected))


def test_the_seasonal_naive_forecast_is_the_last_week_again():
    gpus, past = some(), hours(6 * WEEK)
    last = gpus[:, -WEEK:]
    assert np.array_equal(ahead("seasonal_naive", gpus, past, after(past)), np.hstack([last, last]))


def test_of_less_than_two_weeks_the_last_day_comes_again():
    gpus, past = some(weeks=1), hours(WEEK)
    last = gpus[:, -24:]
    assert np.array_equal(ahead("seasonal_naive", gpus, past, after(past, 48)), np.hstack([last, last]))


def test_an_hour_that_the_last_week_lacks_is_taken_from_the_week_before():
    past, lost = hours(3 * WEEK), 2 * WEEK + 30
    kept = np.delete(past, lost)
    assert kept[alike(kept, after(past, 40))][30] == past[lost - WEEK]
    assert kept[alike(kept, after(past, 40))][29] == past[lost - 1]


def test_hours_that_are_missing_do_not_count_as_zero():
    past = np.delete(hours(6 * WEEK), np.r_[100:150, 900:905])
    for method in METHODS:
        assert ahead(method, np.full((1, len(past)), 7.0), past, after(past)) == pytest.approx(7.0)


def test_an_hour_of_the_week_never_seen_is_like_the_same_hour_of_the_day_and_else_like_all():
    past = hours(72)
    gpus = np.tile(np.arange(24.0), 3)[None, :]
    assert ahead("typical", gpus, past, after(past, 48))[0] == pytest.approx(np.tile(np.arange(24.0), 2))
    few = hours(4)
    assert ahead("typical", np.array([[1.0, 2.0, 3.0, 6.0]]), few, after(few, 10))[0] == pytest.approx(3.0)


def test_the_seasonal_level_keeps_the_shape_and_has_the_mean_of_the_last_week():
    past = hours(6 * WEEK)
    gpus = np.concatenate([np.tile(DAILY, 5), 3.0 * DAILY])[None, :]
    assert ahead("seasonal_level", gpus, past, after(past, WEEK))[0] == pytest.approx(3.0 * DAILY)


def holt(weeks, ahead_weeks):
    """Return the level some weeks ahead in the form of error correction, where ours smooths the change of the level."""
    level, slope = weeks[0], 0.0
    for mean in weeks[1:]:
        error = mean - (level + 0.9 * slope)
        level, slope = level + 0.9 * slope + 0.7 * error, 0.9 * slope + 0.7 * 0.2 * error
    return max(0.0, level + sum(0.9**k for k in range(1, ahead_weeks + 1)) * slope)


def test_the_trend_is_the_damped_method_of_gardner_and_mckenzie():
    gpus, past = some(weeks=7), hours(7 * WEEK)
    found = ahead("trend", gpus, past, after(past, 3 * WEEK))
    for row, forecast in zip(gpus, found, strict=True):
        weeks = [row[start : start + WEEK].mean() for start in range(0, len(row), WEEK)]
        expected = [holt(weeks, k) for k in (1, 2, 3)]
        assert [forecast[k * WEEK : (k + 1) * WEEK].mean() for k in range(3)] == pytest.approx(expected)


def test_a_trend_to_nothing_stops_at_nothing():
    past = hours(8 * WEEK)
    falling = np.repeat(np.arange(16.0, 0.0, -2.0), WEEK)[None, :]
    found = ahead("trend", falling, past, after(past, 52 * WEEK))[0]
    assert found.min() == 0.0
    assert np.all(np.diff(found) <= 0)


def test_growth_goes_on_from_week_to_week():
    """Of a history that has grown at the rate, the forecast is the same curve, as far as a week is one step."""
    past = hours(8 * WEEK)
    grown = 100 * 1.05 ** ((np.arange(60 * WEEK) + 0.5) / 730)
    found = ahead("growth", grown[None, : 8 * WEEK], past, after(past, 52 * WEEK), per_month=0.05)[0]
    assert found == pytest.approx(grown[8 * WEEK :], rel=1.05 ** (WEEK / 730) - 1)
    assert found.sum() == pytest.approx(grown[8 * WEEK :].sum(), rel=1e-3)


GPUS = arrays(float, (2, 5 * WEEK), elements=st.sampled_from([0.0, 0.5, 1.0, 3.0, 8.0, 100.0]), fill=st.just(2.0))


@given(gpus=GPUS, method=st.sampled_from(FORECASTING), factor=st.sampled_from([0.25, 3.0]), shift=st.integers(0, 3))
@settings(deadline=None)
def test_laws_of_every_method(gpus, method, factor, shift):
    """Nothing below 0; in other units, other weeks and other company a stream's forecast stays the same."""
    past = hours(5 * WEEK)
    found = ahead(method, gpus, past, after(past), per_month=0.03)
    assert found.min() >= 0
    assert ahead(method, factor * gpus, past, after(past), per_month=0.03) == pytest.approx(factor * found)
    later = past + shift * WEEK
    assert ahead(method, gpus, later, after(later), per_month=0.03) == pytest.approx(found)
    assert ahead(method, gpus[::-1], past, after(past), per_month=0.03) == pytest.approx(found[::-1])


# Choosing


def chosen(gpus, past, **options):
    options = {"wanted": "best", "months": 12.0} | options
    return forecast_of(gpus, past, ["A"] * len(gpus), **options)


def test_the_error_is_that_of_all_hours_by_the_work_in_them():
    assert wape(np.array([[10.0, 20.0]]), np.array([[12.0, 15.0]])) == pytest.approx(7 / 27)
    assert wape(np.zeros((1, 2)), np.zeros((1, 2))) == 0.0
    assert wape(np.ones((1, 2)), np.zeros((1, 2))) == np.inf


def test_errors_are_those_of_trials_made_by_hand():
    """Twelve weeks leave room for three trials of three weeks, each of which follows on the last."""
    gpus, past = some(weeks=12), hours(12 * WEEK)
    found = forecast_of(gpus, past, ["A", "B", "A"], wanted="best", months=12.0)
    assert (found.origins, found.trial_hours) == (3, 9 * WEEK)
    off = total = 0.0
    for start in (3, 6, 9):
        last = gpus[:, (start - 1) * WEEK : start * WEEK]
        guess, actual = np.tile(last, 3), gpus[:, start * WEEK : (start + 3) * WEEK]
        off += abs((guess - actual)[[0, 2]].sum(axis=0)).sum() + abs((guess - actual)[1]).sum()
        total += actual.sum()
    assert found.errors["seasonal_naive"] == pytest.approx(off / total)


@pytest.mark.parametrize(("weeks", "origins", "days"), [(3, 1, 5.25), (6, 2, 10.5), (12, 3, 21), (24, 4, 28)])
def test_a_method_has_seen_two_weeks_before_it_is_tried(weeks, origins, days):
    found = chosen(some(weeks=weeks), hours(weeks * WEEK))
    assert (found.origins, found.trial_hours) == (origins, origins * 24 * days)


def test_workloads_that_make_up_for_each_other_are_no_error():
    past, one = hours(6 * WEEK), some(streams=1)
    found = chosen(np.vstack([one, 200.0 - one]), past)
    assert found.errors["seasonal_naive"] == pytest.approx(0.0, abs=1e-12)


def test_what_repeats_is_typical():
    found = chosen(np.tile(DAILY, 8)[None, :].astype(float), hours(8 * WEEK))
    assert found.method == "typical"
    assert found.errors == pytest.approx(dict.fromkeys(found.errors, 0.0), abs=1e-12)


@pytest.mark.parametrize(
    ("weekly", "best"),
    [
        ([10.0] * 10 + [100.0] * 14, {"seasonal_naive", "seasonal_level"}),
        (list(np.linspace(10, 200, 24)), {"trend"}),
    ],
)
def test_the_best_follows_the_history(weekly, best):
    found = chosen(np.repeat(weekly, WEEK)[None, :], hours(WEEK * len(weekly)))
    assert found.method in best
    assert found.errors[found.method] == min(found.errors.values())
    assert list(found.errors.values()) == sorted(found.errors.values())


def test_growth_is_tried_where_a_rate_is_given():
    past = hours(20 * 730)
    gpus = np.repeat(100 * 1.04 ** np.arange(20), 730)[None, :]
    assert "growth" not in chosen(gpus, past).errors
    found = chosen(gpus, past, per_month=0.04)
    assert found.errors["growth"] < found.errors["seasonal_mean"]


def test_a_short_history_is_typical_and_says_so():
    found = chosen(some(weeks=2), hours(2 * WEEK))
    assert (found.method, found.errors) == ("typical", {})
    assert "shorter than 3 weeks" in found.diagnostics[0].message
    assert found.summary == "typical: not tried on the past"


def test_what_was_chosen_is_said_in_words():
    found = chosen(np.repeat([10.0, 20.0, 20.0, 20.0] + [20.0] * 8, WEEK)[None, :], hours(12 * WEEK))
    assert found.summary == "seasonal naive: 0.0 % off on your last 9 weeks"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"wanted": "oracle"}, "there is no method 'oracle'"),
        ({"wanted": "trend", "months": 48.0}, "48 months is too far ahead"),
        ({"wanted": "trend", "months": None}, "the horizon is the history itself"),
    ],
)
def test_what_cannot_be_forecast_is_refused(options, problem):
    with pytest.raises(InputError, match=problem):
        chosen(some(), hours(6 * WEEK), **options)


@pytest.mark.parametrize(("months", "notes"), [(None, 0), (48.0, 1)])
def test_the_best_is_typical_where_nothing_can_be_forecast(months, notes):
    found = chosen(some(), hours(6 * WEEK), months=months)
    assert found.method == "typical"
    assert len(found.diagnostics) == notes


# The demand of a horizon


def usage_of(needs, **columns):
    return table(series("a", needs, **columns), USAGE)


def horizon(usage, months, now=None):
    return Horizon.of(usage_hours(usage), months=months, now=now or NOW + timedelta(days=100, minutes=20))


@pytest.mark.parametrize("months", [1, 12, 0.7654])
def test_a_forecast_has_every_hour_of_the_horizon(months):
    usage = usage_of(some(streams=1)[0])
    span = horizon(usage, months)
    found = demand_of(usage, rules=(), horizon=span, forecast="seasonal_naive")
    assert found.weight.sum() == pytest.approx(730 * months)
    assert found.begins[0] == NOW + timedelta(days=100)
    assert found.begins[-1] < span.end <= found.begins[-1] + timedelta(hours=1)
    assert found.gpu_hours.shape == (1, len(found.begins))
    for slot in (0, 5, len(found.begins) - 1):
        then = usage["hour"][int(found.history_hour[slot])]
        assert (then.weekday(), then.hour) == (found.begins[slot].weekday(), found.begins[slot].hour)
        assert found.gpu_hours[0, slot] == usage["gpu_hours"][int(found.history_hour[slot])]


def test_the_forecast_of_the_demand_is_that_of_its_streams():
    rows = series("a", some(streams=1)[0]) + series("b", some(streams=1, seed=2)[0], model="B")
    usage = table(rows, USAGE)
    span = horizon(usage, 2)
    history, found = history_of(usage, ()), demand_of(usage, rules=(), horizon=span, forecast="trend")
    to_come = np.array([int(time.timestamp()) // 3600 for time in found.begins])
    assert found.gpu_hours == pytest.approx(ahead("trend", history.gpu_hours, history.epoch_hours, to_come))
    assert found.forecast.method == "trend"
    assert set(found.forecast.errors) == set(METHODS) - {"growth"}


@pytest.mark.parametrize("months", [None, 12])
def test_without_a_forecast_the_history_is_typical(months):
    usage = usage_of([1.0, 2.0, 3.0])
    cut = NOW + timedelta(days=130)
    found = demand_of(usage, rules=(), horizon=horizon(usage, months), changes=[cut])
    assert found.forecast is None
    times = 1 if months is None else 2
    assert found.gpu_hours.tolist() == [[1.0, 2.0, 3.0] * times]
    lengths = [3.0] if months is None else [30 * 24.0, 8760 - 30 * 24.0]
    assert found.weight == pytest.approx(np.repeat(np.array(lengths) / 3, 3))
    starts = usage["hour"].to_list() if months is None else np.repeat([NOW + timedelta(days=100), cut], 3).tolist()
    assert list(found.begins) == starts


def test_the_best_of_a_short_history_is_the_typical_demand():
    usage = usage_of([1.0, 2.0, 3.0])
    best, plain = (demand_of(usage, rules=(), horizon=horizon(usage, 12), forecast=name) for name in ("best", None))
    assert np.array_equal(best.gpu_hours, plain.gpu_hours)
    assert best.begins == plain.begins
    assert best.diagnostics[0].code == "forecast"


# What a stream knows of its place


def streams(rows, *rules):
    usage = table(rows, USAGE)
    return demand_of(usage, rules=rules, horizon=horizon(usage, None)).streams


@pytest.mark.parametrize(
    ("places", "home"), [(("aws", "aws"), "aws"), (("aws", "gcp"), None), (("aws", None), None), ((None, None), None)]
)
def test_data_is_at_the_one_provider_where_all_of_it_ran(places, home):
    rows = [row | {"provider": place} for row, place in zip(series("a", [1, 2]), places, strict=True)]
    assert [stream.home for stream in streams(rows)] == [home]
    assert streams(rows, WorkloadRule(pattern="*", data_at="gcp"))[0].home == "gcp"


def test_rules_on_moving_are_merged():
    first = WorkloadRule(pattern="*", egress_usd_per_gpu_hour=0.1, migration_usd=9.0, quality={"aws": 0.9, "gcp": 0.8})
    later = WorkloadRule(pattern="a", egress_usd_per_gpu_hour=0.2, overlap_hours=24.0, quality={"gcp": 0.7})
    (found,) = streams(series("a", [1]), first, later)
    assert (found.leaving_usd_per_gpu_hour, found.migration_usd, found.overlap_hours) == (0.2, 9.0, 24.0)
    assert found.quality == {"aws": 0.9, "gcp": 0.7}


# Real histories


def real(name):
    path = HISTORIES / f"{name}.parquet"
    if not path.exists():
        pytest.skip("the histories are not on this machine")
    return checked(pl.read_parquet(path), USAGE, where=name)


@pytest.mark.parametrize(
    ("name", "best", "error"),
    [
        ("shavedice_vm_2021_2022", "seasonal_level", 0.161),
        ("demo_candidate_181d", "seasonal_mean", 0.246),
        ("philly_2017_nodes", "trend", 0.127),
        ("helios_earth_2020_05", "seasonal_naive", 0.201),
    ],
)
def test_errors_on_real_histories(name, best, error):
    """What was measured when the methods were chosen; that of Shaved Ice as typical of itself was 77 %."""
    history = history_of(real(name), ())
    models = [stream.gpu_model for stream in history.streams]
    found = forecast_of(history.gpu_hours, history.epoch_hours, models, wanted="best", months=12.0)
    assert found.method == best
    assert found.errors[best] == pytest.approx(error, abs=5e-4)
    assert found.errors["typical"] > found.errors[best]


def test_on_shaved_ice_a_better_forecast_is_a_better_commitment():
    """At 45 % of the price of on demand, levels from the forecast cost far less than those from the whole history."""
    history = history_of(real("shavedice_vm_2021_2022"), ())
    gpus, past = history.gpu_hours, history.epoch_hours
    price, length = 0.45, 4 * WEEK
    cost = dict.fromkeys((*FORECASTING, "history", "hindsight"), 0.0)
    for start in range(int(past[0]) + 12 * WEEK, int(past[-1]) - length, 8 * WEEK):
        seen, ahead_of = past < start, (past >= start) & (past < start + length)
        for name in cost:
            known = {"history": gpus[:, seen], "hindsight": gpus[:, ahead_of]}
            guess = known[name] if name in known else ahead(name, gpus[:, seen], past[seen], past[ahead_of])
            level = np.quantile(guess, 1 - price, axis=1)[:, None]
            cost[name] += (price * level + np.maximum(gpus[:, ahead_of] - level, 0.0)).sum()
    excess = {name: found / cost["hindsight"] - 1 for name, found in cost.items()}
    assert excess["history"] > 4 * max(excess[name] for name in ("seasonal_level", "seasonal_naive", "trend"))


def test_the_sums_of_a_year_ahead_are_near_those_of_the_last_weeks():
    usage = real("demo_candidate_181d")
    now = datetime(2026, 9, 29, tzinfo=UTC)
    found = demand_of(usage, rules=(), horizon=horizon(usage, 12, now), forecast="seasonal_mean")
    recent = usage.filter(pl.col("hour") >= now - timedelta(weeks=4))
    expected = recent["gpu_hours"].sum() / (4 * WEEK) * 8760
    assert found.gpu_hours.sum(axis=0) @ found.weight == pytest.approx(expected, rel=2e-3)
