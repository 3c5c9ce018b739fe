"""Demand of hours to come, from that of hours gone by: a few methods, all on the matrix streams x hours.

Hours are counted from 1970 in UTC, so that an hour's place in the week is its remainder by 168. Hours that the history
lacks are absent, not 0. A level changes by the week or month and not by the hour, so that alike hours stay alike and
are solved once.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from providers.tables import HOURS_PER_MONTH

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DAY, WEEK = 24, 168  # hours
RECENT = 4 * WEEK  # hours that a profile is the mean of: long enough to even out a holiday, short enough to be current
FOLLOWS, TURNS = 0.7, 0.2  # how fast level and trend follow the last week
DAMPING = 0.9  # share of a week's trend that the next week keeps; all weeks to come add up to 9 of the first

Method = Callable[[Floats, Ints, Ints, float], Floats]
"""From demand, its hours, the hours to come and the growth a month to the demand of the hours to come."""


def ahead(method: str, gpu_hours: Floats, hours: Ints, to_come: Ints, *, per_month: float = 0.0) -> Floats:
    """Return the demand of every stream in the hours to come, in GPU-hours, never below 0.

    Args:
        method: one of `METHODS`.
        gpu_hours: demand of the history, streams x hours.
        hours: the hours of the history in order, counted from 1970.
        to_come: the hours to forecast, counted alike.
        per_month: what `growth` grows by, 0.05 for 5 % a month.
    """
    return METHODS[method](gpu_hours, hours, to_come, per_month)


def typical(gpu_hours: Floats, hours: Ints, to_come: Ints, per_month: float = 0.0) -> Floats:
    """Return the mean of the whole history's same hours of the week: what it expects of an hour as typical."""
    del per_month
    return _profile(gpu_hours, hours)[:, to_come % WEEK]


def seasonal_naive(gpu_hours: Floats, hours: Ints, to_come: Ints, per_month: float = 0.0) -> Floats:
    """Return the last week again; of less than two weeks the last day."""
    del per_month
    return gpu_hours[:, alike(hours, to_come)]


def seasonal_mean(gpu_hours: Floats, hours: Ints, to_come: Ints, per_month: float = 0.0) -> Floats:
    """Return the mean of the last four weeks' same hours of the week."""
    return typical(*_recent(gpu_hours, hours), to_come, per_month)


def seasonal_level(gpu_hours: Floats, hours: Ints, to_come: Ints, per_month: float = 0.0) -> Floats:
    """Return the mean of the last four weeks' same hours of the week, scaled to the mean of the last week."""
    profile = seasonal_mean(gpu_hours, hours, to_come, per_month)
    level = gpu_hours[:, hours > hours[-1] - WEEK].mean(axis=1)
    return profile * _over_recent(level[:, None], gpu_hours, hours)


def trend(gpu_hours: Floats, hours: Ints, to_come: Ints, per_month: float = 0.0) -> Floats:
    """Return the mean of the last four weeks' same hours of the week, scaled by a damped trend of weekly means.

    Holt's level l and trend b follow the weekly means y (Gardner and McKenzie 1985), from l = the first and b = 0:

        l' = f y + (1 - f)(l + φ b)        b' = g (l' - l) + (1 - g) φ b        f = 0.7, g = 0.2, φ = 0.9

    k weeks later the level is l + b (φ + φ² + … + φᵏ), at least 0: a trend fades unless it is renewed. With these f
    and g it was the least wrong on Shaved Ice; others nearby do as well, and the trials on the past decide anyway.
    """
    profile = seasonal_mean(gpu_hours, hours, to_come, per_month)
    level, slope = _followed(gpu_hours, hours)
    weeks = _weeks(hours, to_come)
    faded = DAMPING * (1 - DAMPING**weeks) / (1 - DAMPING)
    then = np.maximum(level[:, None] + slope[:, None] * faded, 0.0)
    return profile * _over_recent(then, gpu_hours, hours)


def growth(gpu_hours: Floats, hours: Ints, to_come: Ints, per_month: float = 0.0) -> Floats:
    """Return the mean of the last four weeks' same hours of the week, grown by the week at a rate per month.

    The k-th week to come is (1 + per_month)^(h / 730) times the mean, h hours from the middle of the four weeks to its.
    """
    recent, late = _recent(gpu_hours, hours)
    since = (hours[-1] + 1 - late[0]) / 2 + WEEK * (_weeks(hours, to_come) - 0.5)
    return np.asarray(typical(recent, late, to_come) * (1 + per_month) ** (since / HOURS_PER_MONTH))


METHODS: Mapping[str, Method] = {
    "typical": typical,
    "seasonal_naive": seasonal_naive,
    "seasonal_mean": seasonal_mean,
    "seasonal_level": seasonal_level,
    "trend": trend,
    "growth": growth,
}


def alike(hours: Ints, to_come: Ints) -> Ints:
    """Return the place in the history of the last hour at the same time of the week, or, where none is, of the day.

    Where the history has neither, its last hour stands in. Of less than two weeks the day counts.
    """
    place = np.full(len(to_come), len(hours) - 1)
    for period in (DAY, WEEK) if hours[-1] + 1 - hours[0] >= 2 * WEEK else (DAY,):
        last = np.full(period, -1)
        last[hours % period] = np.arange(len(hours))  # of places that repeat, the last stays
        found = last[to_come % period]
        place = np.where(found >= 0, found, place)
    return place


def _weeks(hours: Ints, to_come: Ints) -> Ints:
    """Count the weeks after the history, from 1."""
    return np.asarray(np.maximum((to_come - hours[-1] - 1) // WEEK + 1, 0))


def _recent(gpu_hours: Floats, hours: Ints) -> tuple[Floats, Ints]:
    since = int(np.searchsorted(hours, hours[-1] + 1 - RECENT))
    return gpu_hours[:, since:], hours[since:]


def _profile(gpu_hours: Floats, hours: Ints) -> Floats:
    """Return the mean of every hour of the week; that of the hour of the day, or of all, where none was seen."""
    found = np.repeat(gpu_hours.mean(axis=1)[:, None], WEEK, axis=1)
    for period in (DAY, WEEK):
        means, seen = _means(gpu_hours, hours % period, period)
        found = np.where(np.tile(seen, WEEK // period), np.tile(means, WEEK // period), found)
    return found


def _means(gpu_hours: Floats, label: Ints, count: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return each stream's mean over the hours of each label, and which labels there are."""
    times = np.bincount(label, minlength=count)
    sums = np.array([np.bincount(label, row, count) for row in gpu_hours]).reshape(len(gpu_hours), count)
    return sums / np.maximum(times, 1), times > 0


def _over_recent(level: Floats, gpu_hours: Floats, hours: Ints) -> Floats:
    """Return how many times the mean of the last four weeks a level is; 0 where nothing ran in them."""
    now = _recent(gpu_hours, hours)[0].mean(axis=1)[:, None]
    return np.asarray(np.divide(level, now, out=np.zeros_like(level), where=now > 0))


def _followed(gpu_hours: Floats, hours: Ints) -> tuple[Floats, Floats]:
    """Return level and weekly trend after the last week; weeks are counted back from the last hour, whole ones only."""
    week = (hours[-1] - hours) // WEEK
    kept = week < max((hours[-1] + 1 - hours[0]) // WEEK, 1)
    means, seen = _means(gpu_hours[:, kept], week[kept], int(week[kept].max()) + 1)
    first, *rest = means[:, seen][:, ::-1].T
    level, slope = first, np.zeros_like(first)
    for mean in rest:
        before, level = level, FOLLOWS * mean + (1 - FOLLOWS) * (level + DAMPING * slope)
        slope = TURNS * (level - before) + (1 - TURNS) * DAMPING * slope
    return level, slope
