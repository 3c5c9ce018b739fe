"""Solving from where another program ended, against scipy, which begins with nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.errors import InfeasibleError
from optimizer.program import Program, program_of, relaxed
from optimizer.reduce import plain_part
from optimizer.simplex import optimum
from optimizer.stated import stated_of
from optimizer.turns import run
from tests.optimizer.instances import Case, cases, offer, series
from tests.optimizer.test_random_instances import EVERY

FEW = settings(EVERY, max_examples=25)


def program_in(case: Case) -> Program:
    problem = stated_of(case.inputs()).problem
    return relaxed(program_of(problem, plain_part(problem)))


def priced_again(program: Program, factor: float) -> Program:
    """Return the program with quantities at other prices, each at another one."""
    offers = len(program.step)
    cost = program.cost.copy()
    cost[:offers] *= factor ** np.arange(offers)
    return replace(program, cost=cost)


@given(cases(limited=False), st.sampled_from([0.5, 0.9, 1.3]), st.floats(0.0, 20.0))
@FEW
def test_wherever_it_begins_it_ends_where_scipy_does(case, factor, guess):
    program = program_in(case)
    try:
        expected = run(program)
    except InfeasibleError:
        for start in (None, np.full(len(program.step), guess)):
            with pytest.raises(InfeasibleError):
                optimum(program, guess=start)
        return
    basis = optimum(priced_again(program, factor)).basis
    starts = ({}, {"basis": basis}, {"guess": np.full(len(program.step), guess)})
    for found in (optimum(program, **start) for start in starts):
        assert found.cost == pytest.approx(expected.fun, rel=1e-9, abs=1e-7)
        assert program.cost @ found.values == pytest.approx(found.cost, rel=1e-9, abs=1e-7)
        assert (np.abs(program.equal @ found.values - program.equal_to) <= 1e-6).all()
        assert (program.above @ found.values <= program.above_to + 1e-6).all()
        assert (found.values >= program.lower - 1e-6).all()
        assert (found.values <= program.upper + 1e-6).all()


def test_a_basis_of_another_size_is_passed_over():
    small, large = (
        program_in(Case(usage=series("a", needs), offers=[offer("od"), offer("r", "reserved", 1.0)]))
        for needs in ([10, 0], [10, 10, 0, 0])
    )
    assert optimum(large, basis=optimum(small).basis).cost == pytest.approx(run(large).fun)


def test_a_slope_is_what_one_more_gpu_changes():
    case = Case(usage=series("a", [10, 10, 0, 0]), offers=[offer("od"), offer("r", "reserved", 1.0)])
    program = program_in(case)
    held = replace(program, lower=program.lower.copy(), upper=program.upper.copy())
    [place] = np.flatnonzero(program.cost[: len(program.step)])
    held.lower[place] = held.upper[place] = 4.0
    found, scipy = optimum(held), run(held)
    assert found.cost == pytest.approx(4 * 4 * 1.0 + 6 * 2 * 4.0)
    assert found.slopes[place] == pytest.approx(4 * 1.0 - 2 * 4.0)
    assert found.slopes == pytest.approx(scipy.lower.marginals + scipy.upper.marginals)
