"""How a rule for buying would have done: it decides on the first part of the history and lives through the rest.

What a rule buys is held through the rest whatever happens, everything else is bought as it is used. The cost is that of
the horizon if the rest is typical of it, so that it compares with a plan's. Hindsight decides on the rest itself: no
rule can be cheaper. A forecast is made where the first part ends, for the hours of the rest; changes that are planned
for the time to come have no part in the past. Rules that decide again and again are in `rolling`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from optimizer.demand import STREAM, history_of, streams_of, usage_hours
from optimizer.dispatch import dispatch_of
from optimizer.errors import InfeasibleError
from optimizer.forecast import ahead
from optimizer.forecast_choice import forecast_of
from optimizer.problem import Floats, Problem
from optimizer.solve import Memory, Solution, solve
from optimizer.stated import Inputs, Stated, stated_of
from providers.tables import HOURS_PER_MONTH

RECENT_DAYS = 30
PERCENTILES = (50, 70, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one rule came to, in $ over the horizon; None where what it holds leaves no way to serve the rest.

    stranded: paid for holding what was not used. regret: how much dearer it was than hindsight.
    """

    rule: str
    cost: float | None
    stranded: float | None
    regret: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """Outcomes, the cheapest first; the hours that rules decide on, and those they live through.

    every_months: time between two dates at which rules decide, None where they decide once. Then costs are those of
    the horizon, else of the hours lived through.
    """

    outcomes: tuple[Outcome, ...]
    decided_on: int
    lived_through: int
    every_months: float | None = None


Rule = Callable[[Inputs, Stated], Floats]
"""From the first part of the history to the quantity of each tariff."""


def backtest(inputs: Inputs, *, train: float) -> Backtest:
    """Try the rules on a history.

    Args:
        inputs: what to plan; quotes count as offers.
        train: the share of the history's hours that rules decide on, above 0 and below 1.

    Raises:
        InfeasibleError: even hindsight finds no plan for one of the parts.
        InputError: the forecast cannot be made.
        ValueError: a part of the history would be empty.
    """
    first, rest = _split(inputs, train)
    ahead = stated_of(rest)
    best = solve(ahead.problem)
    rules: dict[str, Rule] = {
        "the plan of the first part": planned,
        f"the plan of its last {RECENT_DAYS} days": _recent,
        **{f"the {percent}th percentile of each GPU": percentile(percent) for percent in PERCENTILES},
        "nothing but what is owned": nothing,
    }
    if inputs.forecast is not None:
        rules[f"the plan of the forecast {inputs.forecast}"] = _forecast(inputs, usage_hours(rest.usage))
    past = stated_of(first)
    found = [lived(name, rule(first, past), ahead.problem, best.cost) for name, rule in rules.items()]
    return Backtest(
        outcomes=ranked([*found, outcome("hindsight", best, best.cost)]),
        decided_on=len(usage_hours(first.usage)),
        lived_through=len(usage_hours(rest.usage)),
    )


def split_at(hours: pl.Series, train: float) -> datetime:
    """Return the first hour of the rest.

    Raises:
        ValueError: a part of the history would be empty.
    """
    place = round(train * len(hours))
    if not 0 < place < len(hours):
        raise ValueError(f"of {len(hours)} hours, a share of {train:g} leaves a part empty")
    since: datetime = hours[place]
    return since


def _split(inputs: Inputs, train: float) -> tuple[Inputs, Inputs]:
    since = split_at(usage_hours(inputs.usage), train)
    first = inputs.usage.filter(pl.col("hour") < since)
    rest = inputs.usage.filter(pl.col("hour") >= since)
    past = replace(inputs, months=inputs.months or 12.0, forecast=None, growth_per_month=0.0, changes=())
    return replace(past, usage=first), replace(past, usage=rest)


def nothing(_: Inputs, past: Stated) -> Floats:
    """Buy nothing."""
    return np.zeros(len(past.tariffs))


def planned(_: Inputs, past: Stated) -> Floats:
    """Buy what is cheapest if the past is typical of the time to come."""
    return solve(past.problem).quantities


def _recent(first: Inputs, _: Stated) -> Floats:
    """Return the best constant quantities for the last days, as the recommenders of cloud providers do."""
    recent = pl.col("hour") > pl.col("hour").max() - pl.duration(days=RECENT_DAYS)
    return solve(stated_of(replace(first, usage=first.usage.filter(recent))).problem).quantities


def _forecast(inputs: Inputs, to_come: pl.Series) -> Rule:
    """Return the rule that plans what the first part lets expect of the hours that came after it."""

    def rule(first: Inputs, _: Stated) -> Floats:
        return solve(stated_of(replace(first, usage=_expected(first, inputs, to_come))).problem).quantities

    return rule


def _expected(first: Inputs, inputs: Inputs, to_come: pl.Series) -> pl.DataFrame:
    """Return usage of the hours to come as it is forecast from the first part."""
    history = history_of(first.usage, first.rules)
    hours = np.asarray(to_come.dt.epoch("s").to_numpy() // 3600)
    chosen = forecast_of(
        history.gpu_hours,
        history.epoch_hours,
        [stream.gpu_model for stream in history.streams],
        wanted=inputs.forecast,
        months=len(hours) / HOURS_PER_MONTH,
        per_month=inputs.growth_per_month,
    )
    guess = ahead(chosen.method, history.gpu_hours, history.epoch_hours, hours, per_month=inputs.growth_per_month)
    names = streams_of(first.usage, first.rules).select(*STREAM, "home").unique(maintain_order=True)
    rows = names.select(
        "workload",
        "gpu_model",
        "interruptible",
        provider=pl.coalesce("bound_provider", "home"),
        region="bound_region",
        hour=pl.lit(to_come.to_list()),
        gpu_hours=pl.Series(guess.tolist()),
        granularity=pl.lit("hour"),
    ).explode("hour", "gpu_hours")
    return pl.concat([first.usage.clear(), rows], how="diagonal_relaxed")


def percentile(percent: int) -> Rule:
    """Return the rule that holds a percentile of each GPU model's demand in whole lots, where that is cheapest."""

    def rule(_: Inputs, past: Stated) -> Floats:
        quantities = np.zeros(len(past.tariffs))
        models = np.array([stream.gpu_model for stream in past.demand.streams])
        for model in np.unique(models):
            needed = past.problem.demand[models == model].sum(axis=0)
            level = float(np.percentile(needed, percent)) - _owned(past, model)
            place = _cheapest(past, model)
            if place is not None and level > 0:
                quantities[place] += _sold(past.problem, place, level)
        return quantities

    return rule


def _owned(past: Stated, model: str) -> float:
    """Return the GPUs of a model that are owned at the start."""
    there = past.problem.calendar[:, past.problem.stretch[0]]
    pairs = zip(past.tariffs, there, strict=True)
    return sum((tariff.owned or 0.0) * float(share) for tariff, share in pairs if tariff.gpu_model == model)


def _cheapest(past: Stated, model: str) -> int | None:
    """Return the offer in GPUs of a model that is cheapest to hold, in force from the start."""
    able = [
        (tariff.holding, index)
        for index, tariff in enumerate(past.tariffs)
        if tariff.held
        and tariff.owned is None
        and tariff.gpu_model == model
        and past.problem.open[index, past.problem.stretch[0]]
    ]
    return min(able, default=(0.0, None))[1]


def _sold(problem: Problem, place: int, level: float) -> float:
    """Return the quantity nearest below a level that an offer is sold in."""
    lot, level = float(problem.lot[place]), min(level, float(problem.maximum[place]))
    whole = np.floor(level / lot + 1e-9) * lot if lot else level
    return float(whole) if whole >= problem.minimum[place] else 0.0


def lived(name: str, quantities: Floats, ahead: Problem, best: float, memory: Memory | None = None) -> Outcome:
    """Hold the quantities through the rest, and serve it at least cost."""
    bought = np.where(ahead.held & np.isnan(ahead.pinned), quantities, ahead.pinned)
    try:
        return outcome(name, solve(replace(ahead, pinned=bought), memory), best)
    except InfeasibleError:
        return Outcome(rule=name, cost=None, stranded=None, regret=None)


def outcome(name: str, solution: Solution, best: float) -> Outcome:
    """Return what a solution comes to, against the best."""
    dispatch, problem = dispatch_of(solution), solution.problem
    idle = np.where(problem.held, problem.holding * np.maximum(dispatch.held - dispatch.used, 0.0), 0.0)
    return Outcome(rule=name, cost=solution.cost, stranded=float(idle.sum()), regret=solution.cost - best)


def ranked(found: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Order outcomes, the cheapest first."""
    return tuple(sorted(found, key=lambda one: (one.cost is None, one.cost or 0.0, one.rule)))
