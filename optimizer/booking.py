"""What was shared and what was not -> rows of the Usage table, each amount of the bill in one of them."""

from collections.abc import Sequence

import polars as pl

from optimizer import holdings
from optimizer.machines import AMOUNTS, exact_sum, known_sum, spelled
from optimizer.pricing import Priced
from providers.charges import CHARGES
from providers.tables import USAGE

SUMS = ("gpu_hours", "gpu_hours_used", *AMOUNTS)
TEXT = tuple(name for name, dtype in CHARGES.items() if dtype == pl.String)


def as_they_are(charges: pl.DataFrame) -> pl.DataFrame:
    """Return charges that no claim shares: a residual, or a workload's, or else of a machine that nobody asked for."""
    idle = pl.when(pl.col("workload").is_null()).then(pl.lit("idle"))
    return charges.with_columns(pl.coalesce("residual", idle).alias("residual"))


def work(paid: pl.DataFrame, machines: Priced, dimensions: Sequence[str]) -> pl.DataFrame:
    """Return what each workload pays, as rows of the charges that it shares in; its own tags go first."""
    owned = _with_lent_use(paid.filter(pl.col("kind").is_not_null()).drop("hour", "rank"))
    rows = owned.join(machines.rows, on="kind", suffix="_factor")
    return rows.with_columns(
        *(pl.col(name) * pl.col(f"{name}_factor") for name in AMOUNTS),
        *(pl.col(name) * pl.col("gpu_part") for name in ("gpu_hours", "gpu_hours_used")),
        *(pl.coalesce(name, f"claim_{name}").alias(name) for name in ("cluster", "namespace")),
        *(pl.coalesce(f"claim_{name}", name).alias(name) for name in dimensions),
        pl.coalesce("claim_workload", "claim_namespace").alias("workload"),
        pl.col("claim_residual").alias("residual"),
    )


def _with_lent_use(paid: pl.DataFrame) -> pl.DataFrame:
    """Return the claims that count, with the measured use that another source saw of the same workload.

    A bill splits a machine but measures no GPU; a live source measures it.
    """
    same = ["kind", "claim_workload"]
    lent = paid.filter(~pl.col("owns")).group_by(same).agg(known_sum("gpu_hours_used").alias("lent"))
    whole = pl.col("gpu_hours").sum().over(same)
    part = pl.when(whole > 0).then(pl.col("gpu_hours") / whole)
    owned = paid.filter("owns").join(lent, on=same, how="left", nulls_equal=True)
    return owned.with_columns(pl.coalesce("gpu_hours_used", pl.col("lent") * part).alias("gpu_hours_used"))


def unmatched(paid: pl.DataFrame, bill: pl.DataFrame, dimensions: Sequence[str]) -> pl.DataFrame:
    """Return the GPU-hours that were claimed on machines which the bill does not hold, in the bill's currency."""
    codes = bill["currency"].drop_nulls().unique().sort()
    source = pl.col("rank").cast(pl.Int64).replace_strict(dict(enumerate(holdings.SOURCES)), default=None)
    return paid.filter(pl.col("kind").is_null()).select(
        "hour",
        *(pl.col(f"claim_{name}").alias(name) for name in ("cluster", "namespace", *dimensions)),
        "gpu_hours",
        "gpu_hours_used",
        "estimated",
        source.cast(pl.String).alias("source"),
        granularity=pl.lit("hour"),
        residual=pl.lit("unmatched"),
        currency=pl.lit(codes[0] if codes.len() else "USD"),
    )


def usage_of(rows: pl.DataFrame, dimensions: Sequence[str]) -> pl.DataFrame:
    """Return the rows as a Usage table: one for each key, sorted.

    Work that names no workload or no GPU model cannot be planned: it is `other`.
    """
    residual, nameless = pl.col("residual"), pl.col("workload").is_null() | pl.col("gpu_model").is_null()
    named = rows.with_columns(
        pl.when(residual.is_null() & nameless).then(pl.lit("other")).otherwise(residual).alias("residual")
    )
    named = named.with_columns(pl.when(residual.is_null()).then("workload").alias("workload"))
    further = [name for name in dimensions if name not in USAGE.key]
    key = [name for name in USAGE.key if name in (*CHARGES, *dimensions)] + further
    sums = [exact_sum(pl.col("gpu_hours")), *(known_sum(name) for name in SUMS[1:]), pl.col("estimated").any()]
    columns = [column.name for column in USAGE.columns if column.name in (*key, *SUMS, "currency")]
    table = spelled(named.group_by(*key, "currency").agg(sums)).select(*columns, *further, "estimated")
    return table.sort(*key, "currency", nulls_last=True)
