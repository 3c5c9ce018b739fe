"""AWS Cost Explorer, for accounts without a report: GPU-hours and amortised cost by instance type, as FOCUS rows.

Cost Explorer knows no machines, pods or tags here, so every instance type of every way to buy it is one workload. Hours
are kept for 14 days, and only where an account has asked for them; longer windows come by the day.
"""

import csv
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from providers.tables import InputError

ADDRESS = "aws-cost-explorer:"
HOURLY_DAYS = 14
NO_TYPE = "NoInstanceType"
COLUMNS = (
    "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "ChargeDescription", "PricingCategory", "PricingQuantity",
    "PricingUnit", "BilledCost", "EffectiveCost", "BillingCurrency", "ServiceProviderName", "ResourceId",
    "SkuPriceDetails", "CommitmentDiscountId", "CommitmentDiscountCategory", "CommitmentDiscountType",
    "CommitmentDiscountStatus",
)  # fmt: skip
_COVERED = {"Savings Plans": ("Spend", "Savings Plan"), "Standard Reserved Instances": ("Usage", "Reserved Instance")}
_METRICS = ["AmortizedCost", "UsageQuantity"]


def download(*, start: datetime, end: datetime, folder: Path, client: Any = None) -> str:  # noqa: ANN401 - boto3 has no types
    """Ask for a span of time, and write what it says as a file of FOCUS rows.

    Args:
        start: first hour, UTC.
        end: the hour after the last.
        folder: where to write.
        client: a boto3 client of Cost Explorer; without one, boto3's own chain of credentials.

    Raises:
        InputError: there are no credentials, no permission, or no answer.
    """
    path = folder / "cost-explorer.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(_rows(start, end, client))
    return str(path)


def _rows(start: datetime, end: datetime, client: Any) -> Iterator[dict[str, object]]:  # noqa: ANN401
    hourly = end - start <= timedelta(days=HOURLY_DAYS)
    form = "%Y-%m-%dT%H:%M:%SZ" if hourly else "%Y-%m-%d"
    asked = {
        "TimePeriod": {"Start": start.strftime(form), "End": end.strftime(form)},
        "Granularity": "HOURLY" if hourly else "DAILY",
        "Metrics": _METRICS,
        "GroupBy": [{"Type": "DIMENSION", "Key": key} for key in ("INSTANCE_TYPE", "PURCHASE_TYPE")],
    }
    for answer in _answers(asked, client):
        for span in answer["ResultsByTime"]:
            yield from (_row(span["TimePeriod"], group) for group in span["Groups"])


def _answers(asked: dict[str, Any], client: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = client or _client()
        page: dict[str, str] = {}
        while True:
            answer = client.get_cost_and_usage(**asked, **page)
            yield answer
            if not answer.get("NextPageToken"):
                return
            page = {"NextPageToken": answer["NextPageToken"]}
    except ClientError as error:
        said = error.response.get("Error", {})
        remedy = "allow ce:GetCostAndUsage, and hourly data in Cost Explorer's settings or a --window above 14d"
        raise InputError(ADDRESS, f"says no ({said.get('Code')}: {said.get('Message')})", remedy) from None
    except BotoCoreError as error:
        raise InputError(ADDRESS, f"cannot be asked ({error})", "log in (aws sso login, AWS_PROFILE)") from None


def _client() -> Any:  # noqa: ANN401
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client("ce", config=Config(retries={"mode": "standard", "max_attempts": 5}))


def _row(span: dict[str, str], group: dict[str, Any]) -> dict[str, object]:
    """Return one group of an hour or day; amortised cost is the only one that Cost Explorer gives by purchase."""
    kind, purchase = group["Keys"]
    cost, hours = (group["Metrics"][metric] for metric in _METRICS)
    row = {
        "ChargePeriodStart": span["Start"],
        "ChargePeriodEnd": span["End"],
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{purchase} {kind}",
        "PricingCategory": "Dynamic" if "Spot" in purchase else "Committed" if purchase in _COVERED else "Standard",
        "BilledCost": cost["Amount"],
        "EffectiveCost": cost["Amount"],
        "BillingCurrency": cost["Unit"],
        "ServiceProviderName": "AWS",
    }
    if kind != NO_TYPE:
        details = json.dumps({"InstanceType": kind})
        row |= {
            "PricingQuantity": hours["Amount"],
            "PricingUnit": "Hours",
            "SkuPriceDetails": details,
            "ResourceId": kind,
        }
    if purchase in _COVERED:
        category, name = _COVERED[purchase]
        row |= {"CommitmentDiscountId": name, "CommitmentDiscountCategory": category, "CommitmentDiscountType": name,
                "CommitmentDiscountStatus": "Used"}  # fmt: skip
    return row
