"""What can go wrong with a plan: scenarios, demand that comes out otherwise, idle commitments, rules on the past."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.session import Session
    from optimizer.backtest import Backtest
    from optimizer.plan import Plan, Purchase
    from optimizer.risk import Risk
    from optimizer.sensitivity import Differing
    from optimizer.stated import Inputs, Stated

T = TypeVar("T")
TRAIN = 2 / 3  # of the history: what rules decide on
AS_PLANNED = "as planned"
EXAMPLE = """\
scenario = [
  {name = "as planned", probability = 0.6},
  {name = "a third less", probability = 0.4, changes = [
    {workload = "*", start = "3mo", factor = 0.67}]},
]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Future:
    """What the plan comes to in one future, $ over the horizon; None where it is not known, or cannot be served.

    factor: of the demand planned, where the demand alone is another. probability: of a scenario. against: dearer than
    expected, or than the plan. stranded: paid for held hours that are not used. regret: dearer than the best plan for
    that future alone. served: whether what is bought leaves a way to serve it.
    """

    name: str
    factor: float | None
    probability: float | None
    cost: float | None
    against: float | None
    stranded: float | None
    regret: float | None
    served: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """One commitment of the plan and what of it is paid for and not used, $ over the hours planned.

    paid: for holding it. gpu_hours: that are idle; None where it is committed in dollars.
    """

    offer_id: str
    owned: bool
    gpus: float
    paid: float
    utilization: float
    gpu_hours: float | None
    stranded: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """A back-test; on_demand: what the hours lived through cost on demand, None where somebody sells none."""

    found: Backtest
    on_demand: float | None


class Errand(Generic[T]):
    """Work that is done only when it is asked for: what was found for each session, and what is being worked out."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[object, T | str]] = {}
        self._about: object = None
        self._asking: object = None
        self._began = 0.0

    def begin(self, about: object) -> Callable[[], bool]:
        """Note that it is being worked out for something; return what says whether that is still wanted."""
        self._about, self._asking, self._began = about, (mine := object()), monotonic()
        return lambda: self._asking is mine

    def end(self, result: T | str | None = None) -> None:
        """Note what was found, or in words why nothing was; None where it was abandoned."""
        if self.wanted and result is not None:
            self._found[id(self._about)] = self._about, result  # it is kept too, so that no other has its id
        self._about = self._asking = None

    @property
    def wanted(self) -> bool:
        """Whether it is being worked out for anything."""
        return self._asking is not None

    def running(self, about: object) -> bool:
        """Say whether it is being worked out for this."""
        return self.wanted and self._about is about

    def found(self, about: object) -> T | str | None:
        """Return what was found for this, or why nothing was; None where it was not asked for."""
        return self._found.get(id(about), (None, None))[1]

    @property
    def seconds(self) -> float:
        """How long it has been worked on."""
        return monotonic() - self._began


def futures_in(risk: Risk) -> list[Future]:
    """Return the scenarios of a plan, in their order."""
    return [
        Future(
            name=one.scenario,
            factor=None,
            probability=one.probability,
            cost=one.cost,
            against=one.cost - risk.expected,
            stranded=one.stranded,
            regret=one.regret,
        )
        for one in risk.outcomes
    ]


def planned(plan: Plan) -> Future:
    """Return the one future that a plan without scenarios knows."""
    return Future(
        name=AS_PLANNED,
        factor=1.0,
        probability=None,
        cost=plan.summary.cost,
        against=0.0,
        stranded=sum(one.stranded for one in idle_of(plan)),
        regret=plan.summary.cost - plan.summary.lower_bound,
    )


def idle_of(plan: Plan) -> list[Idle]:
    """Return what of each commitment is paid for and not used, the most first."""
    used: dict[object, float] = {}
    for service in plan.mix:
        used[service.tariff] = used.get(service.tariff, 0.0) + service.gpu_hours
    held = (*plan.purchases, *plan.commitments)
    return sorted((_idle(one, used.get(one.tariff, 0.0)) for one in held), key=lambda one: -one.stranded)


def _idle(held: Purchase, used: float) -> Idle:
    """Divide what holding costs: the hours paid for are those used over their share."""
    tariff, share = held.tariff, held.utilization
    hours = None if tariff.in_dollars or share <= 0 else used / share
    paid = held.cost if hours is None else hours * tariff.holding
    per_hour = tariff.holding or None
    idle = (paid / per_hour if per_hour else 0.0) * max(1.0 - share, 0.0)
    return Idle(
        offer_id=tariff.offer_id,
        owned=tariff.owned is not None,
        gpus=held.gpus,
        paid=paid,
        utilization=share,
        gpu_hours=None if tariff.in_dollars else idle,
        stranded=max(paid * (1.0 - share), 0.0),
    )


def sensitivity(session: Session, plan: Plan, wanted: Callable[[], bool]) -> tuple[Future, ...]:
    """Keep what the plan buys while the demand comes out higher or lower, and serve it at least cost.

    Args:
        session: without scenarios.
        plan: of it.
        wanted: whether somebody still waits.

    Raises:
        AbandonedError: nobody does.
        InputError: a forecast cannot be made.
    """
    from app.quiet import hushed
    from optimizer import sensitivity as demand
    from optimizer.solve import Memory

    memory = Memory(abandoned=lambda: not wanted())
    with hushed():
        return tuple(_future(one, plan) for one in demand.sensitivity(session.past, plan, memory))


def _future(one: Differing, plan: Plan) -> Future:
    cost, best = one.kept, one.best
    return Future(
        name=AS_PLANNED if one.factor == 1 else f"{(one.factor - 1) * 100:+.0f} %",
        factor=one.factor,
        probability=None,
        cost=cost,
        against=None if cost is None else cost - plan.summary.cost,
        stranded=one.stranded,
        regret=None if cost is None or best is None else cost - best,
        served=cost is not None,
    )


def backtest_of(session: Session) -> Past:
    """Try rules for buying on the past, with a solver of their own, so that no edit waits for them.

    Raises:
        InfeasibleError: even hindsight finds no plan.
        UsageError: the history is too short for two parts, or a forecast cannot be made.
    """
    from app.solver import Solver

    found = replace(session, solver=Solver()).backtest(train=TRAIN)
    return Past(found=found, on_demand=_on_demand(_rest(session.past)))


def _rest(inputs: Inputs) -> Inputs:
    """Return the hours that rules live through, as the back-test plans them."""
    import polars as pl

    from optimizer.backtest import split_at
    from optimizer.demand import usage_hours

    since = split_at(usage_hours(inputs.usage), TRAIN)
    usage, months = inputs.usage.filter(pl.col("hour") >= since), inputs.months or 12.0
    return replace(inputs, usage=usage, months=months, forecast=None, growth_per_month=0.0, changes=())


def _on_demand(inputs: Inputs) -> float | None:
    from optimizer.baseline import on_demand_rates
    from optimizer.stated import stated_of

    stated = stated_of(inputs)
    rates = on_demand_rates(inputs.usage, stated.demand, stated.tariffs, stated.problem)
    return _at(rates, stated)


def _at(rates: dict[tuple[str, str], float], stated: Stated) -> float | None:
    import math

    needed = stated.problem.demand @ stated.problem.weight
    pairs = [(stream.workload, stream.gpu_model) for stream in stated.demand.streams]
    whole = sum(float(hours) * rates[pair] for pair, hours in zip(pairs, needed, strict=True) if hours > 0)
    return None if math.isnan(whole) else whole
