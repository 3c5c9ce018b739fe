"""Commitments -> rows of the FOCUS ContractCommitment dataset, which read back to the same Commitments."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from providers.tables import COMMITMENTS, SPEND, InputError

COLUMNS_1_3 = (
    "BillingCurrency", "ContractCommitmentCategory", "ContractCommitmentCost", "ContractCommitmentDescription",
    "ContractCommitmentId", "ContractCommitmentPeriodEnd", "ContractCommitmentPeriodStart",
    "ContractCommitmentQuantity", "ContractCommitmentType", "ContractCommitmentUnit", "ContractId",
    "ContractPeriodEnd", "ContractPeriodStart",
)  # fmt: skip
COLUMNS_1_4 = (
    *COLUMNS_1_3, "ContractCommitmentApplicability", "ContractCommitmentBenefitCategory", "ContractCommitmentCreated",
    "ContractCommitmentDiscountPercentage", "ContractCommitmentDurationType", "ContractCommitmentFulfillmentInterval",
    "ContractCommitmentLastUpdated", "ContractCommitmentLifecycleStatus", "ContractCommitmentModel",
    "ContractCommitmentOfferCategory", "ContractCommitmentPaymentInterval", "ContractCommitmentPaymentModel",
    "ContractCommitmentPaymentUpfrontPercentage", "InvoiceIssuerName", "PricingCurrency",
    "PricingCurrencyContractCommitmentCost", "ServiceProviderName",
)  # fmt: skip
_TYPES = {
    "reserved": "Reservation",
    "savings_plan": "Savings Plan",
    "cud": "Committed Use Discount",
    "capacity_block": "Capacity Block",
    "contract": "Capacity Contract",
    "flex": "Flexible Capacity Contract",
    "spend_floor": "Minimum Spend",
    "prepaid": "Prepaid Usage",
}
_NUMBERS = ("Cost", "Quantity", "Percentage")
_SAID = ("commitment_id", "start", "end", "gpus", "usd_per_hour", "holding_usd_per_gpu_hour", "currency")
"""Columns of Commitments that FOCUS has a column for; the others are written as x_ columns."""


def contract_rows(commitments: pl.DataFrame, version: Literal["1.3", "1.4"] = "1.4") -> pl.DataFrame:
    """Return checked Commitments as FOCUS rows, sorted by id; times as ISO 8601, money and quantities as numbers.

    Raises:
        InputError: a commitment has no period, or neither a price nor a spend.
    """
    columns = COLUMNS_1_3 if version == "1.3" else COLUMNS_1_4
    further = [column for column in COMMITMENTS.columns if column.name not in _SAID]
    rows = [_row(commitment) for commitment in commitments.sort("commitment_id").iter_rows(named=True)]
    schema: dict[str, pl.DataType] = {
        name: pl.Float64() if name.endswith(_NUMBERS) else pl.String() for name in columns
    }
    schema |= {custom(column.name): column.dtype for column in further}
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def custom(name: str) -> str:
    """Return our name of a column as FOCUS wants the columns of others: x_PascalCase.

    >>> custom("gpu_model")
    'x_GpuModel'
    """
    return "x_" + "".join(part.capitalize() for part in name.split("_"))


def _row(commitment: Mapping[str, object]) -> dict[str, object]:
    start, end = _period(commitment)
    hours = (end - start).total_seconds() / 3600
    size = _size(commitment, hours)
    first, last = f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}"
    option = str(commitment["purchase_option"])
    return {
        **{custom(name): value for name, value in commitment.items()},
        **size,
        **_terms_of_1_4(commitment, size),
        "BillingCurrency": commitment["currency"],
        "ContractCommitmentId": commitment["commitment_id"],
        "ContractCommitmentDescription": commitment["note"] or f"{commitment['gpu_model']} {option}",
        "ContractCommitmentType": _TYPES.get(option, option),
        "ContractCommitmentPeriodStart": first,
        "ContractCommitmentPeriodEnd": last,
        "ContractId": commitment["offer_id"] or commitment["commitment_id"],
        "ContractPeriodStart": first,
        "ContractPeriodEnd": last,
    }


def _size(commitment: Mapping[str, object], hours: float) -> dict[str, object]:
    """Return category, quantity, unit and cost over the whole period."""
    gpus, price, hourly = (commitment[name] for name in ("gpus", "holding_usd_per_gpu_hour", "usd_per_hour"))
    spend = commitment["spend_usd"]
    if isinstance(gpus, float) and isinstance(price, float):
        sold = {"Category": "Usage", "Quantity": gpus * hours, "Unit": "GPU-Hours", "Cost": gpus * hours * price}
    elif isinstance(spend, float):
        sold = {"Category": "Spend", "Quantity": None, "Unit": None, "Cost": spend}
    elif isinstance(hourly, float):
        sold = {"Category": "Spend", "Quantity": None, "Unit": None, "Cost": hourly * hours}
    else:
        raise _unwritable(commitment, "neither GPUs with a price nor a spend", "give gpus, usd_per_hour or spend_usd")
    return {f"ContractCommitment{name}": value for name, value in sold.items()}


def _terms_of_1_4(commitment: Mapping[str, object], size: Mapping[str, object]) -> dict[str, object]:
    """Return what 1.4 adds; when a contract was made or changed is not known here."""
    spend, upfront = size["ContractCommitmentCategory"] == "Spend", float(str(commitment["upfront_share"] or 0.0))
    scope = {"Dimension": "x_GpuModel", "Operator": "In", "Values": [commitment["gpu_model"]]}
    applies = {"IsGlobalScope": True} if spend else {"InclusionOperator": "And", "Inclusions": [scope]}
    months, over_term = commitment["term_months"], commitment["purchase_option"] in SPEND
    terms = {
        "Applicability": json.dumps(applies),
        "BenefitCategory": _benefit(commitment, spend=spend),
        "DiscountPercentage": commitment["discount_share"] if over_term else None,
        "DurationType": f"{months:g} Months" if months else None,
        "FulfillmentInterval": "Total Term" if over_term else "Hourly",
        "LifecycleStatus": "Active",
        "Model": "Continuous",
        "OfferCategory": "Negotiated" if commitment["purchase_option"] in ("contract", *SPEND) else "Public",
        "PaymentInterval": "One-Time" if upfront == 1 else "Monthly",
        "PaymentModel": {0.0: "No Upfront", 1.0: "All Upfront"}.get(upfront, "Partial Upfront"),
        "PaymentUpfrontPercentage": upfront,
    }
    return {
        **{f"ContractCommitment{name}": value for name, value in terms.items()},
        "InvoiceIssuerName": commitment["provider"],
        "ServiceProviderName": commitment["provider"],
        "PricingCurrency": commitment["currency"],
        "PricingCurrencyContractCommitmentCost": size["ContractCommitmentCost"],
    }


def _benefit(commitment: Mapping[str, object], *, spend: bool) -> str:
    if commitment["purchase_option"] == "spend_floor":
        return "Discount"
    return "Monetary Pool" if spend else "Availability"


def _period(commitment: Mapping[str, object]) -> tuple[datetime, datetime]:
    """Return when a commitment runs; one without an end runs for its term."""
    start, end, months = commitment["start"], commitment["end"], commitment["term_months"]
    if isinstance(start, datetime) and end is None and isinstance(months, float):
        end = start + timedelta(days=months * 30.4375)
        if months == int(months):
            end = pl.Series([start]).dt.offset_by(f"{int(months)}mo")[0]
    if not (isinstance(start, datetime) and isinstance(end, datetime)):
        raise _unwritable(commitment, "no start, or neither an end nor a term", "give start and end")
    return start, end


def _unwritable(commitment: Mapping[str, object], problem: str, remedy: str) -> InputError:
    return InputError(f"commitment {commitment['commitment_id']}", f"has {problem}", remedy)
