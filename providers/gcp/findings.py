"""What a person should know about a Google Cloud bill that was read."""

import polars as pl

from providers.tables import Diagnostic, InputError

NAMED = 8


def findings(lines: pl.LazyFrame, costs: pl.LazyFrame) -> list[Diagnostic]:
    """Return what was found among the rows of a bill.

    Raises:
        InputError: a row has no time.
    """
    broken = {"without a usage_start_time": pl.col("hour").is_null(), "whose cost is no number": pl.col("is_bad")}
    sums = lines.select(one.sum().alias(name) for name, one in broken.items())
    counts, unknown = pl.collect_all([sums, _unknown(costs)], engine="streaming")
    for problem, rows in counts.row(0, named=True).items():
        if rows:
            said = f"has {rows:,} rows {problem}"
            raise InputError("the Google Cloud bill", said, "export the table again, with all its columns")
    return _told(unknown)


def _unknown(costs: pl.LazyFrame) -> pl.LazyFrame:
    unknown = costs.filter(pl.col("is_gpu") & pl.col("gpu_model").is_null())
    return unknown.group_by("description").agg(pl.col("effective_cost").sum())


def _told(sums: pl.DataFrame) -> list[Diagnostic]:
    if sums.is_empty():
        return []
    shown = sums.sort("description").head(NAMED).iter_rows()
    names = ", ".join(f"{name} ({cost:,.2f})" for name, cost in shown)
    more = f" and {sums.height - NAMED} more" if sums.height > NAMED else ""
    message = f"GPU SKUs that are not known: {names}{more}"
    hint = "they are a residual of their own; a newer version of tranche may know them"
    return [Diagnostic(level="warning", code="unknown-gpu-sku", message=message, hint=hint)]
