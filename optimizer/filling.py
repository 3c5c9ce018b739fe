"""How long a machine ran in each hour of a day, where only the day's sum and what all machines came to are known."""

import numpy as np
import numpy.typing as npt
import polars as pl

from optimizer.machines import exact_sum

Floats = npt.NDArray[np.float64]
HOURS = 24
_WHOLE = 0.001  # of a day, by which a machine that ran all of it may miss 24 hours: quantities are rounded
_NOTHING = 1e-9  # the part of an hour's charge below which it is all explained


def parts_of_machines(lines: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """Return the hours of each row that moves, and the part of its amounts that each of them takes.

    Machines that ran the whole day are alike in all hours. They, and what does not move, are taken off the series; what
    it has left is followed by the others, all rows of a machine together.

    Args:
        lines: of days that follow their series: line (number of the row), index (of the day), node, cost, moves, at
            (hour from 0 to 23; null for a row of the day) and up (hours, null where the GPUs are unknown).
        days: by index, sorted: charge, a list of 24.

    Returns:
        line, index, machine (a number), at, and part, above 0: those of a line sum to one.
    """
    machines = _machines(lines.filter("moves"))
    whole = (pl.col("up") - HOURS).abs() <= HOURS * _WHOLE
    machines = machines.with_columns(whole=whole.fill_null(value=False)).with_row_index("machine")
    known = [lines.filter(~pl.col("moves")), machines.filter("whole").with_columns(at=pl.lit(None, pl.Int64))]
    rest = _rest(days, pl.concat([one.select("index", "at", "cost") for one in known]))
    part = np.full((machines.height, HOURS), 1 / HOURS)
    others = ~machines["whole"].to_numpy()
    up = machines["up"].fill_null(float("nan")).to_numpy()
    part[others] = parts_of_day(up[others], rest[machines["index"].to_numpy()[others]])
    places = {"machine": np.repeat(np.arange(machines.height), HOURS), "at": np.tile(np.arange(HOURS), machines.height)}
    hours = pl.DataFrame({**places, "part": part.ravel()}).filter(pl.col("part") > 0)
    whose = machines.select("index", "line", machine=pl.col("machine").cast(pl.Int64))
    return whose.explode("line").join(hours, on="machine")


def _machines(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows by machine and day; `up` is null where nobody knows the GPUs, or which machine it was."""
    unknown = pl.col("up").is_null() | pl.col("node").is_null()
    alone = pl.when(pl.col("node").is_null()).then("line")
    machines = rows.group_by("index", "node", alone.alias("alone")).agg(
        "line", exact_sum(pl.col("cost")), pl.when(~unknown.any()).then(exact_sum(pl.col("up"))).alias("up")
    )
    return machines.sort("index", "node", "alone")


def _rest(days: pl.DataFrame, known: pl.DataFrame) -> Floats:
    """Return what known rows leave of the series: a row of 24 for each day. A row without an hour counts evenly."""
    charges = days["charge"].list.to_array(HOURS).to_numpy()
    taken = np.zeros_like(charges)
    sums = known.group_by("index", "at").agg(exact_sum(pl.col("cost")))
    dated, even = sums.filter(pl.col("at").is_not_null()), sums.filter(pl.col("at").is_null())
    taken[dated["index"].to_numpy(), dated["at"].to_numpy()] = dated["cost"].to_numpy()
    taken[even["index"].to_numpy()] += even["cost"].to_numpy()[:, None] / HOURS
    rest = charges - taken
    return np.where(rest > _NOTHING * charges, rest, 0.0)


def parts_of_day(up: Floats, rest: Floats) -> Floats:
    """Return the part of its day that each machine takes in each hour: rows of 24 that sum to one.

    A machine that was up U hours takes min(1, λ·r_h) of hour h, with the one λ at which these sum to U: as the rest of
    the series has it, but never more than the hour. With the hours sorted by r, those that are full come first, and k
    of them are when λ = (U - k) / Σ_{i>k} r_i makes the next one no more than full. The first such k is the one: if it
    holds for k it holds for k + 1, since (U - k)·r_{k+1} <= Σ_{i>k} r_i implies U - k - 1 <= Σ_{i>k+1} r_i / r_{k+1};
    and as it does not hold for k - 1, λ·r_k > 1. Where nothing is left of the series beyond the hours that are full,
    what the machine still ran is spread evenly over all others.

    A machine of unknown size, and what may be several machines, has no most: it takes λ·r_h, or all hours alike.

    Args:
        up: hours that each machine was up, above 0; more than 24, or NaN, where it has no most.
        rest: a row of 24 for each machine, not below 0: what is left of the series.
    """
    bounded = up <= HOURS
    level = np.where(rest.sum(axis=1, keepdims=True) > 0, rest, 1.0)
    taken = np.where(bounded[:, None], _filled(np.where(bounded, up, 1.0), rest), level)
    return np.asarray(taken / taken.sum(axis=1, keepdims=True))


def _filled(up: Floats, rest: Floats) -> Floats:
    """Return min(1, λ·r_h) for each machine and hour."""
    order = np.argsort(-rest, axis=1, kind="stable")
    high_first = np.take_along_axis(rest, order, axis=1)
    beyond = np.cumsum(high_first[:, ::-1], axis=1)[:, ::-1]  # of this hour and all lower ones
    places = np.arange(HOURS)
    left = up[:, None] - places
    full = np.argmax(left * high_first <= beyond, axis=1)[:, None]  # how many
    hours, tail = np.take_along_axis(left, full, axis=1), np.take_along_axis(beyond, full, axis=1)
    even = hours / (HOURS - full)
    sloped = hours * high_first / np.where(tail > 0, tail, 1.0)
    taken = np.where(places < full, 1.0, np.where(tail > 0, sloped, even))
    filled = np.empty_like(rest)
    np.put_along_axis(filled, order, np.minimum(taken, 1.0), axis=1)
    return filled
