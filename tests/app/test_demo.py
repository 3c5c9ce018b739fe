"""One month in four exports: read back they give one usage table, the one the month was made of, and one plan."""

import json
from collections import Counter
from threading import Lock
from typing import NamedTuple

import jsonschema
import polars as pl
import pytest

from app.accounts import accounts_of
from data.bills import company
from data.bills.write import write
from optimizer.reconcile import Reconciliation

CLOUDS = ("aws", "gcp", "azure", "focus")
NAMES = ("workload", "gpu_model", "purchase_option", "team", "project", "environment")
OPTIONS = {"cud": "reserved"}  # each provider has its own word for a commitment to capacity
GPU_OFFERS = (("H100-SXM-80GB", 7.0, 4.0), ("A100-80GB", 4.0, 2.6), ("T4-16GB", 0.9, 0.5))


class Table(NamedTuple):
    usage: pl.DataFrame
    bill: Reconciliation
    path: str
    seen: float  # rows that passed, of those that were expected


class Watch:
    def __init__(self):
        self.expected, self.done, self.lock = 0.0, 0.0, Lock()

    def expect(self, amount, unit):
        assert unit == "rows"
        self.expected += amount

    def advance(self, amount, unit):
        assert unit == "rows"
        with self.lock:
            self.done += amount


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """Write the month once."""
    folder = tmp_path_factory.mktemp("month")
    write(folder)
    return folder


@pytest.fixture(scope="module")
def tables(month, tmp_path_factory):
    """Read each export back; every bill must be found again to the cent."""
    folder, tables = tmp_path_factory.mktemp("tables"), {}
    for cloud in CLOUDS:
        watch = Watch()
        read = accounts_of([str(month / cloud)], now=company.END, progress=watch)
        bill = next(one for one in read.reconciliations if one.source != "opencost")
        assert bill.holds
        assert bill.billed == pytest.approx(bill.effective + bill.timing, abs=1e-6)
        read.usage.write_parquet(folder / f"{cloud}.parquet")
        tables[cloud] = Table(read.usage, bill, str(folder / f"{cloud}.parquet"), watch.done / watch.expected)
    return tables


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_bar_on_a_read_ends_where_it_says(tables, cloud):
    assert tables[cloud].seen == pytest.approx(1, abs=0.1)


def truth():
    """Sum what the month was made of, with nothing but the month: GPU-hours and cost by hour and holder."""
    hours, costs = Counter(), Counter()
    for one in company.holdings():
        work = one.workload
        name = None if work is None else f"{work.namespace}/{work.name}"
        tags = {} if work is None else work.tags
        for part in company.parts(one.machine):
            labels = (name, company.KINDS[one.machine.kind].gpu_model, part.option)
            key = (one.hour, *labels, tags.get("team"), tags.get("project"), tags.get("environment"))
            hours[key] += one.gpus * part.share
            costs[key] += one.gpus * part.share * part.price
    return {key: (round(hours[key], 6), round(costs[key], 6)) for key in hours}


def work_and_idle(table: pl.DataFrame) -> dict:
    rows = table.filter(pl.col("residual").is_null() | (pl.col("residual") == "idle"))
    sums = (
        rows.with_columns(pl.col("purchase_option").replace(OPTIONS))
        .group_by("hour", *NAMES)
        .agg(pl.col("gpu_hours", "effective_cost").sum().round(6))
    )
    return {
        tuple(row[:-2]): (row[-2], row[-1]) for row in sums.select("hour", *NAMES, "gpu_hours", "effective_cost").rows()
    }


def test_each_export_gives_the_month_it_was_made_of(tables):
    expected = truth()
    assert len(expected) > 10_000
    for cloud, table in tables.items():
        found = work_and_idle(table.usage)
        assert found.keys() == expected.keys(), cloud
        for key, (gpu_hours, cost) in expected.items():
            assert found[key] == (pytest.approx(gpu_hours, abs=1e-5), pytest.approx(cost, abs=1e-4)), (cloud, key)


def test_every_bill_has_the_same_residuals(tables):
    unused = sum(map(company.unused_gpu_hours, company.hours())) * company.KINDS["h100"].committed_price
    expected = {
        "unused_commitment": unused,
        "tax": company.TAX,
        "credit": company.CREDIT + company.CORRECTION,
        "other": company.HOURS * company.CPU_PRICE,
    }
    for cloud, table in tables.items():
        apart = ("idle", "commitment_payment")
        told = {name: amount for name, amount in table.bill.residuals.items() if name not in apart}
        assert told == pytest.approx(expected, abs=0.005), cloud


def test_the_four_tables_give_the_same_plan(tranche, files, tables):
    offers = []
    for gpu, on_demand, held in GPU_OFFERS:
        offers += [
            files.offer(f"od-{gpu}", "on_demand", usage=on_demand) | {"gpu_model": gpu},
            files.offer(f"term-{gpu}", "contract", holding=held, term_months=12) | {"gpu_model": gpu},
        ]
    book = files.table("book.csv", offers)
    plans = []
    for table in tables.values():
        arguments = ["--offers", book, "--horizon", "history", "--now", "2026-11-21", "--format", "json"]
        ran = tranche("plan", table.path, *arguments)
        assert ran.code == 0, ran.err
        plans.append({part: ran.json[part] for part in ("summary", "purchases", "mix", "walk_away")})
    assert all(plan == plans[0] for plan in plans[1:])
    assert len(plans[0]["purchases"]) == len(GPU_OFFERS)


def test_only_what_runs_on_spot_alone_may_be_interrupted(tables):
    for table in tables.values():
        work = table.usage.filter(pl.col("residual").is_null())
        always = work.group_by("workload").agg(pl.col("interruptible").all()).filter("interruptible")
        assert always["workload"].to_list() == ["media/transcode"]


@pytest.mark.parametrize("how", ["weighted", "even"])
def test_who_holds_gpus_may_pay_for_those_that_nobody_held(tranche, month, how):
    apart, shared = (
        {(row["team"], row["residual"]): float(row["effective_cost"]) for row in ran.json["by"]}
        for way in ("separate", how)
        for ran in [tranche("usage", str(month / "focus"), "--by", "team", "--idle", way, "--format", "json")]
    )
    assert shared[None, "idle"] == 0
    assert sum(shared.values()) == pytest.approx(sum(apart.values()))
    assert all(shared[key] >= apart[key] for key in apart if key[1] is None)


def test_the_month_is_the_same_each_time(tranche, month, files):
    ran = tranche("demo", "--out", "again")
    assert ran.code == 0, ran.err
    again = files.folder / "again"
    written = {path.relative_to(again): path.read_bytes() for path in again.rglob("*") if path.is_file()}
    assert written == {path.relative_to(month): path.read_bytes() for path in month.rglob("*") if path.is_file()}


def test_nobodys_files_are_written_over(tranche, files):
    files.text("mine.txt", "mine")
    ran = tranche("demo", "--out", str(files.folder))
    assert ran.code == 2
    assert "is not empty; name a new directory" in ran.err


def test_the_contract_of_the_gpu_cloud_is_a_commitment(tranche, month, files, tables):
    contract = str(month / "focus" / "contract-commitments.csv")
    book = files.table(
        "book.csv", [files.offer(gpu, "on_demand", usage=price) | {"gpu_model": gpu} for gpu, price, _ in GPU_OFFERS]
    )
    arguments = ["--offers", book, "--commitments", contract, "--horizon", "history", "--now", "2026-10-01"]
    ran = tranche("plan", tables["focus"].path, *arguments, "--format", "json")
    assert ran.code == 0, ran.err
    (owned,) = ran.json["commitments"]
    assert (owned["gpus"], float(owned["holding_usd_per_gpu_hour"])) == (company.COMMITTED_GPUS, 4.2)


def test_every_row_is_as_the_schema_says(tranche, tables):
    validator = jsonschema.Draft202012Validator(tranche("schema", "usage").json)
    for table in tables.values():
        kinds = table.usage.unique("residual", keep="first").write_json()
        for row in json.loads(kinds):
            hour = f"{row['hour'].replace(' ', 'T')}Z"
            validator.validate({name: value for name, value in row.items() if value is not None} | {
                "hour": hour, "workload": row["workload"], "gpu_model": row["gpu_model"]})  # fmt: skip
