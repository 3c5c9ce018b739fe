"""Azure's actual and amortised cost exports -> Charges; rows stand for days, since Azure bills nothing finer.

With both exports of a period, hours cost what the amortised one says, and the actual one adds the cash for commitments:
there the two differ, and nowhere else.
"""

from collections.abc import Sequence

import polars as pl

from providers.azure.columns import normal
from providers.azure.findings import findings
from providers.azure.machines import is_committed, is_payment, placed, sized
from providers.charges import CHARGES, Reading, Tags, shaped
from providers.recognise import File
from providers.scan import scans

PASSES = 2  # how often a row is read until the table stands, as measured


def read(files: Sequence[File], tags: Tags) -> Reading:
    """Read the exports of a subscription, billing profile or account.

    Raises:
        InputError: a file cannot be read.
    """
    actual = _lines(files, "azure_actual", tags)
    amortised = _lines(files, "azure_amortized", tags)
    parts = [*costed(actual, amortised)]
    costs = placed(sized(pl.concat(parts))).with_columns(granularity=pl.lit("day"), source=pl.lit("azure_cost"))
    return Reading(
        charges=shaped(costs, CHARGES, tags),
        totals=_totals(amortised if actual is None else actual, is_bill=actual is not None),
        found=lambda: findings(actual, amortised, costs),
    )


def costed(actual: pl.LazyFrame | None, amortised: pl.LazyFrame | None) -> list[pl.LazyFrame]:
    """Return the rows of both exports with billed_cost, effective_cost and timing_cost, each amount once.

    Billed comes from the actual export alone where there is one: cash for commitments is billed for other hours, and
    what commitments cover is billed in other rows. Without an actual export nobody knows what was billed.
    """
    cost, zero = pl.col("cost"), pl.lit(0.0)
    if amortised is None and actual is not None:
        return [actual.with_columns(billed_cost=cost, effective_cost=cost, timing_cost=zero)]
    parts = []
    if amortised is not None:
        billed = pl.when(is_committed()).then(zero).otherwise(cost) if actual is not None else pl.lit(None, pl.Float64)
        timing = pl.when(is_committed()).then(-cost).otherwise(zero)
        parts.append(amortised.with_columns(billed_cost=billed, effective_cost=cost, timing_cost=timing))
    if actual is not None:
        cash = actual.filter(is_payment())
        parts.append(cash.with_columns(billed_cost=cost, effective_cost=zero, timing_cost=cost))
    return parts


def _lines(files: Sequence[File], kind: str, tags: Tags) -> pl.LazyFrame | None:
    paths = [file.path for file in files if file.kind == kind]
    return pl.concat([normal(frame, tags) for frame in scans(paths, passes=PASSES)]) if paths else None


def _totals(lines: pl.LazyFrame | None, *, is_bill: bool) -> pl.LazyFrame | None:
    if lines is None:
        return None
    billed = pl.col("cost").sum() if is_bill else pl.lit(None, pl.Float64)
    return lines.group_by("currency").agg(pl.len().alias("rows"), billed.alias("billed_cost"))
