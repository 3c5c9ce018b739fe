"""Azure's exports: both together are one bill, in every spelling, and the size of a VM is never guessed."""

import csv
import gzip
import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.allocation import allocate
from optimizer.reconcile import reconcile
from providers.azure.usage import read
from providers.charges import CLAIMS, DEFAULT_TAGS, together
from providers.recognise import File
from providers.tables import InputError

SAMPLES = Path(__file__).parents[3] / "../shared/data/billing/azure"
SIZE = "Standard_ND96isr_H100_v5"
INFO = {"UsageType": "ComputeHR", "ServiceType": SIZE, "VMName": "trainer"}
ROW = {
    "SubscriptionId": "sub-1",
    "Date": "10/01/2026",
    "MeterCategory": "Virtual Machines",
    "MeterName": "ND96isr H100 v5",
    "Quantity": "24",
    "Cost": "2400",
    "BillingCurrency": "USD",
    "ResourceLocation": "EastUS",
    "ConsumedService": "Microsoft.Compute",
    "ResourceId": "/subscriptions/sub-1/resourceGroups/lab/providers/Microsoft.Compute/virtualMachines/trainer",
    "ResourceGroup": "lab",
    "AdditionalInfo": json.dumps(INFO),
    "Tags": '"team": "vision","app": "scenes"',
    "UnitOfMeasure": "1 Hour",
    "ChargeType": "Usage",
    "PricingModel": "OnDemand",
    "PayGPrice": "110",
    "benefitId": "",
    "ReservationId": "",
}
MCA = {"Cost": "costInBillingCurrency", "BillingCurrency": "billingCurrencyCode", "Date": "date",
       "Quantity": "quantity", "SubscriptionId": "subscriptionGuid", "ResourceGroup": "resourceGroupName",
       "ChargeType": "chargeType",
       "AdditionalInfo": "additionalInfo", "PricingModel": "pricingModel", "ResourceId": "resourceId"}  # fmt: skip
RESERVED = {"PricingModel": "Reservation", "benefitId": "/providers/Microsoft.Capacity/reservationOrders/R-1"}


def written(path, rows, names=None):
    names = {name: (names or {}).get(name, name) for name in ROW}
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.DictWriter(file, list(names.values()))
        writer.writeheader()
        writer.writerows({names[name]: value for name, value in {**ROW, **row}.items()} for row in rows)
    return path


def shared(actual=None, amortised=None):
    kinds = (("azure_actual", actual), ("azure_amortized", amortised))
    reading = read([File(path=str(path), name=path.name, kind=kind) for kind, path in kinds if path], DEFAULT_TAGS)
    found = allocate(reading.charges, together([], CLAIMS, DEFAULT_TAGS), dimensions=list(DEFAULT_TAGS.chains))
    totals = reading.totals.collect().select(pl.lit("azure_cost").alias("source"), "currency", "rows", "billed_cost")
    (bill,) = reconcile(found.usage, totals, found.timing)
    return found.usage, bill, {one.code: one.message for one in reading.found()}


@pytest.fixture
def told(tmp_path):
    """Share rows that stand in both exports alike."""

    def run(*rows):
        paths = [written(tmp_path / f"{name}.csv.gz", rows) for name in ("actual", "amortised")]
        usage, bill, _ = shared(*paths)
        assert bill.difference == pytest.approx(0, abs=1e-9)
        return usage, bill

    return run


def test_a_vm_is_its_own_workload_by_the_day(told):
    usage, _ = told({})
    assert usage.select("workload", "gpu_model", "gpu_hours", "granularity", "purchase_option", "team").rows() == [
        ("scenes", "H100-SXM-80GB", 192.0, "day", "on_demand", "vision")
    ]
    assert usage.select("effective_cost", "list_cost", "region", "account").rows() == [
        (2400.0, 2640.0, "eastus", "sub-1")
    ]


def test_a_commitment_is_amortised_and_its_cash_kept_apart(tmp_path):
    covered = {**RESERVED, "Cost": "0"}
    actual = written(
        tmp_path / "actual.csv.gz",
        [covered, {**RESERVED, "ChargeType": "Purchase", "Cost": "50000", "AdditionalInfo": ""}, {"Cost": "100"}],
    )
    unused = {**RESERVED, "ChargeType": "UnusedReservation", "Cost": "300", "AdditionalInfo": ""}
    amortised = written(tmp_path / "amortised.csv.gz", [{**covered, "Cost": "1500"}, unused, {"Cost": "100"}])
    usage, bill, found = shared(actual, amortised)
    assert (bill.billed, bill.effective, bill.timing) == (50100, 1900, 48200)
    assert bill.difference == pytest.approx(0, abs=1e-9)
    assert dict(bill.residuals) == {"unused_commitment": 300, "commitment_payment": 0}
    reserved = usage.filter(pl.col("purchase_option") == "reserved")
    assert reserved.select("commitment_id", "effective_cost", "billed_cost").rows() == [
        ("/providers/microsoft.capacity/reservationorders/r-1", 1500.0, 0.0)
    ]
    assert found == {}


def test_exports_that_differ_beyond_commitments_are_said(tmp_path):
    actual = written(tmp_path / "actual.csv.gz", [{"Cost": "100"}])
    amortised = written(tmp_path / "amortised.csv.gz", [{"Cost": "90"}])
    _, bill, found = shared(actual, amortised)
    assert "sum to 100.00 in the actual and 90.00 in the amortised export" in found["exports-differ"]
    assert not bill.holds


def test_one_export_alone_says_what_it_lacks(tmp_path):
    path = written(tmp_path / "one.csv.gz", [{}, {**RESERVED, "Cost": "7"}])
    assert "what commitments cover has no cost in it" in shared(actual=path)[2]["no-amortised-export"]
    _, bill, found = shared(amortised=path)
    assert "what was billed is not known" in found["no-actual-export"]
    assert (bill.billed, bill.effective) == (None, 2407)


@pytest.mark.parametrize(
    ("cells", "said"),
    [({"Cost": "1,234.50"}, "1 rows whose cost is no number"), ({"Date": "soon"}, "1 rows without a date")],
)
def test_what_cannot_be_read_is_refused(tmp_path, cells, said):
    with pytest.raises(InputError, match=said):
        shared(written(tmp_path / "actual.csv.gz", [cells]))


def test_every_spelling_gives_the_same_charges(tmp_path):
    rows = [{}, {"ChargeType": "Tax", "AdditionalInfo": "", "Cost": "3"}]
    plain = shared(written(tmp_path / "ea.csv.gz", rows))[0]
    mca = shared(written(tmp_path / "mca.csv.gz", [{**row, "Date": "2026-10-01"} for row in rows], MCA))[0]
    upper = shared(written(tmp_path / "upper.csv.gz", rows, {name: name.upper() for name in ROW}))[0]
    braces = shared(written(tmp_path / "braces.csv.gz", [{**row, "Tags": f"{{{ROW['Tags']}}}"} for row in rows]))[0]
    frame = pl.read_csv(tmp_path / "ea.csv.gz", infer_schema=False)
    frame.with_columns(pl.col("Cost", "Quantity", "PayGPrice").cast(pl.Float64)).write_parquet(tmp_path / "ea.parquet")
    for other in (mca, upper, braces, shared(tmp_path / "ea.parquet")[0]):
        assert other.equals(plain)


def info(size):
    return json.dumps({**INFO, "ServiceType": size})


SIZES = {
    "by AdditionalInfo": ({}, 192.0, None),
    "blocks of hours": ({"Quantity": "0.24", "UnitOfMeasure": "100 Hours"}, 192.0, None),
    "unknown GPU size": ({"AdditionalInfo": info("Standard_ND999_X9")}, 0.0, "unsupported"),
    "a meter of several sizes": ({"AdditionalInfo": ""}, 0.0, "unsupported"),
    "no GPU": ({"AdditionalInfo": info("Standard_D8s_v5"), "MeterName": "D8s v5"}, 0.0, "other"),
    "storage": ({"MeterCategory": "Storage", "AdditionalInfo": "", "MeterName": "LRS"}, 0.0, "other"),
}  # fmt: skip


@pytest.mark.parametrize("case", SIZES)
def test_gpu_hours_follow_from_the_size_or_are_not_claimed(told, case):
    cells, gpu_hours, residual = SIZES[case]
    usage, _ = told(cells)
    assert usage.select("gpu_hours", "residual", "effective_cost").rows() == [(gpu_hours, residual, 2400.0)]


def test_an_instance_of_a_scale_set_in_a_cluster_waits_for_claims(told):
    machine = {**INFO, "VMName": "aks-gpu-1-vmss_3", "VMProperties": "Microsoft.AKS.Compute.AKS.Linux.Billing"}
    usage, _ = told(
        {"AdditionalInfo": json.dumps(machine), "ResourceGroup": "MC_rg_prod_eastus", "PricingModel": "Spot"}
    )
    assert usage.select("residual", "cluster", "purchase_option").rows() == [("idle", "mc_rg_prod_eastus", "spot")]


RESIDUALS = {"RoundingAdjustment": "rounding", "Tax": "tax", "Refund": "credit", "Purchase": "other"}


@pytest.mark.parametrize("kind", RESIDUALS)
def test_rows_that_are_no_usage(told, kind):
    _, bill = told({"ChargeType": kind, "Cost": "-2.5", "AdditionalInfo": ""})
    assert dict(bill.residuals) == {RESIDUALS[kind]: -2.5}


@pytest.mark.parametrize(
    ("name", "column"),
    [("EA_ActualCost_Small", "Cost"), ("focus_converters_sample_ea_export", "CostInBillingCurrency")],
)
def test_published_exports_sum_to_themselves(name, column):
    path = SAMPLES / f"{name}.csv"
    if not path.exists():
        pytest.skip("the shared samples are not here")
    _, bill, _ = shared(path)
    plain = pl.read_csv(path, infer_schema=False)
    assert bill.billed == pytest.approx(plain[column].cast(pl.Float64).sum())
    assert bill.difference == pytest.approx(0, abs=1e-6)


cost = st.decimals(-100, 1000, places=2).map(str)
charges = st.sampled_from(["Usage", "Purchase", "Refund", "Tax", "RoundingAdjustment", "UnusedReservation", "Novelty"])
models = st.sampled_from(["OnDemand", "Spot", "Reservation", "SavingsPlan", ""])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(charges, models, cost), min_size=1, max_size=10))
def test_any_bill_is_found_again(tmp_path_factory, drawn):
    rows = [{"ChargeType": charge, "PricingModel": model, "Cost": amount} for charge, model, amount in drawn]
    _, bill, _ = shared(written(tmp_path_factory.mktemp("azure") / "actual.csv.gz", rows))
    assert bill.billed == pytest.approx(sum(float(amount) for _, _, amount in drawn))
    assert bill.difference == pytest.approx(0, abs=1e-6)
