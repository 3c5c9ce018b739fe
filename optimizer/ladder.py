"""When a plan may buy, and at which prices: purchases at later dates, list prices that move, capital that costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from optimizer.demand import Horizon
from optimizer.tariffs import Tariff
from providers.tables import HOURS_PER_MONTH


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceMove:
    """From a month after the start on, list prices of GPU models are `factor` times those of today.

    gpu_model: a glob. Of two moves that have begun, the later in the file holds.
    """

    gpu_model: str
    from_month: float
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Buying:
    """Time between two dates at which a plan may buy, None for all at the start; how list prices move.

    capital_per_year: what capital costs, 0.08 for 8 % a year.
    """

    ladder_months: float | None = None
    moves: tuple[PriceMove, ...] = ()
    capital_per_year: float = 0.0

    def factor(self, gpu_model: str, month: float) -> float:
        """Return the list price of a model in a month, against today's."""
        begun = [
            move.factor for move in self.moves if move.from_month <= month and fnmatchcase(gpu_model, move.gpu_model)
        ]
        return begun[-1] if begun else 1.0


AT_THE_START = Buying()


def bought(tariff: Tariff, horizon: Horizon, buying: Buying) -> list[tuple[Tariff, float]]:
    """Return a tariff as it may be bought, one for each date, or used, one for each price, and its price to today's.

    What is owned, or was quoted, keeps its price. With a ladder a term is not renewed: it is bought again, or not.
    """
    if tariff.owned is not None or tariff.in_dollars:
        return [(tariff, 1.0)]
    if not tariff.held:
        return _used(tariff, horizon, buying) if tariff.status == "list" else [(tariff, 1.0)]
    capital = _with_capital(tariff, horizon, buying.capital_per_year)
    open_ended = tariff.term_months is not None and tariff.start is None and tariff.end is None
    ladder = buying.ladder_months if open_ended else None
    if capital.status != "list":
        return [(capital if ladder is None else _begun(capital, horizon.start), 1.0)]
    if ladder is None or horizon.months is None:
        factor = buying.factor(tariff.gpu_model, 0.0)
        return [(_at(capital, factor), factor)]
    dates = [count * ladder for count in range(int(-(-horizon.months // ladder)))]
    return [_bought_in(capital, month, horizon, buying) for month in dates]


def after(time: datetime, months: float) -> datetime:
    """Return the time that is so many months of equal length later."""
    return time + timedelta(hours=months * HOURS_PER_MONTH)


def _bought_in(tariff: Tariff, month: float, horizon: Horizon, buying: Buying) -> tuple[Tariff, float]:
    factor = buying.factor(tariff.gpu_model, month)
    return _named(_begun(_at(tariff, factor), after(horizon.start, month)), month), factor


def _begun(tariff: Tariff, start: datetime) -> Tariff:
    return replace(tariff, start=start, end=after(start, tariff.term_months or 0.0))


def _named(tariff: Tariff, month: float) -> Tariff:
    """Name what is bought, or used, from a later month on."""
    if not month:
        return tariff
    exclusive = f"{tariff.exclusive}+{month:g}mo" if tariff.exclusive else None
    return replace(tariff, offer_id=f"{tariff.offer_id}+{month:g}mo", exclusive=exclusive, month=month)


def _used(tariff: Tariff, horizon: Horizon, buying: Buying) -> list[tuple[Tariff, float]]:
    """Return pay-as-you-go at each price that it has in the horizon, in force while it has it."""
    months = {move.from_month for move in buying.moves if fnmatchcase(tariff.gpu_model, move.gpu_model)}
    begins = [0.0, *sorted(month for month in months if month > 0 and after(horizon.start, month) < horizon.end)]
    found = []
    for month, until in zip(begins, [*begins[1:], None], strict=True):
        since = after(horizon.start, month) if month else None
        ends = None if until is None else after(horizon.start, until)
        start = max((time for time in (since, tariff.start) if time), default=None)
        end = min((time for time in (ends, tariff.end) if time), default=None)
        if start is None or end is None or start < end:
            factor = buying.factor(tariff.gpu_model, month)
            found.append((_named(replace(_at(tariff, factor), start=start, end=end), month), factor))
    return found


def _at(tariff: Tariff, factor: float) -> Tariff:
    """Return the tariff with its price times a factor, and what is paid beside it as it is."""
    if factor == 1.0:
        return tariff
    if tariff.held:
        return replace(tariff, holding=tariff.as_compared(tariff.stated_holding * factor))
    price = tariff.advertised_usage * factor
    return replace(tariff, usage=tariff.as_compared(price), advertised_usage=price)


def _with_capital(tariff: Tariff, horizon: Horizon, per_year: float) -> Tariff:
    """Count the capital that a payment at the start ties up.

    Paying a dollar at the start of n months is as good as paying i / (1 - (1 + i)^-n) at the end of each, i the rate of
    a month: over the term that is n times as much, against 1 if it were paid month by month.
    """
    paid = (replace(tariff, start=tariff.start or horizon.start) if tariff.ramp else tariff).paid_hours
    months = horizon.months if paid is None else paid / HOURS_PER_MONTH
    if not per_year or not tariff.upfront_share or not months:
        return tariff
    monthly = (1.0 + per_year) ** (1 / 12) - 1.0
    dollar = months * monthly / (1.0 - (1.0 + monthly) ** -months)
    dear = replace(tariff, capital=1.0 + tariff.upfront_share * (dollar - 1.0))
    return replace(dear, holding=dear.as_compared(tariff.stated_holding))
