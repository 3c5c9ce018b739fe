"""The purchases of a plan as dry text: commands, Terraform and letters, to read and never to run as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.reports.focus import new_spends
from app.reports.order_commands import writer_of
from app.reports.outline import term
from app.reports.text import count, money, percent, plain, rate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.reports.planfile import PlanFile, Purchase, Spend


def render(plan: PlanFile) -> str:
    """Return one order a purchase, and one a commitment to spend that the plan adds."""
    lines = [
        "# Dry text: what would buy this plan. Nothing here was run; read it, look up what stands in CAPITALS.",
        "",
    ]
    for number, bought in enumerate(plan.purchases, start=1):
        lines += _head(number, bought, plan.currency)
        lines += [f"    {line}" for line in _order(bought, plan.currency)]
        lines.append("")
    spends = new_spends(plan)
    for number, spend in enumerate(spends, start=len(plan.purchases) + 1):
        lines += _spend_order(number, spend, plan.currency)
    if not plan.purchases and not spends:
        lines.append("# The plan buys nothing.")
    return "\n".join(lines).rstrip() + "\n"


def _head(number: int, bought: Purchase, currency: str) -> list[str]:
    size = f"{count(bought.gpus)} x {bought.gpu_model}"
    if bought.usd_per_hour is not None:
        size = f"{money(bought.usd_per_hour, currency)} an hour"
    price = rate(bought.holding_usd_per_gpu_hour, currency)
    said = f"{bought.provider} {bought.purchase_option}, {size}, {term(bought)}, {price} per GPU-hour"
    paid = f"contract value {money(bought.total_commitment, currency)}, upfront {money(bought.upfront, currency)}"
    return [f"# {number}. {plain(bought.offer_id)}", f"# {plain(said)}; {plain(paid)}"]


def _order(bought: Purchase, currency: str) -> Iterable[str]:
    writer = writer_of(bought)
    return writer(bought) if writer else _letter(bought, currency)


def _letter(bought: Purchase, currency: str) -> Iterable[str]:
    size = f"{count(bought.gpus)} GPUs of {bought.gpu_model}"
    if bought.usd_per_hour is not None:
        size = f"a commitment of {money(bought.usd_per_hour, currency)} an hour"
    place = f" in {bought.region}" if bought.region else ""
    machine = f", on {bought.instance_type}" if bought.instance_type else ""
    yield plain(f"To {bought.provider}: we order {size}{place}{machine}, under your offer {bought.offer_id}.")
    begins = bought.start[:10] if bought.start else "on signature"
    yield plain(f"Term {term(bought)}, beginning {begins}; {_price_said(bought, currency)}.")
    yield plain(f"Contract value {money(bought.total_commitment, currency)}, of which "
                f"{money(bought.upfront, currency)} is paid upfront.")  # fmt: skip
    yield "This is no order until it is signed."


def _spend_order(number: int, spend: Spend, currency: str) -> list[str]:
    """Write the letter that signs a commitment to spend: no vendor sells one by a command."""
    usd = money(spend.contract_usd, currency)
    months = "no term said" if spend.term_months is None else f"{count(spend.term_months)} mo"
    begins = "on signature" if spend.start is None else spend.start[:10]
    models = f" on {', '.join(spend.gpu_models)}" if spend.gpu_models else ""
    what = f"we buy {usd} of usage in advance" if spend.prepaid else f"we commit to spend {usd} at the least"
    off = "its own price" if spend.prepaid else "list prices"
    accepted = " It was accepted already." if spend.status == "accepted" else ""
    kind = "prepaid usage" if spend.prepaid else "least spend"
    return [
        f"# {number}. {plain(spend.offer_id)}",
        f"# {plain(f'{spend.provider} {kind}, {usd}, {months}; what the other orders spend there counts towards it')}",
        f"    {plain(f'To {spend.provider}: {what}{models}, under your offer {spend.offer_id}.{accepted}')}",
        f"    Term {months}, beginning {plain(begins)}; {percent(spend.discount)} off {off}.",
        "    This is no order until it is signed.",
        "",
    ]


def _price_said(bought: Purchase, currency: str) -> str:
    said = f"{rate(bought.holding_usd_per_gpu_hour, currency)} per GPU-hour held"
    if float(bought.usage_usd_per_gpu_hour):
        said += f" and {rate(bought.usage_usd_per_gpu_hour, currency)} per GPU-hour used"
    return said
