"""Google Cloud's detailed billing export, as Parquet or newline JSON -> Charges.

Hours come from the usage, never from the invoice month, which is kept in Pacific time. Late rows simply add up.
"""

from collections.abc import Sequence

import polars as pl

from providers.charges import CHARGES, Reading, Tags, shaped
from providers.gcp.columns import normal
from providers.gcp.commitments import amortised, matched, pools
from providers.gcp.findings import findings
from providers.gcp.machines import machines, modelled, noded, placed
from providers.recognise import File
from providers.scan import scans

PASSES = 3  # how often a row is read until the table stands, as measured
_COSTS = ("list_cost", "billed_cost", "effective_cost")


def read(files: Sequence[File], tags: Tags) -> Reading:
    """Read exported rows; credits and fees end in the usage they belong to, so Σ effective = Σ billed.

    Raises:
        InputError: a file cannot be read.
    """
    lines = pl.concat([normal(frame, tags) for frame in scans([file.path for file in files], passes=PASSES)])
    timed = noded(matched(lines.with_columns(hour=pl.col("start").dt.truncate("1h"))))
    fees, found = pl.collect_all([pools(timed), machines(timed)], engine="streaming")
    costs = divided(placed(amortised(timed, fees), modelled(found)))
    totals = lines.group_by("currency").agg(
        pl.len().alias("rows"), (pl.col("cost") + pl.col("credit")).sum().alias("billed_cost")
    )
    return Reading(
        charges=shaped(costs, CHARGES, tags),
        totals=totals,
        found=lambda: findings(timed, costs),
    )


def divided(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Return each row as what a commitment covers of it and what it does not, and put the costs in their columns.

    The covered part has the commitment's credit and fee; other credits go with the cost.
    """
    partly = pl.col("covered").is_between(0.0, 1.0, closed="none")
    whole = pl.col("covered") > 0
    halves = pl.when(partly).then(pl.lit([True, False])).otherwise(pl.concat_list(whole))
    rows = lines.with_columns(is_covered=halves).explode("is_covered")
    share = pl.when(~partly).then(1.0).when("is_covered").then("covered").otherwise(1.0 - pl.col("covered"))
    committed = pl.when(pl.col("is_covered") | ~partly).then(1.0).otherwise(0.0)
    billed = (pl.col("cost") + pl.col("credit") - pl.col("committed_credit")) * share
    billed += pl.col("committed_credit") * committed
    longer = (pl.col("end") - pl.col("start") > pl.duration(hours=1)).fill_null(value=False)
    return rows.with_columns(
        billed_cost=billed,
        effective_cost=billed + pl.col("fee") * committed,
        timing_cost=pl.lit(0.0),
        list_cost=pl.when(~pl.col("is_fee")).then(pl.col("list_cost") * share),
        gpu_hours=pl.col("gpu_hours") * share,
        purchase_option=pl.when(pl.col("is_covered") & pl.col("purchase_option").is_not_null())
        .then(pl.lit("cud"))
        .otherwise("purchase_option"),
        granularity=pl.when(longer).then(pl.lit("day")).otherwise(pl.lit("hour")),
        hour=pl.when(longer).then(pl.col("hour").dt.truncate("1d")).otherwise("hour"),
        source=pl.lit("gcp_detailed"),
    )
