"""A Cost and Usage Report in code: what a row says beyond an hour of nothing, written in any spelling."""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from optimizer.allocation import allocate
from optimizer.reconcile import reconcile
from providers.aws.usage import read
from providers.charges import CHARGES, CLAIMS, DEFAULT_TAGS, Reading, together
from providers.recognise import File

MAP = pl.Map(pl.String(), pl.String())
HOUR = {
    "line_item_usage_start_date": "2026-04-01T13:00:00Z",
    "line_item_usage_end_date": "2026-04-01T14:00:00Z",
    "bill_billing_period_start_date": "2026-04-01T00:00:00Z",
    "line_item_line_item_type": "Usage",
    "line_item_currency_code": "USD",
    "line_item_usage_account_id": "111122223333",
    "line_item_unblended_cost": 0.0,
}
MACHINE = {
    "line_item_operation": "RunInstances",
    "line_item_usage_type": "USE1-BoxUsage:p5.48xlarge",
    "line_item_resource_id": "i-0A",
    "line_item_usage_amount": 1.0,
    "line_item_unblended_cost": 55.04,
    "product_product_family": "Compute Instance",
    "product_instance_type": "p5.48xlarge",
}
Row = Mapping[str, Any]


def machine(**cells: Any) -> dict[str, Any]:
    return {**MACHINE, **cells}


def pod(name: str, kind: str, *, split: float = 0.0, **cells: Any) -> dict[str, Any]:
    """Return a split row of namespace/pod for one kind of resource: vCPU, GB or Accelerator."""
    return {
        "line_item_operation": "EKSPod-EC2",
        "line_item_usage_type": f"USE1-EKS-EC2-{kind}-Hours",
        "line_item_resource_id": f"arn:aws:eks:us-east-1:111122223333:pod/prod/{name}/uid",
        "split_line_item_parent_resource_id": "i-0a",
        "split_line_item_split_cost": split,
        **cells,
    }


def table(*rows: Row) -> pl.DataFrame:
    """Return rows as CUR 2.0 has them: numbers, times and maps typed, absent cells null."""
    whole = [{**HOUR, **row} for row in rows]
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in whole for name in row):
        cells = [row.get(name) for row in whole]
        kind = next((type(cell) for cell in cells if cell is not None), str)
        dtype = {dict: MAP, float: pl.Float64, int: pl.Float64}.get(kind, pl.String)
        columns[name] = pl.Series(name, cells, dtype=dtype, strict=False)
    frame = pl.DataFrame(columns)
    times = [name for name in frame.columns if name.endswith(("start_date", "end_date"))]
    return frame.with_columns(pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us") for name in times)


def legacy_csv(frame: pl.DataFrame) -> bytes:
    """Return a report as legacy CUR writes it: sections and camel case, a column for each tag, gzip."""
    keys = sorted({key for tags in frame["resource_tags"].to_list() for key in (tags or {})})
    tags = [pl.col("resource_tags").map.get(key).alias(f"resourceTags/{key.replace('_', ':', 1)}") for key in keys]
    times = pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    flat = frame.with_columns(times, *tags).drop("resource_tags")
    return gzip.compress(
        flat.rename({name: _slashed(name) for name in frame.columns if name != "resource_tags"}).write_csv().encode()
    )


def _slashed(name: str) -> str:
    sections = (
        "split_line_item",
        "line_item",
        "bill",
        "pricing",
        "product",
        "reservation",
        "savings_plan",
        "capacity_reservation",
    )
    section = next(one for one in sections if name.startswith(f"{one}_"))
    first, *rest = section.split("_")
    words = name.removeprefix(f"{section}_").split("_")
    return first + "".join(map(str.capitalize, rest)) + "/" + "".join(map(str.capitalize, words))


def reading(*paths: Path) -> Reading:
    return read([File(path=str(path), name=path.name, kind="aws_cur") for path in paths], DEFAULT_TAGS)


class Told:
    """What a bill became: charges, claims, what was found, and the Usage table with its reconciliation."""

    def __init__(self, *paths: Path) -> None:
        one = reading(*paths)
        assert one.charges is not None
        assert one.totals is not None
        order = ("hour", "residual", "billed_cost", "effective_cost", "node", "workload", "purchase_option")
        self.charges = one.charges.collect().sort(order)
        self.claims = together([] if one.claims is None else [one.claims], CLAIMS, DEFAULT_TAGS).collect()
        self.totals = one.totals.collect()
        self.found = one.found
        names = list(DEFAULT_TAGS.chains)
        shared = allocate(self.charges.lazy(), self.claims.lazy(), dimensions=names)
        self.usage = shared.usage
        totals = self.totals.select(pl.lit("aws_cur").alias("source"), "currency", "rows", "billed_cost")
        self.reconciled = reconcile(shared.usage, totals, shared.timing)
        assert self.charges.columns[: len(CHARGES)] == list(CHARGES)

    @property
    def work(self) -> pl.DataFrame:
        return self.charges.filter(pl.col("residual").is_null()).sort(
            "effective_cost", "billed_cost", "node", "workload", "purchase_option"
        )

    @property
    def codes(self) -> set[str]:
        return {one.code for one in self.found()}

    def sums(self, frame: str = "charges") -> tuple[float, float, float]:
        columns = ("billed_cost", "effective_cost", "timing_cost")
        return tuple(round(getattr(self, frame)[name].sum(), 9) for name in columns)


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., Told]:
    """Write rows as CUR 2.0, one file for each list of rows, and read them."""

    def run(*rows: Row, also: tuple[Row, ...] = ()) -> Told:
        paths = []
        for index, some in enumerate(part for part in (rows, also) if part):
            paths.append(tmp_path / f"{index}.parquet")
            table(*some).write_parquet(paths[-1])
        return Told(*paths)

    return run


@pytest.fixture(scope="session")
def cur() -> SimpleNamespace:
    """Return what tests build rows with."""
    return SimpleNamespace(machine=machine, pod=pod, table=table, legacy_csv=legacy_csv, Told=Told)
