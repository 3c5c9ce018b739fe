"""A plan as Markdown, for a pull request or a page."""

from __future__ import annotations

import re
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
    spend_cells,
    term,
    turn_cells,
    turns_in,
)
from app.reports.text import count, money, percent, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.reports.planfile import PlanFile, Purchase

ACTIVE = re.compile(r"([\\`*_\[\]<>|#!~])")


def render(plan: PlanFile) -> str:
    """Return the report; nothing that a file says becomes markup, a link or a mention."""
    label = demo_label(plan)
    headline, _, savings = result(plan).partition(": ")
    blocks = [
        f"### GPU plan: {headline}" + (f" — {savings}" if savings else ""),
        f"> **{escaped(label)}**" if label else "",
        _rows("Gates", gates.TITLES, gates.cells(plan)),
        _table(("Total", plan.currency), [[name, value] for name, value in figures(plan)]),
        _bought("Buy", plan.purchases, plan.currency) or "**Buy nothing**: no offer on the table makes it cheaper.",
        _bought("Owned already", plan.commitments, plan.currency),
        quotes(plan),
        _negotiation(plan),
        _rows("Limits", LIMIT_TITLES, [limit_cells(one, plan.currency) for one in plan.limits]),
        _rows("Commitments to spend", SPEND_TITLES, [spend_cells(one, plan.currency) for one in plan.spends]),
        _risk(plan),
        _rows("If demand differs", DEMAND_TITLES, [demand_cells(one, plan.currency) for one in plan.sensitivity]),
        _mix(plan),
        _found(plan),
        _inputs(plan),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def quotes(plan: PlanFile, *, proofs: Sequence[str] = ()) -> str:
    """Return what each quote is worth, and why."""
    rows = []
    for index, quote in enumerate(plan.walk_away):
        offer, gpu, *numbers = quote_cells(quote, plan.currency)
        because = f"{quote.because}; next GPU: {quote.next_because}"
        proof = [escaped(proofs[index])] if proofs else []
        rows.append([_code(offer), _code(gpu), *map(escaped, numbers), escaped(because), *proof])
    titles = (*QUOTE_TITLES, "Because", *(["Proof"] if proofs else []))
    return f"**Quotes, and the highest price worth paying**\n\n{_table(titles, rows)}" if rows else ""


def _negotiation(plan: PlanFile) -> str:
    """Return the quotes of a plan that was negotiated, and each edit."""
    turns = turns_in(plan)
    offers = [received_cells(quote, plan.currency) for quote in plan.inputs.offers_received] if turns else []
    edits = [turn_cells(step, turn) for step, turn in enumerate(turns, start=1)]
    blocks = (_rows("Negotiation", RECEIVED_TITLES, offers), _rows("Edits", TURN_TITLES, edits))
    return "\n\n".join(block for block in blocks if block)


def _bought(title: str, purchases: Sequence[Purchase], currency: str) -> str:
    rows = [
        [
            _code(bought.offer_id),
            _code(bought.gpu_model),
            count(bought.gpus),
            escaped(term(bought)),
            price(bought, currency),
            percent(bought.utilization),
            money(bought.cost, currency),
            escaped(bought.because),
        ]
        for bought in purchases
    ]
    titles = ("Offer", "GPU", "GPUs", "Term", "Price", "Used", "Cost", "Because")
    return f"**{title}**\n\n{_table(titles, rows)}" if rows else ""


def _risk(plan: PlanFile) -> str:
    """Return what the scenarios come to, each of them, and what less risk costs."""
    risk, currency = plan.risk, plan.currency
    if risk is None:
        return ""
    outcomes = [outcome_cells(outcome, currency) for outcome in risk.outcomes]
    frontier = [frontier_cells(point, currency) for point in risk.frontier]
    blocks = (
        _rows("Risk", ("Over all scenarios", currency), risk_figures(risk, currency)),
        _rows("Scenarios", OUTCOME_TITLES, outcomes),
        _rows("What less risk costs", frontier_titles(risk), frontier),
    )
    return "\n\n".join(blocks)


def _mix(plan: PlanFile) -> str:
    rows = [
        [
            _code(share.provider),
            _code(share.purchase_option),
            _code(share.gpu_model),
            count(share.gpu_hours),
            money(str(share.cost), plan.currency),
        ]
        for share in mix_by_place(plan.mix)
    ]
    return _details("What serves the demand", _table(("Provider", "Option", "GPU", "GPU-hours", "Cost"), rows))


def _found(plan: PlanFile) -> str:
    lines = [f"- {found.level}: {escaped(sentence(found))}" for found in plan.diagnostics]
    return _details("Notes", "\n".join(lines)) if lines else ""


def _inputs(plan: PlanFile) -> str:
    given = plan.inputs
    files = [(file.path, file.sha256) for group in (given.usage, given.offers, given.commitments) for file in group]
    files += [(file.path, file.sha256) for file in (given.options.config, given.options.scenarios) if file]
    lines = [f"- {_code(path)} sha256 {_code(sha256)}" for path, sha256 in files]
    lines += [f"- limit {_code(f'{name}<={value}')}" for name, value in given.limits.items()]
    return _details("Inputs and limits", "\n".join(lines))


def _rows(title: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = [[escaped(cell) for cell in row] for row in rows]
    return f"**{title}**\n\n{_table(titles, cells)}" if cells else ""


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _code(name: str) -> str:
    """Write a name that a file gave, so that it stays a name."""
    return f"`{plain(name).replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def escaped(text: str) -> str:
    """Write text that a file gave, so that it stays text."""
    return ACTIVE.sub(r"\\\1", plain(text)).replace("@", "@<!-- -->").replace("://", ":<!-- -->//")
