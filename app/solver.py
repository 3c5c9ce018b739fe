"""Solving for a session: one solve at a time, remembering what earlier ones found, and printing nothing."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from app.quiet import hushed

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from optimizer.backtest import Backtest
    from optimizer.curve import Step
    from optimizer.plan import Plan, QuoteValue
    from optimizer.sensitivity import Differing
    from optimizer.solve import Memory
    from optimizer.stated import Inputs
    from optimizer.staying import Staying
    from optimizer.walkaway import Flip


class Solver:
    """Shared by a session and all its edits, so that an edited quote costs only what it touches.

    Whoever wants a plan is served before all else: what is being worked out then is given up, since it is of offers
    that are about to change, and ends with an AbandonedError.
    """

    def __init__(self, gap: float | None = None) -> None:
        """Begin with nothing known; `gap` is the relative distance of the bounds at which a search ends."""
        self._gap = gap
        self._lock = Lock()
        self._memory: Memory | None = None
        self._waiting = 0

    def plans(self, inputs: Inputs, *, first: str = "") -> Generator[Plan]:
        """Yield the plan, then with more of what its quotes are worth; who wants no more of it closes the generator."""
        from optimizer.plan import plans_of

        with self._before_all():
            found = plans_of(inputs, self._known(), first=first)
            while (plan := _next(found)) is not None:
                yield plan

    @contextmanager
    def _before_all(self) -> Iterator[None]:
        self._waiting += 1
        self._lock.acquire()
        self._waiting -= 1
        try:
            yield
        finally:
            self._lock.release()

    def proofs(self, inputs: Inputs, plan: Plan) -> tuple[Flip | None, ...]:
        """Re-solve each quote just below and just above its walk-away price; None where it is worth nothing."""
        from app.proofs import proofs_of

        with self._lock, hushed():
            return proofs_of(inputs, plan, self._known())

    def curves(self, inputs: Inputs, plan: Plan, *, solves: int) -> tuple[tuple[Step, ...], ...]:
        """Find how many GPUs of each quote are worth buying at each price."""
        from app.proofs import curves_of

        with self._lock, hushed():
            return curves_of(inputs, plan, self._known(), solves=solves)

    def curve(self, inputs: Inputs, value: QuoteValue, *, solves: int) -> tuple[Step, ...]:
        """Find how many GPUs of one quote are worth buying at each price."""
        from app.proofs import curve_of

        with self._lock, hushed():
            return curve_of(inputs, value, self._known(), solves=solves)

    def vendors(self, inputs: Inputs, plan: Plan) -> dict[str, float | None]:
        """Find what the plan would cost more without any offer of each vendor that quotes."""
        from app.proofs import vendors_of

        with self._lock, hushed():
            return vendors_of(inputs, plan, self._known())

    def moving(self, inputs: Inputs, *, most: int, last_hour: bool) -> tuple[Staying, ...]:
        """Find what moving workloads saves, and what would keep them at home."""
        from app.proofs import moving_of

        with self._lock, hushed():
            return moving_of(inputs, self._known(), most=most, last_hour=last_hour)

    def backtest(self, inputs: Inputs, *, train: float) -> Backtest:
        """Try rules for buying on the first part of the history, and let them live through the rest."""
        from optimizer.backtest import backtest

        with self._lock, hushed():
            return backtest(inputs, train=train)

    def sensitivity(self, inputs: Inputs, plan: Plan) -> tuple[Differing, ...]:
        """Keep what the plan buys while the demand comes out lower or higher; it remembers nothing of it."""
        from optimizer.sensitivity import sensitivity
        from optimizer.solve import Memory

        with self._lock, hushed():
            return sensitivity(inputs, plan, Memory() if self._gap is None else Memory(gap=self._gap))

    def _known(self) -> Memory:
        from optimizer.solve import Memory

        if self._memory is None:
            known = Memory() if self._gap is None else Memory(gap=self._gap)
            known.abandoned = lambda: self._waiting > 0
            self._memory = known
        return self._memory


def _next(found: Iterator[Plan]) -> Plan | None:
    """Take one more step in silence; while nobody asks for it, the solver's chatter is not held back."""
    with hushed():
        return next(found, None)
