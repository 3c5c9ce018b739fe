"""Reading one bill: `python -m tests.benchmarks.reading ours|bare PATH` prints what it took, as JSON.

The bare way scans the same columns of the same file and sums them: what polars needs to see every value once.
"""

import json
import sys
from pathlib import Path
from time import perf_counter

import polars as pl

from app import accounts  # noqa: F401 - its settings for numpy must be in place, and imports are not measured
from optimizer.allocation import allocate
from providers.aws.usage import read
from providers.charges import DEFAULT_TAGS
from providers.recognise import File


def ours(path: Path) -> float:
    reading = read([File(path=str(path), name=path.name, kind="aws_cur")], DEFAULT_TAGS)
    found = allocate(reading.charges, reading.claims, dimensions=list(DEFAULT_TAGS.chains))
    reading.totals.collect(engine="streaming")
    return float(found.usage["effective_cost"].sum())


def bare(path: Path) -> float:
    frame = pl.scan_parquet(path)
    sums = [_sum(name, dtype) for name, dtype in frame.collect_schema().items()]
    return float(frame.select(sums).collect(engine="streaming")["line_item_unblended_cost"].item())


def _sum(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype == pl.String:
        return pl.col(name).str.len_bytes().sum()
    if dtype.is_numeric():
        return pl.col(name).sum()
    return pl.col(name).max() if dtype.is_temporal() else pl.col(name).map.len().sum()


if __name__ == "__main__":
    begun = perf_counter()
    cost = {"ours": ours, "bare": bare}[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"seconds": perf_counter() - begun, "cost": cost}))
