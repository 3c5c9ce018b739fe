"""The purchases of a plan as dry text: the commands and blocks that would buy them, to read and never to run as it is.

What has to be looked up first (an offering, an account) stands in capitals, so that a line that is run by accident is
refused. Sources: the references of the AWS CLI, gcloud, az and the Terraform providers, 2026-11.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from typing import TYPE_CHECKING

from app.reports.focus import new_spends
from app.reports.outline import MONTH_HOURS, term
from app.reports.text import count, money, percent, plain, rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.reports.planfile import PlanFile, Purchase, Spend

TERMS = {12.0: ("12-month", "TWELVE_MONTH", "P1Y"), 36.0: ("36-month", "THIRTY_SIX_MONTH", "P3Y")}
YEAR_SECONDS = 31_536_000
DAY_HOURS = 24
MOST_WEEKS, MOST_MACHINES, MOST_ORDERS = 26, 64, 100


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
    writer = ORDERS.get((bought.provider, bought.purchase_option))
    return writer(bought) if writer else _letter(bought, currency)


def _capacity_block(bought: Purchase) -> Iterable[str]:
    """Write one order for each size in which blocks are sold: 1, 2, 4 and so on to 64 machines, whole weeks to 26."""
    machine, number, region = _machine(bought), _machines(bought), bought.region or "REGION"
    days = bought.term_months and bought.term_months * MONTH_HOURS / DAY_HOURS
    weeks = days and min(math.ceil(days / 7), MOST_WEEKS)
    hours = "HOURS" if not weeks else str(weeks * 7 * DAY_HOURS)
    for size in _sizes(number):
        yield _shell("aws", "ec2", "describe-capacity-block-offerings", "--region", region, "--instance-type", machine,
                     "--instance-count", size, "--capacity-duration-hours", hours)  # fmt: skip
        yield _shell("aws", "ec2", "purchase-capacity-block", "--dry-run", "--region", region,
                     "--capacity-block-offering-id", "OFFERING_ID", "--instance-platform", "Linux/UNIX")  # fmt: skip
    yield "# or as Terraform:"
    for index, size in enumerate(_sizes(number), start=1):
        name = f"{_name(bought)}_{index}"
        data = {"instance_type": machine, "instance_count": _bare(size), "capacity_duration_hours": _bare(hours)}
        yield from _block(f'data "aws_ec2_capacity_block_offering" "{name}"', data)
        offering = _Bare(f"data.aws_ec2_capacity_block_offering.{name}.capacity_block_offering_id")
        terms_of_it = {"capacity_block_offering_id": offering, "instance_platform": "Linux/UNIX"}
        yield from _block(f'resource "aws_ec2_capacity_block_reservation" "{name}"', terms_of_it)


def _sizes(number: str) -> list[str]:
    if not number.isdigit():
        return [number]
    left, sizes = int(number), []
    while left > 0:
        sizes.append(min(2 ** (left.bit_length() - 1), MOST_MACHINES))
        left -= sizes[-1]
    return [str(size) for size in sizes[:MOST_ORDERS]]


def _reserved_instances(bought: Purchase) -> Iterable[str]:
    region, machine = bought.region or "REGION", _machine(bought)
    seconds = "SECONDS" if bought.term_months is None else str(round(bought.term_months / 12 * YEAR_SECONDS))
    yield _shell("aws", "ec2", "describe-reserved-instances-offerings", "--region", region, "--instance-type", machine,
                 "--product-description", "Linux/UNIX", "--offering-type", f"{_payment(bought)} Upfront",
                 "--min-duration", seconds, "--max-duration", seconds)  # fmt: skip
    yield _shell("aws", "ec2", "purchase-reserved-instances-offering", "--dry-run", "--region", region,
                 "--reserved-instances-offering-id", "OFFERING_ID", "--instance-count", _machines(bought))  # fmt: skip
    yield "# Terraform has no resource that buys EC2 reserved instances."


def _savings_plan(bought: Purchase) -> Iterable[str]:
    hourly = "COMMITMENT" if bought.usd_per_hour is None else f"{float(bought.usd_per_hour):.5f}"
    seconds = "SECONDS" if bought.term_months is None else str(round(bought.term_months / 12 * YEAR_SECONDS))
    yield _shell("aws", "savingsplans", "describe-savings-plans-offerings", "--durations", seconds,
                 "--payment-options", f"{_payment(bought)} Upfront")  # fmt: skip
    part = ("--upfront-payment-amount", bought.upfront) if _payment(bought) == "Partial" else ()
    yield _shell("aws", "savingsplans", "create-savings-plan", "--savings-plan-offering-id", "OFFERING_ID",
                 "--commitment", hourly, *part)  # fmt: skip
    yield "# or as Terraform:"
    terms = {"savings_plan_offering_id": "OFFERING_ID", "commitment": hourly}
    yield from _block(f'resource "aws_savingsplans_savings_plan" "{_name(bought)}"', terms)


def _committed_use(bought: Purchase) -> Iterable[str]:
    short, long, _ = TERMS.get(bought.term_months or 0, ("TERM", "TERM", "TERM"))
    region, name = bought.region or "REGION", _name(bought).replace("_", "-")
    vcpus, memory = _size_in_all(bought)
    gpus = str(math.ceil(bought.gpus))
    yield _shell("gcloud", "compute", "commitments", "create", name, f"--region={region}", f"--plan={short}",
                 "--type=COMMITMENT_TYPE", f"--resources=vcpu={vcpus},memory={memory}GB",
                 f"--resources-accelerator=type=ACCELERATOR_TYPE,count={gpus}")  # fmt: skip
    yield "# or as Terraform:"
    resources = [("VCPU", vcpus), ("MEMORY", memory), ("ACCELERATOR", gpus)]
    more = [
        line
        for kind, amount in resources
        for line in _block("resources", {"type": kind, "amount": amount}
                           | ({"accelerator_type": "ACCELERATOR_TYPE"} if kind == "ACCELERATOR" else {}))
    ]  # fmt: skip
    terms = {"name": name, "region": region, "plan": long, "type": "COMMITMENT_TYPE"}
    yield from _block(f'resource "google_compute_region_commitment" "{_name(bought)}"', terms, more)


def _azure_reservation(bought: Purchase) -> Iterable[str]:
    _, _, years = TERMS.get(bought.term_months or 0, ("TERM", "TERM", "TERM"))
    plan = "Upfront" if _payment(bought) == "All" else "Monthly"
    region, machine = bought.region or "REGION", _machine(bought)
    yield _shell("az", "reservations", "reservation-order", "purchase", "--reservation-order-id", "ORDER_ID",
                 "--sku", machine, "--location", region, "--reserved-resource-type", "VirtualMachines",
                 "--billing-scope", "/subscriptions/SUBSCRIPTION_ID", "--term", years, "--billing-plan", plan,
                 "--quantity", _machines(bought), "--applied-scope-type", "Shared",
                 "--display-name", _name(bought))  # fmt: skip
    yield "# or as Terraform, through azapi:"
    properties = {
        "reservedResourceType": "VirtualMachines",
        "billingScopeId": "/subscriptions/SUBSCRIPTION_ID",
        "term": years,
        "billingPlan": plan,
        "quantity": _bare(_machines(bought)),
        "displayName": _name(bought),
        "appliedScopeType": "Shared",
    }
    body = ["body = {", *(f"  {line}" for line in _block("sku =", {"name": machine})),
            *(f"  {line}" for line in _block("properties =", properties)), "}"]  # fmt: skip
    terms = {"type": "Microsoft.Capacity/reservationOrders@2022-11-01", "name": "ORDER_ID", "location": region}
    yield from _block(f'resource "azapi_resource" "{_name(bought)}"', terms, body)


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


ORDERS: dict[tuple[str, str], Callable[[Purchase], Iterable[str]]] = {
    ("aws", "capacity_block"): _capacity_block,
    ("aws", "reserved"): _reserved_instances,
    ("aws", "savings_plan"): _savings_plan,
    ("gcp", "cud"): _committed_use,
    ("azure", "reserved"): _azure_reservation,
}


class _Bare(str):
    """A number or an expression of Terraform, which has no quotes."""

    __slots__ = ()


def _bare(text: str) -> str:
    return _Bare(text) if text.isdigit() else text


def _block(head: str, terms: dict[str, str], more: Iterable[str] = ()) -> list[str]:
    lines = [f"  {name} = {value if isinstance(value, _Bare) else _quoted(value)}" for name, value in terms.items()]
    return [f"{head} {{", *lines, *(f"  {line}" for line in more), "}"]


def _quoted(text: str) -> str:
    """Write a string of Terraform, in which nothing is looked up."""
    return json.dumps(plain(text)).replace("${", "$${").replace("%{", "%%{")


def _shell(*words: str) -> str:
    return " ".join(shlex.quote(plain(word)) for word in words)


def _machine(bought: Purchase) -> str:
    return bought.instance_type or "INSTANCE_TYPE"


def _machines(bought: Purchase) -> str:
    """Return how many machines hold the GPUs."""
    from providers.accelerators import instance_gpus

    found = instance_gpus(bought.provider, bought.instance_type) if bought.instance_type else None
    return "INSTANCE_COUNT" if found is None else str(math.ceil(round(bought.gpus / found[1], 6)))


def _size_in_all(bought: Purchase) -> tuple[str, str]:
    from providers.accelerators import instance_capacity

    found = instance_capacity(bought.provider, bought.instance_type) if bought.instance_type else None
    number = _machines(bought)
    if found is None or not number.isdigit():
        return "VCPUS", "MEMORY"
    return count(found[0] * int(number)).replace(",", ""), count(found[1] * int(number)).replace(",", "")


def _payment(bought: Purchase) -> str:
    upfront, total = float(bought.upfront), float(bought.total_commitment)
    if upfront <= 0:
        return "No"
    return "All" if upfront >= total * (1 - 1e-6) else "Partial"


def _name(bought: Purchase) -> str:
    """Return a name of letters, digits and underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", bought.offer_id.lower()).strip("_")
    return name if name[:1].isalpha() else f"order_{name}".rstrip("_")
