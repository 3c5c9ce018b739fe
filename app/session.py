"""What is loaded, and how it becomes a plan: the only state of the command and of the screens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime  # at run time too: a session's file is read as a request
from typing import TYPE_CHECKING

from app.diagnostics import UsageError
from app.solver import Solver

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from app.edits import Edit
    from app.received import Turn
    from optimizer.backtest import Backtest
    from optimizer.curve import Step
    from optimizer.plan import Plan, QuoteValue
    from optimizer.sensitivity import Differing
    from optimizer.stated import Inputs
    from optimizer.staying import Staying
    from optimizer.walkaway import Flip
    from providers.tables import Diagnostic


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks to plan from; `now` is the time at which the plan begins.

    usage, offers, commitments: files. offer: quotes as typed. limit: caps as typed. config: the settings file.
    workspace: the folder of fetched prices. forecast, growth, ladder, capital: what is expected of the time to come, as
    typed. commit_idle: whether GPUs that nobody asked for are planned for too. scenarios: a file of futures; risk,
    tail: how they are weighed, as typed. gap: the relative distance from its bound at which a plan is good enough.
    """

    now: datetime
    usage: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    offer: tuple[str, ...] = ()
    commitments: tuple[str, ...] = ()
    limit: tuple[str, ...] = ()
    horizon: str | None = None
    config: str | None = None
    workspace: str | None = None
    forecast: str | None = None
    growth: str | None = None
    ladder: str | None = None
    capital: str | None = None
    commit_idle: bool = False
    scenarios: str | None = None
    risk: str | None = None
    tail: str | None = None
    gap: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One file behind a plan; first and last are its hours (usage) or the days its prices were true (offers)."""

    path: str
    sha256: str
    rows: int
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything a plan follows from, where it came from, and what was found on the way.

    horizon: as it was asked for. config, scenarios: the settings and the file of futures, None where there is none.
    demo: whether the usage is the bundled one. currency: of every amount. outlook: what is asked of the time to come,
    as text; empty where nothing is. edits: what was changed since the files were read, oldest first. turns: the same,
    with what each made of the quote that it names.
    """

    inputs: Inputs
    usage: tuple[Origin, ...]
    offers: tuple[Origin, ...]
    commitments: tuple[Origin, ...]
    config: Origin | None
    horizon: str
    demo: bool
    currency: str
    diagnostics: tuple[Diagnostic, ...]
    outlook: Mapping[str, str] = field(default_factory=dict)
    scenarios: Origin | None = None
    edits: tuple[Edit, ...] = ()
    turns: tuple[Turn, ...] = field(default=(), compare=False, repr=False)
    solver: Solver = field(default_factory=Solver, compare=False, repr=False)

    def after(self, line: str, typed: datetime | None = None) -> Session:
        """Return the session after one more edit, such as `counter my-quote 2.10 24mo 128`, and when it was typed.

        Raises:
            UsageError: the line is no edit, names no quote, or says what cannot be.
        """
        from app.edits import applied, read
        from optimizer.limits import LimitError
        from providers.quotes import QuoteError

        try:
            return applied(self, read(line), typed)
        except (QuoteError, LimitError) as error:
            raise UsageError(str(error)) from None

    def plans(self, *, first: str = "") -> Generator[Plan]:
        """Yield the plan as soon as there is one, then with what each quote is worth, `first` before the others.

        Raises:
            InfeasibleError: with the workloads, hours and limits in conflict.
            UsageError: a forecast or a planned change cannot be made.
        """
        from providers.tables import InputError

        try:
            yield from self.solver.plans(self.inputs, first=first)
        except InputError as error:
            raise UsageError(str(error)) from None

    def plan(self) -> Plan:
        """Solve, whole.

        Raises:
            InfeasibleError, UsageError: as `plans` does.
        """
        *_, whole = self.plans()
        return whole

    def proofs(self, plan: Plan) -> tuple[Flip | None, ...]:
        """Re-solve each quote just below and just above its walk-away price; None where it is worth nothing."""
        return self.solver.proofs(self.inputs, plan)

    def curves(self, plan: Plan, *, solves: int) -> tuple[tuple[Step, ...], ...]:
        """Find the demand curve of each quote: the GPUs worth buying at each price, in the vendor's terms."""
        return self.solver.curves(self.inputs, plan, solves=solves)

    def curve(self, value: QuoteValue, *, solves: int) -> tuple[Step, ...]:
        """Find the demand curve of one quote of the plan, in the vendor's terms.

        Raises:
            AbandonedError: somebody wants a plan of other offers meanwhile.
        """
        return self.solver.curve(self.inputs, value, solves=solves)

    @property
    def past(self) -> Inputs:
        """What rules are tried on: scenarios are of the time to come, and have no part in the past."""
        return replace(self.inputs, scenarios=(), risk=0.0)

    def backtest(self, *, train: float) -> Backtest:
        """Try rules for buying on the first part of the history, and let them live through the rest.

        Raises:
            InfeasibleError: even hindsight finds no plan.
            UsageError: the history is too short for two parts, or a forecast cannot be made.
        """
        from providers.tables import InputError

        try:
            return self.solver.backtest(self.past, train=train)
        except InputError as error:
            raise UsageError(str(error)) from None
        except ValueError as error:
            raise UsageError(f"--train: {error}; give a longer history, or another share") from None

    def moving(self, *, most: int, last_hour: bool) -> tuple[Staying, ...]:
        """Find what moving workloads away from home saves, and what would keep them there.

        Raises:
            InfeasibleError: there is no plan.
            UsageError: a forecast or a planned change cannot be made.
        """
        from providers.tables import InputError

        try:
            return self.solver.moving(self.inputs, most=most, last_hour=last_hour)
        except InputError as error:
            raise UsageError(str(error)) from None

    def sensitivity(self, plan: Plan) -> tuple[Differing, ...]:
        """Keep what the plan buys while the demand comes out lower or higher.

        Raises:
            UsageError: there are scenarios, which say themselves what the demand may be.
        """
        if self.inputs.scenarios:
            raise UsageError("--sensitivity: the scenarios say already what the demand may be; give one of the two")
        return self.solver.sensitivity(self.inputs, plan)

    def vendors(self, plan: Plan) -> dict[str, float | None]:
        """Find what each vendor that quotes is worth: what the plan would cost more without any of its offers."""
        return self.solver.vendors(self.inputs, plan)


def load(request: Request) -> Session:
    """Read what was asked for, or the demo where no usage was given.

    Raises:
        InputError: a file cannot be read, is not what it should be, or does not go with the others.
        UsageError, QuoteError, LimitError: the settings, a quote or a limit cannot be read.
    """
    from app.loading import session_of

    return session_of(request)
