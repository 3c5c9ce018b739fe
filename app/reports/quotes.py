"""What every quote of a plan is worth, and the proof, in each form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from app.reports import csv, markdown, table
from app.reports.outline import demo_label
from app.reports.planfile import decimal, harmless
from app.reports.text import plain, rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.reports.planfile import PlanFile
    from optimizer.walkaway import Flip


def proof_text(proof: Flip | None, currency: str) -> str:
    """Say what re-solving at a little less and a little more than the walk-away price decided."""
    if proof is None:
        return "no proof: there is no price to prove"
    below, above = rate(decimal(proof.below), currency), rate(decimal(proof.above), currency)
    if proof.holds:
        return f"buys at {below}, does not at {above}"
    decided = ["buys" if bought else "does not buy" for bought in (proof.bought_below, proof.bought_above)]
    return f"not proven: {decided[0]} at {below}, {decided[1]} at {above}"


def as_table(plan: PlanFile, proofs: Sequence[str], width: int) -> str:
    """Return the quotes as plain text."""
    label = demo_label(plan)
    lines = [*([label, ""] if label else []), *table.quotes(plan, width, proofs=proofs)]
    return "".join(f"{plain(line)}\n" for line in lines)


def as_markdown(plan: PlanFile, proofs: Sequence[str]) -> str:
    """Return the quotes as Markdown."""
    label = demo_label(plan)
    return (f"> **{markdown.escaped(label)}**\n\n" if label else "") + markdown.quotes(plan, proofs=proofs) + "\n"


def as_csv(plan: PlanFile, proofs: Sequence[str]) -> str:
    """Return the quotes as CSV, a line each."""
    rows = (
        {name: getattr(quote, name) for name in csv.QUOTE_COLUMNS} | {"currency": plan.currency, "proof": proof}
        for quote, proof in zip(plan.walk_away, proofs, strict=True)
    )
    return csv.write((*csv.QUOTE_COLUMNS, "currency", "proof"), rows)


def as_json(plan: PlanFile, proofs: Sequence[Flip | None]) -> str:
    """Return the quotes as in the plan file, each with its proof."""
    quotes = [
        {**msgspec.structs.asdict(quote), "proof": _proof(proof)}
        for quote, proof in zip(plan.walk_away, proofs, strict=True)
    ]
    document = {
        "format_version": plan.format_version,
        "currency": plan.currency,
        "demo": plan.inputs.options.demo,
        "walk_away": quotes,
    }
    return harmless(msgspec.json.format(msgspec.json.encode(document), indent=2).decode()) + "\n"


def _proof(proof: Flip | None) -> dict[str, Any] | None:
    if proof is None:
        return None
    return {
        "below_usd_per_gpu_hour": decimal(proof.below),
        "buys_below": proof.bought_below,
        "above_usd_per_gpu_hour": decimal(proof.above),
        "buys_above": proof.bought_above,
        "holds": proof.holds,
    }
