"""`tranche usage`: bills in, the usage table and its reconciliation out; what is dirty is right or refused by name."""

import csv
import gzip
import io
import json
import os
from pathlib import Path

import polars as pl
import pytest

FOCUS = {
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-10-01T00:00:00Z",
    "ChargePeriodEnd": "2026-10-01T01:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": "",
    "ChargeDescription": "GPU node",
    "PricingCategory": "Standard",
    "PricingQuantity": "1",
    "PricingUnit": "Hours",
    "ConsumedQuantity": "1",
    "ConsumedUnit": "Hours",
    "BilledCost": "32.00",
    "EffectiveCost": "32.00",
    "ListCost": "40.00",
    "BillingCurrency": "USD",
    "ProviderName": "Acme GPU Cloud",
    "PublisherName": "Acme GPU Cloud",
    "InvoiceIssuerName": "Acme GPU Cloud",
    "ServiceName": "Compute",
    "ServiceCategory": "Compute",
    "ResourceId": "vm-1",
    "RegionId": "eu-1",
    "SubAccountId": "research",
    "SkuPriceDetails": '{"InstanceType": "p5.48xlarge", "GpuCount": 8}',
    "CommitmentDiscountId": "",
    "CommitmentDiscountCategory": "",
    "CommitmentDiscountStatus": "",
    "CommitmentDiscountType": "",
    "Tags": '{"team": "search", "workload": "train"}',
}


def text_of(rows, without=None):
    text = io.StringIO()
    writer = csv.DictWriter(text, [name for name in FOCUS if name != without], extrasaction="ignore")
    writer.writeheader()
    writer.writerows({**FOCUS, **row} for row in rows)
    return text.getvalue()


@pytest.fixture
def bill(files):
    """Write rows that differ from an hour of one 8-GPU node as a FOCUS file."""
    return lambda *rows, name="focus.csv": files.text(name, text_of(rows))


@pytest.fixture
def told(tranche):
    """Read sources; return the one reconciliation, once it is sure that it holds."""

    def run(*arguments):
        ran = tranche("usage", *arguments, "--format", "json")
        assert ran.code == 0, ran.err
        (one,) = ran.json["reconciliation"]
        assert (one["difference"], one["holds"]) == ("0.00", True)
        return one

    return run


def hour(at, **cells):
    return {
        "ChargePeriodStart": f"2026-10-01T{at:02}:00:00Z",
        "ChargePeriodEnd": f"2026-10-01T{at + 1:02}:00:00Z",
        **cells,
    }


def test_a_bill_becomes_a_table_that_plan_reads(tranche, bill, files):
    path = bill(hour(0), hour(1, BilledCost="30", EffectiveCost="30"))
    ran = tranche("usage", path, "--out", "usage.parquet")
    assert ran.code == 0, ran.err
    usage = pl.read_parquet("usage.parquet")
    assert usage.select("workload", "gpu_model", "gpu_hours", "effective_cost", "team", "provider").rows() == [
        ("train", "H100-SXM-80GB", 8.0, cost, "search", usage["provider"][0]) for cost in (32.0, 30.0)
    ]
    planned = tranche("plan", "usage.parquet", "--offers", files.offers, "--horizon", "history", "--format", "json")
    assert planned.json["summary"]["current_cost"] == "62.00"
    assert planned.json["summary"]["gpu_hours"] == 16


def test_the_report_says_where_the_bill_went(tranche, bill):
    rows = [
        hour(0),
        hour(0, ChargeCategory="Tax", ResourceId="", SkuPriceDetails="", BilledCost="3", EffectiveCost="3"),
        hour(0, ChargeCategory="Credit", ResourceId="", SkuPriceDetails="", BilledCost="-5", EffectiveCost="-5"),
        hour(
            0, ResourceId="bucket", SkuPriceDetails="", ChargeDescription="Storage", BilledCost="2", EffectiveCost="2"
        ),
    ]
    ran = tranche("usage", bill(*rows), "--by", "team")
    assert ran.code == 0, ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert "focus: 4 rows, USD" in lines
    assert "Billed $32.00" in lines
    assert "Workloads $32.00 100 %" in lines
    assert "Tax $3.00 9.38 %" in lines
    assert "Credits and refunds -$5.00 -15.62 %" in lines
    assert "Without a GPU $2.00 6.25 %" in lines
    assert "Difference $0.00" in lines
    assert "search 8 - $32.00 $40.00" in lines


def test_untagged_spend_is_a_row_with_its_amount(tranche, bill):
    ran = tranche("usage", bill(hour(0), hour(1, Tags="")), "--by", "team", "--format", "json")
    assert {(row["team"], row["effective_cost"]) for row in ran.json["by"]} == {("search", "32.00"), (None, "32.00")}


def test_any_tag_can_be_asked_for_and_chains_fall_back(tranche, bill, files):
    path = bill(hour(0, Tags='{"cost-center": "cc-1"}'), hour(1, Tags="{}"))
    ran = tranche("usage", path, "--by", "cost-center", "--format", "json")
    assert {row["cost-center"] for row in ran.json["by"]} == {"cc-1", None}
    files.text("tranche.toml", '[tags]\nteam = ["cost-center", "account"]\n')
    ran = tranche("usage", path, "--by", "team", "--format", "json")
    assert {row["team"] for row in ran.json["by"]} == {"cc-1", "research"}


def test_the_same_bytes_twice_count_once(told, bill):
    once = told(bill(hour(0)))
    assert told(bill(hour(0)), bill(hour(0), name="again.csv")) == once
    assert told(bill(hour(0)), bill(hour(0))) == once


def test_reading_again_gives_the_same_bytes(tranche, bill):
    path = bill(hour(0), hour(1, Tags=""), hour(2))
    written = []
    for name in ("one.parquet", "two.parquet"):
        assert tranche("usage", path, "--out", name).code == 0
        written.append(Path(name).read_bytes())
    assert written[0] == written[1]


def test_standard_input(told, bill, monkeypatch):
    read, write = os.pipe()
    os.write(write, text_of([hour(0)]).encode())
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(pipe))
        assert told("-")["billed"] == "32.00"


DIRTY = {
    "NULL as text": ({"ChargeClass": "NULL", "CommitmentDiscountId": "NULL", "Tags": "NULL"}, "64.00"),
    "a negative correction": ({"ChargeClass": "Correction", "BilledCost": "-7.5", "EffectiveCost": "-7.5"}, "24.50"),
    "a tag of 5,000 characters": ({"Tags": json.dumps({"team": "x" * 5000})}, "64.00"),
    "costs of many decimals": ({"BilledCost": "0.0000001", "EffectiveCost": "0.0000001"}, "32.00"),
}


@pytest.mark.parametrize("dirt", DIRTY)
def test_dirty_rows_are_counted(told, bill, dirt):
    cells, billed = DIRTY[dirt]
    one = told(bill(hour(0), hour(1, **cells)))
    assert f"{float(one['billed']):.2f}" == billed
    assert one["rows"] == 2


def test_terminal_escapes_in_tags_stay_in_the_file(tranche, bill):
    path = bill(hour(0, Tags=json.dumps({"team": "\x1b[2Jred", "workload": "=cmd()"})))
    for form in ("table", "json", "csv"):
        ran = tranche("usage", path, "--by", "team", "--format", form, "--out", "usage.csv")
        assert ran.code == 0, ran.err
        assert "\x1b" not in ran.out + ran.err
    assert "'=cmd()" in Path("usage.csv").read_text()


def test_costs_rounded_to_dollars_are_said(tranche, bill):
    rows = [hour(at, BilledCost="32.6", EffectiveCost="33") for at in range(3)]
    ran = tranche("usage", bill(*rows), "--format", "json")
    assert ran.code == 0
    assert "EffectiveCost is rounded to whole units of money: so it differs from BilledCost in 3 rows" in ran.err
    assert ran.json["reconciliation"][0]["effective"] == "97.80"


@pytest.fixture
def refused(tranche, files):
    """Read sources that cannot be read; return the one line that says so, once it is sure that no file was touched."""

    def run(*arguments):
        kept = Path("kept.parquet")
        kept.write_bytes(b"earlier")
        ran = tranche("usage", *arguments, "--out", str(kept))
        assert (ran.code, ran.out) == (6, ""), ran.err
        assert "Traceback" not in ran.err
        assert kept.read_bytes() == b"earlier"
        return ran.err.splitlines()[-1].removeprefix("tranche: error: ")

    return run


def test_truncated_gzip(refused, files):
    whole = gzip.compress(text_of(hour(at % 23) for at in range(3000)).encode())
    path = files.text("focus.csv.gz", whole[: len(whole) // 2])
    line = refused(path)
    assert "focus.csv.gz" in line
    assert "; " in line


def test_mixed_currencies(refused, bill):
    line = refused(bill(hour(0), hour(1, BillingCurrency="EUR")))
    assert "EUR" in line
    assert "USD" in line


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "is empty"), ("a,b\n1,2\n", ""), ("\0\1\2", ""), ("{}", "")],
    ids=["empty", "no export", "binary", "empty JSON"],
)
def test_what_is_no_export_is_refused(refused, files, content, said):
    line = refused(files.text("thing.dat", content))
    assert line.startswith("thing.dat: ")
    assert said in line


def test_a_missing_file(refused):
    assert "nowhere.csv" in refused("nowhere.csv")


def test_a_schema_that_changes_in_mid_period(told, tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "part-1.csv").write_text(text_of([hour(0)]))
    (folder / "part-2.csv").write_text(text_of([hour(1)], without="Tags"))
    one = told(str(folder))
    assert (one["rows"], one["billed"]) == (2, "64.00")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "team,,"], "--by 'team,,' has an empty name"),
        (["--window", "soon"], "--window: 'soon' is not a length of time"),
        (["--policy", "fair"], "Invalid value for '--policy'"),
        (["--out", "usage.json"], "--out usage.json: has no known ending; use .parquet, .csv"),
    ],
)
def test_command_line(tranche, bill, arguments, said):
    ran = tranche("usage", bill(hour(0)), *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_nothing_to_read(tranche, files):
    ran = tranche("usage")
    assert ran.code == 2
    assert "there is nothing to read" in ran.err


def test_sources_of_the_settings(told, bill, files):
    files.text("tranche.toml", f"[sources]\nusage = [{json.dumps(bill(hour(0)))}]\n")
    assert told()["billed"] == "32.00"


def test_a_bill_given_to_plan_says_what_to_do(tranche, bill):
    ran = tranche("plan", bill(hour(0)))
    assert ran.code == 6
    assert "tranche usage" in ran.err
