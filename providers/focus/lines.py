"""Rows of FOCUS 1.0 to 1.4 -> lines: the same columns whatever the version, the vendor and the file format.

1.3 replaced ProviderName by ServiceProviderName and HostProviderName; vendors add columns that start with `x_`, keep
names of older versions, write null as text, and leave blank lines and columns of later versions out.
"""

from collections.abc import Mapping

import polars as pl

from providers.charges import Tags
from providers.focus.cells import Cells, parsed
from providers.focus.gpus import GPU, gpu_of
from providers.focus.tags import decoded
from providers.focus.terms import IN_PARTS, provider_of
from providers.focus.units import UNIT, unit_of
from providers.streaming import by_distinct
from providers.tables import InputError

CONTRACT = pl.Struct({"id": pl.String(), "capacity": pl.Boolean()})
SPLIT = pl.Struct({"named": pl.Boolean(), "gpu_hours": pl.Float64(), "gpus": pl.Float64()})
AZURE_SUBSCRIPTION = r"(?i)^/subscriptions/([^/]+)/?$"
_PROVIDER = ("ServiceProviderName", "ProviderName", "HostProviderName", "PublisherName")
_WORDS = {
    "class": "ChargeClass",
    "pricing_category": "PricingCategory",
    "commitment_id": "CommitmentDiscountId",
    "commitment_type": "CommitmentDiscountType",
    "reservation_id": "CapacityReservationId",
    "resource_id": "ResourceId",
    "resource_name": "ResourceName",
    "region": "RegionId",
    "description": "ChargeDescription",
    "method": "AllocatedMethodId",
    "allocated_id": "AllocatedResourceId",
    "allocated_name": "AllocatedResourceName",
    "stated_option": "x_PurchaseOption",
}
_LOWER = {
    "category": "ChargeCategory",
    "commitment_category": "CommitmentDiscountCategory",
    "commitment_status": "CommitmentDiscountStatus",
    "reservation_status": "CapacityReservationStatus",
}
_NUMBERS = {
    "given_billed": "BilledCost",
    "given_effective": "EffectiveCost",
    "given_list": "ListCost",
    "pricing_quantity": "PricingQuantity",
    "consumed_quantity": "ConsumedQuantity",
    "stated_gpu_hours": "x_GpuHours",
}


def lines(scan: pl.LazyFrame, tags: Tags, *, where: str) -> pl.LazyFrame:
    """Return the rows of a scan as lines; blank rows are none.

    Raises:
        InputError: a column without which nothing can be read is absent.
    """
    cells = Cells(scan.collect_schema())
    for needed in ("BilledCost", "ChargeCategory", "ChargePeriodStart"):
        if not cells.has(needed):
            raise InputError(where, f"has no column {needed}", "export it as FOCUS 1.0 or later, with all its columns")
    filled = pl.any_horizontal(cells.text(name).is_not_null() for name in ("BilledCost", "ChargeCategory"))
    return (
        scan.filter(filled)
        .select(
            *_plain(cells),
            bad_cost=pl.any_horizontal(_unreadable(cells)),
            provider=by_distinct(
                cells.text(*_PROVIDER),
                provider_of,
                pl.String(),
            ),
            account=pl.coalesce(
                cells.text("SubAccountId").str.extract(AZURE_SUBSCRIPTION),
                cells.text("SubAccountId", "BillingAccountId"),
            ),
            currency=cells.text("BillingCurrency").fill_null("USD"),
            start=cells.time("ChargePeriodStart"),
            end=cells.time("ChargePeriodEnd"),
            meter=pl.coalesce(cells.text("SkuMeter"), cells.text("x_UsageType")),
            block_size=cells.number("x_PricingBlockSize"),
            tags=decoded(cells.json("Tags"), tags),
            allocated_tags=decoded(cells.json("AllocatedTags"), tags),
            has_allocated_tags=(cells.json("AllocatedTags").str.len_bytes() > len("{}")).fill_null(value=False),
            pricing_unit=by_distinct(cells.text("PricingUnit"), unit_of, UNIT),
            consumed_unit=by_distinct(cells.text("ConsumedUnit"), unit_of, UNIT),
            contract=by_distinct(cells.json("ContractApplied"), contract_of, CONTRACT),
            split=by_distinct(cells.json("AllocatedMethodDetails"), split_of, SPLIT),
            texts=_texts(cells),
        )
        .with_columns(gpu=by_distinct(_gpu_key(), gpu_of, GPU))
    )


def priced_in_parts(scan: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows of providers that price GPUs, cores and memory of one machine apart."""
    provider = Cells(scan.collect_schema()).text(*_PROVIDER)
    return scan.filter(provider.str.contains(IN_PARTS).fill_null(value=False))


def totals(scan: pl.LazyFrame) -> pl.LazyFrame:
    """Return rows and the plain sum of BilledCost by currency, of rows that are not blank."""
    cells = Cells(scan.collect_schema())
    filled = pl.any_horizontal(cells.text(name).is_not_null() for name in ("BilledCost", "ChargeCategory"))
    money = scan.filter(filled).select(
        currency=cells.text("BillingCurrency").fill_null("USD"), billed_cost=cells.number("BilledCost")
    )
    return money.group_by("currency").agg(rows=pl.len().cast(pl.Int64), billed_cost=pl.col("billed_cost").sum())


def contract_of(text: str) -> Mapping[str, object]:
    """Return the contract that ContractApplied names first, and whether it is one for capacity and not for dollars."""
    for item in _elements(parsed(text)):
        plain = {key.casefold(): value for key, value in item.items()}
        if name := plain.get("contractcommitmentid"):
            unit = str(plain.get("contractcommitmentappliedunit") or "")
            return {"id": str(name), "capacity": bool(unit_of(unit)["hours"])}
    return {"id": None, "capacity": False}


def split_of(text: str) -> Mapping[str, object]:
    """Return what AllocatedMethodDetails measure in GPUs: GPU-hours, or GPUs.

    `named` says whether the elements measure anything at all: one that measures CPU and memory only asked for no GPU.
    """
    answer: dict[str, object] = {"named": False, "gpu_hours": None, "gpus": None}
    for item in _elements(parsed(text)):
        plain = {key.casefold(): value for key, value in item.items()}
        unit, quantity = str(plain.get("usageunit") or ""), plain.get("usagequantity")
        answer["named"] = answer["named"] or bool(unit)
        if "gpu" in unit.casefold() and isinstance(quantity, int | float):
            hours = unit_of(unit)["hours"]
            key, amount = ("gpu_hours", quantity * hours) if isinstance(hours, float) else ("gpus", quantity)
            answer[key] = float(amount)
    return answer


def _elements(value: object) -> list[Mapping[str, object]]:
    """Return the objects of `{"Elements": […]}`, whatever the one key is called, or of a plain list."""
    if isinstance(value, Mapping):
        lists = [item for item in value.values() if isinstance(item, list)]
        value = lists[0] if lists else [value]
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _plain(cells: Cells) -> list[pl.Expr]:
    words = [cells.text(column).alias(name) for name, column in _WORDS.items()]
    lower = [cells.text(column).str.strip_chars().str.to_lowercase().alias(name) for name, column in _LOWER.items()]
    return [*words, *lower, *(cells.number(column).alias(name) for name, column in _NUMBERS.items())]


def _unreadable(cells: Cells) -> list[pl.Expr]:
    """Return whether a cost holds something that is no number: nobody can say what the bill is then."""
    return [cells.text(name).is_not_null() & cells.number(name).is_null() for name in ("BilledCost", "EffectiveCost")]


def _texts(cells: Cells) -> pl.Expr:
    """Return the columns of `Texts` but the first as one text."""
    columns = [  # in the order of `Texts`
        cells.text("x_GpuModel"),
        cells.text("x_GpuCount"),
        cells.json("SkuPriceDetails"),
        cells.json("x_SkuDetails", "x_SkuPriceDetails"),
        cells.text("SkuMeter"),
        cells.text("x_UsageType"),
        cells.text("x_SkuMeterName"),
        cells.text("x_SkuMeterCategory"),
        cells.text("ChargeDescription"),
        cells.text("ServiceName"),
        cells.text("SkuId"),
        cells.text("ResourceType"),
    ]
    return pl.concat_str([column.fill_null("") for column in columns], separator="\x1f")


def _gpu_key() -> pl.Expr:
    return pl.concat_str([pl.col("provider").fill_null(""), "texts"], separator="\x1f")
