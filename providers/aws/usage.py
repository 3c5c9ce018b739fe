"""AWS Cost and Usage Reports, 2.0 and legacy, with or without split cost allocation -> Charges and Claims."""

from collections.abc import Sequence

import polars as pl

from providers.aws.blocks import spread
from providers.aws.columns import NET, NUMBERS, SPLIT, TEXT, Report
from providers.aws.findings import findings
from providers.aws.line_items import BILL, costed, netted
from providers.aws.machines import instances, placed
from providers.aws.pods import split_of
from providers.charges import CHARGES, CLAIMS, Reading, Tags, shaped, together
from providers.recognise import File
from providers.scan import scans
from providers.tables import InputError

PASSES = 3  # how often a row is read until the table stands, as measured


def read(files: Sequence[File], tags: Tags) -> Reading:
    """Read the files of deliveries that were chosen.

    A row that AWS bills is a charge; a row that only splits another one among pods is a claim. Costs are net of
    discounts where AWS says what they are. Of the rows, only whether and when there are net costs, and what was prepaid
    for capacity, is read at once.

    Raises:
        InputError: a file cannot be read.
    """
    where = files[0].name if len(files) == 1 else f"{len(files)} AWS files"
    reports = [Report(frame) for frame in scans([file.path for file in files], passes=PASSES)]
    _refuse_incomplete(reports, where)
    bills = [report.bill() for report in reports]
    net_bills = _net_bills(bills)
    lines = _hourly(netted(pl.concat([report.lines(tags) for report in bills]), net_bills))
    costs = instances(costed(lines))
    reserves = any(report.has(TEXT["capacity"]) for report in reports)
    splits = [split_of(report, tags) for report in reports]
    rows = placed(spread(costs) if reserves else costs.with_columns(is_prepaid=pl.lit(value=False)))
    return Reading(
        charges=shaped(rows.with_columns(source=pl.lit("aws_cur")), CHARGES, tags),
        claims=together([shaped(split.claims, CLAIMS, tags) for split in splits], CLAIMS, tags),
        totals=_totals(reports, net_bills),
        found=lambda: findings(rows, reports, splits, where=where),
    )


def _hourly(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Add hour and granularity: a row of more than an hour is one of the day that it begins in."""
    long = (pl.col("end") - pl.col("start") > pl.duration(hours=1)).fill_null(value=False)
    return lines.with_columns(
        granularity=pl.when(long).then(pl.lit("day")).otherwise(pl.lit("hour")),
        hour=pl.when(long).then(pl.col("start").dt.truncate("1d")).otherwise(pl.col("start").dt.truncate("1h")),
    )


def _totals(reports: Sequence[Report], net_bills: list[str]) -> pl.LazyFrame:
    """Return by currency how many rows there are, and what those that are not split come to."""
    lines = netted(pl.concat([report.lines() for report in reports]), net_bills)
    billed = pl.col("cost").filter(~pl.col("operation").is_in(list(SPLIT)).fill_null(value=False)).sum()
    return lines.group_by("currency").agg(pl.len().alias("rows"), billed.alias("billed_cost"))


def _net_bills(bills: Sequence[Report]) -> list[str]:
    """Return the bills that have net costs."""
    found: set[str] = set()
    for report in bills:
        if report.has(NET["cost"]):
            lines = report.lines().filter(pl.col("net_cost").is_not_null())
            found.update(lines.select(BILL.unique()).collect(engine="streaming").to_series())
    return sorted(found)


def _refuse_incomplete(reports: Sequence[Report], where: str) -> None:
    needed = (TEXT["type"], NUMBERS["cost"], "line_item_usage_start_date")
    for report in reports:
        for name in needed:
            if not report.has(name):
                raise InputError(where, f"has no column {name}", "export the report with all its columns")
