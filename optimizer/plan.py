"""A solution as a plan that a person can read and check: purchases, what serves what, figures and reasons."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from optimizer.baseline import billed_cost, current_cost, on_demand_rates
from optimizer.demand import Horizon, usage_hours
from optimizer.dispatch import Dispatch, dispatch_of
from optimizer.errors import InfeasibleError
from optimizer.evidence import Load, load_of
from optimizer.policy import LimitValue, limit_values
from optimizer.problem import Floats
from optimizer.reasons import break_even, money, shares_cost, why_buy, why_first, why_price
from optimizer.replay import Replay, replay
from optimizer.risk import Risk, neutral, risk_of
from optimizer.solve import Memory, Solution, solve
from optimizer.spending import Spending, spending_of
from optimizer.stated import Inputs, Stated, solved, stated_of
from optimizer.tariffs import Tariff
from optimizer.walkaway import Verdict, walk_away
from providers.tables import Diagnostic

PROVEN = 1e-6  # relative gap below which a plan is called optimal
DUST = 1e-6  # GPU-hours over a whole horizon: the solver's tolerance, not a service


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """Capacity to buy, or owned already; money in $, rates in $ per GPU-hour.

    cost: what it costs over the horizon, usage included. upfront, total_commitment: paid at the start, and over the
    whole term, which may outlast the horizon. utilization: share of the paid hours that are used.
    break_even_utilization: the share from which it beats paying as you go, None where nothing else could serve.
    usd_per_hour: of a commitment in dollars; its gpus are those that it serves on average.
    """

    tariff: Tariff
    gpus: float
    usd_per_hour: float | None
    lots: float | None
    cost: float
    upfront: float
    total_commitment: float
    utilization: float
    break_even_utilization: float | None
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """GPU-hours of one tariff that serve one workload over the horizon, and what they cost, idle hours shared in."""

    workload: str
    tariff: Tariff
    gpu_hours: float
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteValue:
    """What one quote is worth, and why; headroom: $ between walk-away and quoted price over block and term.

    Prices are in the terms of the vendor, on spot per hour paid. They are None where there is none, because no plan can
    do without the quote, or none can have it.
    """

    tariff: Tariff
    gpus: float | None
    quoted: float
    walk_away: float | None
    next_gpu: float | None
    error: float
    headroom: float | None
    verdict: Verdict
    because: str
    next_because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Totals over the hours planned; money in $, shares between 0 and 1, None where unknown.

    cost includes existing_commitment_cost. coverage: share of the demand, at on-demand prices, served by commitments.
    utilization: share of the committed hours, old and new, that are used. total_commitment: of the purchases.
    replayed_cost: what providers would bill, each in its own order.
    """

    hours: float
    gpu_hours: float
    cost: float
    existing_commitment_cost: float
    on_demand_cost: float | None
    current_cost: float | None
    savings: float | None
    effective_savings_rate: float | None
    coverage: float | None
    utilization: float | None
    upfront: float
    total_commitment: float
    lower_bound: float
    gap: float
    replayed_cost: float
    solver_turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan, its evidence and what to know about it."""

    horizon: Horizon
    summary: Summary
    purchases: tuple[Purchase, ...]
    commitments: tuple[Purchase, ...]
    mix: tuple[Service, ...]
    walk_away: tuple[QuoteValue, ...]
    floors: tuple[Spending, ...]
    limits: tuple[LimitValue, ...]
    risk: Risk | None
    load: Load
    diagnostics: tuple[Diagnostic, ...]


def plan_of(inputs: Inputs, memory: Memory | None = None) -> Plan:
    """Solve the inputs and explain the solution.

    Args:
        inputs: what to plan.
        memory: what earlier plans of the same session solved, so that an edit costs only what it touches.

    Raises:
        InfeasibleError: with the workloads, hours and limits in conflict.
    """
    *_, whole = plans_of(inputs, memory)
    return whole


def plans_of(inputs: Inputs, memory: Memory | None = None, *, first: str = "") -> Iterator[Plan]:
    """Yield the plan as soon as there is one, then with what each further quote is worth, and at last with the rest.

    Where earlier plans taught something, the first plan comes from what they did: its bounds are proven, but where
    several plans cost the same it may be another than the one that follows.

    Args:
        inputs: what to plan.
        memory: as of `plan_of`.
        first: the quote that is valued before the others; it does not change what is found.

    Raises:
        InfeasibleError: with the workloads, hours and limits in conflict.
        InputError: something that was asked for cannot be planned together.
    """
    memory = Memory() if memory is None else memory
    stated = stated_of(inputs, memory)
    if memory.learned:
        with suppress(InfeasibleError):
            yield _unvalued(inputs, stated, solve(stated.problem, memory), memory)
    solution = solved(stated, memory)
    plan = _unvalued(inputs, stated, solution, memory)
    yield plan
    quotes = [index for index, tariff in enumerate(stated.tariffs) if tariff.status == "quote" and not tariff.rider]
    values: dict[int, QuoteValue] = {}
    for index in sorted(quotes, key=lambda index: stated.tariffs[index].offer_id != first):
        values[index] = _quote_value(stated, solution, index, memory)
        plan = replace(plan, walk_away=tuple(values[index] for index in quotes if index in values))
        yield plan
    yield replace(
        plan,
        floors=spending_of(stated.problem, solution, memory),
        limits=limit_values(stated.problem, solution, memory),
        risk=risk_of(solution.problem, solution, memory),
    )


def _unvalued(inputs: Inputs, undecided: Stated, solution: Solution, memory: Memory) -> Plan:
    """Return the plan before quotes, limits, floors and risks are valued."""
    stated = undecided.priced_by(solution)
    dispatch = dispatch_of(solution)
    had = [index for index in map(int, np.flatnonzero(solution.quantities > 0)) if not stated.tariffs[index].beyond]
    held = [_purchase(stated, solution, dispatch, index) for index in had]
    bought = tuple(purchase for purchase in held if purchase.tariff.owned is None)
    rates = on_demand_rates(inputs.usage, undecided.demand, undecided.tariffs, undecided.problem)
    summary = _summary(inputs, stated, solution, dispatch, rates)
    averse = solution.problem.averse
    billed = replay(stated.tariffs, stated.demand, solution, dispatch)
    return Plan(
        horizon=stated.horizon,
        summary=replace(
            summary,
            upfront=sum(purchase.upfront for purchase in bought),
            total_commitment=sum(purchase.total_commitment for purchase in bought),
            replayed_cost=billed.billed_usd,
            lower_bound=solve(neutral(solution.problem), memory).lower_bound if averse else solution.lower_bound,
        ),
        purchases=bought,
        commitments=tuple(purchase for purchase in held if purchase.tariff.owned is not None),
        mix=_mix(stated, dispatch),
        walk_away=(),
        floors=(),
        limits=(),
        risk=None,
        load=load_of(stated, solution),
        diagnostics=(*stated.found, *_waits(undecided, solution, memory), *_unproven(solution), *_dearer(billed)),
    )


def _waits(stated: Stated, solution: Solution, memory: Memory) -> list[Diagnostic]:
    """Say how much of the work runs later than it arrives, and what that saves."""
    problem, waiting = solution.problem, solution.problem.waiting
    if waiting is None:
        return []
    share = waiting.moved(problem.demand, problem.weight) / (problem.demanded or 1.0)
    if share < DUST:
        message = "work that may wait runs when it arrives: to move it would save nothing"
        return [Diagnostic(level="note", code="waiting", message=message)]
    longest = waiting.longest(problem.demand, problem.weight)
    hours = "an hour" if longest == 1 else f"{longest} hours"
    message = f"work that may wait runs in other hours: {share * 100:.2g} % of GPU-hours are moved, by up to {hours}"
    return [
        Diagnostic(level="note", code="waiting", message=f"{message}; {_without_waiting(stated, solution, memory)}")
    ]


def _without_waiting(stated: Stated, solution: Solution, memory: Memory) -> str:
    """Say what the cheapest plan costs if all work runs when it arrives."""
    try:
        least = solve(replace(stated.problem, waiting=None), memory).cost
    except InfeasibleError:
        return "without it there is no plan"
    return f"without it the plan costs {money(round(max(least - solution.cost, 0.0), 2))} more"


def _unproven(solution: Solution) -> list[Diagnostic]:
    if solution.gap <= PROVEN:
        return []
    message = f"the plan is within {solution.gap:.1e} of the lower bound, which is not proof that it is the cheapest"
    return [Diagnostic(level="warning", code="gap", message=message)]


def _dearer(billed: Replay) -> list[Diagnostic]:
    """Say where the orders in which providers bill cost more than the plan's own."""
    if billed.difference_usd <= PROVEN * abs(billed.planned_usd):
        return []
    return [Diagnostic(level="note", code="billing-order", message=billed.sentence)]


def _purchase(stated: Stated, solution: Solution, dispatch: Dispatch, index: int) -> Purchase:
    tariff, problem = stated.tariffs[index], stated.problem
    count, paid = float(solution.quantities[index]), float(dispatch.held[index])
    utilization = float(dispatch.used[index]) / paid if paid else 0.0
    hours = float(problem.hours[index])
    return Purchase(
        tariff=tariff,
        gpus=_served(stated, dispatch, index) if tariff.in_dollars else count,
        usd_per_hour=count if tariff.in_dollars else None,
        lots=count / tariff.lot if tariff.lot else None,
        cost=float(dispatch.cost[index]),
        upfront=float(problem.upfront[index]) * count,
        total_commitment=tariff.paid * (tariff.paid_hours or hours) * count,
        utilization=utilization,
        break_even_utilization=break_even(problem, dispatch, index)[0],
        because=why_buy(
            stated.tariffs,
            problem,
            dispatch,
            index,
            utilization=utilization,
            horizon_hours=float(problem.weight.sum()),
        ),
    )


def _mix(stated: Stated, dispatch: Dispatch) -> tuple[Service, ...]:
    costs, hours = shares_cost(stated.problem, dispatch), _gpu_hours(stated, dispatch)
    found: dict[tuple[str, int], tuple[float, float]] = {}
    for stream, tariff in zip(*np.nonzero(dispatch.gpu_hours > DUST), strict=True):
        key = (stated.demand.streams[stream].workload, int(tariff))
        gpu_hours, cost = found.get(key, (0.0, 0.0))
        found[key] = (
            gpu_hours + float(hours[stream, tariff]),
            cost + float(costs[stream, tariff]),
        )
    return tuple(
        Service(workload=workload, tariff=stated.tariffs[index], gpu_hours=gpu_hours, cost=cost)
        for (workload, index), (gpu_hours, cost) in sorted(found.items())
    )


def _served(stated: Stated, dispatch: Dispatch, index: int) -> float:
    """Return the GPUs whose work a tariff does, on average over the hours in which it is in force."""
    hours = float(stated.problem.hours[index])
    return float(dispatch.gpu_hours[:, index] @ stated.problem.rates[:, index]) / hours if hours else 0.0


def _gpu_hours(stated: Stated, dispatch: Dispatch) -> Floats:
    """Return GPU-hours of each stream at each tariff; what dollars serve counts as the demand that it serves."""
    dollars = np.array([tariff.in_dollars for tariff in stated.tariffs], dtype=bool)
    return np.where(dollars, dispatch.gpu_hours * stated.problem.rates, dispatch.gpu_hours)


def _quote_value(stated: Stated, solution: Solution, index: int, memory: Memory) -> QuoteValue:
    tariff, problem = stated.tariffs[index], stated.problem
    found = walk_away(problem, index, block=tariff.block, best=solution, memory=memory)
    hours = tariff.paid_hours or float(problem.hours[index])
    walk_away_price = None if found.price is None else tariff.as_stated(found.price)
    return QuoteValue(
        tariff=tariff,
        gpus=found.block,
        quoted=tariff.as_stated(found.quoted),
        walk_away=walk_away_price,
        next_gpu=None if found.next_gpu is None else tariff.as_stated(found.next_gpu),
        error=found.error,
        headroom=None
        if found.block is None or found.price is None
        else (found.price - found.quoted) * found.block * hours,
        verdict="decline" if walk_away_price is not None and walk_away_price <= 0 else found.verdict,
        because=why_price(stated.tariffs, found),
        next_because=why_first(stated.tariffs, found),
    )


def _billed(inputs: Inputs, hours: float) -> float | None:
    """Return what the bill says, for as many hours as are planned."""
    billed = billed_cost(inputs.usage)
    return None if billed is None else billed * hours / len(usage_hours(inputs.usage))


def _summary(
    inputs: Inputs,
    stated: Stated,
    solution: Solution,
    dispatch: Dispatch,
    rates: dict[tuple[str, str], float],
) -> Summary:
    problem = stated.problem
    owned = np.array([tariff.owned is not None for tariff in stated.tariffs], dtype=bool)
    needed = problem.demand @ problem.weight
    prices = np.array([rates.get((stream.workload, stream.gpu_model), math.nan) for stream in stated.demand.streams])
    on_demand = float(needed[needed > 0] @ prices[needed > 0])
    reference = None if math.isnan(on_demand) else on_demand
    held = float(dispatch.held @ problem.gpus)
    covered = (dispatch.gpu_hours * problem.rates)[:, problem.held & (problem.gpus > 0)].sum(axis=1)
    basis = np.ones(len(needed)) if reference is None else np.nan_to_num(prices)
    cost = float(dispatch.cost.sum()) if problem.averse else solution.cost
    savings = None if reference is None else reference - cost
    return Summary(
        hours=float(problem.weight.sum()),
        gpu_hours=problem.demanded,
        cost=cost,
        existing_commitment_cost=float((problem.holding * dispatch.held)[owned].sum()),
        on_demand_cost=reference,
        current_cost=current_cost(inputs.usage, stated.demand, rates)
        if inputs.forecast or inputs.changes
        else _billed(inputs, float(problem.weight.sum())),
        savings=savings,
        effective_savings_rate=savings / reference if savings is not None and reference else None,
        coverage=float(covered @ basis / (needed @ basis)) if needed @ basis > 0 else None,
        utilization=float((dispatch.used * problem.gpus)[problem.held].sum()) / held if held else None,
        upfront=0.0,
        total_commitment=0.0,
        lower_bound=solution.lower_bound,
        gap=solution.gap,
        replayed_cost=cost,
        solver_turns=sum(part.turns for part in solution.parts),
    )
