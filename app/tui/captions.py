"""The lines of words around the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui import words
from app.tui.changes import changes_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.tui.pools import Allocation
    from app.tui.quotes import Quote
    from app.tui.state import Desk
    from optimizer.plan import Plan

WORTH_SAYING = 1.0  # seconds of work after which they are counted on screen


def of_costs(allocation: Allocation | None) -> str:
    """Say what the costs are and what time they are the mean of."""
    return f"{allocation.basis.removeprefix('at ')}, {allocation.days}-day mean" if allocation else ""


def of_market(gpu_model: str | None, *, all_quotes: bool) -> str:
    """Say what the market shows."""
    model = "every quote" if all_quotes else words.name(gpu_model or "")
    return f"{model}, cheapest first" if model else ""


def of_plan(plan: Plan | None, currency: str) -> str:
    """Say how much there is to buy."""
    if plan is None:
        return ""
    many, worth = len(plan.purchases), words.money(plan.summary.total_commitment, currency)
    bought = f"{many} to buy, {worth} committed" if many else "nothing to buy, paying as you go is cheaper"
    return f"{bought}; {len(plan.commitments)} owned" if plan.commitments else bought


def of_quotes(quotes: Sequence[Quote], currency: str) -> str:
    """Say what the quotes on the desk come to."""
    open_ones = [quote for quote in quotes if quote.status == "open"]
    worth = [quote for quote in open_ones if quote.value is not None and quote.value.verdict == "accept"]
    headroom = sum(quote.value.headroom or 0.0 for quote in worth if quote.value)
    taken = f", {words.money(headroom, currency)} of headroom" if worth else ""
    return f"{len(open_ones)} open, {len(worth)} worth taking as quoted{taken}" if quotes else "none: n types one"


def of_quote(quote: Quote | None) -> str:
    """Name the quote under the cursor."""
    return words.name(quote.offer_id) if quote else ""


def status(desk: Desk, elapsed: float) -> str:
    """Say what the program is doing, or how long the plan took."""
    if desk.stage:
        return f"{desk.stage}…" + (f" {elapsed:.0f} s" if elapsed > WORTH_SAYING else "")
    if desk.shown is None or desk.shown.solved is None:
        return "no plan"
    warnings = sum(found.level == "warning" for found in desk.diagnostics)
    many = f"{warnings} warning{'s' if warnings > 1 else ''} · " if warnings else ""
    return f"{many}solved in {desk.shown.solved.seconds:.1f} s"


def message(desk: Desk) -> str:
    """Say what is being worked out, or else where the plan was saved, what went wrong or what the last edit changed."""
    if desk.stage and desk.history is not None and desk.plan is not None:
        edit = words.name(desk.history.now.edit or "the offers as they were read")
        until = "" if desk.shown is desk.history.now else "; until then the plan before it is shown"
        return f"{edit}: {desk.stage}…{until}"
    if desk.note:
        return desk.note
    if not desk.problem:
        return changes_in(desk)
    if desk.history is None:
        return f"{desk.problem} (q quits)"
    return f"No plan: {desk.problem}{' (the plan before it stays on screen)' if desk.plan else ''}"
