"""Capacity blocks: a fee that is paid at once and used up hour by hour over the block's window.

AWS's documents do not say how the machines of a block are billed afterwards. Whatever they cost in their own rows
stays; the fee is spread evenly over the window, each hour's part goes to the machines that ran in the block, as a share
of the most that ever ran in it, and what is left of the hour is an unused commitment.
"""

from typing import NamedTuple

import polars as pl

from providers.aws.line_items import RUNNING, is_block_fee

KEY = ("capacity", "hour")


class Blocks(NamedTuple):
    """What fees of blocks come to: `rates`, $ a machine-hour by capacity and hour; `unused`, $ that no machine took."""

    rates: pl.DataFrame
    unused: pl.DataFrame


def blocks_of(lines: pl.LazyFrame) -> Blocks | None:
    """Spread the fees of a bill's capacity blocks over those of their hours that the bill covers; None without fees."""
    begins, ends = pl.coalesce("reserved_from", "start"), pl.coalesce("reserved_until", "end")
    fees = (
        lines.filter(is_block_fee())
        .select("capacity", "account", "region", "currency", "cost", begins=begins, ends=ends)
        .collect(engine="streaming")
        .sort("capacity", "begins", "cost")
    )
    if fees.is_empty():
        return None
    last = lines.select(pl.col("hour").max()).collect(engine="streaming").item()
    spread = _hours(fees).filter(pl.col("hour") <= last)
    used = _used(lines, fees)
    joined = spread.join(used, on=KEY, how="left").with_columns(pl.col("used").fill_null(0.0))
    most = used.group_by("capacity").agg(pl.col("used").max().alias("most"))
    priced = joined.join(most, on="capacity", how="left").with_columns(
        rate=pl.when(pl.col("most") > 0).then(pl.col("hourly") / pl.col("most")).otherwise(0.0)
    )
    unused = pl.col("hourly") - pl.col("rate") * pl.col("used")
    return Blocks(
        rates=priced.group_by(KEY).agg(pl.col("rate").sum()).sort(KEY),
        unused=priced.with_columns(unused=unused).drop("rate", "hourly", "used", "most").sort(KEY),
    )


def amortised(lines: pl.LazyFrame, blocks: Blocks | None) -> pl.LazyFrame:
    """Add the part of a block's fee to the machines that ran in it; it was paid for these hours, in another."""
    if blocks is None:
        return lines
    runs = pl.col("type").is_in(list(RUNNING)) & pl.col("capacity").is_not_null()
    fee = pl.when(runs).then(pl.col("rate") * pl.col("amount")).fill_null(0.0)
    joined = lines.join(blocks.rates.lazy(), on=KEY, how="left")
    return joined.with_columns(
        effective_cost=pl.col("effective_cost") + fee, timing_cost=pl.col("timing_cost") - fee
    ).drop("rate")


def unused_charges(blocks: Blocks) -> pl.LazyFrame:
    """Return what no machine took of blocks as rows of Charges."""
    return blocks.unused.lazy().with_columns(
        provider=pl.lit("aws"),
        commitment_id="capacity",
        purchase_option=pl.lit("capacity_block"),
        residual=pl.lit("unused_commitment"),
        billed_cost=pl.lit(0.0),
        effective_cost="unused",
        timing_cost=-pl.col("unused"),
        gpu_hours=pl.lit(0.0),
        granularity=pl.lit("hour"),
        source=pl.lit("aws_cur"),
    )


def _hours(fees: pl.DataFrame) -> pl.DataFrame:
    """Return each fee by the hours of its window, of which there is at least one."""
    last = pl.max_horizontal("begins", pl.col("ends") - pl.duration(microseconds=1))
    span = pl.datetime_ranges(pl.col("begins").dt.truncate("1h"), last.dt.truncate("1h"), "1h")
    hours = fees.with_columns(hour=span).with_columns(hourly=pl.col("cost") / pl.col("hour").list.len())
    return hours.drop("begins", "ends", "cost").explode("hour")


def _used(lines: pl.LazyFrame, fees: pl.DataFrame) -> pl.DataFrame:
    mine = lines.filter(pl.col("capacity").is_in(fees["capacity"].implode()), pl.col("type").is_in(list(RUNNING)))
    runs = mine.filter((pl.col("capacity_status") == "Used").fill_null(value=True))
    return runs.group_by(KEY).agg(pl.col("amount").sum().alias("used")).collect(engine="streaming")
