"""What a person should know about a FOCUS bill: costs that do not fit each other, and GPUs that nobody can count."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import polars as pl

from providers.tables import Diagnostic, InputError

NAMED = 8
_HALF_A_CENT = 0.005
_KNOWN = ("usage", "purchase", "tax", "credit", "adjustment")


class Finding(NamedTuple):
    """One thing found, before it is known where."""

    code: str
    message: str
    hint: str = ""


_REASONS = {
    "unclear": Finding(
        "unclear-gpu",
        "GPUs that cannot be told from others by their names are unsupported",
        "name form and memory in x_GpuModel, such as H100-SXM-80GB",
    ),
    "long": Finding(
        "long-charge-period",
        "charges of GPUs for more than a day have no hours and are unsupported",
        "export the bill by the hour or by the day",
    ),
    "uncounted": Finding(
        "no-gpu-hours",
        "charges of GPUs that are not measured in hours are unsupported",
        "give PricingQuantity or ConsumedQuantity in Hours or GPU-Hours",
    ),
    "assumed": Finding(
        "gpu-count-assumed",
        "charges that do not say how many GPUs one hour is are counted as one each",
        "give GpuCount in SkuPriceDetails, or GPU-Hours as the unit",
    ),
    "strange": Finding("unknown-charge-category", "charges of a ChargeCategory that FOCUS does not know are other"),
    "missing": Finding("no-effective-cost", "charges without an EffectiveCost have their BilledCost instead"),
}


def findings(lines: pl.LazyFrame, *, where: str) -> list[Diagnostic]:
    """Return what was found in placed lines, by currency.

    Raises:
        InputError: a cost is no number, or a line has no time.
    """
    counted = lines.group_by("currency").agg(_counts()).collect(engine="streaming").sort("currency")
    found: list[Diagnostic] = []
    for row in counted.iter_rows(named=True):
        _refuse(row, where=where)
        found.extend(Diagnostic(level="warning", where=where, **finding._asdict()) for finding in _of(row))
    return found


def _counts() -> list[pl.Expr]:
    billed, effective = pl.col("given_billed"), pl.col("given_effective")
    error = effective - billed
    plain = ~pl.col("is_covered") & effective.is_not_null()
    differs = plain & (error != 0)
    whole = pl.col("is_rounded")
    reasons = {
        "unclear": (pl.col("residual") == "unsupported") & pl.col("unclear").is_not_null(),
        "long": (pl.col("residual") == "unsupported") & pl.col("unclear").is_null() & pl.col("is_long"),
        "uncounted": (pl.col("residual") == "unsupported") & pl.col("unclear").is_null() & ~pl.col("is_long"),
        "assumed": pl.col("residual").is_null() & pl.col("is_count_assumed"),
        "strange": ~pl.col("category").is_in(list(_KNOWN)).fill_null(value=False),
        "missing": effective.is_null() & billed.is_not_null(),
    }
    sums = [
        expression
        for name, mask in reasons.items()
        for expression in (
            mask.sum().alias(f"{name}_rows"),
            pl.col("effective_cost").filter(mask).sum().alias(f"{name}_cost"),
        )
    ]
    return [
        *sums,
        pl.col("bad_cost").sum().alias("bad_cost"),
        pl.col("start").is_null().sum().alias("no_start"),
        (billed.is_null() & ~pl.col("bad_cost")).sum().alias("no_billed"),
        differs.sum().alias("differing_rows"),
        error.filter(differs).sum().alias("differing_net"),
        error.filter(differs).abs().sum().alias("differing_sum"),
        error.filter(differs).abs().max().alias("differing_max"),
        whole.sum().alias("rounded_rows"),
        (whole & (effective != 0)).any().alias("is_rounded"),
        pl.col("unclear").filter(reasons["unclear"]).unique().alias("names"),
    ]


def _refuse(row: Mapping[str, Any], *, where: str) -> None:
    if row["bad_cost"]:
        problem = f"has {_rows(row['bad_cost'])} whose BilledCost or EffectiveCost is no number"
        raise InputError(where, problem, "write costs as plain decimals, such as 1234.50")
    if row["no_billed"]:
        problem = f"has {_rows(row['no_billed'])} without a BilledCost"
        raise InputError(where, problem, "export it again: every FOCUS row has one")
    if row["no_start"]:
        problem = f"has {_rows(row['no_start'])} whose ChargePeriodStart is no time"
        raise InputError(where, problem, "write times such as 2026-04-01T13:00:00Z")


def _of(row: Mapping[str, Any]) -> Iterator[Finding]:
    yield from _of_costs(row)
    for reason, finding in _REASONS.items():
        if rows := row[f"{reason}_rows"]:
            message = f"{finding.message}: {_rows(rows)}, {_money(row, f'{reason}_cost')}"
            yield finding._replace(message=message + (_names(row["names"]) if reason == "unclear" else ""))


def _names(names: list[str]) -> str:
    shown = ", ".join(name[:60] for name in sorted(names)[:NAMED])
    return f" ({shown}" + (f" and {len(names) - NAMED} more)" if len(names) > NAMED else ")")


def _of_costs(row: Mapping[str, Any]) -> Iterator[Finding]:
    if (row["differing_sum"] or 0.0) < _HALF_A_CENT:
        return
    rows, net, most = _rows(row["differing_rows"]), _money(row, "differing_net"), _money(row, "differing_max")
    if row["is_rounded"] and row["rounded_rows"] == row["differing_rows"]:
        message = (
            f"EffectiveCost is rounded to whole units of money: so it differs from BilledCost in {rows},"
            f" by {net} in total and up to {most} in one; BilledCost counts there"
        )
        yield Finding("rounded-costs", message, "ask for an export whose costs are not rounded")
        return
    message = f"BilledCost and EffectiveCost differ, by {net}, in {rows} that no purchase or commitment explains"
    yield Finding("unexplained-cost-difference", message)


def _rows(count: object) -> str:
    return f"{count:,} row" + ("" if count == 1 else "s")


def _money(row: Mapping[str, Any], name: str) -> str:
    return f"{row[name] or 0.0:,.2f} {row['currency']}"
