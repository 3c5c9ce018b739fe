"""Who pays for GPUs: the lines of a showback, who wastes most, what has no tag, and what a GPU-hour costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import fsum
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import polars as pl

    from app.gate_rules import Rules
    from optimizer.burn import BudgetState
    from optimizer.stated import Inputs

Policy = Literal["showback", "proportional", "even"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
Kind = Literal["owner", "untagged", "residual", "shared", "total"]
HOURS_PER_MONTH = 730.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time that is accounted for: a month in UTC, or everything there is.

    hours: of it that the usage covers. whole: whether those are all of a month. month: whether it is one.
    """

    since: datetime
    until: datetime
    hours: float
    whole: bool
    month: bool

    @property
    def name(self) -> str:
        """How it is called: 2026-08, or from when to when."""
        if self.month:
            return f"{self.since:%Y-%m}{'' if self.whole else ', not whole'}"
        return f"{self.since:%Y-%m-%d} to {self.until - timedelta(hours=1):%Y-%m-%d}"

    @property
    def per_month(self) -> float:
        """What an amount of this time is multiplied by to be one of a month."""
        return 1.0 if self.whole or not self.hours else HOURS_PER_MONTH / self.hours


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one team pays, or one of its workloads.

    kind: as `optimizer.showback` says it; residual, what a team pays for no workload; and total.
    team, workload: None where there is no tag.
    direct_usd, shared_usd, total_usd: its own cost, its part of what no team caused, and both; the same in cents, which
    add up along and across. share: of the total. used_share, usd_per_gpu_hour, usd_per_used_gpu_hour: None where
    nobody measured or nothing has a price. budget: of exactly these workloads.
    """

    kind: Kind
    team: str | None = None
    workload: str | None = None
    direct_usd: float | None = None
    shared_usd: float | None = None
    total_usd: float | None = None
    direct_cents: int | None = None
    shared_cents: int | None = None
    total_cents: int | None = None
    share: float | None = None
    gpu_hours: float | None = None
    used_share: float | None = None
    usd_per_gpu_hour: float | None = None
    usd_per_used_gpu_hour: float | None = None
    unpriced_gpu_hours: float = 0.0
    budget: BudgetState | None = None

    @property
    def key(self) -> str:
        """Its name among the lines."""
        return repr((self.kind, self.team, self.workload))

    @property
    def opens(self) -> bool:
        """Whether there are workloads in it."""
        return self.kind in {"owner", "untagged"} and self.workload is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """What a workload was allocated and did not use; money in $ a month, None where it has no price.

    unused_usd: all of it. saved_usd: what of it is paid as it is used, and ends where GPUs are given back.
    quiet_hours: hours with less than 5 % activity.
    """

    team: str | None
    workload: str | None
    unused_usd: float | None
    saved_usd: float | None
    gpu_hours: float
    unused_gpu_hours: float
    used_share: float | None
    quiet_hours: float

    @property
    def key(self) -> str:
        """Its name among the rows."""
        return repr((self.team, self.workload))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Work that lacks a tag, at one provider or, where provider is None, at all of them.

    usd_share, gpu_hours_share: of all work. provider_share: of the GPU-hours at the provider.
    """

    tag: str
    everywhere: bool
    provider: str | None
    usd: float | None
    gpu_hours: float
    usd_share: float | None
    gpu_hours_share: float | None
    provider_share: float | None

    @property
    def key(self) -> str:
        """Its name among the rows."""
        return repr((self.tag, self.everywhere, self.provider))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCost:
    """What a workload's GPU-hours cost: for each month, the latest first, $ per allocated and per used one."""

    team: str | None
    workload: str | None
    usd: float
    allocated: tuple[float | None, ...]
    used: tuple[float | None, ...]

    @property
    def change(self) -> float | None:
        """By which share a used GPU-hour of the latest month is dearer than one of the month before."""
        now, before = (*self.used[:2], None, None)[:2]
        return None if now is None or not before else now / before - 1

    @property
    def key(self) -> str:
        """Its name among the rows."""
        return repr((self.team, self.workload))


Told: TypeAlias = Line | Waste | Gap | UnitCost
"""A row on screen."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Books:
    """What does not hang on the period: where everything comes from, the periods, and unit costs by month.

    basis: what costs are, in words. months: of the unit costs, the latest first.
    """

    inputs: Inputs
    rules: Rules | None
    prices: pl.DataFrame
    currency: str
    basis: str
    periods: tuple[Period, ...]
    months: tuple[str, ...]
    units: tuple[UnitCost, ...]

    @property
    def opening(self) -> int:
        """The period to begin with: the last whole month, else the last, which is everything."""
        whole = [place for place, period in enumerate(self.periods) if period.whole]
        return whole[-1] if whole else len(self.periods) - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Accounts:
    """The accounts of one period.

    teams: by policy, the total last. works: the workloads of each team at their own cost. bill_cents: the cost of every
    row of the usage, summed without regard to teams. shared: $ that no team caused, by what it is.
    gpu_hours, measured_gpu_hours: of all work. unpriced_gpu_hours: in no figure in $.
    """

    period: Period
    teams: Mapping[Policy, tuple[Line, ...]]
    works: Mapping[str | None, tuple[Line, ...]]
    bill_cents: int | None
    shared: tuple[tuple[str, float | None], ...]
    gpu_hours: float
    measured_gpu_hours: float
    unpriced_gpu_hours: float
    wastes: tuple[Waste, ...]
    gaps: tuple[Gap, ...]

    def total(self, policy: Policy) -> Line:
        """Return the line that the others add up to."""
        return self.teams[policy][-1]

    def inside(self, policy: Policy, key: str | None) -> tuple[Line, ...]:
        """Return the lines of a team's workloads, and its own as their total; nothing where there is no such team."""
        team = next((line for line in self.teams[policy] if line.key == key and line.opens), None)
        if team is None:
            return ()
        total = replace(team, kind="total", share=None if team.total_usd is None else 1.0)
        return (*shared_out(self.works.get(team.team, ()), team, policy), total)


def shared_out(works: Sequence[Line], team: Line, policy: Policy) -> list[Line]:
    """Return the workloads of a team with their part of its shared cost, shared out as among teams."""
    from optimizer.showback import cents_of

    own = [max(line.direct_usd or 0.0, 0.0) for line in works]
    weights = own if policy == "proportional" and fsum(own) else [1.0] * len(works)
    shared = [(team.shared_usd or 0.0) * weight / fsum(weights) for weight in weights]
    totals = [
        None if line.direct_usd is None and not part else (line.direct_usd or 0.0) + part
        for line, part in zip(works, shared, strict=True)
    ]
    cents = _adding_up(cents_of(totals), team.total_cents)
    paid = zip(works, shared, totals, cents, strict=True)
    lines = [_paying(line, part, total, cent, team.total_usd) for line, part, total, cent in paid]
    return sorted(lines, key=lambda line: (-(line.total_usd or 0.0), line.workload is None, line.workload or ""))


def _adding_up(cents: list[int | None], whole: int | None) -> list[int | None]:
    """Give the cent that rounding lost or won to the largest amount."""
    known = [(abs(amount), place) for place, amount in enumerate(cents) if amount is not None]
    if known and whole is not None:
        place = max(known)[1]
        cents[place] = (cents[place] or 0) + whole - sum(amount for amount in cents if amount is not None)
    return cents


def _paying(line: Line, shared: float, total: float | None, cents: int | None, whole: float | None) -> Line:
    dearer = total / line.direct_usd if total is not None and line.direct_usd else None
    direct_cents, shared_cents = split_cents(line.direct_usd, shared, cents)
    return replace(
        line,
        shared_usd=shared,
        total_usd=total,
        direct_cents=direct_cents,
        shared_cents=shared_cents,
        total_cents=cents,
        share=total / whole if total is not None and whole and whole > 0 else None,
        usd_per_gpu_hour=times(line.usd_per_gpu_hour, dearer),
        usd_per_used_gpu_hour=times(line.usd_per_used_gpu_hour, dearer),
    )


def split_cents(direct: float | None, shared: float | None, total: int | None) -> tuple[int | None, int | None]:
    """Return the own and the shared cost in cents, so that they add up to the total.

    >>> split_cents(1.004, 0.502, 151), split_cents(0.0, 2.0, 200), split_cents(None, 0.0, None)
    ((101, 50), (0, 200), (None, None))
    """
    if total is None:
        return None, None
    part = 0 if not shared else total if not direct else round(shared * 100)
    return total - part, part


def times(amount: float | None, factor: float | None) -> float | None:
    """Multiply what is known."""
    return None if amount is None or factor is None else amount * factor


def summed(lines: Sequence[Line], used: Line) -> Line:
    """Return the line that others add up to; what is no sum comes from `used`."""

    def whole(of: Callable[[Line], float | None]) -> float | None:
        known = [amount for line in lines if (amount := of(line)) is not None]
        return fsum(known) if known else None

    def cents(of: Callable[[Line], int | None]) -> int | None:
        known = [amount for line in lines if (amount := of(line)) is not None]
        return sum(known) if known else None

    total = whole(lambda line: line.total_usd)
    return replace(
        used,
        kind="total",
        direct_usd=whole(lambda line: line.direct_usd),
        shared_usd=whole(lambda line: line.shared_usd),
        total_usd=total,
        direct_cents=cents(lambda line: line.direct_cents),
        shared_cents=cents(lambda line: line.shared_cents),
        total_cents=cents(lambda line: line.total_cents),
        share=1.0 if total and total > 0 else None,
    )
