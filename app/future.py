"""What is expected of the time that is planned: forecast, growth, purchase dates, prices to come, planned changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from app.diagnostics import UsageError
from app.setting_tables import PriceTable, tables_of
from app.values import LONGEST_MONTHS, month_or_day, months, percent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.setting_tables import PlanTable
    from optimizer.ladder import Buying, PriceMove
    from providers.tables import Diagnostic

__all__ = [
    "LONGEST_MONTHS", "Outlook", "PriceStep", "buying_of", "described", "is_glob", "models_of", "month_of", "months",
    "moves_of", "outlook", "outlook_of", "percent", "price_steps", "settled", "weighed",
]  # fmt: skip

BEST = "best"  # as in optimizer.forecast_choice, which takes long to import

NONE = "none"
LONGEST_TAIL = 0.999  # beyond it a plan would hang on a probability that nobody knows
MOST_DATES = 60  # at which a plan may buy: every offer stands in it once for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How the time to come is taken; None is what nobody said. Shares are per month, and for capital per year.

    forecast: a method, or `best`; ladder_months: time between two purchase dates, infinite for all at the start.
    scenarios: the file of futures, or `none`; risk: how much the tail of their costs counts; tail: where it begins.
    """

    forecast: str | None = None
    growth_per_month: float | None = None
    ladder_months: float | None = None
    capital_per_year: float | None = None
    scenarios: str | None = None
    risk: float | None = None
    tail: float | None = None


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
    said = weighed(found, scenarios=table.scenarios, risk=table.risk, tail=table.tail, where=f"{where}: [plan] ")
    return _consistent(said, where=f"{where}: [plan]")


def weighed(
    found: Outlook, *, scenarios: str | None, risk: str | float | None, tail: str | float | None, where: str = "--"
) -> Outlook:
    """Return the outlook with scenarios, and how they are weighed, as they were asked for.

    Args:
        found: what else is expected.
        scenarios: a file, or `none`.
        risk: how much the tail counts, 0 for the expected cost alone.
        tail: 95% for the worst twentieth of the outcomes.
        where: what stands before the three where they were asked for.

    Raises:
        UsageError: one of them cannot be read, or has no meaning.
    """
    return replace(
        found,
        scenarios=scenarios,
        risk=None if risk is None else percent(risk, where=f"{where}risk", whole=True),
        tail=None if tail is None else _tail(tail, where=f"{where}tail"),
    )


def settled(asked: Outlook, said: Outlook, *, months: float | None) -> Outlook:
    """Return what holds: what was asked for, else what the settings say; `months` is the horizon, None: the history.

    Raises:
        UsageError: a forecast and a growth do not go together, or either or a ladder with the hours of the history, or
            there are no scenarios to weigh.
    """
    found = replace(said, **{name: value for name in Outlook.__slots__ if (value := getattr(asked, name)) is not None})
    if asked.growth_per_month is None and found.forecast not in (None, "growth", BEST):
        found = replace(found, growth_per_month=None)  # the settings' growth was for the method that gave way
    found = _with_scenarios(_consistent(found, where="--forecast"), asked)
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
    said |= {"scenarios": found.scenarios} if found.scenarios else {}
    said |= {"risk": f"{100 * found.risk:.6g}%"} if found.risk else {}
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


def price_steps(raw: object, where: str, *, name: str = "prices") -> tuple[tuple[PriceStep, ...], list[Diagnostic]]:
    """Read [[prices]], or what has another name in its place; GPU models that are no glob get their canonical names.

    Raises:
        UsageError: one of them cannot be read.
    """
    tables = tables_of(raw, PriceTable, where=where, name=name)
    names, found = models_of([table.gpu_model for _, table in tables], where)
    steps = [
        PriceStep(
            gpu_model=names[table.gpu_model],
            begins=month_or_day(table.begins, where=f"{place} from"),
            factor=table.factor,
        )
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
            moves.append(PriceMove(gpu_model=step.gpu_model, from_month=month_of(step, start), factor=step.factor))
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


def _with_scenarios(found: Outlook, asked: Outlook) -> Outlook:
    """Let `none` put aside what the settings say of scenarios, and refuse to weigh what is not there."""
    if found.scenarios is not None and found.scenarios.strip().lower() == NONE:
        found = replace(found, scenarios=None, risk=asked.risk, tail=asked.tail)
    for name in ("risk", "tail"):
        if found.scenarios is None and getattr(found, name) is not None:
            remedy = "name a file with --scenarios, or scenarios in [plan]"
            raise UsageError(f"--{name}: there are no scenarios to weigh; {remedy}")
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


def _tail(value: str | float, where: str) -> float:
    share = percent(value, where=where)
    if share > LONGEST_TAIL:
        problem = f"{value!r} leaves no tail"
        raise UsageError(f"{where}: {problem}; write 95% for the worst twentieth, at most {100 * LONGEST_TAIL:g}%")
    return share


def _ladder(value: str | float, where: str) -> float:
    if isinstance(value, str) and value.strip().lower() == "none":
        return float("inf")
    found = months(value, where=where)
    if not found:
        raise UsageError(f"{where}: {value!r} is no time between two purchases; write 3mo, or none")
    return found


def month_of(step: PriceStep, start: datetime) -> float:
    """Return from which month after the start on a price moves."""
    from providers.tables import HOURS_PER_MONTH

    if isinstance(step.begins, datetime):
        return (step.begins - start) / timedelta(hours=HOURS_PER_MONTH)
    return step.begins


def _without_effect(message: str, hint: str) -> Diagnostic:
    from providers.tables import Diagnostic

    return Diagnostic(level="warning", code="price-move", message=message, hint=hint)
