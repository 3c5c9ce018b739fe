"""Rows that stream by, however many, and a table beside them."""

from collections.abc import Sequence

import polars as pl


def beside(rows: pl.LazyFrame, table: pl.DataFrame | pl.LazyFrame, on: Sequence[str]) -> pl.LazyFrame:
    """Return the rows with what a table says of each by some columns; null where it says nothing.

    The table is what is held in memory. Left to itself, polars may hold the rows instead: it cannot know how many are
    still to come.
    """
    return rows.join(table.lazy(), on=list(on), how="left", build_side="force_right")
