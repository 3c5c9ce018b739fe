"""Other demand on random plans: their own cost where nothing differs, and never less than that of the best plan."""

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from instances import Case, cases, offer, series

from optimizer.errors import InfeasibleError
from optimizer.gates import cost_of_keeping
from optimizer.plan import plan_of
from optimizer.sensitivity import FACTORS, quantities_of, sensitivity
from optimizer.solve import Memory, solve
from optimizer.stated import stated_of


def test_gpus_above_those_bought_stay_on_call():
    """1 GPU is bought at $4 for what comes beyond it at $2; without that, on demand at $9 would have to serve."""
    more = {"term_months": 12.0, "min_gpus": 1.0, "max_gpus": 1.0, "overage_usd_per_gpu_hour": 2.0}
    case = Case(usage=series("w", [10.0] * 4), offers=[offer("od", price=9), offer("r", "contract", 4, **more)])
    inputs = case.inputs()
    found = {one.factor: one for one in sensitivity(inputs, plan_of(inputs), Memory())}
    hours = stated_of(inputs).problem.weight.sum()
    for factor, one in found.items():
        assert one.kept == one.best == pytest.approx((4 + (10 * factor - 1) * 2) * hours)


@pytest.mark.thorough
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(case=cases(quotes=1))
def test_what_is_kept_against_the_plan_the_best_and_the_gate(case):
    inputs = case.inputs()
    try:
        plan = plan_of(inputs)
    except InfeasibleError:
        assume(False)
    found = {one.factor: one for one in sensitivity(inputs, plan, Memory())}
    assert list(found) == list(FACTORS)
    assert found[1.0].kept == pytest.approx(plan.summary.cost, rel=1e-6, abs=1e-6)
    for factor, one in found.items():
        scaled = replace(inputs, usage=inputs.usage.with_columns(pl.col("gpu_hours") * factor))
        try:
            best = solve(stated_of(scaled).problem, Memory()).cost
        except InfeasibleError:
            best = None
        if one.kept is None:
            assert one.stranded is None
            assert (one.best is None) == (best is None)
            continue
        assert one.best <= one.kept
        assert one.best == pytest.approx(one.kept if best is None else min(best, one.kept), rel=1e-6, abs=1e-6)
        stated = stated_of(scaled)
        if not any(tariff.beyond for tariff in stated.tariffs):
            gate = cost_of_keeping(stated, quantities_of(plan))
            assert one.kept == pytest.approx(gate, rel=1e-6, abs=1e-6)
        assert one.stranded >= -1e-6
