"""What the plan screen says beside its panes, and of the row under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words

if TYPE_CHECKING:
    from app.tui.planning import Ahead, Holding
    from app.tui.widgets.month_chart import View
    from optimizer.plan import Plan

SEPARATOR = " · "
TENTH, HALF = 0.1, 0.5  # of the hours
NAMES = {"bought": "to buy", "owned": "owned already", "spot": "spot", "payg": "on demand"}


def of_curve(plan: Plan | None, ahead: Ahead | None, view: View) -> str:
    """Say what the curve counts, and in which order."""
    if plan is None:
        return ""
    if view == "hours":
        return "GPUs in use, the busiest hours first"
    what = f"{view} by month"
    after = "" if ahead is None or not ahead.after else f"; owed from {ahead.end:%Y-%m}"
    return f"{what}{after}"


def of_calendar(ahead: Ahead | None) -> str:
    """Say what ends next."""
    if ahead is None:
        return ""
    following = next((one for one in ahead.holdings if one.until is not None), None)
    if following is None or following.until is None:
        return "nothing that ends" if ahead.holdings else "no commitment, owned or to buy"
    return f"next to end {following.until:%Y-%m-%d}: {words.name(following.offer_id)}"


def curve_detail(plan: Plan | None, ahead: Ahead | None, view: View, currency: str) -> Text | None:
    """Tell what the curve comes to."""
    if plan is None:
        return None
    return _hours_detail(plan) if view == "hours" else _months_detail(ahead, view, currency)


def _hours_detail(plan: Plan) -> Text:
    load = plan.load
    steps = len(load.demand)
    often = [
        f"{words.count(load.demand[min(round(share * steps), steps - 1)])} in the busiest {share * 100:.0f} %"
        for share in (TENTH, HALF)
    ]
    facts = [
        f"peak {words.count(load.peak_gpus)} GPUs",
        *often,
        f"{words.count(load.demand[-1])} always",
        f"mean {words.count(sum(load.demand) / steps)}",
    ]
    note = "\nA step is the mean over a hundredth of the hours; c shows the same plan in money by month."
    return Text.assemble(("Load duration", "bold"), "  ", SEPARATOR.join(facts), (note, "dim"))


def _months_detail(ahead: Ahead | None, view: View, currency: str) -> Text | None:
    if ahead is None:
        return None
    columns = ahead.cost if view == "cost" else ahead.cash
    sums = [f"{words.money(sum(usd), currency)} {NAMES[kind]}" for kind, usd in columns.items() if any(usd)]
    title = "Cost as it is used" if view == "cost" else "Cash as it is paid"
    note = (
        f"\nCalendar months in UTC, the first and last in part; {words.money(ahead.after, currency)} of cash is still "
        f"owed after {ahead.end:%Y-%m-%d}. What is paid as it is used is spread evenly."
    )
    return Text.assemble((title, "bold"), "  ", SEPARATOR.join(sums), (note, "dim"))


def holding_detail(held: Holding, currency: str) -> Text:
    """Tell when a commitment runs, and what it costs."""
    gpus = f"{words.count(held.gpus)} of {words.name(held.gpu_model)}"
    dollars = "" if held.usd_per_hour is None else f"{words.money(held.usd_per_hour, currency)} an hour, on average "
    ends = "no end" if held.until is None else f"to {held.until:%Y-%m-%d}"
    left = "" if held.months_left is None else f", {held.months_left:.1f} months left"
    again = "" if held.renewed_until is None else f", renewed until {held.renewed_until:%Y-%m-%d}"
    facts = [
        f"{words.money(held.monthly, currency)} a month",
        *([f"{words.money(held.upfront, currency)} of it upfront, spread over the term"] if held.upfront else []),
        f"{words.money(held.owed, currency)} {'still owed' if held.owned else 'over the whole term'}",
        f"{words.money(held.after, currency)} of that after the plan",
    ]
    return Text.assemble(
        (words.name(held.offer_id), "bold"),
        f"  {'owned' if held.owned else 'to buy'}{SEPARATOR}{dollars}{gpus}{SEPARATOR}",
        f"from {held.since:%Y-%m-%d} {ends}{left}{again}\n",
        SEPARATOR.join(facts),
    )
