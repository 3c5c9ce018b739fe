"""FOCUS 1.0 to 1.4, the common format of cloud bills, as AWS, Azure, Google Cloud and GPU clouds write it -> Charges.

FOCUS has no column for a GPU, none for a cluster, and no hours where a provider bills by the month:

- The GPU comes from SkuPriceDetails, an instance type, or a spelling in the texts of the SKU. What could be several
  GPUs is `unsupported`, with its amount, and so is a GPU whose hours nobody states.
- A row of a longer period than a day keeps its cost on its first day, as `unsupported` if it has GPUs: its hours are
  not invented.
- A correction has its cost and no GPU-hours.
"""

from collections.abc import Sequence

import polars as pl

from providers.charges import CHARGES, Reading, Tags, shaped
from providers.focus import lines as shapes
from providers.focus.findings import findings
from providers.focus.machines import joined, known, placed
from providers.recognise import File
from providers.scan import scans

PASSES = 2  # how often a row is read until the table stands, as measured


def read(files: Sequence[File], tags: Tags) -> Reading:
    """Read files of FOCUS Cost and Usage rows.

    Raises:
        InputError: a file cannot be read, or lacks a column without which it is no bill.
    """
    where = files[0].name if len(files) == 1 else f"{len(files)} FOCUS files"
    found = scans([file.path for file in files], passes=PASSES)
    parts = [shapes.priced_in_parts(scan) for scan in found]
    lines = placed(joined(known(_lines(found, tags, where=where)), known(_lines(parts, tags, where=where))))
    sums = pl.concat([shapes.totals(scan) for scan in found]).group_by("currency").agg(pl.all().sum())
    return Reading(
        charges=shaped(lines.with_columns(_dimensions(tags)), CHARGES, tags),
        totals=sums.sort("currency"),
        found=lambda: findings(lines, where=where),
    )


def _lines(found: Sequence[pl.LazyFrame], tags: Tags, *, where: str) -> pl.LazyFrame:
    """Return the lines of several scans, whose columns may differ, as one."""
    return pl.concat([shapes.lines(scan, tags, where=where) for scan in found])


def _dimensions(tags: Tags) -> list[pl.Expr]:
    """Return the dimensions of each line; what a consumer's tags say counts before the tags of its machine."""

    def lookup(key: str) -> pl.Expr:
        return pl.coalesce(pl.col(column).struct.field(f"tag:{key}") for column in ("allocated_tags", "tags"))

    return tags.columns(lookup)
