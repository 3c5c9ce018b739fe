"""Rows that stream by, however many: a table beside them, and texts of which few are distinct."""

from collections.abc import Callable, Sequence

import polars as pl


def beside(rows: pl.LazyFrame, table: pl.DataFrame | pl.LazyFrame, on: Sequence[str]) -> pl.LazyFrame:
    """Return the rows with what a table says of each by some columns; null where it says nothing.

    The table is what is held in memory. Left to itself, polars may hold the rows instead: it cannot know how many are
    still to come.
    """
    return rows.join(table.lazy(), on=list(on), how="left", build_side="force_right")


def by_distinct(texts: pl.Expr, answer: Callable[[str], object], dtype: pl.DataType) -> pl.Expr:
    """Return what a plain function answers to each text, asking it once for each distinct text of a batch.

    Bills repeat themselves: a SKU, a set of tags or an hour stands in thousands of rows.
    """

    def answers(batch: pl.Series) -> pl.Series:
        distinct = batch.drop_nulls().unique()
        found = pl.Series(batch.name, [answer(text) for text in distinct], dtype=dtype)
        numbers = pl.Series(range(len(distinct)), dtype=pl.UInt32)
        return found.gather(batch.replace_strict(distinct, numbers, default=None, return_dtype=pl.UInt32))

    return texts.map_batches(answers, return_dtype=dtype, is_elementwise=True)
