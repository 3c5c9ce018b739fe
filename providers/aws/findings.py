"""What a person should know about an AWS bill that was read."""

import polars as pl

from providers.aws.line_items import KNOWN, is_discount
from providers.aws.pods import is_claim
from providers.tables import Diagnostic, InputError

NAMED = 8


def findings(costs: pl.LazyFrame, split: pl.LazyFrame) -> list[Diagnostic]:
    """Return what was found among the rows of a bill and its split rows.

    Raises:
        InputError: a row has no time or no type.
    """
    broken = costs.filter(pl.col("hour").is_null() | pl.col("type").is_null())
    rows = broken.select(pl.len()).collect(engine="streaming").item()
    if rows:
        problem = f"has {rows:,} rows without a usage start date or a line item type"
        raise InputError("the AWS bill", problem, "download the report again, with all its columns")
    return [*_unsupported(costs), *_unknown(costs), *_podless(split)]


def _unsupported(costs: pl.LazyFrame) -> list[Diagnostic]:
    rows = _summed(costs.filter(pl.col("residual") == "unsupported"), "instance_type")
    hint = "they are a residual of their own; a newer version of tranche may know them"
    return _told("unknown-instance-type", "accelerated instance types that are not known", rows, hint)


def _unknown(costs: pl.LazyFrame) -> list[Diagnostic]:
    rows = _summed(costs.filter(~pl.col("type").is_in(list(KNOWN)) & ~is_discount()), "type")
    return _told("unknown-line-item-type", "line item types that are not known count as they are billed", rows, "")


def _podless(split: pl.LazyFrame) -> list[Diagnostic]:
    cost = pl.col("split_cost").fill_null(0) + pl.col("unused_cost").fill_null(0)
    rows = split.filter(~is_claim()).select(pl.len(), cost.sum()).collect(engine="streaming").row(0)
    if not rows[0]:
        return []
    message = (
        f"{rows[0]:,} split rows name no pod or no machine; they repeat {rows[1]:,.2f} of other rows and are left out"
    )
    return [Diagnostic(level="note", code="split-rows-without-pod", message=message)]


def _summed(rows: pl.LazyFrame, name: str) -> pl.DataFrame:
    sums = rows.group_by(name).agg(pl.len().alias("rows"), pl.col("effective_cost").sum().alias("cost"))
    return sums.collect(engine="streaming").sort(name)


def _told(code: str, what: str, rows: pl.DataFrame, hint: str) -> list[Diagnostic]:
    if rows.is_empty():
        return []
    shown = rows.head(NAMED).select(rows.columns[0], "cost").iter_rows()
    names = ", ".join(f"{name} ({cost:,.2f})" for name, cost in shown)
    more = f" and {rows.height - NAMED} more" if rows.height > NAMED else ""
    return [Diagnostic(level="warning", code=code, message=f"{what}: {names}{more}", hint=hint)]
