"""How a rule for buying would have done that buys as it goes: at each date it sees only the past and what it holds.

The history after its first part is lived through. At the dates at which a rule decides, it plans for the time to come
from the usage until then and from the commitments that still run, and buys. Commitments end with their terms; every
hour is served at least cost with what is held in it. Costs are those of the hours lived through: of a term that goes on
after the last hour, only the hours until then are paid.

What a rule buys it holds for the offer's term. Where that ends before the rule decides again, the same is bought again
on the same terms until it does; where it ends later, it runs on, and the rule knows. What has no term is held to the
end. Offers have the same price throughout, quotes among them. Offers that have dates of their own, or ramp up, or come
with options, and commitments to spend, are not tried, since they were not for sale at other dates; what is owned is
there for every rule, in the hours in which it runs. The limit on cash at the start holds at each date anew.

Hindsight knows all hours, and may buy whatever any rule could buy, at its dates and for its terms: no rule can be
cheaper.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from optimizer.backtest import (
    PERCENTILES,
    RECENT_DAYS,
    Backtest,
    Outcome,
    Rule,
    lived,
    nothing,
    outcome,
    percentile,
    planned,
    ranked,
    split_at,
)
from optimizer.demand import Horizon, demand_of, hourly, usage_hours
from optimizer.errors import InfeasibleError
from optimizer.floors import SpendTerms, spends_of
from optimizer.ladder import Buying
from optimizer.problem import Floats, problem_of
from optimizer.solve import Memory, solve
from optimizer.stated import Inputs, Stated
from optimizer.tariffs import Tariff, changes_in
from optimizer.terms import tariffs_of
from providers.tables import HELD, HOURS_PER_MONTH

YEAR = 12.0  # months
RECENT = RECENT_DAYS * 24 / HOURS_PER_MONTH  # months
MOST_DATES = 60  # at which rules may decide: hindsight knows every offer once for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A rule, how often it decides, and what it looks at; all times in months.

    every: time between two decisions, infinite where there is one. back: how much of the past counts, infinite for all
    of it. ahead: the time that it plans for. later: whether it counts on buying again within that time.
    """

    name: str
    rule: Rule
    every: float
    back: float
    ahead: float
    later: bool = False
    forecast: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What no rule can change: hours from `since` to `until` are lived through.

    inputs: usage by the hour, first part included. given: what is owned, and what is paid as it is used. offered: what
    can be bought at any date.
    """

    inputs: Inputs
    since: datetime
    until: datetime
    given: tuple[Tariff, ...]
    offered: tuple[Tariff, ...]
    spends: tuple[SpendTerms, ...]

    @property
    def months(self) -> float:
        """The time lived through."""
        return (self.until - self.since) / timedelta(hours=HOURS_PER_MONTH)

    def dates(self, every: float) -> list[datetime]:
        """Return the times at which a rule decides."""
        count = 1 if math.isinf(every) else math.ceil(self.months / every - 1e-9)
        return [_after(self.since, index * every if index else 0.0) for index in range(count)]

    def windows(self, date: datetime, every: float) -> list[Tariff]:
        """Return what can be bought at a date, each for its term, and again until the rule decides again."""
        left = (self.until - date) / timedelta(hours=HOURS_PER_MONTH)
        return [_window(tariff, date, left if math.isinf(every) else every) for tariff in self.offered]

    def past(self, date: datetime, back: float) -> pl.DataFrame:
        """Return the usage before a date, as far back from its last hour as a rule looks."""
        seen = self.inputs.usage.filter(pl.col("hour") < date)
        if math.isinf(back):
            return seen
        return seen.filter(pl.col("hour") > pl.col("hour").max() - pl.duration(hours=round(back * HOURS_PER_MONTH)))


def rolling(inputs: Inputs, *, train: float, every_months: float) -> Backtest:
    """Let rules live through a history.

    Args:
        inputs: what to plan; its horizon and what it says of the time to come have no part in the past.
        train: the share of the history's hours that is known at the first date, above 0 and below 1.
        every_months: time between two dates at which rules decide, where they decide more than once.

    Raises:
        InfeasibleError: even hindsight cannot serve the rest.
        InputError: a forecast cannot be made.
        ValueError: a part of the history would be empty, or there would be too many dates.
    """
    world = _world(inputs, train)
    _check(world, every_months)
    policies = policies_of(world, every_months)
    stated, windows = lived_through(world, policies)
    problem = replace(stated.problem, limits=replace(stated.problem.limits, upfront_usd=math.inf))
    memory = Memory()  # whatever a rule holds, the hours are the same
    best = solve(problem, memory)
    found = [outcome("hindsight", best, best.cost)]
    for policy in policies:
        try:
            holds = bought(world, policy)
        except InfeasibleError:
            found.append(Outcome(rule=policy.name, cost=None, stranded=None, regret=None))
        else:
            found.append(lived(policy.name, _quantities(stated, windows, holds), problem, best.cost, memory))
    hours = usage_hours(world.inputs.usage)
    first = int((hours < world.since).sum())
    return Backtest(
        outcomes=ranked(found), decided_on=first, lived_through=len(hours) - first, every_months=every_months
    )


def policies_of(world: World, every: float) -> list[Policy]:
    """Return the rules that are tried; a forecast, where one is asked for, looks at all of the past."""
    ahead, forecast = _ahead(world, every), world.inputs.forecast
    ladder = Policy(name="the ladder on the last year", rule=planned, every=every, back=YEAR, ahead=ahead, later=True)
    yearly = Policy(name="a level for each year", rule=planned, every=YEAR, back=YEAR, ahead=YEAR)
    once = replace(yearly, name="one level for all", every=math.inf, back=math.inf, ahead=world.months)
    step = replace(ladder, ahead=every, later=False)
    found = [
        ladder,
        yearly,
        once,
        replace(step, name=f"the last {RECENT_DAYS} days at each date", back=RECENT),
        *(
            replace(step, name=f"the {percent}th percentile at each date", rule=percentile(percent))
            for percent in PERCENTILES
        ),
        replace(once, name="nothing but what is owned", rule=nothing),
    ]
    if forecast is not None:
        names = (f"the ladder on the forecast {forecast}", f"a level for each year by the forecast {forecast}")
        for like, name in zip((ladder, yearly), names, strict=True):
            found.append(replace(like, name=name, back=math.inf, forecast=forecast))
    return found


def bought(world: World, policy: Policy) -> dict[Tariff, float]:
    """Return what a rule buys, date by date, and how much of it.

    Raises:
        InfeasibleError: at a date, the rule finds no plan.
    """
    holds: dict[Tariff, float] = {}
    for date in world.dates(policy.every):
        holds |= _decided(world, policy, date, holds)
    return holds


def lived_through(world: World, policies: Iterable[Policy]) -> tuple[Stated, list[Tariff]]:
    """Return the hours lived through as a program in which anything may be bought that a rule could, and that."""
    windows = dict.fromkeys(
        window
        for policy in policies
        for date in world.dates(policy.every)
        for window in world.windows(date, policy.every)
    )
    rest = world.inputs.usage.filter(pl.col("hour") >= world.since)
    inputs = replace(world.inputs, usage=rest, months=None, forecast=None)
    return _stated(inputs, (*world.given, *windows), world.spends), list(windows)


def _world(inputs: Inputs, train: float) -> World:
    usage = hourly(inputs.usage).with_columns(granularity=pl.lit("hour"))
    hours = usage_hours(usage)
    since, until = split_at(hours, train), hours[-1] + timedelta(hours=1)
    tariffs, _ = tariffs_of(
        _plain(inputs.offers),
        inputs.commitments,
        horizon=Horizon(start=since, end=until, months=None),
        limits=inputs.limits,
        buying=Buying(capital_per_year=inputs.buying.capital_per_year),
    )
    offered = [tariff for tariff in tariffs if tariff.held and tariff.owned is None and not tariff.rider]
    return World(
        inputs=replace(inputs, usage=usage, changes=()),
        since=since,
        until=until,
        given=tuple(tariff for tariff in tariffs if tariff not in offered),
        offered=tuple(replace(tariff, status="list") for tariff in offered),
        spends=spends_of(inputs.offers.clear(), inputs.commitments),
    )


def _plain(offers: pl.DataFrame) -> pl.DataFrame:
    """Return the offers that can be bought at any date, and those that are paid as they are used."""
    dated = ("start", "end", "ramp", "overage_usd_per_gpu_hour", "burst_gpus", "exit_after_months")
    bound = pl.any_horizontal(pl.col(name).is_not_null() for name in dated)
    return offers.filter(~(pl.col("purchase_option").is_in(HELD) & bound))


def _check(world: World, every: float) -> None:
    if every <= 0 or world.months > MOST_DATES * every:
        raise ValueError(
            f"a date every {every:g} months of {world.months:.1f} is more than {MOST_DATES} dates; decide less often"
        )


def _ahead(world: World, every: float) -> float:
    """Return how far ahead a ladder plans, in months: a year, but no further than what is bought now can reach."""
    reach = max((tariff.term_months or math.inf for tariff in world.offered), default=YEAR)
    return max(every, min(YEAR, reach, MOST_DATES * every))


def _window(tariff: Tariff, date: datetime, every: float) -> Tariff:
    term = tariff.term_months or math.inf
    length = term if math.isinf(term) else term * max(1, math.ceil(every / term - 1e-9))
    exclusive = f"{tariff.exclusive} {date:%Y-%m-%dT%H} {length:g}mo" if tariff.exclusive else None
    end = None if math.isinf(length) else _after(date, length)
    return replace(tariff, start=date, end=end, exclusive=exclusive)


def _decided(world: World, policy: Policy, date: datetime, holds: Mapping[Tariff, float]) -> dict[Tariff, float]:
    """Return what a rule buys at a date, which holds what it bought before."""
    now = world.windows(date, policy.every)
    held = [replace(window, owned=quantity) for window, quantity in holds.items()]
    known = replace(
        world.inputs,
        usage=world.past(date, policy.back),
        months=policy.ahead,
        now=date,
        forecast=policy.forecast,
    )
    stated = _stated(known, (*now, *held, *world.given, *_later(world, policy, date)), world.spends)
    quantities = policy.rule(known, stated)[: len(now)]
    return {window: float(quantity) for window, quantity in zip(now, quantities, strict=True) if quantity > 0}


def _later(world: World, policy: Policy, date: datetime) -> list[Tariff]:
    """Return what a rule counts on buying after a date."""
    if not policy.later:
        return []
    steps = range(1, math.ceil(policy.ahead / policy.every - 1e-9))
    return [window for step in steps for window in world.windows(_after(date, step * policy.every), policy.every)]


def _stated(inputs: Inputs, tariffs: Iterable[Tariff], spends: tuple[SpendTerms, ...]) -> Stated:
    """Write usage and tariffs as a program; a tariff that does not run in its horizon is left out."""
    horizon = Horizon.of(usage_hours(inputs.usage), months=inputs.months, now=inputs.now)
    running = tuple(tariff for tariff in tariffs if _runs(tariff, horizon))
    demand = demand_of(
        inputs.usage,
        rules=inputs.rules,
        horizon=horizon,
        changes=changes_in((*running, *spends)),
        forecast=inputs.forecast,
        per_month=inputs.growth_per_month,
    )
    problem = problem_of(demand, running, inputs.limits, spends)
    return Stated(horizon=horizon, demand=demand, tariffs=running, problem=problem, found=demand.diagnostics)


def _runs(tariff: Tariff, horizon: Horizon) -> bool:
    begun = tariff.start is None or tariff.start < horizon.end
    return begun and (tariff.end is None or tariff.end > horizon.start)


def _quantities(stated: Stated, windows: list[Tariff], holds: Mapping[Tariff, float]) -> Floats:
    found = np.zeros(len(stated.tariffs))
    found[len(found) - len(windows) :] = [holds.get(window, 0.0) for window in windows]
    return found


def _after(time: datetime, months: float) -> datetime:
    """Return the time that is so many months of equal length later, to the hour."""
    return time + timedelta(hours=round(months * HOURS_PER_MONTH))
