"""Serve every hour with the capacity that is held, exactly, all hours at once.

With the quantities given, the hours no longer touch: each is a small linear program, and all of them have the same
costs and the same rows; only the right-hand sides (demand, capacity) differ. So a basis that is optimal for one hour
prices all hours for which it is feasible, and hours that leave a basis by the same row enter the same next one. The
dual simplex is run on hours in bunches: one small matrix product a basis instead of one program an hour. The result
carries its own proof: primal and dual values of each hour are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from optimizer.problem import Floats, Ints

FEASIBLE = 1e-9  # of the largest right-hand side
PATIENCE = 20  # visits of one basis before rows are chosen so that it cannot cycle


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Hours served: use[j, t] of each column and price[i, t] of each row, $ for one more unit of its right-hand side.

    lacking: hours that cannot be served, each with a ray such that ray @ rhs < 0 proves it.
    """

    use: Floats
    price: Floats
    lacking: dict[int, Floats]


@dataclass(frozen=True, slots=True)
class _Basis:
    columns: tuple[int, ...]
    inverse: Floats
    price: Floats
    reduced: Floats
    leaves: dict[int, tuple[int, ...] | None] = field(default_factory=dict)


class HourlyProgram:
    """min cost·x  subject to  rows x = rhs, x >= 0  for many right-hand sides; it keeps the bases it finds."""

    def __init__(self, *, rows: Floats, cost: Floats, start: tuple[int, ...]) -> None:
        """Take rows[i, j], cost[j] and the columns of a basis at whose prices no column is a bargain."""
        self._rows, self._cost = rows, cost
        self._start = tuple(sorted(start))
        self._bases: dict[tuple[int, ...], _Basis] = {}
        self._ended: list[tuple[tuple[int, ...], Ints]] = []
        self._hours = -1

    def solve(self, rhs: Floats) -> Served:
        """Serve rhs[i, t] in every hour t, starting from where the last call ended if it had as many hours."""
        hours = rhs.shape[1]
        use, price, lacking = np.zeros((self._rows.shape[1], hours)), np.zeros_like(rhs), dict[int, Floats]()
        tolerance = FEASIBLE * max(1.0, float(np.abs(rhs).max(initial=0.0)))
        visits: dict[tuple[int, ...], int] = {}
        waiting = self._resumed(hours)
        ended: list[tuple[tuple[int, ...], Ints]] = []
        while waiting:
            name = next(iter(waiting))
            bunch = np.concatenate(waiting.pop(name))
            basis = self._basis(name)
            values = basis.inverse @ rhs[:, bunch]
            fits = values.min(axis=0, initial=0.0) >= -tolerance
            use[np.ix_(name, bunch[fits])] = np.maximum(values[:, fits], 0.0)
            price[:, bunch[fits]] = basis.price[:, None]
            ended.append((name, bunch[fits]))
            visits[name] = visits.get(name, 0) + 1
            rest, left = values[:, ~fits], bunch[~fits]
            rows = rest.argmin(axis=0) if visits[name] <= PATIENCE else (rest < -tolerance).argmax(axis=0)
            for row in np.unique(rows):
                following = self._next(basis, int(row))
                if following is None:
                    lacking |= {int(hour): basis.inverse[row] for hour in left[rows == row]}
                    ended.append((name, left[rows == row]))
                else:
                    waiting.setdefault(following, []).append(left[rows == row])
        self._ended, self._hours = ended, hours
        return Served(use=use, price=price, lacking=lacking)

    def _resumed(self, hours: int) -> dict[tuple[int, ...], list[Ints]]:
        """Bunch the hours by the basis to begin with."""
        if hours != self._hours:
            return {self._start: [np.arange(hours)]}
        bunches: dict[tuple[int, ...], list[Ints]] = {}
        for name, bunch in self._ended:
            if len(bunch):
                bunches.setdefault(name, []).append(bunch)
        return bunches

    def _basis(self, name: tuple[int, ...]) -> _Basis:
        found = self._bases.get(name)
        if found is None:
            inverse = np.asarray(np.linalg.inv(self._rows[:, name]), dtype=float)
            price = self._cost[list(name)] @ inverse
            reduced = self._cost - price @ self._rows
            reduced[list(name)] = 0.0
            found = self._bases[name] = _Basis(name, inverse, price, np.maximum(reduced, 0.0))
        return found

    def _next(self, basis: _Basis, row: int) -> tuple[int, ...] | None:
        """Let the column in `row` leave for the one that keeps every price fair; None if none can enter."""
        if row not in basis.leaves:
            pull = basis.inverse[row] @ self._rows
            pull[list(basis.columns)] = 0.0
            able = np.flatnonzero(pull < -1e-9)
            if not len(able):
                basis.leaves[row] = None
            else:
                enters = int(able[np.argmin(basis.reduced[able] / -pull[able])])
                kept = basis.columns[:row] + basis.columns[row + 1 :]
                basis.leaves[row] = tuple(sorted((*kept, enters)))
        return basis.leaves[row]
