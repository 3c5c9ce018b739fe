"""The lines of words around the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui import words
from app.tui.changes import changes_in
from app.tui.glyphs import chosen
from app.tui.widgets.bars import bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.tui.market import Option, Origin
    from app.tui.pools import Allocation
    from app.tui.quotes import Quote
    from app.tui.state import Desk
    from app.tui.widgets.table import FittedTable
    from optimizer.plan import Plan

PROGRESS = 8  # cells of the bar that shows how far a plan is
WORTH_SAYING = 1.0  # seconds of work after which they are counted on screen


def of_costs(allocation: Allocation | None, table: FittedTable) -> str:
    """Say what the costs are, what time they are the mean of, and how they are arranged."""
    if allocation is None:
        return ""
    mean = f"{allocation.basis.removeprefix('at ')}, {allocation.days}-day mean"
    return ", ".join(part for part in (of_arranged(table), mean) if part)


def of_market(gpu_model: str | None, table: FittedTable, *, all_quotes: bool) -> str:
    """Say what the market shows, and how it is arranged."""
    model = "every quote" if all_quotes else words.name(gpu_model or "")
    if not model:
        return ""
    many = len(table.marked)
    marked = f"x compares {many}" if many > 1 else "1 marked" if many else ""
    return ", ".join(part for part in (model, of_arranged(table, given="cheapest first"), marked) if part)


def of_history(options: Sequence[Option]) -> str:
    """Say whose prices are drawn."""
    if len(options) == 1:
        return f"{words.name(options[0].tariff.offer_id)}, as listed"
    return f"{len(options)} marked, as listed" if options else ""


def of_origin(origin: Origin) -> str:
    """Say how old a price is and where it comes from."""
    if origin.typed:
        return "price typed here"
    when = "price of no known day" if origin.day is None else f"price of {origin.day}, {origin.age_days} days old"
    confidence = f", {words.name(origin.confidence)} confidence" if origin.confidence else ""
    return when + (f", by {words.name(origin.source)}" if origin.source else "") + confidence


def of_arranged(table: FittedTable, given: str = "") -> str:
    """Say which rows a filter lets through, and what they are sorted by; `given` is the order of old."""
    ordered = given
    if table.order is not None:
        ordered = f"by {words.name(table.order.name)} {chosen().down if table.order.descending else chosen().up}"
    rows = f"{table.info} with {words.name(table.filtered)}" if table.filtered else ""
    return ", ".join(part for part in (rows, ordered) if part)


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
        seconds = f" {elapsed:.0f} s" if elapsed > WORTH_SAYING else ""
        return f"{desk.stage}{words.ellipsis()}{_progress(desk)}{seconds}"
    if desk.shown is None or desk.shown.solved is None:
        return "no plan"
    warnings = sum(found.level == "warning" for found in desk.diagnostics)
    many = f"{warnings} warning{'s' if warnings > 1 else ''} {chosen().middle} " if warnings else ""
    return f"{many}solved in {desk.shown.solved.seconds:.1f} s"


def _progress(desk: Desk) -> str:
    """Draw how many of the quotes are valued; nothing while there is no plan to value them by."""
    if desk.plan is None or desk.history is None or desk.shown is not desk.history.now:
        return ""
    known, quotes = len(desk.plan.walk_away), sum(each.status == "quote" and not each.rider for each in desk.tariffs)
    return f" {bar(known, quotes, PROGRESS):{PROGRESS}} {known} of {quotes}"


def message(desk: Desk) -> str:
    """Say what is being worked out, or else where the plan was saved, what went wrong or what the last edit changed."""
    if desk.stage and desk.history is not None and desk.plan is not None:
        edit = words.name(desk.history.now.edit or "the offers as they were read")
        until = "" if desk.shown is desk.history.now else "; until then the plan before it is shown"
        return f"{edit}: {desk.stage}{words.ellipsis()}{until}"
    if not desk.problem:
        return desk.note or changes_in(desk)
    return f"{desk.note}; {_problem(desk)}" if desk.note else _problem(desk)


def _problem(desk: Desk) -> str:
    if desk.history is None:
        return f"{desk.problem} (q quits)"
    return f"No plan: {desk.problem}{' (the plan before it stays on screen)' if desk.plan else ''}"
