"""A usage table as bills give it: what no workload stands behind is no demand, but its hours are hours."""

import pytest

GPU = "H100-SXM-80GB"


def row(hour, **cells):
    return {"hour": f"2026-04-01T{hour:02}:00:00Z", "workload": "", "gpu_model": GPU, "gpu_hours": 0, **cells}


@pytest.fixture
def planned(tranche, files):
    def run(rows):
        usage = files.table("bill.csv", rows)
        ran = tranche("plan", usage, "--offers", files.offers, "--horizon", "history", "--now", "2026-11-21",
                      "--format", "json")  # fmt: skip
        assert ran.code == 0, ran.err
        return ran

    return run


def test_idle_gpus_are_no_demand_and_their_cost_is_said(planned):
    work = [row(hour, workload="train", gpu_hours=10, effective_cost=40) for hour in range(3)]
    idle = [row(hour, gpu_hours=6, effective_cost=24, residual="idle") for hour in range(3)]
    ran = planned([*work, *idle])
    assert ran.json["summary"]["gpu_hours"] == 30
    assert ran.json["summary"]["current_cost"] == "120.00"
    assert "18 idle GPU-hours, $72.00 in the history, are not planned for" in ran.err


def test_an_hour_of_nothing_but_idle_gpus_has_a_demand_of_zero(planned):
    work = [row(hour, workload="train", gpu_hours=10) for hour in (0, 2)]
    with_idle = planned([*work, row(1, gpu_hours=8, residual="idle")])
    with_zero = planned([*work, row(1, workload="train", gpu_hours=0)])
    assert with_idle.json["summary"]["hours"] == 3
    assert with_idle.json["summary"] == with_zero.json["summary"]


def test_rows_without_any_gpu_make_no_hours(planned):
    work = [row(hour, workload="train", gpu_hours=10) for hour in range(2)]
    tax = row(0, gpu_model="", residual="tax", granularity="day", effective_cost=5)
    assert planned([*work, tax]).json["summary"]["hours"] == 2


def test_a_table_without_any_work_is_refused(tranche, files):
    usage = files.table("bill.csv", [row(0, gpu_hours=8, residual="idle")])
    ran = tranche("plan", usage, "--offers", files.offers)
    assert ran.code == 6
    assert "bill.csv: has no row of a workload, only idle and other residuals" in ran.err


def test_a_row_needs_a_workload_or_a_residual(tranche, files):
    usage = files.table("bill.csv", [row(0, gpu_hours=8)])
    ran = tranche("plan", usage, "--offers", files.offers)
    assert ran.code == 6
    assert "column workload, row 1: is empty" in ran.err


def test_rows_that_differ_in_a_tag_are_different_rows(planned):
    tagged = [row(0, workload="train", gpu_hours=4, cost_center=name) for name in ("a", "b")]
    assert planned(tagged).json["summary"]["gpu_hours"] == 8
