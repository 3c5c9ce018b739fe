"""An Azure bill of days and the hourly charges of its subscription: hours in the table, and it still adds up."""

import csv
import json

import polars as pl
import pytest

SIZE = "Standard_ND96isr_H100_v5"
ROW = {
    "SubscriptionId": "SUB-1", "Date": "10/01/2026", "MeterCategory": "Virtual Machines",
    "MeterName": "ND96isr H100 v5", "BillingCurrency": "USD", "ResourceLocation": "EastUS", "ResourceGroup": "lab",
    "UnitOfMeasure": "1 Hour", "ChargeType": "Usage", "PricingModel": "OnDemand", "PayGPrice": "110",
}  # fmt: skip
EXTRA = {18: 200.0, 19: 100.0, 20: 60.0, 21: 40.0}


def machine(name, hours, cost, **cells):
    info = {"ServiceType": SIZE, "VMName": name}
    return (
        ROW | {"Quantity": hours, "Cost": cost, "AdditionalInfo": json.dumps(info), "Tags": f'"app": "{name}"'} | cells
    )


def other(cost, **cells):
    return ROW | {"MeterCategory": "Storage", "Quantity": 1, "Cost": cost, "AdditionalInfo": "", "Tags": ""} | cells


@pytest.fixture
def bill(tmp_path):
    """Write rows as both exports of a period, which are alike without commitments."""

    def write(*rows):
        paths = [tmp_path / name for name in ("actual.csv", "amortised.csv")]
        for path, extra in zip(paths, ("Purchase", "UnusedReservation"), strict=True):
            committed = other(7, ChargeType=extra, PricingModel="Reservation")
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(machine("x", 0, 0)))
                writer.writeheader()
                writer.writerows([*rows, committed])
        return [str(path) for path in paths]

    return write


@pytest.fixture
def hourly(tmp_path):
    def write(charges, last="2026-10-02T00:00:00Z"):
        path = tmp_path / "later.json"
        said = {
            "subscriptionId": "sub-1", "currencyCode": "USD", "armSkuName": "Compute_Savings_Plan", "scope": "Single",
            "firstConsumptionDate": "2026-10-01T00:00:00Z", "lastConsumptionDate": last, "totalHours": len(charges),
            "usage": {"usageGrain": "Hourly", "charges": charges},
        }  # fmt: skip
        kind = "Microsoft.CostManagement/benefitRecommendations"
        path.write_text(json.dumps({"value": [{"type": kind, "kind": "SavingsPlan", "properties": said}]}))
        return str(path)

    return write


MACHINES = (machine("steady", 24, 2400), machine("evening", 3, 400), other(55))
SERIES = [100.0 + EXTRA.get(hour, 0.0) for hour in range(24)]


def table_of(tranche, *sources):
    ran = tranche("usage", *sources, "--out", "usage.parquet")
    assert ran.code == 0, ran.err
    lines = [" ".join(line.split()) for line in ran.out.splitlines()]
    assert "Difference $0.00" in lines
    assert "Billed $2,862.00" in lines
    return pl.read_parquet("usage.parquet"), " ".join(ran.err.split())


def test_a_bill_of_days_becomes_hours_and_still_adds_up(tranche, files, bill, hourly):
    usage, said = table_of(tranche, *bill(*MACHINES), hourly(SERIES))
    rows = usage.filter(pl.col("workload") == "evening").sort("hour")
    # three hours: 18 is full, then 2 / (100 + 60 + 40) of an hour for each dollar: 1.0, 0.6, 0.4
    assert rows["granularity"].to_list() == ["hour"] * 4
    assert rows["hour"].dt.hour().to_list() == [18, 19, 20, 21]
    assert rows["gpu_hours"].to_list() == pytest.approx([8.0, 8.0, 4.8, 3.2])
    assert rows["effective_cost"].to_list() == pytest.approx([400 / 3, 400 / 3, 80, 160 / 3])
    steady = usage.filter(pl.col("workload") == "steady")
    assert steady.select("granularity", "gpu_hours").unique().rows() == [("hour", 8.0)]
    assert steady.height == 24
    assert set(usage.filter(pl.col("residual").is_not_null())["granularity"]) == {"day"}
    assert "2 machine-days on 1 days follow azure-hourly:/subscriptions/sub-1: an estimate" in said
    planned = tranche("plan", "usage.parquet", "--offers", files.offers, "--horizon", "history", "--format", "json")
    assert planned.json["summary"]["gpu_hours"] == pytest.approx(216)


def test_without_the_series_and_with_one_of_other_things_days_stay_days(tranche, files, bill, hourly):
    plain, _ = table_of(tranche, *bill(*MACHINES))
    assert set(plain["granularity"]) == {"day"}
    others, said = table_of(tranche, *bill(*MACHINES), hourly([2 * one for one in SERIES]))
    assert others.equals(plain)
    assert "comes to 5,600.00 USD, but the on-demand GPU machines of that account to 2,800.00: these days stay" in said


def test_hours_without_a_bill_say_what_is_missing(tranche, files, hourly):
    ran = tranche("usage", hourly(SERIES))
    assert ran.code == 6
    assert "later.json: holds what hours came to, and no bill; read the bill of the same subscription" in ran.err


def test_a_broken_series_is_refused_by_name(tranche, files, bill, hourly):
    ran = tranche("usage", *bill(*MACHINES), hourly(SERIES[:-2]))
    assert ran.code == 6
    assert "later.json: has 22 charges for 2026-10-01T00:00Z to 2026-10-02T00:00Z" in ran.err
