"""Every export is known by what is in it, whatever it is called; what is none says what it looks like."""

import csv
import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest

from providers.recognise import kind_of, manifest_kind
from providers.scan import UnknownFileError
from providers.tables import InputError

SHARED = Path(__file__).parents[2] / "../shared/data/billing"
SAMPLES = {
    "focus/focus_1_0_sample_1000.csv": "focus",
    "focus/commitment_scenarios_excerpt.csv": "focus",
    "focus/capacity_reservation_eligible_spend.csv": "focus",
    "focus/contract_commitment_scenario_2.csv": "focus_commitments",
    "aws/focus_converters_sample_aws_legacy_cur.csv": "aws_cur",
    "azure/EA_ActualCost_Small.csv": "azure_actual",
    "azure/EA_AmortizedCost_Small.csv": "azure_amortized",
    "azure/focus_converters_sample_ea_export.csv": "azure_actual",
    "opencost/allocation_example.json": "opencost",
}
CUR2 = {"line_item_line_item_type": "Usage", "line_item_unblended_cost": 1.0, "bill_payer_account_id": "1"}
LEGACY = {"lineItem/LineItemType": "Usage", "lineItem/UnblendedCost": "1", "identity/LineItemId": "x"}
GCP = {"usage_start_time": "2026-04-01 00:00:00 UTC", "cost": 1.5, "sku": {"id": "A-1", "description": "H100 80GB"}}
FOCUS = {"BilledCost": "1", "ChargeCategory": "Usage", "ContractCommitmentId": ""}
USAGE = {"hour": "2026-04-01T00:00:00Z", "workload": "w", "gpu_model": "L4-24GB", "gpu_hours": "1"}
AWS_MANIFEST = {"executionId": "e", "exportArn": "arn", "columns": [], "dataFiles": []}
LEGACY_MANIFEST = {"assemblyId": "a", "reportKeys": [], "account": "1"}
AZURE_MANIFEST = {"exportConfig": {}, "runInfo": {}, "blobs": None}


def as_csv(*rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(*rows):
    content = io.BytesIO()
    pl.DataFrame(list(rows)).write_parquet(content)
    return content.getvalue()


def as_lines(*rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_text(whole):
    return json.dumps(whole, indent=2).encode()


@pytest.fixture
def kind(tmp_path):
    def of(content, name="a.b"):
        path = tmp_path / "whatever"
        path.write_bytes(content)
        return kind_of(str(path), name)

    return of


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(as_csv(USAGE), "usage", id="usage CSV"),
        pytest.param(as_parquet(USAGE), "usage", id="usage Parquet"),
        pytest.param(as_parquet(CUR2), "aws_cur", id="CUR 2.0 Parquet"),
        pytest.param(gzip.compress(as_csv(CUR2)), "aws_cur", id="CUR 2.0 csv.gz"),
        pytest.param(as_csv(LEGACY), "aws_cur", id="legacy CUR CSV"),
        pytest.param(gzip.compress(as_csv(LEGACY)), "aws_cur", id="legacy CUR csv.gz"),
        pytest.param(as_parquet(GCP), "gcp_detailed", id="detailed export Parquet"),
        pytest.param(as_lines(GCP, GCP), "gcp_detailed", id="detailed export JSON"),
        pytest.param(gzip.compress(as_lines(GCP)), "gcp_detailed", id="detailed export JSON, gzip"),
        pytest.param(json.dumps([GCP]).encode(), "gcp_detailed", id="detailed export, one array"),
        pytest.param(as_csv(FOCUS), "focus", id="FOCUS, with the commitments it names"),
        pytest.param(as_parquet({name.upper(): cell for name, cell in FOCUS.items()}), "focus", id="FOCUS in capitals"),
        pytest.param(as_lines(FOCUS), "focus", id="FOCUS JSON"),
        pytest.param(as_csv({"ContractCommitmentId": "c", "Cost": "1"}), "focus_commitments", id="commitments"),
        pytest.param(as_text(AWS_MANIFEST), "aws_manifest", id="AWS manifest"),
        pytest.param(as_text(LEGACY_MANIFEST), "aws_manifest", id="legacy AWS manifest"),
        pytest.param(b"\xef\xbb\xbf" + as_text(AZURE_MANIFEST), "azure_manifest", id="Azure manifest"),
        pytest.param(as_text({"code": 200, "data": [{}]}), "opencost", id="OpenCost answer"),
        pytest.param(as_lines({"code": 200, "data": [{"a": "x" * (2 << 20)}]}), "opencost", id="a long answer"),
        pytest.param(as_text({"tranche_source": "opencost"}), "opencost", id="saved OpenCost"),
        pytest.param(as_text({"tranche_source": "prometheus"}), "prometheus", id="saved Prometheus"),
        pytest.param(
            as_text({"value": [{"type": "Microsoft.CostManagement/benefitRecommendations"}]}),
            "azure_hourly",
            id="Azure hours",
        ),
    ],
)
def test_a_file_is_known_by_its_content(kind, content, expected):
    assert kind(content) == expected


@pytest.mark.parametrize(("sample", "expected"), SAMPLES.items(), ids=SAMPLES)
def test_real_samples_are_known(sample, expected):
    path = SHARED / sample
    if not path.exists():
        pytest.skip("the collected samples are not here")
    assert kind_of(str(path), path.name) == expected


def azure(*rows, cost="Cost"):
    """Write rows of charge type, pricing model and cost as an Azure export."""
    cells = [
        {
            "MeterCategory": "Virtual Machines",
            "AdditionalInfo": "{}",
            "ChargeType": charge,
            "PricingModel": model,
            cost: at,
        }
        for charge, model, at in rows
    ]
    return as_csv(*cells)


ON_DEMAND = ("Usage", "OnDemand", "3.5")
DECIDED = {
    "no commitment": ([ON_DEMAND], "azure_actual"),
    "a purchase": ([ON_DEMAND, ("Purchase", "Reservation", "700")], "azure_actual"),
    "usage that is paid for already": ([("Usage", "Reservation", "0")], "azure_actual"),
    "usage on a plan, spread": ([ON_DEMAND, ("Usage", "SavingsPlan", "0.7")], "azure_amortized"),
    "usage on a plan, spelled apart": ([("usage", "Savings Plan", "0.7")], "azure_amortized"),
    "an unused reservation": ([("UnusedReservation", "Reservation", "1")], "azure_amortized"),
    "an unused plan": ([ON_DEMAND, ("UnusedSavingsPlan", "SavingsPlan", "1")], "azure_amortized"),
    "a refund only": ([ON_DEMAND, ("Refund", "Reservation", "-10")], "azure_actual"),
    "a purchase that costs nothing": (
        [("Purchase", "Reservation", "0"), ("Usage", "Reservation", "1")],
        "azure_amortized",
    ),
    "a correction of spread cost": ([("Usage", "Reservation", "-0.5")], "azure_amortized"),
}


@pytest.mark.parametrize(("rows", "expected"), DECIDED.values(), ids=DECIDED)
@pytest.mark.parametrize("cost", ["Cost", "costInBillingCurrency"])
def test_azure_actual_and_amortised_are_told_apart_by_what_commitments_cost(kind, rows, expected, cost):
    assert kind(azure(*rows, cost=cost)) == expected


def test_azure_parquet_is_told_apart_too(kind):
    rows = pl.read_csv(io.BytesIO(azure(("Usage", "Reservation", "0.5")))).with_columns(
        pl.col("Cost").cast(pl.Decimal(18, 6))
    )
    content = io.BytesIO()
    rows.write_parquet(content)
    assert kind(content.getvalue()) == "azure_amortized"


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        pytest.param(
            as_csv({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}), "text with the columns a, b, c, d and 1 more", id="CSV"
        ),
        pytest.param(as_parquet({"status": "done"}), "Parquet with the columns status", id="Parquet"),
        pytest.param(as_text({"status": "success", "data": {}}), "JSON with the keys status, data", id="JSON"),
        pytest.param(as_text({"tranche_source": "elsewhere"}), "JSON with the keys tranche_source", id="other source"),
        pytest.param(as_lines({"x" * 99: 1}), f"JSON with the keys {'x' * 37}...", id="long key"),
        pytest.param(b"d41d8cd98f00b204e9800998ecf8427e  a.csv\n", "text with the columns d41d8cd98f00", id="checksum"),
        pytest.param(b"{}", "JSON with the keys \\(none\\)", id="empty object"),
    ],
)
def test_what_is_no_export_says_what_it_looks_like_and_what_is_understood(kind, content, seen):
    with pytest.raises(UnknownFileError, match=rf"^bill\.csv: is {seen}.*, no export that is understood; give AWS CUR"):
        kind(content, "bill.csv")


def test_a_damaged_file_is_an_error_of_another_kind(kind):
    with pytest.raises(InputError, match="cannot be read") as raised:
        kind(as_parquet(CUR2)[:-20])
    assert not isinstance(raised.value, UnknownFileError)


@pytest.mark.parametrize("whole", [AWS_MANIFEST, LEGACY_MANIFEST, AZURE_MANIFEST])
def test_only_manifests_are_manifests(tmp_path, whole):
    path = tmp_path / "data"
    path.write_bytes(as_text(whole))
    assert manifest_kind(str(path)) in ("aws_manifest", "azure_manifest")
    for other in (as_lines(GCP), as_csv(LEGACY), as_parquet(CUR2), b"", b"{"):
        path.write_bytes(other)
        assert manifest_kind(str(path)) is None
