"""The proof of every walk-away price: a re-solve just below it buys, one just above it does not."""

from dataclasses import replace

from optimizer.plan import Inputs, Plan, QuoteValue, Stated, stated_of
from optimizer.solve import Memory
from optimizer.walkaway import Flip, flip


def proofs_of(inputs: Inputs, plan: Plan, memory: Memory) -> tuple[Flip | None, ...]:
    """Prove each quote of the plan, in its order; None where a quote is worth nothing, or nothing could replace it."""
    stated = stated_of(inputs)
    return tuple(_proof(stated, value, memory) for value in plan.walk_away)


def _proof(stated: Stated, value: QuoteValue, memory: Memory) -> Flip | None:
    if value.walk_away is None or value.walk_away <= 0:
        return None
    tariff = stated.tariffs.index(value.tariff)
    price = value.tariff.as_compared(value.walk_away)
    found = flip(stated.problem, tariff, block=value.gpus, price=price, memory=memory)
    below, above = (value.tariff.as_stated(side) for side in (found.below, found.above))
    return replace(found, below=below, above=above)
