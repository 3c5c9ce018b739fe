"""What a plan costs month by month: as it is paid, and as it is used.

Conventions, since a plan says what an hour costs and not when its invoice comes: a month is a calendar month in UTC;
use, pay-as-you-go and what commitments to spend add to it are spread evenly over the hours planned; what is prepaid is
paid when its term begins and used up evenly over that term; a purchase that counts on renewal pays again at each
renewal, for the part that the plan needs; what is owned is shown as if nothing of it had been prepaid. What falls due
after the plan stands in rows of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from app.reports.outline import MONTH_HOURS
from app.reports.times import HOUR, begin_of, length_of, pace_of, time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.reports.planfile import PlanFile, Purchase

LONGEST = 1200  # months; no term is longer, whatever a file says
MICRO = Decimal("0.000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Money of one calendar month, or of the part of it before or after the plan's end.

    since, until: hours from the start of the plan. upfront, committed (new), owned and as_you_go are paid in it; used
    is the cost of what is used in it, prepaid or not; on_demand what that would cost on demand, None where unknown.
    """

    month: str
    planned: bool
    since: float
    until: float
    upfront: Decimal
    committed: Decimal
    owned: Decimal
    as_you_go: Decimal
    used: Decimal
    on_demand: Decimal | None

    @property
    def paid(self) -> Decimal:
        """Everything that is paid in it."""
        return self.upfront + self.committed + self.owned + self.as_you_go


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """What is still owed on one commitment when the plan begins, and for how many months from then on."""

    bought: Purchase
    owned: bool
    usd: float
    months: float
    since: datetime
    until: datetime | None


class Stretch(NamedTuple):
    """Hours in which a share of the GPUs is paid for."""

    since: float
    until: float
    share: float = 1.0


class Spread(NamedTuple):
    """An amount spread over stretches in proportion to their hours and shares."""

    column: str
    usd: float
    stretches: tuple[Stretch, ...]

    def by(self, hour: float) -> float:
        """Return what of it has come by then; all of it at once where there is nothing to spread it over."""
        whole = _hours(self.stretches)
        if whole <= 0:
            return self.usd if hour > min((one.since for one in self.stretches), default=0.0) else 0.0
        return self.usd * _hours(_between(self.stretches, -1.0, hour)) / whole


class _Terms(NamedTuple):
    """When one purchase runs, in hours from the start of the plan: in the plan, and after it."""

    begins: float
    term: float | None
    planned: tuple[Stretch, ...]
    after: tuple[Stretch, ...]
    paid: float


def months_of(plan: PlanFile) -> tuple[Month, ...]:
    """Return the months of a plan, those in which something still falls due after it included.

    Raises:
        InputError: the times of the plan file make no sense.
    """
    start, length = begin_of(plan), length_of(plan)
    spreads = [*_spreads(plan), *_evenly(plan, length)]
    last = max((one.until for spread in spreads for one in spread.stretches), default=length)
    edges = _edges(start, length, max(last, length))
    columns = {name: _cents([spread for spread in spreads if spread.column == name], edges) for name in COLUMNS}
    known = plan.summary.on_demand_cost is not None
    return tuple(
        Month(
            month=f"{start + since * HOUR:%Y-%m}",
            planned=until <= length,
            since=since,
            until=until,
            **{name: columns[name][index] for name in COLUMNS[:-1]},
            on_demand=columns["on_demand"][index] if known and until <= length else None,
        )
        for index, (since, until) in enumerate(pairwise(edges))
    )


COLUMNS = ("upfront", "committed", "owned", "as_you_go", "used", "on_demand")


def obligations(plan: PlanFile) -> tuple[Obligation, ...]:
    """Return what is still owed when the plan begins, new purchases first: their whole term, renewals not counted."""
    start, length, pace = begin_of(plan), length_of(plan), pace_of(plan)
    found = []
    for owned, bought in _held(plan):
        terms = _terms(bought, start, length, owned=owned)
        until = max((one.until for one in (*terms.planned, *terms.after)), default=terms.begins)
        if not owned and not terms.after and terms.term is not None:
            until = min(until, terms.begins + terms.term)
        usd = float(bought.total_commitment)
        if owned:
            usd = _due(bought, terms, pace, owned=True) + _holding(bought, terms)
        ends = bought.end is not None or terms.term is not None
        first = min((one.since for one in terms.planned), default=terms.begins)
        found.append(
            Obligation(
                bought=bought,
                owned=owned,
                usd=usd,
                months=until / MONTH_HOURS,
                since=time_of(bought.start) if owned and bought.start else start + first * HOUR,
                until=start + until * HOUR if ends else None,
            )
        )
    return tuple(found)


def _held(plan: PlanFile) -> Iterable[tuple[bool, Purchase]]:
    yield from ((False, bought) for bought in plan.purchases)
    yield from ((True, bought) for bought in plan.commitments)


def _spreads(plan: PlanFile) -> Iterable[Spread]:
    start, length, pace = begin_of(plan), length_of(plan), pace_of(plan)
    for owned, bought in _held(plan):
        terms = _terms(bought, start, length, owned=owned)
        column = "owned" if owned else "committed"
        due = _due(bought, terms, pace, owned=owned)
        if not terms.after:  # owed although its last hour has come: at once, when the plan ends
            terms = terms._replace(after=(Stretch(length, length + 1.0),))
        for usd, stretches in ((float(bought.cost), terms.planned), (due, terms.after)):
            if usd:
                yield Spread(column, usd, stretches)
                yield Spread("used", usd, stretches)
        yield from _prepaid(bought, terms, due, pace)


def _prepaid(bought: Purchase, terms: _Terms, due: float, pace: float) -> Iterable[Spread]:
    """Pay at the start of each term, and so much less as the term goes."""
    upfront = float(bought.upfront)
    if not upfront:
        return
    ends = max((one.until for one in terms.planned), default=terms.begins)
    first = ends if terms.term is None else min(terms.begins + terms.term, ends)
    now = _between(terms.planned, terms.begins, first)
    here = 1.0 if not due else min(_hours(now) * pace / terms.paid, 1.0)
    yield from _pays(upfront * here, terms.begins, now)
    yield from _pays(upfront - upfront * here, terms.begins, terms.after)
    while terms.term and not due and first < ends - 1e-6:
        again = _between(terms.planned, first, min(first + terms.term, ends))
        yield from _pays(upfront * _hours(again) / terms.paid, first, again)
        first += terms.term


def _pays(usd: float, when: float, stretches: tuple[Stretch, ...]) -> Iterable[Spread]:
    if usd:
        yield Spread("upfront", usd, (Stretch(when, when),))
        yield Spread("committed", -usd, stretches)


def _evenly(plan: PlanFile, length: float) -> Iterable[Spread]:
    held = {bought.offer_id for _, bought in _held(plan)}
    cost = float(sum(Decimal(service.cost) for service in plan.mix if service.offer_id not in held))
    cost += float(sum(Decimal(spend.cost) for spend in plan.spends if spend.taken))
    whole = (Stretch(0.0, length),)
    yield Spread("as_you_go", cost, whole)
    yield Spread("used", cost, whole)
    yield Spread("on_demand", float(plan.summary.on_demand_cost or 0), whole)


def _terms(bought: Purchase, start: datetime, length: float, *, owned: bool) -> _Terms:
    since = None if bought.start is None else (time_of(bought.start) - start) / HOUR
    until = None if bought.end is None else (time_of(bought.end) - start) / HOUR
    begins = since if since is not None and (owned or since > 0) else 0.0
    term = None if bought.term_months is None else min(max(bought.term_months, 0.0), LONGEST) * MONTH_HOURS
    if term is None and since is not None and until is not None:
        term = max(until - since, 0.0)
    ends = max(min(length, length if until is None else until), 0.0)
    last = until if owned and until is not None else begins + (term or 0.0)
    steps = _steps(bought, begins, max(last, ends))
    paid = _hours(_between(steps, begins, begins + term)) if term else _hours(_between(steps, begins, ends))
    return _Terms(begins, term, _between(steps, 0.0, ends), _between(steps, length, last), paid)


def _steps(bought: Purchase, begins: float, until: float) -> tuple[Stretch, ...]:
    """Return the stretches of a ramp, or one where everything is there from the start."""
    ramp = [(begins + step.months * MONTH_HOURS, step.share) for step in bought.ramp] or [(begins, 1.0)]
    ends = [since for since, _ in ramp[1:]] + [until]
    return tuple(Stretch(since, end, share) for (since, share), end in zip(ramp, ends, strict=True) if end > since)


def _due(bought: Purchase, terms: _Terms, pace: float, *, owned: bool) -> float:
    """Return what falls due after the plan, $."""
    if not terms.term or terms.paid <= 0:
        return 0.0
    rest = _hours(terms.after) if owned else terms.paid - _hours(terms.planned) * pace
    return float(bought.total_commitment) * rest / terms.paid if rest > 1e-6 else 0.0


def _holding(bought: Purchase, terms: _Terms) -> float:
    """Return what holding an owned commitment still costs within the plan, $; its use is not owed."""
    if terms.term and terms.paid > 0:
        return float(bought.total_commitment) * _hours(terms.planned) / terms.paid
    return float(bought.total_commitment)


def _hours(stretches: Iterable[Stretch]) -> float:
    return sum((one.until - one.since) * one.share for one in stretches)


def _between(stretches: Iterable[Stretch], since: float, until: float) -> tuple[Stretch, ...]:
    cut = (Stretch(max(one.since, since), min(one.until, until), one.share) for one in stretches)
    return tuple(one for one in cut if one.until > one.since)


def _edges(start: datetime, length: float, last: float) -> list[float]:
    """Return where a month begins or the plan ends, in hours from its start."""
    edges, month = {0.0, length, last}, start
    while True:
        month = (month.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=32)).replace(day=1)
        hours = (month - start) / HOUR
        if hours >= last:
            return sorted(edges)
        edges.add(hours)


def _cents(spreads: Sequence[Spread], edges: Sequence[float]) -> list[Decimal]:
    """Return what comes between two edges, rounded so that the sum is the whole."""
    come = [Decimal(sum(spread.by(edge) for spread in spreads)).quantize(MICRO) for edge in edges[1:]]
    return [now - before for before, now in pairwise([Decimal(0), *come])]
