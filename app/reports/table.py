"""A plan as plain text for a terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from app.reports import gates
from app.reports.outline import (
    DEMAND_TITLES,
    LIMIT_TITLES,
    OUTCOME_TITLES,
    QUOTE_TITLES,
    RECEIVED_TITLES,
    SPEND_TITLES,
    TURN_TITLES,
    demand_cells,
    demo_label,
    figures,
    frontier_cells,
    frontier_titles,
    limit_cells,
    mix_by_place,
    outcome_cells,
    price,
    quote_cells,
    received_cells,
    result,
    risk_figures,
    sentence,
    span,
    spend_cells,
    term,
    turn_cells,
    turns_in,
)
from app.reports.text import columns, count, money, percent, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.reports.planfile import PlanFile, Purchase

BOUGHT = ("Offer", "GPU", "GPUs", "Term", "Price", "Used", "Cost")
GPU = 1  # where both tables of offers name the GPU
ROOMY = 100  # from this width it has a column of its own
MARGIN = "  "
MIX = ("Provider", "Option", "GPU", "GPU-hours", "Cost")


def render(plan: PlanFile, *, width: int = 100) -> str:
    """Return the report; lines keep to the width where names can be cut to it, numbers are never cut."""
    label, currency = demo_label(plan), plan.currency
    blocks = [
        _wrapped(label, width, indent="") if label else [],
        [f"GPU plan: {result(plan)}", _when(plan)],
        _figures(figures(plan)),
        _bought("Buy", plan.purchases, currency, width) or ["Buy nothing: no offer on the table makes it cheaper"],
        _bought("Owned already", plan.commitments, currency, width),
        quotes(plan, width),
        *_negotiation(plan, width),
        _table("Limits", LIMIT_TITLES, [limit_cells(one, currency) for one in plan.limits], width),
        _table("Commitments to spend", SPEND_TITLES, [spend_cells(one, currency) for one in plan.spends], width),
        _mix(plan, width),
        *_risk(plan, width),
        _table("If demand differs", DEMAND_TITLES, [demand_cells(one, currency) for one in plan.sensitivity], width),
        _table("Gates", gates.TITLES, gates.cells(plan), width),
        _found(plan, width),
    ]
    return "\n\n".join("\n".join(plain(line) for line in block) for block in blocks if block) + "\n"


def quotes(plan: PlanFile, width: int, *, proofs: Sequence[str] = ()) -> list[str]:
    """Return the lines on what each quote is worth, and why."""
    rows = [quote_cells(quote, plan.currency) for quote in plan.walk_away]
    because = [[f"walk-away: {quote.because}", f"next GPU: {quote.next_because}"] for quote in plan.walk_away]
    for reasons, proof in zip(because, proofs, strict=bool(proofs)):
        reasons.append(f"proof: {proof}")
    return _explained("Quotes, and the highest price worth paying", QUOTE_TITLES, rows, because, width)


def _negotiation(plan: PlanFile, width: int) -> list[list[str]]:
    """Return a block on the quotes of a plan that was negotiated, and one on each edit."""
    turns = turns_in(plan)
    if not turns:
        return []
    offers = [received_cells(quote, plan.currency) for quote in plan.inputs.offers_received]
    edits = [turn_cells(step, turn) for step, turn in enumerate(turns, start=1)]
    return [_table("Negotiation", RECEIVED_TITLES, offers, width), _table("Edits", TURN_TITLES, edits, width)]


def _when(plan: PlanFile) -> str:
    options = plan.inputs.options
    limits = ", ".join(f"{name}<={value}" for name, value in plan.inputs.limits.items())
    return f"{options.start[:10]} to {options.end[:10]}, {span(plan)}" + (f"; limits: {limits}" if limits else "")


def _figures(rows: Sequence[tuple[str, str]]) -> list[str]:
    name, value = (max(len(row[side]) for row in rows) for side in (0, 1))
    return [f"  {row[0]:<{name}}  {row[1]:>{value}}" for row in rows]


def _bought(title: str, purchases: Sequence[Purchase], currency: str, width: int) -> list[str]:
    rows = [
        [
            bought.offer_id,
            bought.gpu_model,
            count(bought.gpus),
            term(bought),
            price(bought, currency),
            percent(bought.utilization),
            money(bought.cost, currency),
        ]
        for bought in purchases
    ]
    return _explained(title, BOUGHT, rows, [[bought.because] for bought in purchases], width)


def _explained(
    title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], because: Sequence[Sequence[str]], width: int
) -> list[str]:
    """Lay out rows, each with its reasons below it; where there is little room, the GPU stands with the reasons."""
    if not rows:
        return []
    if width < ROOMY:
        because = [[row[GPU], *reasons] for row, reasons in zip(rows, because, strict=True)]
        titles, *rows = ([*row[:GPU], *row[GPU + 1 :]] for row in (titles, *rows))
    head, *lines = columns(titles, rows, width=width - len(MARGIN))
    told = [
        text
        for line, reasons in zip(lines, because, strict=True)
        for text in (f"{MARGIN}{line}", *(part for reason in reasons for part in _wrapped(reason, width)))
    ]
    return [title, f"{MARGIN}{head}", *told]


def _risk(plan: PlanFile, width: int) -> list[list[str]]:
    """Return a block on each: what the scenarios come to, each of them, and what less risk costs."""
    risk, currency = plan.risk, plan.currency
    if risk is None:
        return []
    outcomes = [outcome_cells(outcome, currency) for outcome in risk.outcomes]
    frontier = [frontier_cells(point, currency) for point in risk.frontier]
    return [
        ["Risk", *_figures(risk_figures(risk, currency))],
        _table("Scenarios", OUTCOME_TITLES, outcomes, width),
        _table("What less risk costs", frontier_titles(risk), frontier, width),
    ]


def _mix(plan: PlanFile, width: int) -> list[str]:
    rows = [
        [
            share.provider,
            share.purchase_option,
            share.gpu_model,
            count(share.gpu_hours),
            money(str(share.cost), plan.currency),
        ]
        for share in mix_by_place(plan.mix)
    ]
    return _table("What serves the demand", MIX, rows, width)


def _table(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    lines = columns(titles, rows, width=width - len(MARGIN))
    return [title, *(f"{MARGIN}{line}" for line in lines)] if rows else []


def _found(plan: PlanFile, width: int) -> list[str]:
    lines = [
        line
        for found in plan.diagnostics
        if found.code != "demo"
        for line in _wrapped(f"{found.level}: {sentence(found)}", width, indent="  ")
    ]
    return ["Notes", *lines] if lines else []


def _wrapped(text: str, width: int, *, indent: str = "      ") -> list[str]:
    return textwrap.wrap(
        plain(text),
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
