"""AWS's price list and its Savings Plans, asked through boto3 -> prices of GPU machines, committed and not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers.accelerators import gpus_of_types
from providers.asking import Ask
from providers.aws import price_list
from providers.aws.asking import Rows, client_of, is_gpu_type, pages, told
from providers.aws.savings_plans import PLANS, listing
from providers.listings import Harvest, Listing

PRICES, PLAN_RATES = "aws-prices", "aws-savings-plans"
VALUE_CHARS = 1024  # the longest value of a filter of GetProducts; ANY_OF takes values with commas between them
TYPES_AT_ONCE = 40


def on_demand_and_reserved(ask: Ask) -> Harvest:
    """Return prices on demand and of reserved instances, by region.

    Raises:
        NoCredentialsError: boto3 finds none.
        InputError: AWS refuses, cannot be reached, or answers what nobody understands.
        StoppedError: the work is to end.
    """
    rows = Rows(price_list.SOURCE)
    kept: list[Listing] = []
    with told(price_list.SOURCE, "pricing:GetProducts and pricing:GetAttributeValues"):
        for text in _products(ask):
            with rows.row(_sku(text)):
                kept += price_list.listings(text, now=ask.now)
    return Harvest(listings=[one for one in kept if ask.wants(one.region)], found=rows.found())


def savings_plans(ask: Ask) -> Harvest:
    """Return rates of Savings Plans for every GPU machine.

    Raises:
        NoCredentialsError: boto3 finds none.
        InputError: AWS refuses, cannot be reached, or answers what nobody understands.
        StoppedError: the work is to end.
    """
    where = "AWS Savings Plans API"
    rows = Rows(where)
    kept: list[Listing | None] = []
    with told(where, "savingsplans:DescribeSavingsPlansOfferingRates"):
        for rate in _rates(ask):
            with rows.row(rate.get("usageType")):
                kept.append(listing(rate, now=ask.now))
    return Harvest(listings=[one for one in kept if one and ask.wants(one.region)], found=rows.found())


def _products(ask: Ask) -> Iterator[str]:
    with client_of("pricing", ask.urls.get(PRICES)) as client:
        fixed = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in price_list.WANTED.items()]
        for names in _chunks(_types(ask, client)):
            types = {"Type": "ANY_OF", "Field": "instanceType", "Value": ",".join(names)}
            asked: dict[str, Any] = {"ServiceCode": "AmazonEC2", "Filters": [*fixed, types], "MaxResults": 100}
            for page in pages(ask, client.get_products, **asked):
                yield from page["PriceList"]


def _types(ask: Ask, client: Any) -> list[str]:  # noqa: ANN401 - boto3 has no types
    """Return the GPU types that we know, and those that AWS has since brought out."""
    asked = {"ServiceCode": "AmazonEC2", "AttributeName": "instanceType"}
    answers = pages(ask, client.get_attribute_values, **asked)
    sold = (one["Value"] for page in answers for one in page["AttributeValues"])
    return sorted({*gpus_of_types("aws"), *filter(is_gpu_type, sold)})


def _sku(text: str) -> str:
    """Return what to call a product that nobody understands."""
    found = re.search(r'"sku"\s*:\s*"(\w+)"', text)
    return f"SKU {found[1]}" if found else text[:40]


def _chunks(names: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for name in names:
        if chunk and len(",".join([*chunk, name])) > VALUE_CHARS:
            yield chunk
            chunk = []
        chunk.append(name)
    if chunk:
        yield chunk


def _rates(ask: Ask) -> Iterator[dict[str, Any]]:
    names = sorted(gpus_of_types("aws"))
    with client_of("savingsplans", ask.urls.get(PLAN_RATES)) as client:
        for first in range(0, len(names), TYPES_AT_ONCE):
            for asked in _questions(names[first : first + TYPES_AT_ONCE]):
                call = client.describe_savings_plans_offering_rates
                for page in pages(ask, call, token="nextToken", maxResults=1000, **asked):  # noqa: S106 - no secret
                    yield from page.get("searchResults", ())


def _questions(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Return what to ask for EC2, and for SageMaker, which names its machines otherwise and knows no tenancy."""
    on_ec2 = {"instanceType": names, "productDescription": ["Linux/UNIX"], "tenancy": ["shared"]}
    plans = [plan for plan in PLANS if plan != "SageMaker"]
    yield {"savingsPlanTypes": plans, "products": ["EC2"], "serviceCodes": ["AmazonEC2"], "filters": _filters(on_ec2)}
    machines = {"instanceType": [f"ml.{name}" for name in names]}
    yield {"savingsPlanTypes": ["SageMaker"], "products": ["SageMaker"], "filters": _filters(machines)}


def _filters(values: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    return [{"name": name, "values": list(some)} for name, some in values.items()]
