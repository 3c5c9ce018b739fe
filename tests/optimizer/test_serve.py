"""Serving all hours at once gives each hour what a linear program of its own would."""

import numpy as np
import pytest
from scipy.optimize import linprog

from optimizer.serve import HourlyProgram

Way = tuple[int, int | None, float]  # class, supply that it draws on if that is limited, rate


def program_at_random(rng: np.random.Generator, *, ties: bool, endless: bool) -> HourlyProgram:
    """Return a program of a few classes and capped supplies; with `endless`, each class has a way without a cap too."""
    classes, supplies = (int(count) for count in rng.integers(1, 5, 2))
    ways: list[Way] = [(one, None, 1.0) for one in range(classes) if endless]
    for one in range(classes):
        drawn = np.flatnonzero(rng.random(supplies) < 0.7)
        able = drawn if endless or len(drawn) else [0]
        ways += [(one, int(supply), float(rng.choice([1.0, 1.0, 0.4, 2.2]))) for supply in able]
    rows = np.zeros((classes + supplies, len(ways) + supplies))
    for column, (one, supply, rate) in enumerate(ways):
        rows[one, column] = rate
        if supply is not None:
            rows[classes + supply, column] = 1.0
    rows[classes:, len(ways) :] = np.eye(supplies)
    prices = rng.choice([0.0, 1.0, 2.0], len(ways)) if ties else rng.uniform(0, 5, len(ways))
    cost = np.r_[prices, np.zeros(supplies)]
    spare = range(len(ways), len(ways) + supplies)
    return HourlyProgram(rows=rows, cost=cost, start=(*cheapest(ways, cost, classes), *spare))


def cheapest(ways: list[Way], cost: np.ndarray, classes: int) -> list[int]:
    unit = np.array([cost[column] / rate for column, (_, _, rate) in enumerate(ways)])
    mine = np.array([row for row, _, _ in ways])
    return [int(np.flatnonzero(mine == row)[np.argmin(unit[mine == row])]) for row in range(classes)]


def hours_at_random(rng: np.random.Generator, rows: int, *, ties: bool) -> np.ndarray:
    count = 30
    if ties:
        return rng.choice([0.0, 0.0, 1.0, 2.0, 3.0], (rows, count))
    return rng.uniform(0, 10, (rows, count)) * (rng.random((rows, count)) < 0.8)


def check(program: HourlyProgram, rhs: np.ndarray) -> int:
    """Compare every hour with a program of its own; return how many hours cannot be served."""
    rows, cost = program._rows, program._cost
    served = program.solve(rhs)
    for hour in range(rhs.shape[1]):
        alone = linprog(cost, A_eq=rows, b_eq=rhs[:, hour], method="highs-ds")
        if hour in served.lacking:
            ray = served.lacking[hour]
            assert alone.status == 2
            assert (ray @ rows >= -1e-9).all()
            assert ray @ rhs[:, hour] < 0
            continue
        assert alone.status == 0
        use, price = served.use[:, hour], served.price[:, hour]
        assert (use >= 0).all()
        assert rows @ use == pytest.approx(rhs[:, hour], abs=1e-7)
        assert cost @ use == pytest.approx(alone.fun, rel=1e-9, abs=1e-7)
        assert price @ rhs[:, hour] == pytest.approx(alone.fun, rel=1e-9, abs=1e-7)
        assert (price @ rows <= cost + 1e-9).all()
    return len(served.lacking)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_every_hour_costs_what_it_costs_alone(seed, ties):
    rng = np.random.default_rng(seed)
    program = program_at_random(rng, ties=ties, endless=True)
    for _ in range(3):  # later calls start from where the earlier one ended, with other capacities
        assert check(program, hours_at_random(rng, len(program._rows), ties=ties)) == 0


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_an_hour_that_cannot_be_served_comes_with_its_proof(seed, ties):
    rng = np.random.default_rng(100 + seed)
    program = program_at_random(rng, ties=ties, endless=False)
    lacking = [check(program, hours_at_random(rng, len(program._rows), ties=ties)) for _ in range(3)]
    assert sum(lacking)


def test_hours_that_need_nothing_cost_nothing():
    program = program_at_random(np.random.default_rng(1), ties=False, endless=True)
    assert check(program, np.zeros((len(program._rows), 4))) == 0
    assert not program.solve(np.zeros((len(program._rows), 4))).use.any()
