"""FOCUS costs: every amount in one charge, commitments to the cent, and what is dirty said aloud."""

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.charges import CHARGES, DEFAULT_TAGS, Reading
from providers.focus.usage import read
from providers.recognise import File
from providers.tables import Diagnostic, InputError

SAMPLES = Path(__file__).parents[3] / "../shared/data/billing/focus"
SPEC = SAMPLES / "spec_examples"
USAGE = {
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-04-01T13:00:00Z",
    "ChargePeriodEnd": "2026-04-01T14:00:00Z",
    "PricingCategory": "Standard",
    "ServiceProviderName": "Amazon Web Services",
    "BilledCost": "98.32",
    "EffectiveCost": "98.32",
    "ListCost": "98.32",
    "PricingQuantity": "1",
    "PricingUnit": "Hours",
    "ResourceId": "i-0abc",
    "SkuPriceDetails": '{"InstanceType": "p5.48xlarge", "GpuCount": 8}',
    "Tags": '{"app": "trainer", "team": "research"}',
}
GCP = {"ServiceProviderName": "Google Cloud"}
Rows = Sequence[Mapping[str, str]]


def bill(folder: Path, rows: Rows, name: str = "bill.csv") -> Path:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def reading(*paths: Path) -> Reading:
    return read([File(path=str(path), name=path.name, kind="focus") for path in paths], DEFAULT_TAGS)


def charges(*paths: Path) -> pl.DataFrame:
    frame = reading(*paths).charges
    assert frame is not None
    return frame.collect().sort("hour", "residual", "effective_cost", "billed_cost", "node", "purchase_option")


def totals(*paths: Path) -> list[tuple[str, int, float]]:
    frame = reading(*paths).totals
    assert frame is not None
    return frame.collect().select("currency", "rows", "billed_cost").rows()


def found(*paths: Path) -> dict[str, Diagnostic]:
    return {item.code: item for item in reading(*paths).found()}


def one(folder: Path, **cells: str) -> dict[str, object]:
    return charges(bill(folder, [{**USAGE, **cells}])).row(0, named=True)


def test_a_gpu_machine_has_its_hour_node_and_workload(tmp_path: Path) -> None:
    charge = one(tmp_path)
    assert list(charge) == [*CHARGES, "team", "project", "environment"]
    expected = {
        "hour": datetime(2026, 4, 1, 13, tzinfo=UTC), "granularity": "hour", "provider": "aws", "node": "i-0abc",
        "workload": "trainer", "gpu_model": "H100-SXM-80GB", "gpu_hours": 8.0, "instance_type": "p5.48xlarge",
        "purchase_option": "on_demand", "residual": None, "effective_cost": 98.32, "billed_cost": 98.32,
        "list_cost": 98.32, "timing_cost": 0.0, "currency": "USD", "source": "focus", "team": "research",
    }  # fmt: skip
    assert {name: charge[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("start", "end", "hour", "granularity"),
    [
        ("2026-04-01 13:00:00", "2026-04-01 14:00:00", "2026-04-01T13", "hour"),
        ("2026-04-01T13:20Z", "2026-04-01T14:00Z", "2026-04-01T13", "hour"),
        ("2026-04-01T15:00:00+02:00", "2026-04-01T16:00:00+02:00", "2026-04-01T13", "hour"),
        ("4/1/26", "4/2/26", "2026-04-01T00", "day"),
        ("2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z", "2026-04-01T00", "day"),
    ],
)
def test_times_are_read_however_they_are_written(
    tmp_path: Path, start: str, end: str, hour: str, granularity: str
) -> None:
    charge = one(tmp_path, ChargePeriodStart=start, ChargePeriodEnd=end)
    assert (charge["hour"], charge["granularity"]) == (datetime.fromisoformat(f"{hour}+00:00"), granularity)


def test_no_hour_is_invented_for_a_charge_of_a_month(tmp_path: Path) -> None:
    path = bill(tmp_path, [USAGE | {"ChargePeriodEnd": "2026-05-01T00:00:00Z", "PricingQuantity": "720"}])
    charge = charges(path).row(0, named=True)
    assert (charge["residual"], charge["gpu_hours"], charge["effective_cost"]) == ("unsupported", None, 98.32)
    assert "1 row, 98.32 USD" in found(path)["long-charge-period"].message


@pytest.mark.parametrize(
    ("cells", "residual"),
    [
        ({"ChargeCategory": "Tax"}, "tax"),
        ({"ChargeCategory": "Credit", "BilledCost": "-5", "EffectiveCost": "-5"}, "credit"),
        ({"ChargeCategory": "Adjustment", "ChargeDescription": "Rounding error"}, "rounding"),
        ({"ChargeCategory": "Adjustment", "ChargeDescription": "Goodwill refund"}, "credit"),
        ({"ChargeCategory": "Adjustment"}, "other"),
        ({"ChargeCategory": "Purchase", "CommitmentDiscountId": "sp-1", "EffectiveCost": "0"}, "commitment_payment"),
        ({"ChargeCategory": "Purchase", "SkuPriceDetails": "", "ChargeDescription": "Seats"}, "other"),
        (
            {"CommitmentDiscountId": "sp-1", "CommitmentDiscountStatus": "Unused", "BilledCost": "0"},
            "unused_commitment",
        ),
        ({"CapacityReservationId": "cr-1", "CapacityReservationStatus": "Unused"}, "unused_commitment"),
        ({"SkuPriceDetails": '{"InstanceType": "m5.large"}'}, "other"),
        ({"ChargeClass": "Correction", "BilledCost": "-3", "EffectiveCost": "-3"}, None),
        ({"ChargeCategory": "Mystery"}, "other"),
    ],
)
def test_every_kind_of_row_has_its_place(tmp_path: Path, cells: dict[str, str], residual: str | None) -> None:
    charge = one(tmp_path, **cells)
    assert charge["residual"] == residual
    assert charge["effective_cost"] == float(cells.get("EffectiveCost", "98.32"))
    assert (charge["node"] is None) == (residual is not None)


@pytest.mark.parametrize(
    ("cells", "option", "commitment"),
    [
        ({"PricingCategory": "Dynamic"}, "spot", None),
        ({"CommitmentDiscountId": "a", "CommitmentDiscountType": "Savings Plan"}, "savings_plan", "a"),
        ({"CommitmentDiscountId": "a", "CommitmentDiscountCategory": "Usage"}, "reserved", "a"),
        ({"CommitmentDiscountId": "a", "CommitmentDiscountCategory": "Spend", **GCP}, "cud", "a"),
        ({"CommitmentDiscountId": "a", "CommitmentDiscountCategory": "Usage", **GCP}, "cud", "a"),
        ({"CapacityReservationId": "cr-1", "SkuMeter": "USE1-CapacityBlock:p5.48xlarge"}, "capacity_block", "cr-1"),
        ({"PricingCategory": "Committed", "CapacityReservationId": "cr-1"}, "reserved", None),
        ({"PricingCategory": "Committed",
          "ContractApplied": '{"Elements": [{"ContractCommitmentId": "c", "ContractCommitmentAppliedCost": 1}]}'},
         "contract", "c"),
        ({"ContractApplied": '{"ContractApplied": [{"ContractCommitmentID": "edp"}]}'}, "on_demand", None),
        ({"x_PurchaseOption": "flex"}, "flex", None),
        ({"PricingCategory": ""}, None, None),
    ],
)  # fmt: skip
def test_purchase_options(tmp_path: Path, cells: dict[str, str], option: str, commitment: str) -> None:
    charge = one(tmp_path, **cells)
    assert (charge["purchase_option"], charge["commitment_id"]) == (option, commitment)


def test_a_missing_effective_cost_is_the_billed_one_and_said_so(tmp_path: Path) -> None:
    path = bill(tmp_path, [USAGE | {"EffectiveCost": "NULL"}, USAGE])
    assert charges(path)["effective_cost"].to_list() == [98.32, 98.32]
    assert "1 row, 98.32 USD" in found(path)["no-effective-cost"].message


def test_costs_that_differ_without_a_reason_are_counted_and_kept(tmp_path: Path) -> None:
    path = bill(tmp_path, [USAGE | {"EffectiveCost": "90.07"}, USAGE])
    frame = charges(path)
    assert frame["timing_cost"].sum() == 0
    assert frame["effective_cost"].sum() == pytest.approx(188.39)
    assert "-8.25 USD, in 1 row" in found(path)["unexplained-cost-difference"].message


def test_a_list_price_of_nothing_is_missing(tmp_path: Path) -> None:
    assert one(tmp_path, ListCost="0")["list_cost"] is None


@pytest.mark.parametrize("cells", [{"BilledCost": "1.234,56"}, {"BilledCost": "n/a"}, {"BilledCost": ""}])
def test_a_cost_that_is_no_number_is_an_error(tmp_path: Path, cells: dict[str, str]) -> None:
    path = bill(tmp_path, [USAGE, USAGE | cells])
    with pytest.raises(InputError, match="BilledCost"):
        reading(path).found()


def test_a_file_without_costs_is_an_error(tmp_path: Path) -> None:
    path = bill(tmp_path, [{"ChargeCategory": "Usage", "EffectiveCost": "1"}])
    with pytest.raises(InputError, match="has no column BilledCost"):
        reading(path)


def test_currencies_stay_apart(tmp_path: Path) -> None:
    path = bill(tmp_path, [USAGE, USAGE | {"BillingCurrency": "EUR", "BilledCost": "1", "EffectiveCost": "1"}])
    assert totals(path) == [("EUR", 1, 1.0), ("USD", 1, 98.32)]
    assert sorted(charges(path)["currency"]) == ["EUR", "USD"]


COSTS = st.integers(-(10**6), 10**6).map(lambda cents: f"{cents / 100:.2f}")
KINDS = st.sampled_from(
    [
        {"ChargeCategory": "Usage"},
        {"ChargeCategory": "Tax"},
        {"ChargeCategory": "Credit"},
        {"ChargeCategory": "Usage", "ChargeClass": "Correction"},
        {"ChargeCategory": "Usage", "SkuPriceDetails": "{}"},
        {"ChargeCategory": "Purchase", "CommitmentDiscountId": "c"},
        {"ChargeCategory": "Usage", "CommitmentDiscountId": "c", "CommitmentDiscountStatus": "Used"},
        {"ChargeCategory": "Usage", "CommitmentDiscountId": "c", "CommitmentDiscountStatus": "Unused"},
    ]
)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(KINDS, COSTS, COSTS), min_size=1, max_size=12), st.integers(0, 12))
def test_every_cent_is_in_one_charge(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[dict[str, str], str, str]], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("bill")
    rows = [
        USAGE | kind | {"BilledCost": billed, "EffectiveCost": cost if "CommitmentDiscountId" in kind else billed}
        for kind, billed, cost in drawn
    ]
    whole = bill(folder, rows)
    parts = [bill(folder, part, f"{n}.csv") for n, part in enumerate((rows[:cut], rows[cut:])) if part]
    for paths in ([whole], parts):
        frame = charges(*paths)
        assert frame["billed_cost"].sum() == pytest.approx(sum(float(row["BilledCost"]) for row in rows), abs=1e-6)
        assert frame["effective_cost"].sum() == pytest.approx(
            sum(float(row["EffectiveCost"]) for row in rows), abs=1e-6
        )
        assert frame["billed_cost"].sum() == pytest.approx(
            frame["effective_cost"].sum() + frame["timing_cost"].sum(), abs=1e-6
        )
        assert totals(*paths)[0][1:] == (len(rows), pytest.approx(frame["billed_cost"].sum(), abs=1e-6))


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    path = bill(tmp_path, [USAGE, USAGE | {"ChargeCategory": "Tax"}, USAGE | {"PricingCategory": "Dynamic"}])
    typed = pl.read_csv(path, infer_schema=False).with_columns(
        pl.col("BilledCost", "EffectiveCost", "ListCost", "PricingQuantity").cast(pl.Decimal(20, 6)),
        pl.col("ChargePeriodStart", "ChargePeriodEnd").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"),
        Tags=pl.struct(pl.lit("app").alias("key"), pl.lit("trainer").alias("value")).implode(),
        SkuPriceDetails=pl.struct(InstanceType=pl.lit("p5.48xlarge")),
    )
    tags = pl.Series("Tags", [{"app": "trainer", "team": "research"}] * 3, dtype=pl.Map(pl.String, pl.String))
    typed.with_columns(tags).write_parquet(tmp_path / "map.parquet")
    assert charges(tmp_path / "map.parquet").equals(charges(path))
    typed.with_columns(Tags=tags.map.entries()).write_parquet(tmp_path / "list.parquet")
    assert charges(tmp_path / "list.parquet").equals(charges(path))


needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the shared sample data is not here")
SCENARIOS = [  # file, cost of what was used, of what was not, of the rest; cash for the commitment
    ("commitment_discount_usage_scenario_1.csv", 1.00, 0.00, 0.00, 0.00),
    ("commitment_discount_usage_scenario_2.csv", 0.00, 1.00, 0.00, 0.00),
    ("commitment_discount_usage_scenario_3.csv", 0.75, 0.25, 0.00, 0.00),
    ("commitment_discount_usage_scenario_4.csv", 1.00, 0.00, 0.50, 0.00),
    ("commitment_discount_purchase_scenario_1.csv", 0.00, 0.00, 0.00, 8760.00),
    ("commitment_discount_purchase_scenario_2.csv", 0.00, 0.00, 0.00, 3.00),
    ("commitment_discount_purchase_scenario_3.csv", 0.00, 0.00, 0.00, 4381.50),
    ("one_hundred_percent_utilization_without_commitment_discount_flexibility.csv", 1.50, 0.00, 0.00, 1.50),
    ("one_hundred_percent_utilization_with_commitment_discount_flexibility_with_1_resource.csv", 0.5, 0, 2.25, 0.5),
    ("one_hundred_percent_utilization_with_commitment_discount_flexibility_with_2_resources.csv", 2.0, 0, 0, 2.0),
    ("zero_percent_utilization_without_commitment_discount_flexibility.csv", 0.00, 1.50, 2.00, 1.50),
]


@needs_samples
@pytest.mark.parametrize(("name", "used", "unused", "rest", "cash"), SCENARIOS)
def test_commitment_scenarios_of_the_specification(
    name: str, used: float, unused: float, rest: float, cash: float
) -> None:
    frame = charges(SPEC / name)
    held, left = pl.col("commitment_id").is_not_null(), pl.col("residual") == "unused_commitment"
    payment = pl.col("residual") == "commitment_payment"
    cost = pl.col("effective_cost")
    sums = frame.select(
        cost.filter(held & ~left).sum(), cost.filter(left).sum().alias("left"), cost.filter(~held).sum().alias("rest"),
        pl.col("billed_cost").filter(payment).sum(),
    ).row(0)  # fmt: skip
    assert sums == pytest.approx((used, unused, rest, cash))
    assert not reading(SPEC / name).found()


@needs_samples
@pytest.mark.parametrize(
    "path", [*sorted(SPEC.glob("*.csv")), SAMPLES / "commitment_scenarios_excerpt.csv"], ids=lambda path: path.name
)
def test_the_examples_of_the_specification_add_up(path: Path) -> None:
    with path.open(encoding="utf-8-sig") as file:
        rows = [row for row in csv.DictReader(file) if row["ChargeCategory"]]
    plain = [
        {name: float(row[name].strip(" $").replace(",", "")) for name in ("BilledCost", "EffectiveCost")}
        for row in rows
    ]
    frame = charges(path)
    billed, effective = (sum(row[name] for row in plain) for name in ("BilledCost", "EffectiveCost"))
    assert frame["billed_cost"].sum() == pytest.approx(billed)
    assert frame["effective_cost"].sum() == pytest.approx(effective)
    assert frame["timing_cost"].sum() == pytest.approx(billed - effective)
    assert totals(path) == [("USD", len(rows), pytest.approx(billed))]


@needs_samples
def test_a_published_bill_is_rounded_and_says_so() -> None:
    path = SAMPLES / "focus_1_0_sample_1000.csv"
    machines = charges(path).filter(pl.col("residual").is_null())
    with path.open() as file:
        shown = [row for row in csv.DictReader(file) if "On Demand Linux g" in row["ChargeDescription"]]
    assert machines["gpu_hours"].sum() == pytest.approx(sum(float(row["ConsumedQuantity"]) for row in shown))
    assert machines["billed_cost"].sum() == pytest.approx(sum(float(row["BilledCost"]) for row in shown))
    assert "620 rows, by -5.54 USD" in found(path)["rounded-costs"].message


@needs_samples
def test_capacity_reservations_keep_what_was_not_used() -> None:
    sums = dict(charges(SAMPLES / "capacity_reservation_eligible_spend.csv").group_by("residual").agg(
        pl.col("effective_cost").sum()).iter_rows())  # fmt: skip
    assert sums == {"unused_commitment": 70.0, "other": 350.0}
