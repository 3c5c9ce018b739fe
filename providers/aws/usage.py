"""AWS Cost and Usage Reports, 2.0 and legacy, with or without split cost allocation -> Charges and Claims."""

from collections.abc import Sequence

import polars as pl

from providers.aws.blocks import amortised, blocks_of, unused_charges
from providers.aws.columns import NET, Lookup, distinct, lookup_of, normal, opened, spelled
from providers.aws.findings import findings
from providers.aws.line_items import costed, is_split, netted
from providers.aws.machines import placed, typed
from providers.aws.pods import claims_of, pods_of
from providers.charges import CHARGES, CLAIMS, Reading, Tags, shaped
from providers.recognise import File
from providers.scan import scans


def read(files: Sequence[File], tags: Tags) -> Reading:
    """Read the files of deliveries that were chosen.

    Where any row has a net cost the account has discounts, and net costs count everywhere.

    Raises:
        InputError: a file cannot be read.
    """
    frames = [opened(spelled(frame)) for frame in scans([file.path for file in files])]
    seen = [distinct(frame) for frame in frames]
    looks = [lookup_of(one) for one in seen]
    pods = pl.concat([pods_of(one, look, tags) for one, look in zip(seen, looks, strict=True)])
    pods = pods.group_by("resource").agg(pl.all().max())
    net = any(_has_net(frame) for frame in frames)
    bill = _lines([frame.filter(~is_split()) for frame in frames], looks, tags, net=net)
    split = _lines([frame.filter(is_split()) for frame in frames], looks, tags, net=net)
    blocks = blocks_of(bill)
    costs = placed(typed(amortised(costed(bill), blocks)))
    costs = costs.with_columns(granularity=_granularity(), source=pl.lit("aws_cur"))
    charges = [shaped(costs, CHARGES, tags)]
    if blocks is not None:
        charges.append(shaped(unused_charges(blocks), CHARGES, tags))
    billed = pl.col("cost").filter(~is_split("operation")).sum()
    whole = _lines(frames, looks, tags, net=net)
    return Reading(
        charges=pl.concat(charges),
        claims=shaped(claims_of(split, pods, tags), CLAIMS, tags),
        totals=whole.group_by("currency").agg(pl.len().alias("rows"), billed.alias("billed_cost")),
        found=lambda: findings(costs, split),
    )


def _lines(frames: Sequence[pl.LazyFrame], looks: Sequence[Lookup], tags: Tags, *, net: bool) -> pl.LazyFrame:
    """Return rows in our own columns. Splitting comes first: a filter on a column of the file keeps the rest unread."""
    parts = [normal(frame, tags, look) for frame, look in zip(frames, looks, strict=True)]
    return netted(pl.concat(parts), net=net).with_columns(hour=pl.col("start").dt.truncate("1h"))


def _has_net(frame: pl.LazyFrame) -> bool:
    if NET["cost"] not in frame.collect_schema().names():
        return False
    filled = pl.col(NET["cost"]).cast(pl.String).str.len_bytes() > 0
    return bool(frame.select(filled.any()).collect(engine="streaming").item())


def _granularity() -> pl.Expr:
    """Return hour for rows of at most an hour, day for longer ones: a report may be daily or monthly."""
    longer = pl.col("end") - pl.col("start") > pl.duration(hours=1)
    return pl.when(longer.fill_null(value=False)).then(pl.lit("day")).otherwise(pl.lit("hour"))
