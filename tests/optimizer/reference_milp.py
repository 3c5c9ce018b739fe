"""A mixed-integer program that is written row by row, and HiGHS to solve it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

SCALE = 1e3  # HiGHS ends branch and bound within 1e-6 of the objective: count it in tenths of a cent


@dataclass
class Milp:
    """A mixed-integer program that grows by one variable and one row at a time."""

    cost: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)

    def variable(self, cost: float, *, low: float = 0.0, high: float = math.inf, whole: bool = False) -> int:
        self.cost.append(cost)
        self.low.append(low)
        self.high.append(high)
        self.whole.append(int(whole))
        return len(self.cost) - 1

    def row(self, terms: Mapping[int, float], low: float, high: float) -> None:
        self.rows.append((dict(terms), low, high))

    def solve(self) -> tuple[float, np.ndarray]:
        """Return the optimum, and inf where there is none; integers are rounded and the rest solved again."""
        if not self.cost:
            fits = all(low <= 0 <= high for _, low, high in self.rows)
            return (0.0 if fits else math.inf), np.zeros(0)
        low, high = np.array(self.low), np.array(self.high)
        whole = np.array(self.whole)
        found = self._run(low, high, whole)
        if found is None or not whole.any():
            return (math.inf, np.zeros(0)) if found is None else found
        fixed = whole == 1
        low[fixed] = high[fixed] = np.round(found[1][fixed])
        exact = self._run(low, high, np.zeros_like(whole))
        assert exact is not None, "rounding the whole numbers left no solution"
        return exact

    def _run(self, low: np.ndarray, high: np.ndarray, whole: np.ndarray) -> tuple[float, np.ndarray] | None:
        for presolve in (True, False):  # HiGHS's presolve now and then gives up, or says infeasible too soon
            result = milp(
                np.array(self.cost) * SCALE,
                integrality=whole,
                bounds=Bounds(low, high),
                constraints=self._constraints,
                options={"mip_rel_gap": 0.0, "presolve": presolve},
            )
            if result.status == 0:
                return float(np.dot(self.cost, result.x)), result.x
        assert result.status == 2, result.message
        return None

    @cached_property
    def _constraints(self) -> list[LinearConstraint]:
        if not self.rows:
            return []
        at = [(index, column) for index, (terms, _, _) in enumerate(self.rows) for column in terms]
        values = [value for terms, _, _ in self.rows for value in terms.values()]
        shape = (len(self.rows), len(self.cost))
        where = np.array(at, dtype=np.int32).reshape(-1, 2)
        matrix = csr_array((values, (where[:, 0], where[:, 1])), shape=shape)
        return [LinearConstraint(matrix, [low for _, low, _ in self.rows], [high for _, _, high in self.rows])]
