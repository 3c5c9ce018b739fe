"""How AWS, Google Cloud and Azure sell what a plan buys: commands and Terraform, with what to look up in capitals.

A line that is run by accident is refused. Sources: the references of the AWS CLI, gcloud and az, of the Terraform
providers, and of Compute Engine's commitments (memory in MB; GPUs need a reservation), 2026-11.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from app.reports.order_text import bare, block, name_of, shell
from app.reports.outline import MONTH_HOURS
from app.reports.text import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from app.reports.planfile import Purchase

TERMS = {12.0: ("12-month", "TWELVE_MONTH", "P1Y"), 36.0: ("36-month", "THIRTY_SIX_MONTH", "P3Y")}
YEAR_SECONDS = 31_536_000
DAY_HOURS = 24
MOST_WEEKS, MOST_MACHINES, MOST_ORDERS = 26, 64, 100
MB_A_GB = 1024
MOST_LETTERS = 63 - len("-gpus")  # of the name of a commitment, and so of its reservation


class Series(NamedTuple):
    """What Google calls a series of machines in its commitments, and the GPUs of it."""

    commitment: str
    accelerator: str


SERIES = {
    "a2-highgpu": Series("accelerator-optimized", "nvidia-tesla-a100"),
    "a2-megagpu": Series("accelerator-optimized", "nvidia-tesla-a100"),
    "a2-ultragpu": Series("accelerator-optimized", "nvidia-a100-80gb"),
    "a3-edgegpu": Series("accelerator-optimized-a3", "nvidia-h100-80gb"),
    "a3-highgpu": Series("accelerator-optimized-a3", "nvidia-h100-80gb"),
    "a3-megagpu": Series("accelerator-optimized-a3-mega", "nvidia-h100-mega-80gb"),
    "g2-standard": Series("graphics-optimized", "nvidia-l4"),
    "g4-standard": Series("graphics-optimized-g4", "nvidia-rtx-pro-6000"),
}
LOOK_UP = Series("COMMITMENT_TYPE", "ACCELERATOR_TYPE")
BY_ACCOUNT_TEAM = ("a3-ultragpu", "a4-", "a4x-")
"""Machines whose commitments Google sells with a future reservation alone, through its account team."""


def _capacity_block(bought: Purchase) -> Iterable[str]:
    """Write one order for each size in which blocks are sold: 1, 2, 4 and so on to 64 machines, whole weeks to 26."""
    machine, number, region = _machine(bought), _machines(bought), bought.region or "REGION"
    days = bought.term_months and bought.term_months * MONTH_HOURS / DAY_HOURS
    weeks = days and min(math.ceil(days / 7), MOST_WEEKS)
    hours = "HOURS" if not weeks else str(weeks * 7 * DAY_HOURS)
    for size in _sizes(number):
        yield shell("aws", "ec2", "describe-capacity-block-offerings", "--region", region, "--instance-type", machine,
                    "--instance-count", size, "--capacity-duration-hours", hours)  # fmt: skip
        yield shell("aws", "ec2", "purchase-capacity-block", "--dry-run", "--region", region,
                    "--capacity-block-offering-id", "OFFERING_ID", "--instance-platform", "Linux/UNIX")  # fmt: skip
    yield "# or as Terraform:"
    for index, size in enumerate(_sizes(number), start=1):
        name = f"{name_of(bought.offer_id)}_{index}"
        data = {"instance_type": machine, "instance_count": bare(size), "capacity_duration_hours": bare(hours)}
        yield from block(f'data "aws_ec2_capacity_block_offering" "{name}"', data)
        terms_of_it = {"capacity_block_offering_id": "OFFERING_ID", "instance_platform": "Linux/UNIX"}
        yield from block(f'resource "aws_ec2_capacity_block_reservation" "{name}"', terms_of_it)


def _sizes(number: str) -> list[str]:
    if not number.isdigit():
        return [number]
    left, sizes = int(number), []
    while left > 0:
        sizes.append(min(2 ** (left.bit_length() - 1), MOST_MACHINES))
        left -= sizes[-1]
    return [str(size) for size in sizes[:MOST_ORDERS]]


def _reserved_instances(bought: Purchase) -> Iterable[str]:
    region, machine, seconds = bought.region or "REGION", _machine(bought), _seconds(bought)
    yield shell("aws", "ec2", "describe-reserved-instances-offerings", "--region", region, "--instance-type", machine,
                "--product-description", "Linux/UNIX", "--offering-type", f"{_payment(bought)} Upfront",
                "--min-duration", seconds, "--max-duration", seconds)  # fmt: skip
    yield shell("aws", "ec2", "purchase-reserved-instances-offering", "--dry-run", "--region", region,
                "--reserved-instances-offering-id", "OFFERING_ID", "--instance-count", _machines(bought))  # fmt: skip
    yield "# Terraform has no resource that buys EC2 reserved instances."


def _savings_plan(bought: Purchase) -> Iterable[str]:
    hourly = "COMMITMENT" if bought.usd_per_hour is None else f"{float(bought.usd_per_hour):.5f}"
    yield shell("aws", "savingsplans", "describe-savings-plans-offerings", "--durations", _seconds(bought),
                "--payment-options", f"{_payment(bought)} Upfront")  # fmt: skip
    upfront = bought.upfront if _payment(bought) == "Partial" else None
    part = ("--upfront-payment-amount", upfront) if upfront else ()
    yield shell("aws", "savingsplans", "create-savings-plan", "--savings-plan-offering-id", "OFFERING_ID",
                "--commitment", hourly, *part)  # fmt: skip
    yield "# or as Terraform:"
    terms = {"savings_plan_offering_id": "OFFERING_ID", "commitment": hourly}
    terms |= {"upfront_payment_amount": upfront} if upfront else {}
    yield from block(f'resource "aws_savingsplans_savings_plan" "{name_of(bought.offer_id)}"', terms)


def _seconds(bought: Purchase) -> str:
    return "SECONDS" if bought.term_months is None else str(round(bought.term_months / 12 * YEAR_SECONDS))


def _committed_use(bought: Purchase) -> Iterable[str]:
    """Write the commitment of a machine's vCPUs, memory and GPUs, with the reservation that GPUs have to come with."""
    short, long, _ = TERMS.get(bought.term_months or 0, ("TERM", "TERM", "TERM"))
    region, machine = bought.region or "REGION", _machine(bought)
    name = name_of(bought.offer_id).replace("_", "-")[:MOST_LETTERS].rstrip("-")
    vcpus, memory, gpus = _size_in_all(bought)
    kind, accelerator = next((said for begin, said in SERIES.items() if machine.startswith(begin)), LOOK_UP)
    yield shell("gcloud", "compute", "reservations", "create", f"{name}-gpus", "--zone=ZONE",
                f"--machine-type={machine}", f"--vm-count={_machines(bought)}")  # fmt: skip
    yield shell("gcloud", "compute", "commitments", "create", name, f"--region={region}", f"--plan={short}",
                f"--type={kind}", f"--resources=vcpu={vcpus},memory={memory}MB",
                f"--resources-accelerator=type={accelerator},count={gpus}",
                f"--existing-reservation=name={name}-gpus,zone=ZONE")  # fmt: skip
    yield "# or as Terraform, once there is the reservation:"
    amounts = [
        {"type": "VCPU", "amount": vcpus},
        {"type": "MEMORY", "amount": memory},
        {"type": "ACCELERATOR", "amount": gpus, "accelerator_type": accelerator},
    ]
    more = [line for amount in amounts for line in block("resources", amount)]
    reservation = f"projects/PROJECT/zones/ZONE/reservations/{name}-gpus"
    terms = {"name": name, "region": region, "plan": long, "type": kind.upper().replace("-", "_")}
    terms["existing_reservations"] = reservation
    yield from block(f'resource "google_compute_region_commitment" "{name_of(bought.offer_id)}"', terms, more)


def _azure_reservation(bought: Purchase) -> Iterable[str]:
    """Write what calculates the price, whose answer names the order, and the purchase of that order."""
    _, _, years = TERMS.get(bought.term_months or 0, ("TERM", "TERM", "TERM"))
    plan = "Upfront" if _payment(bought) == "All" else "Monthly"
    region, machine = bought.region or "REGION", _machine(bought)
    terms = ("--sku", machine, "--location", region, "--reserved-resource-type", "VirtualMachines",
             "--billing-scope", "/subscriptions/SUBSCRIPTION_ID", "--term", years, "--billing-plan", plan,
             "--quantity", _machines(bought), "--applied-scope-type", "Shared",
             "--display-name", name_of(bought.offer_id))  # fmt: skip
    yield shell("az", "reservations", "reservation-order", "calculate", *terms)
    yield shell("az", "reservations", "reservation-order", "purchase", "--reservation-order-id", "ORDER_ID", *terms)
    yield "# or as Terraform, through azapi:"
    properties = {
        "reservedResourceType": "VirtualMachines",
        "billingScopeId": "/subscriptions/SUBSCRIPTION_ID",
        "term": years,
        "billingPlan": plan,
        "quantity": bare(_machines(bought)),
        "displayName": name_of(bought.offer_id),
        "appliedScopeType": "Shared",
    }
    body = ["body = {", *(f"  {line}" for line in block("sku =", {"name": machine})),
            *(f"  {line}" for line in block("properties =", properties)), "}"]  # fmt: skip
    resource = {"type": "Microsoft.Capacity/reservationOrders@2022-11-01", "name": "ORDER_ID", "parent_id": "/",
                "location": region}  # fmt: skip
    yield from block(f'resource "azapi_resource" "{name_of(bought.offer_id)}"', resource, body)


def _machine(bought: Purchase) -> str:
    return bought.instance_type or "INSTANCE_TYPE"


def _machines(bought: Purchase) -> str:
    """Return how many machines hold the GPUs."""
    each = _gpus_each(bought)
    return "INSTANCE_COUNT" if each is None else str(math.ceil(round(bought.gpus / each, 6)))


def _gpus_each(bought: Purchase) -> float | None:
    from providers.accelerators import instance_gpus

    found = instance_gpus(bought.provider, bought.instance_type) if bought.instance_type else None
    return found[1] if found else None


def _size_in_all(bought: Purchase) -> tuple[str, str, str]:
    """Return the vCPUs, MB of memory and GPUs of the machines that are bought."""
    from providers.accelerators import instance_capacity

    number, each = _machines(bought), _gpus_each(bought)
    gpus = str(math.ceil(bought.gpus if each is None else int(number) * each))
    found = instance_capacity(bought.provider, bought.instance_type) if bought.instance_type else None
    if found is None or not number.isdigit():
        return "VCPUS", "MEMORY", gpus
    vcpus, memory = (count(size * int(number)).replace(",", "") for size in (found[0], found[1] * MB_A_GB))
    return vcpus, memory, gpus


def _payment(bought: Purchase) -> str:
    upfront, total = float(bought.upfront), float(bought.total_commitment)
    if upfront <= 0:
        return "No"
    return "All" if upfront >= total * (1 - 1e-6) else "Partial"


_WRITERS: dict[tuple[str, str], Callable[[Purchase], Iterable[str]]] = {
    ("aws", "capacity_block"): _capacity_block,
    ("aws", "reserved"): _reserved_instances,
    ("aws", "savings_plan"): _savings_plan,
    ("gcp", "cud"): _committed_use,
    ("azure", "reserved"): _azure_reservation,
}


def writer_of(bought: Purchase) -> Callable[[Purchase], Iterable[str]] | None:
    """Return what writes the commands of an order; None where a person signs it, as Google's commitments to spend."""
    signed = bought.usd_per_hour is not None or _machine(bought).startswith(BY_ACCOUNT_TEAM)
    if bought.provider == "gcp" and signed:
        return None
    return _WRITERS.get((bought.provider, bought.purchase_option))
