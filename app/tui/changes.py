"""What an edit changed, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui import words
from app.tui.market import gpus_in, values_of

if TYPE_CHECKING:
    from app.tui.state import Desk
    from optimizer.plan import Plan

SAME = 1e-9


def changes_in(desk: Desk) -> str:
    """Say what the plan on screen changed against the one before it; empty if there was none."""
    now, before = desk.plan, desk.plan_before
    if now is None or before is None or desk.shown is None:
        return ""
    parts = [_cost(before, now, desk.currency), *_purchases(before, now), *_values(before, now)]
    return f"{_edit(desk)}: {' · '.join(parts)}"


def _edit(desk: Desk) -> str:
    """Name the edit that lies between the two plans, whichever way it was gone."""
    history, shown, before = desk.history, desk.shown, desk.before
    if history is None or shown is None or before is None:
        return ""
    places = {id(step.session): index for index, step in enumerate(history.steps)}
    back = places.get(id(shown.session), 0) < places.get(id(before.session), -1)
    return words.name(f"undone {before.edit}" if back else shown.edit or "")


def _cost(before: Plan, now: Plan, currency: str) -> str:
    change = now.summary.cost - before.summary.cost
    if abs(change) <= SAME * abs(before.summary.cost):
        return f"plan stays at {words.money(now.summary.cost, currency)}"
    moved = words.arrow(now.summary.cost, before.summary.cost)
    return (
        f"plan {moved} {words.money(now.summary.cost, currency)}, was {words.money(before.summary.cost, currency)}"
        f" ({'+' if change > 0 else ''}{words.money(change, currency)})"
    )


def _purchases(before: Plan, now: Plan) -> list[str]:
    held = {purchase.tariff.offer_id for plan in (before, now) for purchase in plan.purchases}
    old, new = gpus_in(before), gpus_in(now)
    return [
        f"{words.name(offer)} {words.count(new.get(offer, 0.0))} GPUs, was {words.count(old.get(offer, 0.0))}"
        for offer in sorted(held)
        if abs(new.get(offer, 0.0) - old.get(offer, 0.0)) > 1e-6
    ]


def _values(before: Plan, now: Plan) -> list[str]:
    old = values_of(before)
    moved = [
        f"{words.name(offer)} {words.rate(value.walk_away)}, was {words.rate(old[offer].walk_away)}"
        for offer, value in values_of(now).items()
        if offer in old and words.rate(value.walk_away) != words.rate(old[offer].walk_away)
    ]
    return [f"walk-away: {'; '.join(moved)}"] if moved else ["walk-away prices unchanged"]
