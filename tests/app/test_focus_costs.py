"""Allocated cost as FOCUS CostAndUsage rows: the same money, the identities of the standard, and read back alike."""

import csv
import json
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.reports.focus_costs import render
from providers.tables import PURCHASE_OPTIONS, RESIDUALS, USAGE, InputError, checked

COSTS = {"BilledCost": "billed_cost", "EffectiveCost": "effective_cost", "ListCost": "list_cost"}
MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName",
    "PublisherName", "ServiceCategory", "ServiceName",
)  # fmt: skip
NOT_NULL = set(MANDATORY) - {"ChargeClass", "PricingQuantity", "PricingUnit"}
ALLOCATED = ("AllocatedMethodId", "AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName",
             "AllocatedTags", "ServiceProviderName", "HostProviderName")  # fmt: skip
CRITERIA = (
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED", "NEGOTIATED_PRICING_SUPPORTED", "USAGE_MEASUREMENT_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED", "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED", "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "REGION_SUPPORTED", "TAGGING_SUPPORTED", "ACCOUNT_NAMING_SUPPORTED",
)  # fmt: skip
ALLOWED = {
    "BilledCost-C-005-C",  # the validator asks for 0 of every row where the provider does not issue the invoice
    "InvoiceId-C-005-C",  # asks for an invoice on every row, also where none is known; a usage table knows none
}
VALIDATOR = os.environ.get("FOCUS_VALIDATOR") or shutil.which("focus-validator")


@pytest.fixture(scope="module")
def bills(tmp_path_factory):
    from app.cli import main

    folder = tmp_path_factory.mktemp("bills")
    assert main(["demo", "--out", str(folder / "demo")]) == 0
    return folder


@pytest.fixture(scope="module", params=["focus", "aws"])
def usage(request, bills):
    """Return the usage table of one of the demo's bills."""
    from app.cli import main

    out = bills / f"{request.param}.parquet"
    assert main(["usage", str(bills / "demo" / request.param), "--out", str(out)]) == 0
    return out


def exported(tranche, usage, version):
    ran = tranche("export", str(usage), "--to", "focus", "--focus", version)
    assert (ran.code, ran.err) == (0, "")
    return list(csv.DictReader(ran.out.splitlines()))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_rows_keep_the_money_and_the_identities(tranche, usage, version):
    rows, table = exported(tranche, usage, version), pl.read_parquet(usage)
    assert len(rows) == table.height
    assert sum(float(row["BilledCost"]) for row in rows) == pytest.approx(table["billed_cost"].sum(), abs=1e-4)
    assert sum(float(row["EffectiveCost"]) for row in rows) == pytest.approx(table["effective_cost"].sum(), abs=1e-4)
    work = sum(float(row["x_GpuHours"]) for row in rows if not row["x_Residual"])
    assert work == pytest.approx(table.filter(pl.col("residual").is_null())["gpu_hours"].sum())
    for row in rows:
        assert_valid(row, version)


def assert_valid(row, version):
    """Check what the specification demands of one row, by section 1.2 of its columns."""
    assert set(MANDATORY) <= set(row)
    assert all(row[name] for name in NOT_NULL)
    assert (set(ALLOCATED) <= set(row)) == (version == "1.3")
    assert row["ChargeCategory"] in {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}
    assert row["PricingCategory"] in {"Standard", "Dynamic", "Committed", "Other", ""}
    assert row["ServiceCategory"] in {"Compute", "Other"}
    start, end = (datetime.fromisoformat(row[f"ChargePeriod{side}"]) for side in ("Start", "End"))
    first, last = (datetime.fromisoformat(row[f"BillingPeriod{side}"]) for side in ("Start", "End"))
    assert end - start in {timedelta(hours=1), timedelta(days=1)}
    assert first <= start < end <= last
    assert (first.day, last.day, (last - first).days) == (1, 1, pytest.approx(30, abs=2))
    if row["ChargeCategory"] == "Usage":
        quantity = float(row["PricingQuantity"])
        for price, cost in (("ListUnitPrice", "ListCost"), ("ContractedUnitPrice", "ContractedCost")):
            assert float(row[price]) * quantity == pytest.approx(float(row[cost]), rel=1e-9, abs=1e-9)
        assert bool(row["CommitmentDiscountStatus"]) == bool(row["CommitmentDiscountId"])
        assert (row["ConsumedQuantity"] == "") == (row["CommitmentDiscountStatus"] == "Unused")
        assert (row["PricingCategory"] == "Committed") == bool(row["CommitmentDiscountId"])
    else:
        assert row["ConsumedQuantity"] == row["CommitmentDiscountStatus"] == ""
        assert row["PricingCategory"] != "Committed"
    if row["ChargeCategory"] == "Tax":
        assert row["PricingCategory"] == row["PricingQuantity"] == ""


def test_a_purchase_of_other_hours_costs_these_hours_nothing(tranche, usage):
    payments = pl.read_parquet(usage).filter(pl.col("residual") == "commitment_payment")["billed_cost"]
    bought = [row for row in exported(tranche, usage, "1.3") if row["ChargeCategory"] == "Purchase"]
    assert {float(row["EffectiveCost"]) for row in bought} <= {0.0}
    assert sorted(float(row["BilledCost"]) for row in bought) == pytest.approx(payments.sort().to_list())


def test_shares_of_one_origin_charge_add_up_to_it(tranche, usage):
    """By hour, machine, account and list price: the ratios add up to 1, and each is its part of the cost."""
    origins = defaultdict(list)
    for row in exported(tranche, usage, "1.3"):
        if not row["AllocatedMethodId"]:
            assert {row[name] for name in ALLOCATED if name.startswith("Allocated")} == {""}
            continue
        key = ("ChargePeriodStart", "ResourceId", "RegionId", "SubAccountId", "CommitmentDiscountId", "x_InstanceType")
        origins[(*map(row.get, key), round(float(row["ListUnitPrice"]), 6))].append(row)
    assert max(map(len, origins.values())) > 1
    for rows in origins.values():
        parts = [json.loads(row["AllocatedMethodDetails"])["Elements"] for row in rows]
        assert sum(part["AllocatedRatio"] for [part] in parts) == pytest.approx(1)
        whole = sum(float(row["EffectiveCost"]) for row in rows)
        for row, [part] in zip(rows, parts, strict=True):
            assert part["AllocatedRatio"] * whole == pytest.approx(float(row["EffectiveCost"]), abs=1e-6)
            assert part["UsageUnit"] == "GPU-Hours"
            assert part["UsageQuantity"] == pytest.approx(float(row["x_GpuHours"]))


def test_what_is_exported_reads_back_as_the_same_usage(tranche, usage, files):
    written, again = str(files.folder / "focus.csv"), str(files.folder / "again.parquet")
    assert tranche("export", str(usage), "--to", "focus", "--out", written).code == 0
    assert tranche("usage", written, "--out", again).code == 0
    dimensions = ["hour", "residual", "workload", "gpu_model", "team", "purchase_option", "region"]
    sums = [pl.col(name).sum() for name in ("gpu_hours", "effective_cost", "billed_cost")]
    old, new = (
        pl.read_parquet(path).filter(pl.col("residual").is_null()).group_by(dimensions).agg(sums).sort(dimensions)
        for path in (usage, again)
    )
    assert old.drop(pl.selectors.float()).equals(new.drop(pl.selectors.float()))
    for name in ("gpu_hours", "effective_cost", "billed_cost"):
        assert new[name].to_list() == pytest.approx(old[name].to_list(), abs=1e-6)


rows_of = st.fixed_dictionaries(
    {
        "hour": st.integers(0, 800).map(lambda hour: datetime(2026, 1, 30, tzinfo=UTC) + timedelta(hours=hour)),
        "workload": st.sampled_from(["a", "b/c", '=1+1|"{'] ),
        "gpu_model": st.just("H100-SXM-80GB"),
        "gpu_hours": st.floats(0, 1e4, allow_subnormal=False),
        "provider": st.sampled_from([None, "aws"]),
        "team": st.sampled_from([None, "red"]),
        "purchase_option": st.sampled_from([None, *PURCHASE_OPTIONS]),
        "commitment_id": st.sampled_from([None, "c-1"]),
        "list_cost": st.none() | st.floats(0, 1e6, allow_subnormal=False),
        "effective_cost": st.floats(-1e3, 1e6, allow_subnormal=False),
        "billed_cost": st.none() | st.floats(-1e3, 1e6, allow_subnormal=False),
        "residual": st.sampled_from([None, *RESIDUALS]),
    }
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(rows_of, min_size=1, max_size=12), version=st.sampled_from(["1.2", "1.3"]))
def test_any_usage_keeps_its_costs(rows, version):
    keyed = [{**row, "account": f"n{number}"} for number, row in enumerate(rows)]
    schema = {column.name: column.dtype for column in USAGE.columns if column.name in keyed[0]}
    table = checked(pl.DataFrame(keyed, schema=schema), USAGE, where="usage")
    said = list(csv.DictReader(render(table, version, where="usage").splitlines()))
    for focus, ours in COSTS.items():
        expected = [row["effective_cost"] if row[ours] is None else row[ours] for row in keyed]
        assert sorted(float(row[focus]) for row in said) == pytest.approx(sorted(expected))
    for row in said:
        assert not [cell for cell in row.values() if cell.startswith(("=", "+", "@"))]
        ratios = json.loads(row["AllocatedMethodDetails"])["Elements"] if row.get("AllocatedMethodDetails") else []
        assert all(part["AllocatedRatio"] == pytest.approx(1) for part in ratios)  # an account each: nothing is shared


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--to", "md"], 2, "--to md: usage.csv is a table and no plan file; write --to focus"),
        (["--to", "focus", "--focus", "1.4"], 2, "--focus 1.4: what usage cost is written as 1.2 or 1.3"),
        (["--to", "focus", "--focus", "1.1"], 2, "'1.1' is not one of"),
        (["--to", "focus"], 6, "usage.csv: row 1: has no effective_cost; give what tranche usage wrote from a bill"),
    ],
)
def test_what_cannot_be_exported(tranche, files, arguments, code, line):
    ran = tranche("export", files.usage, *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert line in ran.err
    assert "Traceback" not in ran.err


def test_a_plan_has_no_commitments_in_1_2(tranche):
    plan = Path(__file__).parent / "golden" / "plan-1.1.json"
    ran = tranche("export", str(plan), "--to", "focus", "--focus", "1.2")
    assert (ran.code, ran.out) == (2, "")
    assert "--focus 1.2: has no commitments" in ran.err


def test_a_missing_cost_is_named():
    rows = [
        {"hour": datetime(2026, 1, 1, hour, tzinfo=UTC), "effective_cost": cost} for hour, cost in ((0, 1.0), (1, None))
    ]
    with pytest.raises(InputError, match="row 2: has no effective_cost"):
        render(pl.DataFrame(rows), "1.2", where="usage")


def typed(rows):
    """Return rows with the types that the specification gives their columns."""
    table = pl.DataFrame(rows, schema_overrides=dict.fromkeys(rows[0], pl.String()))
    table = table.with_columns(pl.when(pl.all() != "").then(pl.all()))
    numbers = [name for name in table.columns if name.endswith(("Cost", "Price", "Quantity", "Hours"))]
    times = [name for name in table.columns if name.endswith(("PeriodStart", "PeriodEnd"))]
    return table.with_columns(pl.col(numbers).cast(pl.Float64()), pl.col(times).str.to_datetime(time_zone="UTC"))


@pytest.mark.skipif(VALIDATOR is None, reason="FOCUS_VALIDATOR names no focus-validator, which needs Python 3.12")
@pytest.mark.parametrize("criteria", [(), CRITERIA])
def test_the_official_validator_finds_nothing_else(tranche, usage, files, criteria):
    """It reads one of its own files by a path from where its packages are, so it is run there.

    In a CSV file it takes account numbers for numbers, which they may not be: it gets the same cells as Parquet.
    """
    written, report = files.folder / "focus.parquet", files.folder / "report.xml"
    typed(exported(tranche, usage, "1.2")).write_parquet(written)
    where = "import focus_validator, pathlib; print(pathlib.Path(focus_validator.__file__).parents[1])"
    python = Path(VALIDATOR).with_name("python")
    packages = subprocess.run([python, "-c", where], capture_output=True, check=True, text=True).stdout.strip()
    asked = ["--applicability-criteria", ",".join(criteria)] if criteria else []
    subprocess.run(
        [VALIDATOR, "--data-file", written, "--validate-version", "1.2.0.1", "--block-download", "--focus-dataset",
         "CostAndUsage", "--output-type", "unittest", "--output-destination", report, *asked],
        capture_output=True, check=False, cwd=packages, timeout=300,
    )  # fmt: skip
    cases = list(ET.parse(report).getroot().iter("testcase"))  # noqa: S314 - the validator wrote it
    failed = {
        case.get("name").split(" ")[0]
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    assert sum(case.find("skipped") is None for case in cases) - len(failed) > 100
    assert failed <= ALLOWED
