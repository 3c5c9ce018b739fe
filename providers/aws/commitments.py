"""Reserved instances, Savings Plans and Capacity Blocks that an AWS account owns -> Commitments."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import polars as pl

from providers.accelerators import gpus_of_types
from providers.asking import Ask
from providers.aws.asking import Rows, by_region, client_of, is_gpu_type, pages, told
from providers.aws.savings_plans import plan_name
from providers.listings import Harvest
from providers.offers import plan_of
from providers.tables import COMMITMENTS, HOURS_PER_MONTH, Diagnostic, checked

FEED = "aws-commitments"
EC2, PLANS = "AWS EC2 API", "AWS Savings Plans API"
BLOCK = "capacity-block"
ANY_GPU = "any"  # what Commitments call the GPU model of spend that is bound to none
_HOUR = timedelta(hours=1)
_SCHEMA = {column.name: column.dtype for column in COMMITMENTS.columns}
Row = dict[str, Any]


class _Owned(NamedTuple):
    """What a region says that the account owns."""

    reserved: list[Row]
    capacity: list[Row]


def owned(ask: Ask) -> Harvest:
    """Return what the account owns now; `commitments` is None where it owns nothing for GPUs.

    Raises:
        NoCredentialsError: boto3 finds none.
        InputError: AWS refuses, or answers what nobody understands.
        StoppedError: the work is to end.
    """
    url = ask.urls.get(FEED)
    plans = _plans(ask, url)
    permission = "ec2:DescribeReservedInstances and ec2:DescribeCapacityReservations"
    regions = by_region(ask, EC2, url, permission, lambda client, _: _read(ask, client))
    rows, spends = Rows(EC2), Rows(PLANS)
    made = [row for region, answer in regions.answers.items() for row in _in_region(region, answer, rows)]
    made += _spending([one for one in plans if ask.wants(one.get("region") or None)], spends)
    found = [*regions.found, *rows.found(may_be_empty=True), *spends.found(may_be_empty=True)]
    found += _told_of_reservations([one for answer in regions.answers.values() for one in answer.capacity])
    found += _told_of_sagemaker(plans)
    same = {"provider": "aws", "status": "accepted", "as_of": ask.now.isoformat()}
    return Harvest(commitments=_checked([{**same, **row} for row in made]), lost=regions.lost, found=found)


def _plans(ask: Ask, url: str | None) -> list[Row]:
    with told(PLANS, "savingsplans:DescribeSavingsPlans"), client_of("savingsplans", url) as client:
        call = client.describe_savings_plans
        answers = pages(ask, call, token="nextToken", states=["active"], maxResults=1000)  # noqa: S106 - no secret
        return [plan for page in answers for plan in page.get("savingsPlans", ())]


def _read(ask: Ask, client: Any) -> _Owned:  # noqa: ANN401 - boto3 has no types
    active = [{"Name": "state", "Values": ["active"]}]
    reserved = [
        one
        for page in pages(ask, client.describe_reserved_instances, Filters=active)
        for one in page["ReservedInstances"]
    ]
    held = [{"Name": "state", "Values": ["active", "scheduled"]}]  # a block that is paid and has yet to start is owned
    answers = pages(ask, client.describe_capacity_reservations, Filters=held, MaxResults=1000)
    return _Owned(reserved, [one for page in answers for one in page["CapacityReservations"]])


def _in_region(region: str, answer: _Owned, rows: Rows) -> Iterator[Row]:
    for one in answer.reserved:
        with rows.row(one.get("ReservedInstancesId")):
            if is_gpu_type(one["InstanceType"]):
                yield {**_machine(region, one), **_reserved(one)}
    for one in answer.capacity:
        with rows.row(one.get("CapacityReservationId")):
            if is_gpu_type(one["InstanceType"]) and one.get("ReservationType") == BLOCK:
                yield {**_machine(region, one), **_block(one)}


def _machine(region: str, one: Mapping[str, Any]) -> Row:
    model, gpus = gpus_of_types("aws")[one["InstanceType"].casefold()]
    return {
        "region": region,
        "zone": one.get("AvailabilityZone"),
        "instance_type": one["InstanceType"],
        "gpu_model": model,
        "gpus_per_node": gpus,
        "usage_usd_per_gpu_hour": 0.0,
        "source": EC2,
    }


def _reserved(one: Mapping[str, Any]) -> Row:
    """Return a reserved instance; its price spreads what was paid at the start evenly over its term."""
    gpus = gpus_of_types("aws")[one["InstanceType"].casefold()][1]
    hours = one["Duration"] / 3600
    hourly = sum(charge["Amount"] for charge in one.get("RecurringCharges", ())) + one["UsagePrice"]
    total = hourly * hours + one["FixedPrice"]
    return {
        "commitment_id": one["ReservedInstancesId"],
        "purchase_option": "reserved",
        "holding_usd_per_gpu_hour": total / hours / gpus,
        "gpus": gpus * one["InstanceCount"],
        "start": one["Start"].astimezone(UTC),
        "end": one["End"].astimezone(UTC),
        "term_months": hours / HOURS_PER_MONTH,
        "upfront_share": one["FixedPrice"] / total if total else 0.0,
        "currency": one["CurrencyCode"],
        "note": f"{one['OfferingClass']}, {one['OfferingType']}".casefold(),
    }


def _block(one: Mapping[str, Any]) -> Row:
    """Return a Capacity Block; EC2 does not say what it cost, and that is paid whatever is done with it."""
    gpus = gpus_of_types("aws")[one["InstanceType"].casefold()][1]
    start, end = one["StartDate"].astimezone(UTC), one["EndDate"].astimezone(UTC)
    return {
        "commitment_id": one["CapacityReservationId"],
        "purchase_option": "capacity_block",
        "holding_usd_per_gpu_hour": 0.0,
        "gpus": gpus * one["TotalInstanceCount"],
        "start": start,
        "end": end,
        "term_months": (end - start) / _HOUR / HOURS_PER_MONTH,
        "upfront_share": 1.0,
        "note": "paid at the start; EC2 does not say how much, so that it counts as 0 an hour",
    }


def _spending(plans: list[Row], rows: Rows) -> Iterator[Row]:
    for plan in plans:
        with rows.row(plan.get("savingsPlanId")):
            if plan["savingsPlanType"] in ("Compute", "EC2Instance") and (model := _model(plan)):
                yield {**_plan(plan), "gpu_model": model}


def _model(plan: Mapping[str, Any]) -> str | None:
    """Return the GPUs that a plan is for: any where it is for any machine, None where its family has none."""
    if plan["savingsPlanType"] == "Compute":
        return ANY_GPU
    family = f"{plan['ec2InstanceFamily']}."
    if not is_gpu_type(family):
        return None
    models = {model for name, (model, _) in gpus_of_types("aws").items() if name.startswith(family)}
    return min(models)  # a family has one model; one that is new has none, and is named as not understood


def _plan(plan: Mapping[str, Any]) -> Row:
    """Return a Savings Plan, which commits to dollars an hour, whatever they buy."""
    commitment, hours = float(plan["commitment"]), plan["termDurationInSeconds"] / 3600
    upfront = float(plan.get("upfrontPaymentAmount") or 0.0)
    kind = plan["savingsPlanType"]
    return {
        "commitment_id": plan["savingsPlanId"],
        "purchase_option": "savings_plan",
        "holding_usd_per_gpu_hour": 0.0,
        "usage_usd_per_gpu_hour": 0.0,
        "usd_per_hour": commitment,
        "plan": _plan_of(plan, hours / HOURS_PER_MONTH),
        "region": plan.get("region") or None,
        "start": datetime.fromisoformat(plan["start"]),
        "end": datetime.fromisoformat(plan["end"]),
        "term_months": hours / HOURS_PER_MONTH,
        "upfront_share": min(1.0, upfront / (commitment * hours)),
        "currency": plan["currency"],
        "source": PLANS,
        "note": f"{kind} Savings Plan, {plan['paymentOption'].casefold()}"
        + ("; also pays for machines without GPUs" if kind == "Compute" else f"; family {plan['ec2InstanceFamily']}"),
    }


def _plan_of(plan: Mapping[str, Any], months: float) -> str:
    """Return the name under which the rates of the same plan are on offer today."""
    payment = plan["paymentOption"].casefold().replace(" ", "-")
    family, region = plan.get("ec2InstanceFamily"), plan.get("region")
    return plan_of("aws", str(plan_name(plan["savingsPlanType"], payment, family=family, region=region)), months)


def _told_of_reservations(capacity: list[Row]) -> list[Diagnostic]:
    """Say which reservations are no commitments: they cost what is on demand, and other commitments pay for them."""
    others = [one for one in capacity if one.get("ReservationType") != BLOCK and is_gpu_type(one["InstanceType"])]
    if not others:
        return []
    message = (
        f"{len(others):,} capacity reservations of GPU machines are no commitments: they cost the price on demand, and "
        "reserved instances and Savings Plans pay for them"
    )
    hint = "where one cannot be cancelled, give it in a file of --commitments"
    return [Diagnostic(level="note", code="capacity-reservations", message=message, hint=hint, where=EC2)]


def _told_of_sagemaker(plans: list[Row]) -> list[Diagnostic]:
    count = sum(plan.get("savingsPlanType") == "SageMaker" for plan in plans)
    if not count:
        return []
    message = f"{count:,} Savings Plans of SageMaker are left out, since they pay for no machines of EC2"
    hint = "give them in a file of --commitments where SageMaker is what you plan"
    return [Diagnostic(level="note", code="sagemaker-plans", message=message, hint=hint, where=PLANS)]


def _checked(rows: list[Row]) -> pl.DataFrame | None:
    return checked(pl.DataFrame(rows, schema=_SCHEMA), COMMITMENTS, where=EC2) if rows else None
