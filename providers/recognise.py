"""Which kind of export a file is, by content and never by name."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from providers.scan import format_of, head_of, scans, schema_of
from providers.tables import InputError

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
    "prometheus",  # a saved answer of its HTTP API
]

_COLUMNS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("usage", frozenset({"hour", "workload", "gpu_model", "gpu_hours"})),
    ("aws_cur", frozenset({"line_item_line_item_type", "line_item_unblended_cost"})),
    ("aws_cur", frozenset({"lineitem/lineitemtype", "lineitem/unblendedcost"})),
    ("gcp_detailed", frozenset({"usage_start_time", "cost", "sku"})),
    ("focus_commitments", frozenset({"contractcommitmentid"})),
    ("focus", frozenset({"billedcost", "chargecategory"})),
)
_KEYS: tuple[tuple[Kind, frozenset[str]], ...] = (
    ("aws_manifest", frozenset({"executionId", "dataFiles"})),
    ("aws_manifest", frozenset({"assemblyId", "reportKeys"})),
    ("azure_manifest", frozenset({"exportConfig", "blobs"})),
    ("gcp_detailed", frozenset({"usage_start_time", "cost", "sku"})),
    ("opencost", frozenset({"code", "data"})),
)
_AZURE = frozenset({"metercategory", "additionalinfo"})
UNDERSTOOD = (
    "AWS CUR, Google Cloud detailed export, Azure cost export, FOCUS, OpenCost, Prometheus, or our own usage table"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file on this machine that is to be read: where it is, what to call it, and what it is."""

    path: str
    name: str
    kind: Kind


def kind_of(path: str, name: str) -> Kind:
    """Return what a file is.

    An Azure export without a manifest is amortised if committed usage costs something in it, else actual.

    Raises:
        InputError: it is nothing that is understood.
    """
    kind = _json_kind(path) if format_of(path) == "json" else None
    if kind is None and (format_of(path) != "json" or _is_lines(path)):
        kind = _table_kind(path, schema_of(path).names())
    if kind is None:
        raise InputError(name, "is no export that is understood", f"give {UNDERSTOOD}")
    return kind


def _table_kind(path: str, names: Iterable[str]) -> Kind | None:
    columns = {name.strip().casefold() for name in names}
    if columns >= _AZURE:
        return _azure_kind(path)
    return next((kind for kind, needed in _COLUMNS if needed <= columns), None)


def _azure_kind(path: str) -> Kind:
    """Tell actual from amortised by what committed usage costs: nothing in an actual export."""
    for frame in scans([path]):
        names = {name.strip().casefold(): name for name in frame.collect_schema().names()}
        cost = next((names[name] for name in ("costinbillingcurrency", "cost") if name in names), None)
        if cost is None or "pricingmodel" not in names or "chargetype" not in names:
            continue
        charge, model = pl.col(names["chargetype"]), pl.col(names["pricingmodel"])
        paid = (charge == "Usage") & model.is_in(["Reservation", "SavingsPlan"])
        paid &= pl.col(cost).cast(pl.Float64, strict=False) != 0
        amortised = paid | charge.is_in(["UnusedReservation", "UnusedSavingsPlan"])
        if frame.select(amortised.any()).collect(engine="streaming").item():
            return "azure_amortized"
    return "azure_actual"


def _json_kind(path: str) -> Kind | None:
    """Return what the keys of a JSON object, or of the first of many, say."""
    whole = _first_object(path)
    if "tranche_source" in whole:
        return "prometheus" if whole["tranche_source"] == "prometheus" else "opencost"
    return next((kind for kind, needed in _KEYS if needed <= whole.keys()), None)


def _first_object(path: str) -> dict[str, object]:
    head = head_of(path).decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    for text in (head.partition("\n")[0], head, Path(path).read_text("utf-8", "replace") if head else ""):
        try:
            found = json.loads(text)
        except json.JSONDecodeError:
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _is_lines(path: str) -> bool:
    try:
        return isinstance(json.loads(head_of(path).partition(b"\n")[0]), dict)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return False
