"""What the hours taught about their cost, as rows of the program that chooses quantities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.sparse import coo_array, csr_array, eye_array, hstack, vstack

from optimizer.problem import Floats
from optimizer.program import Program
from optimizer.reduce import Part

if TYPE_CHECKING:
    from optimizer.shares import Shares

SCALE = 100  # hours whose cost the master counts: 1e-6 of a dollar of them is far below a cent of a year


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What one evaluation taught about the hours, whatever is bought.

    "cost": group g costs at least base[g] + Σ_s price[s, g] · y[s, g] - Σ_r tolls[r] · use[r, g], where y is the
    capacity of pool s in its hours, and use what they use of what all hours share. "use": what is left of that without
    a cost must be 0 or less. "needed": the sum of base and price · y must be >= 0, or some hour goes unserved.
    """

    kind: Literal["cost", "use", "needed"]
    base: Floats
    price: Floats
    tolls: Floats

    def slope(self, part: Part) -> Floats:
        """Return how the sum changes with each GPU of each offer of a grouped part, [o, g] or [o, 1]."""
        each = self.price[part.supply_of] * part.calendar[:, part.stretch]
        return np.asarray(each.sum(axis=1, keepdims=True) if self.kind == "needed" else each)


def with_cuts(program: Program, part: Part, cuts: Sequence[Cut], shares: Shares) -> Program:
    """Count the cost of serving as one variable a group, held up by the group's own dispatch and by the cuts.

    theta[g] >= Σ_p weight[g] · cost[p] · x[p, g], and theta[g] >= what each cut says. Of what all hours share, which
    r numbers, use[r, g] = Σ_p weight[g] · counts[r, p] · x[p, g] is used in a group, and

        Σ_g use[r, g] + Σ_o held[r, o] · step[o] · n[o] - over[r] <= most[r].

    All of it is counted for a few hours of the horizon, which keeps the numbers where a solver's tolerances want them.
    After the variables of the program come theta, use and over.

    Args:
        program: of the grouped part.
        part: the grouped part.
        cuts: in the same groups.
        shares: what all hours share.
    """
    groups, count, unit = len(part.weight), len(part.offers), float(part.weight.sum()) / SCALE
    scale = shares.scale / unit
    rows, columns = len(scale), len(program.cost)
    used = rows * groups
    serving = _weighed(part, part.pair_cost[None] / unit, columns)
    using = _weighed(part, shares.counts * scale[:, None, None], columns)
    slopes, thetas, tolls, bases = _cut_rows(part, cuts, scale * unit)
    learned = [csr_array(slopes * program.step / unit), csr_array((len(slopes), columns - count))]
    learned += [csr_array(-thetas), csr_array(-tolls), csr_array((len(slopes), rows))]
    held = shares.held * program.step * scale[:, None]
    each = np.kron(np.eye(rows), np.ones(groups))
    shared = [csr_array(held), csr_array((rows, columns - count + groups)), csr_array(each), -eye_array(rows)]
    return replace(
        program,
        unit=unit,
        cost=np.r_[
            program.cost[:count] / unit,
            np.zeros(columns - count),
            np.ones(groups),
            np.zeros(used),
            np.where(shares.hard, 0.0, shares.fine / (scale * unit)),
        ],
        equal=vstack(
            [
                hstack([program.equal, csr_array((program.equal.shape[0], groups + used + rows))]),
                hstack([using, csr_array((used, groups)), -eye_array(used), csr_array((used, rows))]),
            ],
            format="csr",
        ),
        equal_to=np.r_[program.equal_to, np.zeros(used)],
        above=vstack(
            [
                hstack([program.above, csr_array((program.above.shape[0], groups + used + rows))]),
                hstack([serving, -eye_array(groups), csr_array((groups, used + rows))]),
                hstack(learned),
                hstack(shared),
            ],
            format="csr",
        ),
        above_to=np.r_[program.above_to, np.zeros(groups), -bases / unit, shares.most * scale],
        lower=np.r_[program.lower, np.zeros(groups), np.full(used, -np.inf), np.zeros(rows)],
        upper=np.r_[program.upper, np.full(groups + used, np.inf), np.where(shares.hard, 0.0, np.inf)],
        integrality=np.r_[program.integrality, np.zeros(groups + used + rows, dtype=np.int64)],
    )


def cuts_alone(program: Program, part: Part) -> Program:
    """Return a program with cuts without the groups' own dispatch: fewer rows for branch and bound, never dearer."""
    offers, ways = len(part.offers), len(part.pair_class) * len(part.weight)
    kept = np.r_[np.arange(offers), np.arange(offers + ways, len(program.cost))]
    rows = program.above[:, offers : offers + ways].count_nonzero(axis=1) == 0
    return replace(
        program,
        cost=program.cost[kept],
        equal=csr_array((0, len(kept))),
        equal_to=np.zeros(0),
        above=program.above[rows][:, kept],
        above_to=program.above_to[rows],
        lower=program.lower[kept],
        upper=program.upper[kept],
        integrality=program.integrality[kept],
        limit_names=(),
    )


def _weighed(part: Part, amount: Floats, columns: int) -> csr_array:
    """Return the rows Σ_p weight[g] · amount[r, p, stretch[g]] · x[p, g], a row for each r and g, r first."""
    rows, ways, groups = len(amount), len(part.pair_class), len(part.weight)
    values = amount[:, :, part.stretch] * part.weight
    row = np.broadcast_to(np.arange(rows)[:, None, None] * groups + np.arange(groups), values.shape)
    first = len(part.offers)
    column = np.broadcast_to(np.arange(first, first + ways * groups).reshape(ways, groups), values.shape)
    there = values != 0
    return csr_array(coo_array((values[there], (row[there], column[there])), shape=(rows * groups, columns)))


def _for_each(tolls: Floats, groups: int) -> Floats:
    """Return the tolls on what each group uses, [g, r * G + g]."""
    return np.asarray((np.eye(groups)[:, None, :] * tolls[:, None]).reshape(groups, -1))


def _cut_rows(part: Part, cuts: Sequence[Cut], scale: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return slope[i, o], theta[i, g], toll[i, r * G + g] and base[i] of the rows of all cuts.

    slope · q - theta · cost - toll · use <= -base, with use[r] counted in units of 1 / scale[r].
    """
    groups, shared = len(part.weight), len(scale)
    slopes, bases = [np.zeros((0, len(part.offers)))], [np.zeros(0)]
    thetas, tolls = [np.zeros((0, groups))], [np.zeros((0, shared * groups))]
    for cut in cuts:
        sign = -1.0 if cut.kind == "needed" else 1.0
        rows = len(cut.base)
        slopes.append(sign * cut.slope(part).T)
        bases.append(sign * cut.base)
        thetas.append(np.eye(groups) if cut.kind == "cost" else np.zeros((rows, groups)))
        tolls.append(np.zeros((rows, shared * groups)) if sign < 0 else _for_each(cut.tolls / scale, groups))
    return np.vstack(slopes), np.vstack(thetas), np.vstack(tolls), np.concatenate(bases)
