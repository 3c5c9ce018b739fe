"""What lies behind a plan's prices: proofs, demand curves, what vendors are worth, and what moving saves."""

from dataclasses import replace

from optimizer.curve import Step, demand_curve, vendor_value
from optimizer.plan import Plan, QuoteValue
from optimizer.solve import Memory
from optimizer.stated import Inputs, Stated, stated_of
from optimizer.staying import Staying, staying
from optimizer.walkaway import Flip, flip


def proofs_of(inputs: Inputs, plan: Plan, memory: Memory) -> tuple[Flip | None, ...]:
    """Prove each quote of the plan, in its order; None where a quote is worth nothing, or nothing could replace it."""
    stated = stated_of(inputs, memory)
    return tuple(_proof(stated, value, memory) for value in plan.walk_away)


def curves_of(inputs: Inputs, plan: Plan, memory: Memory, *, solves: int) -> tuple[tuple[Step, ...], ...]:
    """Return the demand curve of each quote of the plan, in its order, prices in the vendor's terms."""
    stated = stated_of(inputs, memory)
    return tuple(_curve(stated, value, memory, solves) for value in plan.walk_away)


def curve_of(inputs: Inputs, value: QuoteValue, memory: Memory, *, solves: int) -> tuple[Step, ...]:
    """Return the demand curve of one quote of the inputs' plan, prices in the vendor's terms."""
    stated = stated_of(inputs, memory)
    names = [tariff.offer_id for tariff in stated.tariffs]
    mine = stated.tariffs[names.index(value.tariff.offer_id)]
    return _curve(stated, replace(value, tariff=mine), memory, solves)


def vendors_of(inputs: Inputs, plan: Plan, memory: Memory) -> dict[str, float | None]:
    """Return what the plan would cost more without any offer of each vendor that quotes; None: there would be none."""
    stated = stated_of(inputs, memory)
    names = sorted({value.tariff.provider for value in plan.walk_away})
    weighed = plan.summary.cost if plan.risk is None else plan.risk.weighed
    return {name: vendor_value(stated.problem, name, cost=weighed, memory=memory) for name in names}


def moving_of(inputs: Inputs, memory: Memory, *, most: int, last_hour: bool) -> tuple[Staying, ...]:
    """Return what it means that the plan moves workloads, those with the most GPU-hours away first."""
    return staying(stated_of(inputs, memory), memory, most=most, last_hour=last_hour)


def _curve(stated: Stated, value: QuoteValue, memory: Memory, solves: int) -> tuple[Step, ...]:
    tariff = value.tariff
    steps = demand_curve(stated.problem, stated.tariffs.index(tariff), solves=solves, memory=memory)
    found = [replace(one, low=max(tariff.as_stated(one.low), 0.0), high=tariff.as_stated(one.high)) for one in steps]
    return tuple(step for step in found if step.high > 0)


def _proof(stated: Stated, value: QuoteValue, memory: Memory) -> Flip | None:
    if value.walk_away is None or value.walk_away <= 0:
        return None
    tariff = stated.tariffs.index(value.tariff)
    price = value.tariff.as_compared(value.walk_away)
    found = flip(stated.problem, tariff, block=value.gpus, price=price, memory=memory)
    below, above = (value.tariff.as_stated(side) for side in (found.below, found.above))
    return replace(found, below=below, above=above)
