"""One rate of a Savings Plan -> what an hour of a GPU machine costs under it, at the start and by the hour."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from providers.accelerators import gpus_of_types
from providers.aws.asking import is_gpu_type, place_of
from providers.listings import Listing
from providers.tables import HOURS_PER_MONTH

SOURCE = "AWS Savings Plans API"
UPFRONT = {"No Upfront": 0.0, "Partial Upfront": 0.5, "All Upfront": 1.0}
PLANS = {"Compute": "compute", "EC2Instance": "ec2-instance", "SageMaker": "sagemaker"}
NOTES = {"SageMaker": "only for SageMaker, not for machines of EC2"}
_USAGE = re.compile(r"(?:[A-Z0-9]+-)?(BoxUsage|Train|Host):((?:ml\.)?(.+))")


def listing(rate: Mapping[str, Any], *, now: datetime) -> Listing | None:
    """Return a rate as a price; None where it is not one of Linux on shared machines with GPUs.

    The rate is what an hour costs in all, so that a part of it times the hours of the term is paid at the start.

    Args:
        rate: an element of `searchResults` of DescribeSavingsPlansOfferingRates.
        now: the time of the answer, which states none.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: the rate is not what AWS documents.
    """
    plan, usage = rate["savingsPlanOffering"], _USAGE.fullmatch(rate["usageType"])
    said = {one["name"]: one["value"] for one in rate["properties"]}
    kind = plan["planType"]
    if usage is None or kind not in PLANS or not is_gpu_type(usage[3]) or not _is_linux(kind, rate, said):
        return None
    price, hours = float(rate["rate"]), plan["durationSeconds"] / 3600
    upfront = UPFRONT[plan["paymentOption"]]
    region, zone = place_of(said["region"])
    payment = plan["paymentOption"].casefold().replace(" ", "-")
    use = f"-{usage[1].casefold()}" if kind == "SageMaker" else ""
    model, gpus = gpus_of_types("aws").get(usage[3].casefold(), (None, None)) if kind == "SageMaker" else (None, None)
    return Listing(
        provider="aws",
        purchase_option="savings_plan",
        region=region,
        zone=zone,
        instance_type=usage[2],
        gpu_model=model,
        gpus=gpus,
        hourly=price * (1 - upfront),
        upfront=price * hours * upfront,
        term_months=hours / HOURS_PER_MONTH,
        plan=plan_name(kind, payment, family=usage[3].partition(".")[0], region=region),
        variant=f"{PLANS[kind]}{use}-{payment}",
        currency=plan["currency"],
        as_of=now.isoformat(),
        source=SOURCE,
        note=NOTES.get(kind),
    )


def plan_name(kind: str, payment: str, *, family: str | None, region: str | None) -> str | None:
    """Return what tells a plan from others: its kind and payment, and the family and region that one may be tied to."""
    if kind == "EC2Instance":
        return f"{PLANS[kind]}-{family}-{region}-{payment}"
    return f"{PLANS[kind]}-{payment}" if kind == "Compute" else None


def _is_linux(kind: str, rate: Mapping[str, Any], said: Mapping[str, str]) -> bool:
    """Return whether a rate of EC2 is for Linux without licences on shared machines; SageMaker has no other."""
    if kind == "SageMaker":
        return True
    linux = (said["productDescription"], said["tenancy"]) == ("Linux/UNIX", "shared")
    return linux and rate["operation"] == "RunInstances"
