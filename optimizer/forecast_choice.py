"""Which method of forecasting would have been best so far: each is tried on the history's own past.

From up to four places in the history, each method sees only what came before, forecasts what came next, and is
compared with it. What is forecast is the GPUs of each model in each hour, as commitments are for models and hours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from optimizer.forecast import METHODS, WEEK, Floats, Ints, ahead
from providers.tables import Diagnostic, InputError

BEST = "best"
ORIGINS = 4
LONGEST = 4 * WEEK  # hours of one trial
SHORTEST_HISTORY = 3 * WEEK
SEEN_FIRST = 2 * WEEK  # what a method has to have seen before it is tried
LONGEST_MONTHS = 36  # three years of single hours; further ahead nothing hourly is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The method that forecasts, and how far off each was: the weighted absolute percentage error, best first.

    errors: method -> Σ |forecast - actual| / Σ actual over all hours and GPU models of the trials, 0.069 for 6.9 %;
    none where the history is too short. trial_hours: hours that the trials cover; origins: how many there were.
    """

    method: str
    errors: Mapping[str, float]
    trial_hours: int
    origins: int
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def summary(self) -> str:
        """Say it in words: seasonal mean: 6.9 % off on your last 12 weeks."""
        name = self.method.replace("_", " ")
        if self.method not in self.errors:
            return f"{name}: not tried on the past"
        span = f"{self.trial_hours / WEEK:.3g} weeks" if self.trial_hours >= WEEK else f"{self.trial_hours} hours"
        return f"{name}: {100 * self.errors[self.method]:.1f} % off on your last {span}"


def forecast_of(
    gpu_hours: Floats,
    hours: Ints,
    models: Sequence[str],
    *,
    wanted: str | None,
    months: float | None,
    per_month: float = 0.0,
) -> Forecast:
    """Try every method on the past, and choose.

    Args:
        gpu_hours: demand of the history, streams x hours.
        hours: its hours in order, counted from 1970.
        models: the GPU model of each stream.
        wanted: a method, `best` for that with the least error, None for `typical`, which forecasts nothing.
        months: length of the horizon, None for the hours of the history.
        per_month: what `growth` grows by; without one it is not tried.

    Raises:
        InputError: there is no such method, or it cannot reach so far.
    """
    _check(wanted, months)
    tried = [name for name in METHODS if name != "growth" or per_month]
    origins, length = _origins(hours)
    errors = _errors(gpu_hours, hours, models, tried, per_month) if origins else {}
    return Forecast(
        method=_method(wanted, months, errors),
        errors=errors,
        trial_hours=origins * length,
        origins=origins,
        diagnostics=tuple(_found(wanted, months, errors)),
    )


def wape(forecast: Floats, actual: Floats) -> float:
    """Return Σ |forecast - actual| / Σ actual; infinite where nothing ran but something was forecast."""
    off, total = float(np.abs(forecast - actual).sum()), float(actual.sum())
    return off / total if total else (np.inf if off else 0.0)


def _check(wanted: str | None, months: float | None) -> None:
    if wanted in (None, BEST, "typical"):
        return
    if wanted not in METHODS:
        raise InputError("forecast", f"there is no method {wanted!r}", f"use {BEST}, {', '.join(METHODS)}")
    if months is None:
        raise InputError("forecast", "the horizon is the history itself", "plan months, such as 12mo, or leave it out")
    if months > LONGEST_MONTHS:
        problem = f"a horizon of {months:g} months is too far ahead for {wanted}"
        raise InputError("forecast", problem, f"plan at most {LONGEST_MONTHS}mo, or use typical")


def _method(wanted: str | None, months: float | None, errors: Mapping[str, float]) -> str:
    if wanted != BEST:
        return wanted or "typical"
    return next(iter(errors), "typical") if _reaches(months) else "typical"


def _found(wanted: str | None, months: float | None, errors: Mapping[str, float]) -> list[Diagnostic]:
    if wanted != BEST or months is None or (errors and _reaches(months)):
        return []
    short = f"the history is shorter than {SHORTEST_HISTORY // WEEK} weeks, so that no forecast could be tried on it"
    far = f"a horizon of more than {LONGEST_MONTHS} months is too far ahead for a forecast"
    message = f"{far if errors else short}; the history is taken as typical of the horizon"
    return [Diagnostic(level="note", code="forecast", message=message)]


def _reaches(months: float | None) -> bool:
    return months is not None and months <= LONGEST_MONTHS


def _origins(hours: Ints) -> tuple[int, int]:
    """Return how many trials the history allows, and the hours of each."""
    span = int(hours[-1] + 1 - hours[0]) if len(hours) else 0
    length = min(LONGEST, span // ORIGINS)
    return (min(ORIGINS, (span - SEEN_FIRST) // length), length) if span >= SHORTEST_HISTORY else (0, 0)


def _errors(
    gpu_hours: Floats, hours: Ints, models: Sequence[str], tried: Sequence[str], per_month: float
) -> dict[str, float]:
    """Return the error of each method over all trials together, the least first."""
    origins, length = _origins(hours)
    found: dict[str, list[tuple[Floats, Floats]]] = {name: [] for name in tried}
    for back in range(origins, 0, -1):
        start = hours[-1] + 1 - back * length
        past, since = hours < start, (hours >= start) & (hours < start + length)
        if not past.any() or not since.any():
            continue
        actual = _by_model(gpu_hours[:, since], models)
        for name in tried:
            guess = ahead(name, gpu_hours[:, past], hours[past], hours[since], per_month=per_month)
            found[name].append((_by_model(guess, models), actual))
    errors = {name: wape(*map(np.hstack, zip(*pairs, strict=True))) for name, pairs in found.items() if pairs}
    return dict(sorted(errors.items(), key=lambda item: item[1]))


def _by_model(gpu_hours: Floats, models: Sequence[str]) -> Floats:
    names = np.asarray(models)
    return np.array([gpu_hours[names == name].sum(axis=0) for name in np.unique(names)])
