"""What every quote of a plan is worth, and the proof, in each form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from app.reports import csv, markdown, table
from app.reports.outline import demo_label
from app.reports.planfile import decimal, harmless
from app.reports.text import count, money, plain, rate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.reports.planfile import PlanFile
    from optimizer.curve import Step
    from optimizer.walkaway import Flip


NEAREST = 5
"""Steps of a demand curve that a text shows."""


def proof_text(proof: Flip | None, currency: str) -> str:
    """Say what re-solving at a little less and a little more than the walk-away price decided."""
    if proof is None:
        return "no proof: there is no price to prove"
    below, above = rate(decimal(proof.below), currency), rate(decimal(proof.above), currency)
    if proof.holds:
        return f"buys at {below}, does not at {above}"
    decided = ["buys" if bought else "does not buy" for bought in (proof.bought_below, proof.bought_above)]
    return f"not proven: {decided[0]} at {below}, {decided[1]} at {above}"


def curve_text(curve: Sequence[Step], quoted: float, currency: str) -> str:
    """Say how many GPUs are worth buying up to which price, for the steps nearest to the price quoted."""
    if not curve:
        return ""
    at = next((index for index, step in enumerate(curve) if step.high >= quoted), len(curve) - 1)
    first = max(min(at - NEAREST // 2, len(curve) - NEAREST), 0)
    near = curve[first : first + NEAREST]
    steps = ", ".join(
        f"{'' if step.exact else 'at most '}{count(round(step.gpus, 6))} up to {rate(decimal(step.high), currency)}"
        for step in near
    )
    more = f" ({len(curve)} steps in --format json)" if len(curve) > len(near) else ""
    return f"; were any number on offer, GPUs worth buying: {steps}{more}"


def with_vendors(plan: PlanFile, said: Sequence[str], vendors: Mapping[str, float | None]) -> list[str]:
    """Say beside each quote what its vendor is worth."""
    values = {
        name: "there is no plan" if value is None else f"the plan costs {money(decimal(value), plan.currency)} more"
        for name, value in vendors.items()
    }
    return [
        f"{text}; without any offer of {quote.provider} {values[quote.provider]}"
        for text, quote in zip(said, plan.walk_away, strict=True)
    ]


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


def as_json(
    plan: PlanFile,
    proofs: Sequence[Flip | None],
    curves: Sequence[Sequence[Step]] = (),
    vendors: Mapping[str, float | None] | None = None,
) -> str:
    """Return the quotes as in the plan file, each with its proof, and its demand curve where it was asked for."""
    quotes = [
        {**msgspec.structs.asdict(quote), "proof": _proof(proof)} | ({"curve": _curve(curve)} if curves else {})
        for quote, proof, curve in zip(plan.walk_away, proofs, curves or [()] * len(proofs), strict=True)
    ]
    document = {
        "format_version": plan.format_version,
        "currency": plan.currency,
        "demo": plan.inputs.options.demo,
        "walk_away": quotes,
    }
    if vendors:
        document["vendors"] = [{"provider": name, "value": decimal(value)} for name, value in vendors.items()]
    return harmless(msgspec.json.format(msgspec.json.encode(document), indent=2).decode()) + "\n"


def _curve(curve: Sequence[Step]) -> list[dict[str, Any]]:
    return [
        {
            "from_usd_per_gpu_hour": decimal(step.low),
            "to_usd_per_gpu_hour": decimal(step.high),
            "gpus": round(step.gpus, 6),
            "exact": step.exact,
        }
        for step in curve
    ]


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
