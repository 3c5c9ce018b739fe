"""Capacity that was paid for as a whole: what machines, the unused rest and timing get is what was paid."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

ARN = "arn:aws:ec2:us-east-1:111122223333:capacity-reservation/cr-0a"
BLOCK = {
    "capacity_reservation_capacity_reservation_arn": ARN,
    "capacity_reservation_capacity_reservation_type": "EC2 Capacity Blocks for ML",
}


def at(hour):
    return {
        "line_item_usage_start_date": f"2026-04-01T{hour:02}:00:00Z",
        "line_item_usage_end_date": f"2026-04-01T{hour:02}:59:59Z",
    }


def fee(cost, start, end):
    window = {"reservation_start_time": start, "reservation_end_time": end}
    return {**BLOCK, **window, "line_item_line_item_type": "Fee", "line_item_unblended_cost": cost}


def used(machine, hour, amount=1.0, status="Used"):
    status = {"capacity_reservation_capacity_reservation_status": status}
    return machine(**BLOCK, **status, **at(hour), line_item_usage_amount=amount, line_item_unblended_cost=0.0)


def test_a_block_costs_the_machines_that_ran_in_it_and_the_rest_is_unused(told, cur):
    rows = [fee(400.0, "2026-04-01T10:00:00Z", "2026-04-01T14:00:00Z")]
    rows += [used(cur.machine, 10), used(cur.machine, 11), used(cur.machine, 11, 3.0, "Unused"), used(cur.machine, 12)]
    one = told(*rows)
    columns = ("effective_cost", "gpu_hours", "purchase_option", "commitment_id")
    assert one.work.select(columns).rows() == [(25.0, 8.0, "capacity_block", ARN)] * 3  # of the four that it holds
    unused = one.charges.filter(residual="unused_commitment").filter(pl.col("effective_cost") > 0)
    assert unused.select("effective_cost", "commitment_id").rows() == [(75.0, ARN)] * 3
    assert one.sums() == (400.0, 300.0, 100.0)  # the hour from 13:00 is not in this bill
    assert dict(one.charges.filter(residual="commitment_payment").select("billed_cost", "timing_cost").rows()) == {
        400: 100
    }


def test_an_hour_that_is_only_begun_has_its_part(told, cur):
    one = told(fee(100.0, "2026-04-01T10:30:00Z", "2026-04-01T11:30:00Z"), used(cur.machine, 10), used(cur.machine, 11))
    assert one.work["effective_cost"].to_list() == [50.0, 50.0]


def test_a_fee_whose_block_runs_in_another_month_is_timing_and_said(told, cur):
    one = told(fee(100.0, "2026-06-01T10:00:00Z", "2026-06-02T10:00:00Z"), cur.machine())
    assert one.sums() == (155.04, 55.04, 100.0)
    assert "prepaid-capacity-outside" in one.codes


def test_a_fee_without_a_window_covers_the_hours_in_which_its_reservation_is_seen(told, cur):
    one = told(fee(100.0, None, None), used(cur.machine, 10), used(cur.machine, 12))
    assert one.work["effective_cost"].to_list() == pytest.approx([100 / 3] * 2)
    assert one.sums() == pytest.approx((100.0, 100.0, 0.0))


def test_what_a_reservation_costs_by_itself_goes_to_what_runs_in_it(told, cur):
    reserved = {**used(cur.machine, 10, 2.0, "Reserved"), "line_item_unblended_cost": 80.0}
    one = told(reserved, used(cur.machine, 10))
    assert one.charges["gpu_hours"].sum() == 8
    assert one.work["effective_cost"].to_list() == [40.0]
    assert one.charges.filter(residual="unused_commitment")["effective_cost"].to_list() == [40.0]
    assert one.sums() == (80.0, 80.0, 0.0)


hours = st.lists(
    st.tuples(st.integers(0, 23), st.sampled_from([0.25, 1.0, 3.0]), st.sampled_from(["Used", "Unused"])), max_size=8
)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 22), st.integers(1, 30), hours)
def test_any_block_is_conserved(tmp_path_factory, cur, cents, first, length, rows):
    last = first + length
    end = f"2026-04-{1 + last // 24:02}T{last % 24:02}:30:00Z"
    lines = [fee(cents / 100, f"2026-04-01T{first:02}:15:00Z", end), cur.machine(**at(5))]
    lines += [used(cur.machine, hour, amount, status) for hour, amount, status in rows]
    path = tmp_path_factory.mktemp("block") / "cur.parquet"
    cur.table(*lines).write_parquet(path)
    told = cur.Told(path)
    billed, effective, timing = told.sums()
    assert billed == pytest.approx(cents / 100 + 55.04)
    assert billed == pytest.approx(effective + timing)
    assert told.charges["effective_cost"].min() >= 0
