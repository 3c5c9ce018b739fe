"""Which kind of export a file is, by content and never by name."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from providers.scan import BOM, HEAD_BYTES, UnknownFileError, format_of, head_of, scans, schema_of

Kind = Literal[
    "usage",  # our own table
    "aws_cur",  # CUR 2.0 or legacy, Parquet or CSV
    "aws_manifest",
    "gcp_detailed",
    "azure_actual",
    "azure_amortized",
    "azure_manifest",
    "focus",
    "focus_commitments",
    "opencost",
    "prometheus",  # saved answers of its HTTP API
    "azure_hourly",  # what Azure answers about hourly charges of a subscription: no bill
]

MANIFESTS = ("aws_manifest", "azure_manifest")
UNDERSTOOD = (
    "AWS CUR, Google Cloud detailed export, Azure cost export, FOCUS, OpenCost, Prometheus, or our own usage table"
)
_COLUMNS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("usage", frozenset({"hour", "workload", "gpu_model", "gpu_hours"})),
    ("aws_cur", frozenset({"line_item_line_item_type", "line_item_unblended_cost"})),
    ("aws_cur", frozenset({"lineitem/lineitemtype", "lineitem/unblendedcost"})),
    ("gcp_detailed", frozenset({"usage_start_time", "cost", "sku"})),
    ("focus", frozenset({"billedcost", "chargecategory"})),
    ("focus_commitments", frozenset({"contractcommitmentid"})),
    ("azure_actual", frozenset({"metercategory", "additionalinfo"})),
)
_OBJECTS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("aws_manifest", frozenset({"executionid", "datafiles"})),
    ("aws_manifest", frozenset({"assemblyid", "reportkeys"})),
    ("azure_manifest", frozenset({"exportconfig", "runinfo"})),
    ("opencost", frozenset({"code", "data"})),
)
_SAVED: dict[str, Kind] = {"prometheus": "prometheus", "opencost": "opencost"}
_SEEN = 4
WHOLE_BYTES = 1 << 28
"""What one JSON object may come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file on this machine that is to be read: where it is, what to call it, and what it is."""

    path: str
    name: str
    kind: Kind


def kind_of(path: str, name: str) -> Kind:
    """Return what a file is; an Azure export that `azure_kind` cannot tell is taken for an actual one.

    Raises:
        UnknownFileError: it is nothing that is understood.
        InputError: it cannot be read.
    """
    form = format_of(path)
    whole = _first_object(path) if form == "json" else {}
    kind = _answer(whole) or kind_of_columns(whole or schema_of(path).names())
    if kind is None:
        seen = [str(key) for key in whole] if form == "json" else schema_of(path).names()
        raise UnknownFileError(name, f"is {_described(form, seen)}, no export that is understood", f"give {UNDERSTOOD}")
    return azure_kind(path) or kind if kind == "azure_actual" else kind


def manifest_kind(path: str) -> Kind | None:
    """Return which manifest a file is, or None when it is anything else.

    Raises:
        InputError: it cannot be read.
    """
    if head_of(path, 64).removeprefix(BOM).lstrip()[:1] != b"{":
        return None
    kind = _answer(_first_object(path))
    return kind if kind in MANIFESTS else None


def kind_of_columns(names: Iterable[str]) -> Kind | None:
    """Return what a table with these columns is, whatever their case."""
    columns = {str(name).strip().casefold() for name in names}
    return next((kind for kind, needed in _COLUMNS if needed <= columns), None)


def azure_kind(path: str) -> Kind | None:
    """Tell an actual from an amortised export by its rows, or None where it has no commitments and both are the same.

    Actual: a purchase of a commitment costs something, or what runs on one costs nothing. Amortised: what runs on a
    commitment costs something, or some of a commitment is unused.
    """
    for frame in scans([path]):
        names = {name.strip().casefold(): name for name in frame.collect_schema().names()}
        cost = next((names[name] for name in ("costinbillingcurrency", "cost") if name in names), None)
        if cost is None or "pricingmodel" not in names or "chargetype" not in names:
            continue
        paid = pl.col(cost).cast(pl.Float64, strict=False)
        clues = _clues(_plain(names["chargetype"]), _plain(names["pricingmodel"]), paid)
        bought, spread, covered = frame.select(clues).collect(engine="streaming").row(0)
        if bought or spread or covered:
            return "azure_actual" if bought or not spread else "azure_amortized"
    return None


def _clues(charge: pl.Expr, model: pl.Expr, paid: pl.Expr) -> list[pl.Expr]:
    """Return whether a commitment was bought for money, whether its cost is spread, and whether anything ran on one."""
    committed = model.is_in(["reservation", "savingsplan"])
    bought = committed & (charge == "purchase") & (paid > 0)
    covered = committed & (charge == "usage")
    spread = (covered & (paid != 0)) | charge.is_in(["unusedreservation", "unusedsavingsplan"])
    return [clue.any().alias(name) for name, clue in {"bought": bought, "spread": spread, "covered": covered}.items()]


def _plain(name: str) -> pl.Expr:
    """Return a column of words without case and spaces: SavingsPlan, Savings Plan."""
    return pl.col(name).cast(pl.String).str.replace_all(" ", "").str.to_lowercase()


def _answer(whole: dict[str, object]) -> Kind | None:
    """Return what the keys of a JSON object say, where it is no row of a table."""
    if "tranche_source" in whole:
        return _SAVED.get(str(whole["tranche_source"]))
    keys = {str(key).casefold() for key in whole}
    if _recommends(whole.get("value")):
        return "azure_hourly"
    return next((kind for kind, needed in _OBJECTS if needed <= keys), None)


def _recommends(found: object) -> bool:
    """Return whether these are benefit recommendations of Azure, which come with hourly charges."""
    return isinstance(found, list) and any(
        isinstance(one, dict) and str(one.get("type")).casefold() == "microsoft.costmanagement/benefitrecommendations"
        for one in found
    )


def _first_object(path: str) -> dict[str, object]:
    """Return the first JSON object of a file, on a line of its own or over many, or nothing where there is none."""
    for size in (HEAD_BYTES, WHOLE_BYTES):
        text = head_of(path, size).removeprefix(BOM).decode("utf-8", "replace").lstrip()
        try:
            found, _ = json.JSONDecoder().raw_decode(text)
        except json.JSONDecodeError:
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _described(form: str, seen: list[str]) -> str:
    """Return what a file looks like, in a few words."""
    what = {"parquet": "Parquet with the columns", "csv": "text with the columns"}.get(form, "JSON with the keys")
    shown = ", ".join(name if len(name) <= 40 else f"{name[:37]}..." for name in seen[:_SEEN])
    more = f" and {len(seen) - _SEEN} more" if len(seen) > _SEEN else ""
    return f"{what} {shown or '(none)'}{more}"
