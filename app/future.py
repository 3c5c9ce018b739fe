"""What is expected of the time that is planned: forecast, growth, purchase dates, prices to come, planned changes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from app.diagnostics import UsageError
from app.setting_tables import PriceTable, tables_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.setting_tables import PlanTable
    from optimizer.ladder import Buying, PriceMove
    from providers.tables import Diagnostic

BEST = "best"  # as in optimizer.forecast_choice, which takes long to import

MONTHS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(mo|m|months?|y|yr|years?)?\s*", re.IGNORECASE)
PERCENT = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*(%)?\s*")
MOST_DATES = 60  # at which a plan may buy: every offer stands in it once for each
LONGEST_MONTHS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How the time to come is taken; None is what nobody said. Shares are per month, and for capital per year.

    forecast: a method, or `best`; ladder_months: time between two purchase dates, infinite for all at the start.
    """

    forecast: str | None = None
    growth_per_month: float | None = None
    ladder_months: float | None = None
    capital_per_year: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """From a month after the start, or from a day, on list prices are `factor` times today's; gpu_model is a glob."""

    gpu_model: str
    begins: float | datetime
    factor: float


def outlook(
    *,
    forecast: str | None,
    growth: str | float | None,
    ladder: str | float | None,
    capital: str | float | None,
    names: tuple[str, str, str, str] = ("--forecast", "--growth", "--ladder", "--capital"),
) -> Outlook:
    """Read the four as they were asked for; `names` are what they are called there.

    Raises:
        UsageError: one of them cannot be read, or has no meaning.
    """
    if forecast is not None:
        _check_method(forecast, names[0])
    return Outlook(
        forecast=forecast,
        growth_per_month=None if growth is None else percent(growth, where=names[1], least=-0.99),
        ladder_months=None if ladder is None else _ladder(ladder, names[2]),
        capital_per_year=None if capital is None else percent(capital, where=names[3]),
    )


def outlook_of(table: PlanTable, where: str) -> Outlook:
    """Read what [plan] says of the time to come.

    Raises:
        UsageError: as `outlook` does.
    """
    keys = ("forecast", "growth_per_month", "ladder", "cost_of_capital")
    found = outlook(
        forecast=table.forecast,
        growth=table.growth_per_month,
        ladder=table.ladder,
        capital=table.cost_of_capital,
        names=tuple(f"{where}: [plan] {key}" for key in keys),  # type: ignore[arg-type]
    )
    return _consistent(found, where=f"{where}: [plan]")


def settled(asked: Outlook, said: Outlook, *, months: float | None) -> Outlook:
    """Return what holds: what was asked for, else what the settings say; `months` is the horizon, None: the history.

    Raises:
        UsageError: a forecast and a growth do not go together, or either or a ladder with the hours of the history.
    """
    found = replace(said, **{name: value for name in Outlook.__slots__ if (value := getattr(asked, name)) is not None})
    if asked.growth_per_month is None and found.forecast not in (None, "growth", BEST):
        found = replace(found, growth_per_month=None)  # the settings' growth was for the method that gave way
    found = _consistent(found, where="--forecast")
    if months is None:
        _refuse_history(found)
    elif found.ladder_months is not None and months > MOST_DATES * found.ladder_months:
        dates = f"a purchase every {found.ladder_months:g} months of {months:g} is more than {MOST_DATES} dates"
        raise UsageError(f"--ladder: {dates}; buy less often, or plan less far")
    return found


def described(found: Outlook, *, commit_idle: bool) -> dict[str, str]:
    """Return what is asked of the time to come as text, for reports; empty where nothing is."""
    shares = {"growth": found.growth_per_month, "capital": found.capital_per_year}
    said = {"forecast": found.forecast} if found.forecast else {}
    said |= {name: f"{100 * share:.6g}%" for name, share in shares.items() if share}
    if found.ladder_months not in (None, float("inf")):
        said["ladder"] = f"{found.ladder_months:g}mo"
    return said | ({"idle": "committed"} if commit_idle else {})


def buying_of(settled: Outlook, moves: Iterable[PriceMove]) -> Buying:
    """Return when a plan may buy, at which prices, and what capital costs."""
    from optimizer.ladder import Buying

    ladder = settled.ladder_months
    return Buying(
        ladder_months=None if ladder is None or ladder == float("inf") else ladder,
        moves=tuple(moves),
        capital_per_year=settled.capital_per_year or 0.0,
    )


def price_steps(raw: object, where: str) -> tuple[tuple[PriceStep, ...], list[Diagnostic]]:
    """Read [[prices]]; GPU models that are no glob get their canonical names.

    Raises:
        UsageError: one of them cannot be read.
    """
    tables = tables_of(raw, PriceTable, where=where, name="prices")
    names, found = models_of([table.gpu_model for _, table in tables], where)
    steps = [
        PriceStep(gpu_model=names[table.gpu_model], begins=_begins(table.begins, place), factor=table.factor)
        for place, table in tables
    ]
    return tuple(steps), found


def moves_of(
    steps: Iterable[PriceStep], *, start: datetime, sold: Iterable[str]
) -> tuple[tuple[PriceMove, ...], list[Diagnostic]]:
    """Return the moves of a plan that begins at `start`, and which of them change nothing.

    A day that has passed is left out: today's prices have moved already. sold: the GPU models on offer.
    """
    from optimizer.ladder import PriceMove

    models, moves, found = set(sold), [], []
    for step in steps:
        if not any(fnmatchcase(model, step.gpu_model) for model in models):
            message = f"no offer is of GPU model {step.gpu_model!r}, so that no price of it moves"
            found.append(_without_effect(message, "correct the name in [[prices]]"))
        elif isinstance(step.begins, datetime) and step.begins <= start:
            message = f"the move of {step.gpu_model} on {step.begins:%Y-%m-%d} is left out: prices have it already"
            found.append(_without_effect(message, "take it out of [[prices]]"))
        else:
            moves.append(PriceMove(gpu_model=step.gpu_model, from_month=_month(step, start), factor=step.factor))
    return tuple(moves), found


def models_of(names: Iterable[str], where: str) -> tuple[dict[str, str], list[Diagnostic]]:
    """Return the name to use for each GPU model written, globs as they are, and a warning about unknown ones."""
    from providers.names import resolved

    written = sorted(set(names))
    known, found = resolved([name for name in written if not is_glob(name)], where=where)
    return {name: known.get(name, name) for name in written}, found


def is_glob(name: str) -> bool:
    """Say whether a name stands for whatever matches it."""
    return any(sign in name for sign in "*?[")


def moment(value: object, *, where: str) -> datetime:
    """Return a TOML date or date-time, or a text that is one, in UTC.

    Raises:
        UsageError: it is none.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = None
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise UsageError(f"{where} is no date; write 2027-03-01 or 2027-03-01T12:00:00Z")


def percent(value: str | float, *, where: str, least: float = 0.0) -> float:
    """Read 5% or 0.05 as the share 0.05, between `least` and 1.

    Raises:
        UsageError: it is none, or may be one in a hundred or the whole.
    """
    found = PERCENT.fullmatch(value if isinstance(value, str) else f"{value:.12f}")
    share = float(found[1]) / (100 if found[2] else 1) if found else float("nan")
    plain = found is not None and (found[2] is not None or abs(share) < 1)
    if not plain or not least <= share <= 1:
        bounds = f"between {100 * least:g}% and 100%"
        raise UsageError(f"{where}: {value!r} is no percentage {bounds}; write 5% or 0.05")
    return share


def months(value: object, *, where: str) -> float:
    """Read 6mo, 1y or a number of months.

    Raises:
        UsageError: it is none, or more than fifty years.
    """
    text = f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value
    found = MONTHS.fullmatch(text) if isinstance(text, str) else None
    unit = (found[2] or "mo").lower() if found else "mo"
    number = float(found[1]) * (12 if unit.startswith("y") else 1) if found else float("nan")
    if not 0 <= number <= LONGEST_MONTHS:
        raise UsageError(f"{where}: {value!r} is no time in months; write 6mo or 1y (at most 50y)")
    return number


def _check_method(name: str, where: str) -> None:
    from optimizer.forecast import METHODS

    known = (BEST, *METHODS)
    if name not in known:
        close = get_close_matches(name.replace("-", "_"), known, n=1)
        remedy = f"did you mean {close[0]}?" if close else f"use {', '.join(known)}"
        raise UsageError(f"{where}: there is no forecast {name!r}; {remedy}")


def _consistent(found: Outlook, *, where: str) -> Outlook:
    """Let a growth without a forecast mean the method that grows, and refuse one that nothing uses."""
    grows = bool(found.growth_per_month)
    if found.forecast is None:
        return replace(found, forecast="growth" if grows else None)
    if found.forecast == "growth" and not grows:
        raise UsageError(f'{where}: growth needs a rate; write --growth 5%, or growth_per_month = "5%" in [plan]')
    if grows and found.forecast not in ("growth", BEST):
        raise UsageError(f"{where}: {found.forecast} does not grow by a rate; use growth, or leave the rate out")
    return found


def _refuse_history(found: Outlook) -> None:
    remedy = "plan months with --horizon, such as 12mo"
    if found.forecast not in (None, "typical"):
        raise UsageError(
            f"--forecast {found.forecast}: the horizon is the history, and there is nothing to forecast; {remedy}, or "
            "use --forecast typical"
        )
    if found.ladder_months not in (None, float("inf")):
        problem = "the horizon is the history, and whoever buys later has no history to serve"
        raise UsageError(f"--ladder {found.ladder_months:g}mo: {problem}; {remedy}, or use --ladder none")


def _ladder(value: str | float, where: str) -> float:
    if isinstance(value, str) and value.strip().lower() == "none":
        return float("inf")
    found = months(value, where=where)
    if not found:
        raise UsageError(f"{where}: {value!r} is no time between two purchases; write 3mo, or none")
    return found


def _begins(value: object, place: str) -> float | datetime:
    if isinstance(value, date) or (isinstance(value, str) and re.match(r"\s*\d{4}-", value)):
        return moment(value, where=f"{place} from: {value}")
    return months(value, where=f"{place} from")


def _month(step: PriceStep, start: datetime) -> float:
    from providers.tables import HOURS_PER_MONTH

    if isinstance(step.begins, datetime):
        return (step.begins - start) / timedelta(hours=HOURS_PER_MONTH)
    return step.begins


def _without_effect(message: str, hint: str) -> Diagnostic:
    from providers.tables import Diagnostic

    return Diagnostic(level="warning", code="price-move", message=message, hint=hint)
