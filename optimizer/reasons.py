"""Why a plan says what it says, in words that a finance person reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optimizer.dispatch import Dispatch
from optimizer.problem import Floats, Problem
from optimizer.tariffs import Tariff
from optimizer.walkaway import WalkAway

SAME_PRICE = 1e-6
WORTH_NAMING = 0.1  # share of what a block displaces from which an offer is named


def money(amount: float, currency: str = "USD") -> str:
    """Write an amount with as many decimals as it needs, and at least two."""
    text = f"{amount:,.4f}".rstrip("0")
    whole, _, cents = text.partition(".")
    number = f"{whole}.{cents:0<2}"
    return f"${number}" if currency == "USD" else f"{number} {currency}"


def percent(share: float) -> str:
    """Write a share, without the decimal where it says nothing."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def gpus(count: float) -> str:
    """Write a number of GPUs."""
    number = f"{count:,.2f}".rstrip("0").rstrip(".")
    return f"{number} GPU" if number == "1" else f"{number} GPUs"


def price_of(tariff: Tariff) -> str:
    """Write the price of a tariff as it is paid."""
    if tariff.in_dollars:
        return "its own rates"
    if not tariff.held:
        return money(tariff.usage, tariff.currency)
    holding = money(tariff.stated_holding, tariff.currency)
    return f"{holding} + {money(tariff.stated_usage, tariff.currency)} used" if tariff.stated_usage else holding


def break_even(problem: Problem, dispatch: Dispatch, tariff: int) -> tuple[float | None, int | None]:
    """Return the share of use from which a commitment beats paying as you go, and the tariff it is measured against.

    holding / (p - usage), where p is what the streams it serves would pay as they go for as much work; None where
    nothing else could serve them, or where its usage price alone is dearer.
    """
    served = _served(problem, dispatch, tariff)
    unit = np.where(problem.held, np.inf, problem.unit_price)
    going = unit.min(axis=1)
    if not served.any() or not np.isfinite(going[served > 0]).all():
        return None, None
    used = served > 0
    price = float(served[used] @ (problem.rates[used, tariff] * going[used]) / served.sum())
    margin = price - problem.usage[tariff]
    return (float(problem.holding[tariff] / margin) if margin > 0 else None), int(np.argmin(unit[np.argmax(served)]))


def _served(problem: Problem, dispatch: Dispatch, tariff: int) -> Floats:
    """Return the GPU-hours of each stream that a tariff serves or, where it serves nothing, could."""
    served = dispatch.gpu_hours[:, tariff]
    return served if served.any() else problem.demand @ problem.weight * (problem.rates[:, tariff] > 0)


def _for_gangs(problem: Problem, dispatch: Dispatch, tariff: int, rival: int, currency: str) -> str:
    """Say what a rival costs the gangs that a tariff serves, where that is more than its price."""
    more = float(problem.stalled[np.argmax(_served(problem, dispatch, tariff)), rival])
    return f", {money(problem.usage[rival] + more, currency)} for its gangs" if more else ""


def why_buy(
    tariffs: Sequence[Tariff],
    problem: Problem,
    dispatch: Dispatch,
    tariff: int,
    *,
    utilization: float,
    horizon_hours: float,
) -> str:
    """Say which GPUs a commitment covers, how busy they are, and from when it pays."""
    own, before = tariffs[tariff], float(dispatch.first_gpu[tariff])
    count = dispatch.held[tariff] / problem.hours[tariff] if problem.hours[tariff] else 0.0
    place = (
        f"the first {gpus(count)}" if before < SAME_PRICE else f"the next {gpus(count)}, after the first {before:,.10g}"
    )
    text = f"covers {place}, busy {percent(utilization)} of hours"
    if own.in_dollars:
        text = f"commits {money(count, own.currency)} an hour, of which {percent(utilization)} is drawn"
    share, rival = break_even(problem, dispatch, tariff)
    if share is not None and rival is not None:
        text += f"; break-even is {percent(share)}, against {tariffs[rival].offer_id} at {price_of(tariffs[rival])}"
        text += _for_gangs(problem, dispatch, tariff, rival, own.currency)
    elif share is None:
        text += "; nothing that is paid as it is used could serve instead"
    return text + _beyond(own, count, problem.hours[tariff], horizon_hours)


def _beyond(tariff: Tariff, count: float, hours: float, horizon_hours: float) -> str:
    """Say what happens when a commitment and the plan do not end together."""
    if tariff.owned is not None:
        return f"; owned until {tariff.end:%Y-%m-%d}" if tariff.end is not None else ""
    term = tariff.paid_hours
    if term is not None and term > hours:
        owed = tariff.paid * (term - hours) * count
        return f"; its term outlasts the plan, and {money(round(owed, 2), tariff.currency)} more falls due after it"
    if tariff.end is None and term is not None and term < horizon_hours:
        return f"; counts on renewal at the same price every {tariff.term_months:g} months"
    return ""


def why_price(tariffs: Sequence[Tariff], found: WalkAway) -> str:
    """Say what the block of a quote would replace, and for how much of the time."""
    replaced = np.maximum(found.displaced, 0.0)
    if found.obstacle:
        return found.obstacle
    if not replaced.any() or found.price is None or found.price <= 0:
        return "it would replace nothing that is dearer"
    names = " and ".join(
        f"{tariffs[index].offer_id} at {price_of(tariffs[index])}"
        for index in map(int, np.argsort(-replaced, kind="stable"))
        if replaced[index] > WORTH_NAMING * replaced.sum()
    )
    if found.block is None:
        return f"its hours would replace {names}"
    return f"{gpus(found.block)} would be busy {percent(found.used)} of hours, in place of {names}"


def why_first(tariffs: Sequence[Tariff], found: WalkAway) -> str:
    """Say whose price the first GPU's is, or else what it averages."""
    if found.next_gpu is None and tariffs[found.tariff].exclusive:
        return found.obstacle or "it is bought instead of the others, not a GPU at a time"
    if found.next_gpu is None:
        return found.obstacle or "one GPU of it would break a limit"
    if found.next_gpu <= 0:
        return "one more GPU would replace nothing"
    for index in map(int, np.flatnonzero(found.displaced > 0)):
        price = tariffs[index].holding if tariffs[index].held else tariffs[index].usage
        if abs(price - found.next_gpu) < SAME_PRICE:
            return f"{tariffs[index].offer_id} at {money(price, tariffs[index].currency)} sets it"
    return "what one GPU's hours would otherwise cost, averaged over all hours"


def shares_cost(problem: Problem, dispatch: Dispatch) -> Floats:
    """Return $ of each stream for each tariff: its usage where it runs, and its share of the holding cost by hours."""
    used = dispatch.used
    rate = np.divide(problem.holding * dispatch.held, used, out=np.zeros_like(used), where=used > 0) + problem.usage
    return dispatch.gpu_hours * (rate + problem.on_top)
