"""Days of machines that follow the hourly charges of their account: a case by hand, and laws that hold for any."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.allocation import allocate
from optimizer.day_shapes import by_charges
from optimizer.filling import parts_of_day
from providers.charges import CHARGES, CLAIMS, SHAPES

DAY = datetime(2026, 10, 1, tzinfo=UTC)
SIZE, GPUS = "Standard_ND96isr_H100_v5", 8
SERIES = "azure-hourly:/subscriptions/sub-1"
AMOUNTS = ("gpu_hours", "billed_cost", "effective_cost", "list_cost", "timing_cost")


def charge(node, hours, cost, **columns):
    known = {
        "hour": DAY, "granularity": "day", "provider": "azure", "account": "Sub-1", "node": node, "workload": node,
        "instance_type": SIZE, "gpu_model": "H100-SXM-80GB", "gpu_hours": float(hours * GPUS),
        "purchase_option": "on_demand", "billed_cost": cost, "effective_cost": cost, "list_cost": cost * 2,
        "timing_cost": 0.0, "currency": "USD", "source": "azure_cost",
    }  # fmt: skip
    return known | columns


def series(charges, start=DAY, **columns):
    hours = [start + timedelta(hours=index) for index in range(len(charges))]
    known = {"provider": "azure", "account": "sub-1", "currency": "USD", "source": SERIES}
    return [known | {"hour": hour, "charge": charge} | columns for hour, charge in zip(hours, charges, strict=True)]


def flat(cost=10.0, **others):
    return [cost + others.get(f"h{hour}", 0.0) for hour in range(24)]


def shared(rows, shapes, claims=()):
    return allocate(
        pl.DataFrame(rows, schema=CHARGES, orient="row").lazy(),
        pl.DataFrame(list(claims), schema=CLAIMS, orient="row").lazy(),
        shapes=None if shapes is None else pl.DataFrame(shapes, schema=SHAPES, orient="row").lazy(),
    )


def hours_of(found, name, column="gpu_hours"):
    """Return what a workload has in each hour, and of what is left by the day."""
    rows = found.usage.filter(pl.coalesce("workload", "residual") == name)
    sums = rows.group_by("granularity", "hour").agg(pl.col(column).sum()).sort("granularity", "hour")
    return {(f"{row[1]:%H}" if row[0] == "hour" else "day"): row[2] for row in sums.iter_rows()}


def told(found):
    return {one.code: one.message for one in found.found}


# A machine that ran the whole day at $10 an hour, and one that ran three hours for $40. The series has $10 in every
# hour, and more in four of them: 20, 10, 6 and 4 are left for the second machine, which cannot run for longer than an
# hour in any. In proportion it would run 3 * 20 / 40 = 1.5 hours at 18, so that hour is full. Two hours are left for
# 10, 6 and 4, a tenth of an hour for each dollar: 1.0, 0.6 and 0.4 hours.
STEADY = charge("steady", 24, 240.0)
EVENING = charge("evening", 3, 40.0)
TOGETHER = flat(h18=20, h19=10, h20=6, h21=4)


def test_what_the_steady_machines_leave_says_when_the_others_ran():
    found = shared([STEADY, EVENING], series(TOGETHER))
    assert hours_of(found, "steady") == {f"{hour:02}": pytest.approx(8) for hour in range(24)}
    assert hours_of(found, "steady", "billed_cost") == {f"{hour:02}": pytest.approx(10) for hour in range(24)}
    ran = {"18": 1.0, "19": 1.0, "20": 0.6, "21": 0.4}
    for column, whole in (("gpu_hours", 24), ("billed_cost", 40), ("effective_cost", 40), ("list_cost", 80)):
        assert hours_of(found, "evening", column) == {at: pytest.approx(whole * one / 3) for at, one in ran.items()}
    assert told(found) == {
        "hours-by-charges": f"2 machine-days on 1 days follow {SERIES}: an estimate of the hours in which they ran"
    }


def test_without_a_series_nothing_changes():
    rows = [STEADY, EVENING, charge(None, 0, 7.0, gpu_model=None, residual="other", workload=None)]
    before, none = shared(rows, None), shared(rows, [])
    assert before.usage.equals(none.usage)
    assert set(before.usage["granularity"]) == {"day"}
    assert before.found == none.found == ()


@pytest.mark.parametrize(
    ("other", "follows"), [(-26.0, False), (-25.0, True), (0.0, True), (31.0, True), (32.0, False), (5000.0, False)]
)
def test_a_day_follows_only_where_gpu_machines_make_up_nine_tenths_of_the_series(other, follows):
    """Machines of $280: 280 / 0.9 is 311.11 and 280 / 1.1 is 254.55."""
    found = shared([STEADY, EVENING], series([one + other / 24 for one in TOGETHER]))
    assert ("day" not in hours_of(found, "evening")) is follows
    assert set(told(found)) == ({"hours-by-charges"} if follows else {"hourly-charges-of-others"})
    assert found.usage["billed_cost"].sum() == pytest.approx(280)


def test_days_that_do_not_follow_are_said_with_what_both_come_to():
    rows = [one | {"hour": DAY + timedelta(days=day)} for day in range(3) for one in (STEADY, EVENING)]
    found = shared(rows, series([*TOGETHER, *flat(40.0), *flat(50.0)]))
    assert told(found) == {
        "hours-by-charges": f"2 machine-days on 1 days follow {SERIES}: an estimate of the hours in which they ran",
        "hourly-charges-of-others": f"on 2 days {SERIES} comes to 2,160.00 USD, but the on-demand GPU machines of that "
        "account to 560.00: these days stay days",
    }
    assert {one.code: one.level for one in found.found} == {
        "hours-by-charges": "note",
        "hourly-charges-of-others": "warning",
    }


@pytest.mark.parametrize(
    "columns",
    [
        {"account": "sub-2"},
        {"account": None},
        {"provider": "aws"},
        {"currency": "EUR"},
        {"hour": DAY - timedelta(days=1)},
        {"purchase_option": "spot"},
        {"purchase_option": "reserved"},
        {"gpu_hours": 0.0},
    ],
)
def test_what_the_series_is_not_of_stays_and_is_not_counted(columns):
    alone = shared([EVENING | columns], series(TOGETHER))
    assert set(alone.usage["granularity"]) == {"day"}
    assert list(told(alone)) == ["hourly-charges-unused"]
    beside = shared([STEADY, EVENING, charge("other", 9, 500.0) | columns], series(TOGETHER))
    rows = beside.usage.filter(pl.coalesce("workload", "residual") == "other")
    assert rows.select("granularity", "billed_cost").rows() == [("day", 500)]
    assert len(hours_of(beside, "evening")) == 4


def test_a_day_that_the_series_does_not_hold_whole_stays():
    found = shared([STEADY, EVENING], series(TOGETHER[1:], start=DAY + timedelta(hours=1)))
    assert set(found.usage["granularity"]) == {"day"}


def seen(node, hours, gpus=8.0):
    known = {"node": node, "cluster": "k8s", "namespace": "ml", "workload": "pods", "source": "prometheus"}
    return [known | {"hour": DAY + timedelta(hours=hour), "gpu_hours": gpus} for hour in hours]


def test_what_was_seen_live_is_counted_and_taken_off_but_not_moved_again():
    """Eight hours of a machine are seen in four, an hour each; the other four stay of the day, $10 / 6 in every hour.

    Of 10 in every hour from the steady machine, 10 more at 0 to 3 and 40 / 24 from the machine that was seen, nothing
    is left but what the evening machine ran.
    """
    live = charge("seen", 8, 80.0, workload=None)
    extra = {f"h{hour}": 10.0 for hour in range(4)} | {"h18": 20.0, "h19": 10.0, "h20": 6.0, "h21": 4.0}
    found = shared([STEADY, EVENING, live], series(flat(10.0 + 40 / 24, **extra)), seen("seen", range(4)))
    assert hours_of(found, "pods") == {f"{hour:02}": pytest.approx(8) for hour in range(4)}
    assert hours_of(found, "idle") == {"day": pytest.approx(32)}
    assert hours_of(found, "evening", "billed_cost") == {
        at: pytest.approx(40 * ran / 3) for at, ran in {"18": 1.0, "19": 1.0, "20": 0.6, "21": 0.4}.items()
    }
    # without the $80 of the machine that was seen the others are 280 of 360, and would not follow
    assert list(told(found)) == ["hours-by-charges"]


@pytest.mark.parametrize(
    ("columns", "hours"),
    [({"instance_type": "unheard-of"}, 3), ({"node": None}, 3), ({}, 30)],
    ids=["unknown GPUs", "no machine", "several machines"],
)
def test_what_has_no_known_most_follows_in_proportion(columns, hours):
    found = shared([STEADY, charge("evening", hours, 40.0) | columns], series(TOGETHER))
    assert hours_of(found, "evening", "billed_cost") == {
        at: pytest.approx(cost) for at, cost in {"18": 20, "19": 10, "20": 6, "21": 4}.items()
    }


@pytest.mark.parametrize("up", [23.99, 24.0, 24.01])
def test_a_machine_that_misses_a_whole_day_by_a_rounding_is_flat(up):
    found = shared([charge("steady", up, 240.0), EVENING], series(TOGETHER))
    assert hours_of(found, "steady") == {f"{hour:02}": pytest.approx(up * 8 / 24) for hour in range(24)}


def test_rows_of_one_machine_move_together():
    """Twelve hours with one tag and twelve with another are a whole day."""
    halves = [charge("steady", 12, 120.0, workload=name) for name in ("a", "b")]
    found = shared([*halves, EVENING], series(TOGETHER))
    assert hours_of(found, "a") == hours_of(found, "b") == {f"{hour:02}": pytest.approx(4) for hour in range(24)}
    assert told(found)["hours-by-charges"].startswith("2 machine-days on 1 days")


def test_hours_that_the_series_does_not_explain_are_spread_evenly():
    """With nothing left in any hour: all alike. With $5 left in one: that hour is full, and two are spread over 23."""
    none = shared([STEADY, charge("evening", 3, 20.0)], series(flat()))
    assert hours_of(none, "evening") == {f"{hour:02}": pytest.approx(1.0) for hour in range(24)}
    one = shared([STEADY, charge("evening", 3, 20.0)], series(flat(h7=5.0)))
    assert hours_of(one, "evening") == {
        f"{hour:02}": pytest.approx(8.0 if hour == 7 else 8 * 2 / 23) for hour in range(24)
    }


def test_where_only_the_amortised_bill_is_known_its_cost_is_compared():
    rows = [one | {"billed_cost": None} for one in (STEADY, EVENING)]
    found = shared(rows, series(TOGETHER))
    assert len(hours_of(found, "evening")) == 4
    assert found.usage["billed_cost"].null_count() == found.usage.height


def test_a_tag_may_be_called_as_anything_here():
    names = ["line", "index", "at", "part", "cost", "machine", "day", "up", "moves", "charge", "total"]
    schema = {**CHARGES, **dict.fromkeys(names, pl.String())}
    rows = pl.DataFrame([one | dict.fromkeys(names, "x") for one in (STEADY, EVENING)], schema=schema, orient="row")
    shapes = pl.DataFrame(series(TOGETHER), schema=SHAPES, orient="row").lazy()
    found = by_charges(rows.clear(), rows, shapes).rows
    assert found.columns == rows.columns
    assert found.height == 24 + 4
    assert set(found["part"]) == {"x"}


machines = st.lists(
    st.tuples(
        st.floats(0.05, 24.0) | st.just(24.0) | st.floats(24.1, 80.0),
        st.floats(0.5, 1.5),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)
levels = st.lists(st.just(0.0) | st.floats(0.01, 20.0), min_size=24, max_size=24).filter(any)


@settings(max_examples=60, deadline=None)
@given(machines, levels, st.floats(0.92, 1.08))
def test_any_day_keeps_every_amount_and_no_machine_runs_longer_than_an_hour(drawn, level, ratio):
    rows = [
        charge(f"m{index}" if has_node else None, up, 10 * up * price, workload=f"m{index}", timing_cost=up)
        for index, (up, price, has_node) in enumerate(drawn)
    ]
    total = sum(row["billed_cost"] for row in rows)
    shapes = pl.DataFrame(
        series([one * total / sum(level) * ratio for one in level]), schema=SHAPES, orient="row"
    ).lazy()
    frame = pl.DataFrame(rows, schema=CHARGES, orient="row")
    has_node = pl.col("node").is_not_null()
    direct, moved, _ = by_charges(frame.filter(~has_node), frame.filter(has_node), shapes)
    assert direct.filter(has_node).is_empty()
    assert moved.filter(~has_node).is_empty()
    found = pl.concat([direct, moved])
    assert set(found["granularity"]) == {"hour"}
    assert found["hour"].is_between(DAY, DAY + timedelta(hours=23)).all()
    assert not found.select("workload", "hour").is_duplicated().any()
    sums = found.group_by("workload").agg(pl.col(AMOUNTS).sum()).sort("workload")
    for was, now in zip(rows, sums.iter_rows(named=True), strict=True):
        assert [now[name] for name in AMOUNTS] == pytest.approx([was[name] for name in AMOUNTS], rel=1e-12)
    most = {row["node"]: GPUS for row in rows if row["node"] and row["gpu_hours"] <= 24 * GPUS}
    for row in moved.iter_rows(named=True):
        assert row["gpu_hours"] <= most.get(row["node"], np.inf) * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.1, 12.0), st.floats(1.0, 50.0)), min_size=1, max_size=5),
    st.lists(st.floats(1.0, 2.0), min_size=24, max_size=24),
    st.integers(0, 3),
)
def test_machines_add_up_to_a_series_that_they_explain_and_in_which_none_is_full(drawn, level, steady):
    """Of at most twelve hours, no hour takes more than twice its even part of 12 / 24: none is full."""
    rows = [charge(f"m{index}", up, cost) for index, (up, cost) in enumerate(drawn)]
    rows += [charge(f"s{index}", 24, 240.0) for index in range(steady)]
    cost = sum(cost for _, cost in drawn)
    wanted = [10.0 * steady + cost * one / sum(level) for one in level]
    usage = shared(rows, series(wanted)).usage
    sums = usage.group_by("hour").agg(pl.col("billed_cost").sum()).sort("hour")
    assert sums["billed_cost"].to_list() == pytest.approx(wanted, rel=1e-9)


def searched(up, rest):
    """Return min(1, λ·r) with λ found by halving; hours that the rest does not explain evenly over all others."""
    positive = sum(one > 0 for one in rest)
    if up >= positive:
        even = (up - positive) / (24 - positive) if positive < 24 else 0.0
        return [1.0 if one > 0 else even for one in rest]
    low, high = 0.0, 24 / min(one for one in rest if one > 0)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(min(1.0, middle * one) for one in rest) < up else (low, middle)
    return [min(1.0, high * one) for one in rest]


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0.01, 24.0) | st.integers(1, 24).map(float),
    st.lists(st.just(0.0) | st.just(3.0) | st.floats(0.001, 100.0), min_size=24, max_size=24),
)
def test_filling_is_what_a_search_for_its_level_finds(up, rest):
    found = parts_of_day(np.array([up, np.nan, 30.0]), np.array([rest] * 3))
    assert found[0] * up == pytest.approx(searched(up, rest), abs=1e-9)
    proportional = np.array(rest) / sum(rest) if any(rest) else np.full(24, 1 / 24)
    assert found[1] == pytest.approx(proportional)
    assert found[2] == pytest.approx(proportional)
    assert found.sum(axis=1) == pytest.approx(1.0)


def test_more_of_the_series_is_never_less_of_the_machine():
    rest = np.arange(24.0)[None]
    for up in (0.5, 5.0, 20.0, 23.5, 24.0):
        (taken,) = parts_of_day(np.array([up]), rest) * up
        assert all(one <= other + 1e-12 for one, other in pairwise(taken))
        assert taken.max() <= 1 + 1e-12
