"""What the screen of the present says in words: how new it is, the rate, and one row, budget or source in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.live.state import HOUR, ages, ago, at_words
from app.tui import words
from app.tui.burning import named
from app.tui.glyphs import chosen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.live.state import Live, SourceState
    from app.tui.burning import Burn, Burning, Step
    from app.tui.ink import Ink
    from optimizer.burn import BudgetState

A_DAY, A_MONTH = 24, 720  # hours of a day, and of thirty days
ALL = "all"
NOT_STATED = "idle GPUs not stated by any source"
EXACT_GPUS = 100  # from which tenths of a GPU tell nothing
NO_BUDGETS = (
    "No budget is set. Write $ a month into tranche.toml, then :reload\n"
    '[budgets]\n"*" = "2M"       # all that is spent\n"ads/*" = "40k"  # workloads of ads'
)
COLUMNS = {"gpu_model": "GPU"}
KINDS = {"live": "live", "bill": "bill", "replay": "demo replay", "prices": "prices"}


def how(live: Live, now: datetime) -> str:
    """Say whether this is live, the last bill with its lag, or a replay."""
    if live.how == "replay":
        return f"DEMO REPLAY: {live.at:%Y-%m-%d %H:%M}, an hour every refresh"
    until = live.at + HOUR
    if live.how == "live":
        return f"LIVE: {at_words(live.at, now)} to {until:%H:%M} UTC, ended {ago(until, now)}"
    silent = any(source.kind == "live" for source in live.sources)
    waiting = "; no live source has answered yet" if silent else ""
    return f"LAST BILL: {live.at:%Y-%m-%d %H:%M} UTC, ended {ago(until, now)}{waiting}"


def how_style(live: Live, ink: Ink) -> str:
    """Return the style of that: only what is live is good news."""
    return f"bold {ink.good if live.how == 'live' else ink.warn}"


def trail(path: Sequence[Step]) -> str:
    """Write the way to what is looked at: all > aws > H100-SXM-80GB."""
    return " > ".join((ALL, *(named(name, value) for name, value in path)))


def column(by: str) -> str:
    """Write the name of a column of the usage."""
    return COLUMNS.get(by) or words.name(by).replace("_", " ")


def amount(usd: float | None, currency: str) -> str:
    """Write an amount to the cent."""
    return words.UNKNOWN if usd is None else f"{'-' if usd < 0 else ''}{words.sign(currency)}{abs(usd):,.2f}"


def change(share: float | None) -> str:
    """Write a change with the way it went: ▲ 41.1 %."""
    if share is None:
        return words.UNKNOWN
    return f"{chosen().up if share > 0 else chosen().down if share < 0 else '='} {words.share(abs(share))}"


def rate(burn: Burn, currency: str) -> tuple[str, str]:
    """Write the rate of an hour, and its unit; the sign of the currency stands with the one or the other."""
    sign = words.sign(currency)
    figure = words.UNKNOWN if burn.usd is None else f"{burn.usd:,.2f}"
    return (f"{sign}{figure}", "an hour") if len(sign) == 1 else (figure, f"{sign}an hour")


def longer(burn: Burn, currency: str) -> str:
    """Write what the rate comes to in a day and in thirty days."""
    if burn.usd is None:
        return "what is spent is not known: nothing of this hour has a price"
    day, month = (words.money(burn.usd * hours, currency) for hours in (A_DAY, A_MONTH))
    return f"{day} a day, {month} in 30 days at this rate"


def shares(burn: Burn) -> str:
    """Say which part is used and idle, of how many GPUs, and how that has changed."""
    parts = [
        f"used {words.share(burn.used_share)}" if burn.used_share is not None else "use not measured",
        f"idle {words.share(burn.idle_share)}" if burn.idle is not None else "idle not stated",
        gpus(burn).replace(" allocated", ""),
        *([f"{change(burn.change)} in 7 days"] if burn.change is not None else []),
        *unpriced(burn),
    ]
    return f" {chosen().middle} ".join(part for part in parts if part)


def gpus(burn: Burn) -> str:
    """Say how many GPUs are allocated, active and idle."""
    if burn.gpus is None:
        return ""
    known = [(burn.gpus, "GPUs allocated"), (burn.gpus_used, "active"), (burn.gpus_idle, "idle")]
    return ", ".join(f"{count(number)} {what}" for number, what in known if number is not None)


def count(gpus: float) -> str:
    """Write a number of GPUs."""
    return words.count(round(gpus) if gpus >= EXACT_GPUS else gpus)


def unpriced(burn: Burn) -> list[str]:
    """Say what has no price, if anything."""
    return [f"{words.count(burn.unpriced)} GPU-hours without a price left out"] if burn.unpriced else []


def news(live: Live, now: datetime, ink: Ink) -> list[Text]:
    """Say how new the figures are, with the age of each source, and what is wrong with one, if anything."""
    told = f" {chosen().middle} ".join(words.name(age) for age in ages(live, now))
    lines = [Text.assemble((how(live, now), how_style(live, ink)), "  ", told)]
    if live.problems:
        many = f"{len(live.problems)} of {len(live.sources)} sources"
        lines.append(Text(f"! {many}: {words.name(live.problems[0])}", style=ink.bad))
    return lines


def problem_of(source: SourceState) -> str:
    """Write what is wrong with a source, without its name."""
    return words.name(source.problem).removeprefix(f"{words.name(source.name)}: ")


def of_burn(burn: Burn, burning: Burning, currency: str) -> Text:
    """Tell a row in full."""
    whole = burning.everything.usd
    other = [f"{amount(burn.other, currency)} tax, credits and other"] if burn.other else []
    idle = NOT_STATED if burn.idle is None else f"{amount(burn.idle, currency)} idle"
    parts = [f"{amount(burn.allocated, currency)} allocated", idle, *other]
    facts = [
        f"{amount(burn.usd, currency)} an hour: {', '.join(parts)}",
        _used(burn, currency),
        gpus(burn),
        *([f"{words.share(burn.usd / whole)} of everything"] if burn.usd is not None and whole else []),
        *([f"{change(burn.change)} on the same hour 7 days before"] if burn.change is not None else []),
        *_days(burn, currency),
        *unpriced(burn),
    ]
    joined = f" {chosen().middle} ".join(fact for fact in facts if fact)
    return Text.assemble((trail(burn.path), "bold"), "  ", joined)


def _used(burn: Burn, currency: str) -> str:
    if burn.used is None or burn.allocated is None or burn.measured is None:
        return "use not measured"
    said = f"{amount(burn.used, currency)} used ({words.share(burn.used_share)})"
    part = burn.measured / burn.allocated if burn.allocated else 1.0
    return said if part > 0.9995 else f"{said}, measured on {words.share(part)} of it"


def _days(burn: Burn, currency: str) -> list[str]:
    known = [usd for usd in burn.daily if usd is not None]
    if not known:
        return []
    low, high = amount(min(known), currency), amount(max(known), currency)
    return [f"{len(known)} days between {low} and {high} an hour"]


def of_budget(budget: BudgetState, burning: Burning, currency: str) -> Text:
    """Tell a budget in full."""
    limit, spent, forecast = (
        words.money(usd, currency) for usd in (budget.usd_per_month, budget.spent_usd, budget.forecast_usd)
    )
    lately = "at the mean rate of the last 7 days"
    missing = f"{words.count(budget.unpriced_gpu_hours)} GPU-hours without a price left out"
    facts = [
        f"{budget.state_now}: {spent} of {limit} spent ({words.share(budget.share_now)})",
        f"{budget.state_forecast} at the end of the month: {forecast} ({words.share(budget.share_forecast)}) {lately}",
        used_up(budget).replace("lasts", "lasts the month"),
        since(burning),
        missing if budget.unpriced_gpu_hours else "",
    ]
    joined = f" {chosen().middle} ".join(fact for fact in facts if fact)
    return Text.assemble((words.name(budget.glob), "bold"), "  ", joined)


def used_up(budget: BudgetState) -> str:
    """Say when a budget is used up."""
    if budget.state_now == "over":
        return "used up already"
    if budget.used_up_at is None:
        return "" if budget.share_forecast is None else "lasts"
    return f"used up {budget.used_up_at:%Y-%m-%d %H:%M} UTC"


def since(burning: Burning) -> str:
    """Say from when on the month is known, nothing where all of it is."""
    first = burning.budgets_since
    return f"nothing known before {first:%Y-%m-%d %H:%M} UTC" if first else ""


def of_budgets(burning: Burning) -> str:
    """Say which month the budgets are of."""
    if not burning.budgets:
        return "none set"
    until = burning.live.at + HOUR
    parts = [f"{burning.live.at:%B %Y} to {until:%m-%d %H:%M} UTC", since(burning)]
    return "; ".join(part for part in parts if part)


def of_source(source: SourceState, now: datetime, ink: Ink) -> Text:
    """Tell where figures come from in full, and what is wrong there."""
    reach = (
        "no figures yet" if source.until is None else f"to {source.until:%Y-%m-%d %H:%M} UTC, {ago(source.until, now)}"
    )
    asked = [] if source.asked is None else [f"answered {ago(source.asked, now)}"]
    joined = f" {chosen().middle} ".join([KINDS[source.kind], reach, *asked])
    text = Text.assemble((words.name(source.name), "bold"), "  ", joined)
    return text.append(f"\n! {problem_of(source)}", style=ink.bad) if source.problem else text


def of_sources(live: Live) -> str:
    """Say how many sources there are, and how many have a problem."""
    many, wrong = len(live.sources), len(live.problems)
    return f"{many} source{'' if many == 1 else 's'}, " + (f"{wrong} with a problem" if wrong else "all fine")
