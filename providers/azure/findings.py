"""What a person should know about an Azure bill that was read."""

import polars as pl

from providers.azure.machines import is_committed, is_payment
from providers.tables import Diagnostic, InputError

NAMED = 8
_CENT = 0.01


def findings(actual: pl.LazyFrame | None, amortised: pl.LazyFrame | None, costs: pl.LazyFrame) -> list[Diagnostic]:
    """Return what was found in the two exports and in the rows that were made of them.

    Raises:
        InputError: a row has no date.
    """
    broken = {"without a date that can be read": pl.col("hour").is_null(), "whose cost is no number": pl.col("is_bad")}
    counts = costs.select(one.sum().alias(name) for name, one in broken.items()).collect(engine="streaming")
    for problem, rows in counts.row(0, named=True).items():
        if rows:
            said = f"has {rows:,} rows {problem}"
            raise InputError("the Azure bill", said, "export it again: dates as 10/31/2026, costs as plain decimals")
    return [*_one_of_two(actual, amortised), *_differing(actual, amortised), *_unknown(costs)]


def _one_of_two(actual: pl.LazyFrame | None, amortised: pl.LazyFrame | None) -> list[Diagnostic]:
    if amortised is None:
        message = "only the actual export was read: what commitments cover has no cost in it"
        return [_warning("no-amortised-export", message, "give the amortised export of the same period too")]
    if actual is None:
        message = "only the amortised export was read: what was billed is not known"
        return [_warning("no-actual-export", message, "give the actual export of the same period too")]
    return []


def _differing(actual: pl.LazyFrame | None, amortised: pl.LazyFrame | None) -> list[Diagnostic]:
    """Compare what no commitment touches, which must cost the same in both exports."""
    if actual is None or amortised is None:
        return []
    plain = ~is_payment() & ~is_committed()
    plain_cost = pl.col("cost").filter(plain).sum()
    sums = [frame.select(plain_cost).collect(engine="streaming").item() for frame in (actual, amortised)]
    if abs(sums[0] - sums[1]) < _CENT:
        return []
    message = f"rows without commitments sum to {sums[0]:,.2f} in the actual and {sums[1]:,.2f} in the amortised export"
    return [_warning("exports-differ", message, "give both exports of the same period, from the same day")]


def _unknown(costs: pl.LazyFrame) -> list[Diagnostic]:
    unknown = costs.filter(pl.col("residual") == "unsupported").with_columns(name=pl.coalesce("size", "meter"))
    sums = unknown.group_by("name").agg(pl.col("effective_cost").sum()).collect(engine="streaming").sort("name")
    if sums.is_empty():
        return []
    names = ", ".join(f"{name} ({cost:,.2f})" for name, cost in sums.head(NAMED).iter_rows())
    more = f" and {sums.height - NAMED} more" if sums.height > NAMED else ""
    hint = "they are a residual of their own; a newer version of tranche may know them"
    return [_warning("unknown-vm-size", f"accelerated VM sizes that are not known: {names}{more}", hint)]


def _warning(code: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(level="warning", code=code, message=message, hint=hint)
