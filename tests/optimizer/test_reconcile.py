"""A bill is found again in the table to the cent, or the difference says how much is not."""

import polars as pl
import pytest

from optimizer.reconcile import reconcile
from optimizer.rollup import filled, rolled_up, untagged

USAGE = pl.DataFrame(
    [
        ("aws_cur", None, "search", "ns", 8.0, 4.0, 80.0, 100.0),
        ("aws_cur", None, None, "lab", 2.0, None, 20.0, 25.0),
        ("aws_cur", "idle", None, None, 6.0, None, 60.0, 75.0),
        ("aws_cur", "tax", None, None, 0.0, None, 7.5, None),
        ("focus", None, "search", "ns", 1.0, None, 3.0, 3.0),
    ],
    schema=["source", "residual", "team", "namespace", "gpu_hours", "gpu_hours_used", "effective_cost", "list_cost"],
    orient="row",
).with_columns(currency=pl.lit("USD"), billed_cost="effective_cost")
TOTALS = pl.DataFrame({"source": ["aws_cur", "focus"], "currency": "USD", "rows": [9, 1], "billed_cost": [180.0, 3.0]})
TIMING = pl.DataFrame({"source": ["aws_cur"], "currency": "USD", "timing_cost": [12.5]})


def test_what_is_billed_is_what_the_hours_cost_and_what_pays_for_others():
    aws, focus = reconcile(USAGE, TOTALS, TIMING)
    assert (aws.allocated, dict(aws.residuals), aws.effective) == (100, {"idle": 60, "tax": 7.5}, 167.5)
    assert aws.difference == pytest.approx(0, abs=1e-12)
    assert (aws.gpu_hours, aws.gpu_hours_used, aws.idle_gpu_hours, aws.rows) == (10, 4, 6, 9)
    assert (focus.difference, focus.gpu_hours_used, focus.holds) == (0, None, True)


@pytest.mark.parametrize(("missing", "holds"), [(0.004, True), (0.006, False), (-0.006, False)])
def test_half_a_cent_is_missed(missing, holds):
    totals = TOTALS.with_columns(pl.col("billed_cost") + missing)
    assert [one.holds for one in reconcile(USAGE, totals, TIMING)] == [holds, holds]


def test_a_bill_of_which_nothing_reached_the_table_is_not_forgotten():
    totals = pl.concat([TOTALS, TOTALS.head(1).with_columns(source=pl.lit("lost"))])
    lost = reconcile(USAGE, totals, TIMING)[-1]
    assert (lost.source, lost.difference, lost.holds) == ("lost", 180, False)


def test_costs_that_no_bill_was_read_for_do_not_pass():
    invented = reconcile(USAGE, TOTALS.head(1), TIMING)[-1]
    assert (invented.source, invented.difference, invented.holds) == ("focus", -3, False)


def test_a_live_source_has_no_bill_to_add_up_to():
    live = USAGE.with_columns(effective_cost=pl.lit(None, pl.Float64))
    totals = TOTALS.with_columns(billed_cost=pl.lit(None, pl.Float64))
    assert all(one.difference is None and one.holds for one in reconcile(live, totals, TIMING))


def test_roll_up_keeps_the_untagged_and_every_residual():
    rows = rolled_up(USAGE, ["team"])
    assert rows.select("team", "residual", "effective_cost").rows() == [
        ("search", None, 83.0),
        (None, None, 20.0),
        (None, "idle", 60.0),
        (None, "tax", 7.5),
    ]
    assert rows["effective_cost"].sum() == USAGE["effective_cost"].sum()
    assert rows["gpu_hours_used"].to_list() == [4.0, None, None, None]
    assert untagged(USAGE, "team") == (20.0, 2.0)


def test_a_chain_falls_back_to_columns_for_work_only():
    teams = filled(USAGE, {"team": ("team", "namespace")})
    assert teams["team"].to_list() == ["search", "lab", None, None, "search"]
    assert untagged(teams, "team") == (0.0, 0.0)
