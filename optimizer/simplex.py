"""Large linear programs that are solved again with other prices or quantities: HiGHS, from where it ended before.

Through scipy every solve begins with nothing. The binding that HiGHS comes with takes a basis to begin with: a program
that differs in a price or in a quantity takes a few pivots from the optimum of the other one. Where a basis leads says
nothing about the optimum, so any will do, also one of another program of the same size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csc_array, vstack

from optimizer.errors import InfeasibleError, SolverError
from optimizer.problem import Floats
from optimizer.program import Program

if TYPE_CHECKING:
    from highspy import Highs, HighsBasis


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """An optimum: variables, what one more of each would change in the cost, the cost, and the basis it ended at."""

    values: Floats
    slopes: Floats
    cost: float
    basis: HighsBasis


def optimum(program: Program, *, basis: HighsBasis | None = None, guess: Floats | None = None) -> Optimum:
    """Solve a program in which nothing has to be whole.

    Args:
        program: what to solve.
        basis: where to begin; that of a program of another size is passed over.
        guess: without a basis, values of the first variables to begin with: the program is solved with them held,
            which takes a fraction of the time, since the quantities are what ties the hours together; then without.

    Raises:
        InfeasibleError: nothing meets the constraints.
        SolverError: HiGHS ended in any other way than with an optimum.
    """
    highs = _posed(program)
    if basis is not None and _fits(basis, highs):
        highs.setBasis(basis)
    elif guess is not None:
        _begin_with(highs, program, guess)
    _run(highs)
    solution, info = highs.getSolution(), highs.getInfo()
    return Optimum(
        values=np.asarray(solution.col_value),
        slopes=np.asarray(solution.col_dual),
        cost=float(info.objective_function_value),
        basis=highs.getBasis(),
    )


def _posed(program: Program) -> Highs:
    """Hand the program to HiGHS."""
    from highspy import Highs, HighsLp, MatrixFormat  # most plans have no work that waits, and never need it

    rows = csc_array(vstack([program.equal, program.above]))
    lp = HighsLp()
    lp.num_row_, lp.num_col_ = rows.shape
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = program.cost, program.lower, program.upper
    lp.row_lower_ = np.r_[program.equal_to, np.full(len(program.above_to), -np.inf)]
    lp.row_upper_ = np.r_[program.equal_to, program.above_to]
    lp.a_matrix_.format_ = MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = rows.indptr, rows.indices, rows.data
    highs = Highs()  # type: ignore[no-untyped-call]
    highs.silent()
    highs.passModel(lp)
    return highs


def _fits(basis: HighsBasis, highs: Highs) -> bool:
    return (len(basis.col_status), len(basis.row_status)) == (highs.getNumCol(), highs.getNumRow())


def _begin_with(highs: Highs, program: Program, guess: Floats) -> None:
    """Solve with the first variables held at a guess; where that has no solution its last basis does as well."""
    columns = np.arange(len(guess), dtype=np.int32)
    held = np.clip(guess, program.lower[columns], program.upper[columns])
    highs.changeColsBounds(len(columns), columns, held, held)
    highs.run()
    highs.changeColsBounds(len(columns), columns, program.lower[columns], program.upper[columns])


def _run(highs: Highs) -> None:
    from highspy import HighsModelStatus

    for presolve in ("choose", "off"):  # now and then presolve gives up on a program that can be solved without it
        highs.setOptionValue("presolve", presolve)
        highs.run()
        status = highs.getModelStatus()
        if status == HighsModelStatus.kOptimal:
            return
        if status == HighsModelStatus.kInfeasible:
            raise InfeasibleError
        highs.clearSolver()
    raise SolverError(highs.modelStatusToString(status))
