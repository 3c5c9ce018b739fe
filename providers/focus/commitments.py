"""FOCUS ContractCommitment rows <-> Commitments.

A contract for GPU-hours is as many GPUs as would deliver them over its whole period, at its cost for each GPU-hour. A
contract to spend is dollars an hour. What FOCUS 1.3 (13 columns) and 1.4 (30) have no column for stands in columns that
start with `x_`, as the specification asks.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import polars as pl

from providers.columns import Column
from providers.focus.cells import Cells, parsed
from providers.focus.contract_rows import contract_rows, custom
from providers.focus.gpus import Texts, gpu_in, gpu_of
from providers.focus.terms import provider_of
from providers.focus.units import unit_of
from providers.names import canonical_models
from providers.tables import COMMITMENTS, Diagnostic, InputError, checked

ANY_GPU = "any"
"""The GPU model of a contract to spend that names none."""
_ENDED = ("expired", "canceled", "cancelled", "exhausted")
_COMPUTE = ("compute", "ai and machine learning", "ai/ml", "machine learning")
_WORDS = {
    "id": ("ContractCommitmentId",),
    "category": ("ContractCommitmentCategory",),
    "description": ("ContractCommitmentDescription",),
    "type": ("ContractCommitmentType",),
    "unit": ("ContractCommitmentUnit",),
    "currency": ("BillingCurrency",),
    "provider": ("ServiceProviderName", "InvoiceIssuerName", "ProviderName", "x_Provider"),
    "lifecycle": ("ContractCommitmentLifecycleStatus",),
    "payment": ("ContractCommitmentPaymentModel",),
}
_NUMBERS = {
    "cost": ("ContractCommitmentCost",),
    "quantity": ("ContractCommitmentQuantity",),
    "upfront": ("ContractCommitmentPaymentUpfrontPercentage", "ContractCommitmentPaymentUpfront%"),
}
_OWN = tuple(column for column in COMMITMENTS.columns if column.name not in ("commitment_id", "currency"))


class Size(NamedTuple):
    """What a contract comes to: GPUs and the price of an hour of one, or dollars an hour; or why it is neither."""

    gpu_model: str = ANY_GPU
    gpus: float | None = None
    holding: float = 0.0
    usd_per_hour: float | None = None
    instance_type: str | None = None
    refusal: str = ""


def commitments(frame: pl.DataFrame, where: str) -> tuple[pl.DataFrame, list[Diagnostic]]:
    """Return the contracts that hold GPU capacity, or spend, as checked Commitments, and what was left out and why.

    Raises:
        InputError: a column or a value without which no contract can be read is missing, or no contract is left.
    """
    rows = list(_typed(frame, where=where).iter_rows(named=True))
    sizes = [_size(row) for row in rows]
    found = [_left_out(row, size, where) for row, size in zip(rows, sizes, strict=True) if size.refusal]
    kept = [_commitment(row, size) for row, size in zip(rows, sizes, strict=True) if not size.refusal]
    if not kept:
        raise InputError(where, "has no commitment to GPU capacity or spend that still runs", "give one that has")
    schema = {column.name: column.dtype for column in COMMITMENTS.columns}
    table = pl.DataFrame(kept, schema=schema)
    named, unknown = canonical_models(table.filter(pl.col("gpu_model") != ANY_GPU), where=where)
    whole = pl.concat([named, table.filter(pl.col("gpu_model") == ANY_GPU)])
    return checked(whole, COMMITMENTS, where=where), found + unknown


def _typed(frame: pl.DataFrame, *, where: str) -> pl.DataFrame:
    cells = Cells(frame.schema)
    for needed in ("ContractCommitmentId", "ContractCommitmentCost", "ContractCommitmentPeriodEnd"):
        if not cells.has(needed):
            raise InputError(where, f"has no column {needed}", "give FOCUS 1.3 or 1.4 ContractCommitment rows")
    for column in _OWN:
        name = custom(column.name)
        if (
            column.dtype == pl.Float64
            and frame.select(cells.text(name).is_not_null() & cells.number(name).is_null()).to_series().any()
        ):
            raise InputError(where, f"column {name} holds something that is no number", "write plain decimals")
    typed = frame.select(
        *(cells.text(*columns).alias(name) for name, columns in _WORDS.items()),
        *(cells.number(*columns).alias(name) for name, columns in _NUMBERS.items()),
        *(_own(cells, column).alias(f"x_{column.name}") for column in _OWN),
        start=cells.time("ContractCommitmentPeriodStart", "ContractPeriodStart"),
        end=cells.time("ContractCommitmentPeriodEnd"),
        applicability=cells.json("ContractCommitmentApplicability"),
    ).filter(~pl.all_horizontal(pl.all().is_null()))
    for needed in ("id", "cost", "start", "end"):
        if typed[needed].has_nulls():
            row = int(typed[needed].is_null().arg_max() or 0) + 1
            problem = f"row {row}: the {needed} of the commitment is missing or cannot be read"
            raise InputError(where, problem, "fill it in, or take the row out")
    return typed


def _size(row: Mapping[str, object]) -> Size:
    """Return what a contract comes to for each hour of its period."""
    start, end, cost = row["start"], row["end"], row["cost"]
    if not (isinstance(start, datetime) and isinstance(end, datetime) and isinstance(cost, float)) or end <= start:
        return Size(refusal="its period does not end after it starts")
    if str(row["lifecycle"] or "").casefold() in _ENDED:
        return Size(refusal="it no longer runs")
    hours = (end - start).total_seconds() / 3600
    model = str(row["x_gpu_model"] or "")
    if str(row["category"] or "").casefold() == "spend":
        return _spend(row, model, cost / hours)
    gpu = gpu_of("\x1f".join(_texts(row, model)))
    gpu_hours, model = _gpu_hours(row, gpu, hours), str(gpu["gpu_model"] or gpu["unclear"] or "")
    if not gpu_hours:
        return Size(refusal="it is not measured in GPU-hours or GPUs")
    instance = gpu["instance_type"]
    return Size(
        gpu_model=model or "GPU",
        gpus=_neat(gpu_hours / hours),
        holding=_neat(cost / gpu_hours),
        instance_type=instance if isinstance(instance, str) else None,
    )


def _spend(row: Mapping[str, object], model: str, usd_per_hour: float) -> Size:
    categories = _service_categories(str(row["applicability"] or ""))
    if categories and not any(category in _COMPUTE for category in categories):
        return Size(refusal="it does not apply to compute")
    named, unclear = gpu_in(str(row["description"] or ""))
    return Size(gpu_model=model or named or unclear or ANY_GPU, usd_per_hour=_neat(usd_per_hour))


def _texts(row: Mapping[str, object], model: str) -> Texts:
    blank = Texts(*[""] * len(Texts._fields))
    texts = {"provider": provider_of(str(row["provider"] or "")), "model": model}
    texts |= {"description": str(row["description"] or ""), "resource_type": str(row["type"] or "")}
    return blank._replace(**{name: text.replace("\x1f", " ") for name, text in texts.items()})


def _gpu_hours(row: Mapping[str, object], gpu: Mapping[str, object], hours: float) -> float | None:
    """Return the GPU-hours of the whole period; None where the unit counts something else."""
    unit, quantity = str(row["unit"] or ""), row["quantity"]
    if not isinstance(quantity, float):
        return None
    if re.fullmatch(r"(?i)(?:gpu|accelerator)s?", unit.strip()):
        return quantity * hours
    kind = unit_of(unit)
    if not isinstance(kind["hours"], float):
        return None
    block = kind["block"] if isinstance(kind["block"], float) else 1.0
    count = 1.0 if kind["per_gpu"] else gpu["gpus"]
    return quantity * kind["hours"] * block * count if isinstance(count, float) else None


def _service_categories(text: str) -> list[str]:
    value = parsed(text)
    inclusions = value.get("Inclusions") if isinstance(value, Mapping) else None
    found = [item for item in inclusions if isinstance(item, Mapping)] if isinstance(inclusions, list) else []
    lists = [item.get("Values") for item in found if item.get("Dimension") == "ServiceCategory"]
    return [str(name).casefold() for names in lists if isinstance(names, list) for name in names]


def _commitment(row: Mapping[str, object], size: Size) -> dict[str, object]:
    """Return a contract as a row of Commitments; columns that start with `x_` count before what follows from others."""
    start, end = row["start"], row["end"]
    answer: dict[str, object] = {
        "commitment_id": row["id"],
        "provider": provider_of(str(row["provider"] or "unknown")),
        "gpu_model": size.gpu_model,
        "purchase_option": _option(str(row["type"] or ""), spend=size.gpus is None),
        "holding_usd_per_gpu_hour": size.holding,
        "usage_usd_per_gpu_hour": 0.0,
        "instance_type": size.instance_type,
        "start": start,
        "end": end,
        "term_months": _months(start, end) if isinstance(start, datetime) and isinstance(end, datetime) else None,
        "upfront_share": _upfront(row),
        "status": "accepted",
        "source": "focus",
        "note": row["description"],
        "currency": row["currency"] or "USD",
        "gpus": size.gpus,
        "usd_per_hour": size.usd_per_hour,
    }
    for column in _OWN:
        given = row[f"x_{column.name}"]
        if given is not None and column.name not in ("start", "end"):
            answer[column.name] = given
    return answer


def _option(kind: str, *, spend: bool) -> str:
    """Return the purchase option that a type of contract is, in the words of its vendor."""
    text = kind.casefold()
    if "savings plan" in text:
        return "savings_plan"
    if "committed use" in text or re.search(r"\bcuds?\b", text):
        return "cud"
    if spend:
        return "spend_floor"
    return "capacity_block" if "capacity block" in text else "contract"


def _upfront(row: Mapping[str, object]) -> float | None:
    """Return the share that is paid at the start; both 0.3 and 30 are 30 %."""
    share = row["upfront"]
    if isinstance(share, float):
        return share / 100 if share > 1 else share
    return {"all upfront": 1.0, "no upfront": 0.0}.get(str(row["payment"] or "").casefold())


def _months(start: datetime, end: datetime) -> float:
    """Return the length of a period in months, whole where it ends on the day of the month that it starts on."""
    whole = (end.year - start.year) * 12 + end.month - start.month
    return float(whole) if end.day == start.day else round((end - start).total_seconds() / 86400 / 30.4375, 3)


def _neat(value: float) -> float:
    """Return a number without the noise of its last digits, so that what was written reads back the same."""
    return float(f"{value:.12g}")


def _left_out(row: Mapping[str, object], size: Size, where: str) -> Diagnostic:
    amount = f"{row['cost']:,.2f} {row['currency'] or 'USD'}"
    message = f"commitment {str(row['id'])[:60]}, {amount}, is left out: {size.refusal}"
    return Diagnostic(level="warning", code="commitment-left-out", message=message, where=where)


def _own(cells: Cells, column: Column) -> pl.Expr:
    name = custom(column.name)
    return cells.number(name) if column.dtype == pl.Float64 else cells.text(name)


__all__ = ["commitments", "contract_rows"]
