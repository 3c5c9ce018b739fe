"""FOCUS ContractCommitment rows to Commitments and back."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.focus.commitments import commitments, contract_rows
from providers.focus.contract_rows import COLUMNS_1_3, COLUMNS_1_4
from providers.tables import COMMITMENTS, InputError, checked

SAMPLE = Path(__file__).parents[3] / "../shared/data/billing/focus/contract_commitment_scenario_2.csv"
CONTRACT = {
    "BillingCurrency": "USD",
    "ContractCommitmentCategory": "Usage",
    "ContractCommitmentCost": "2000.00",
    "ContractCommitmentDescription": "H100 SXM 80GB capacity",
    "ContractCommitmentId": "c-1",
    "ContractCommitmentPeriodStart": "2026-02-01",
    "ContractCommitmentPeriodEnd": "2026-02-11",
    "ContractCommitmentQuantity": "1920",
    "ContractCommitmentType": "Capacity",
    "ContractCommitmentUnit": "GPU-Hours",
}


def read_one(**cells: str | None) -> dict[str, object]:
    table, _ = commitments(pl.DataFrame([{**CONTRACT, **cells}]), "contracts.csv")
    return table.row(0, named=True)


@pytest.mark.skipif(not SAMPLE.exists(), reason="the shared sample data is not here")
def test_the_gpu_contract_of_the_specification() -> None:
    table, found = commitments(pl.read_csv(SAMPLE, infer_schema=False), "contracts.csv")
    row = table.row(0, named=True)
    assert table["commitment_id"].to_list() == ["CMT-AI-888"]
    assert row["gpus"] == pytest.approx(5000 / (89 * 24))
    assert (row["holding_usd_per_gpu_hour"], row["upfront_share"], row["term_months"]) == (50.0, 1.0, 3.0)
    assert row["gpus"] * row["holding_usd_per_gpu_hour"] * 89 * 24 == pytest.approx(250_000)
    texts = " ".join(item.message for item in found)
    assert "CMT-SEC-999, 120,000.00 USD" in texts
    assert "CMT-DATA-111, 15,000.00 USD" in texts
    assert "H100" in next(item.message for item in found if item.code == "unknown-gpu-model")


@pytest.mark.parametrize(
    ("cells", "gpus", "price"),
    [
        ({}, 8.0, 2000 / 1920),
        ({"ContractCommitmentUnit": "GPUs", "ContractCommitmentQuantity": "8"}, 8.0, 2000 / 1920),
        ({"ContractCommitmentUnit": "Instance-Hours", "ContractCommitmentQuantity": "240",
          "ContractCommitmentDescription": "p5.48xlarge"}, 8.0, 2000 / 1920),
        ({"ContractCommitmentPeriodEnd": "2026-02-11T00:00:00Z", "ContractCommitmentCost": "$2,000"}, 8.0, 2000 / 1920),
    ],
)  # fmt: skip
def test_contracts_for_capacity_are_gpus_at_a_price(cells: dict[str, str], gpus: float, price: float) -> None:
    row = read_one(**cells)
    assert (row["gpu_model"], row["purchase_option"]) == ("H100-SXM-80GB", "contract")
    assert (row["gpus"], row["holding_usd_per_gpu_hour"]) == pytest.approx((gpus, price))


@pytest.mark.parametrize(("kind", "option"), [("Private Pricing", "spend_floor"), ("Savings Plan", "savings_plan")])
def test_contracts_to_spend_are_dollars_an_hour(kind: str, option: str) -> None:
    row = read_one(
        ContractCommitmentCategory="Spend", ContractCommitmentType=kind, ContractCommitmentDescription="Minimum"
    )
    assert row["usd_per_hour"] == pytest.approx(2000 / 240)
    assert (row["gpus"], row["purchase_option"]) == (None, option)


@pytest.mark.parametrize(
    "cells",
    [
        {"ContractCommitmentUnit": "Seats"},
        {"ContractCommitmentLifecycleStatus": "Expired"},
        {"ContractCommitmentPeriodEnd": "2026-01-01"},
        {"ContractCommitmentCategory": "Spend", "ContractCommitmentApplicability":
         '{"Inclusions": [{"Dimension": "ServiceCategory", "Operator": "In", "Values": ["Databases"]}]}'},
    ],
)  # fmt: skip
def test_what_is_left_out_is_named_with_its_amount(cells: dict[str, str]) -> None:
    kept = {**CONTRACT, "ContractCommitmentId": "c-2"}
    table, found = commitments(pl.DataFrame([{**CONTRACT, **cells}, kept], infer_schema_length=None), "contracts.csv")
    assert table["commitment_id"].to_list() == ["c-2"]
    assert [item.message.split(" is left out")[0] for item in found] == ["commitment c-1, 2,000.00 USD,"]


@pytest.mark.parametrize(
    "cells",
    [{"ContractCommitmentCost": "lots"}, {"ContractCommitmentPeriodEnd": "soon"}, {"x_LotGpus": "eight"},
     {"ContractCommitmentUnit": "Seats"}],
)  # fmt: skip
def test_contracts_that_cannot_be_read_are_an_error(cells: dict[str, str]) -> None:
    with pytest.raises(InputError):
        read_one(**cells)


def test_versions_have_their_columns() -> None:
    table = checked(pl.DataFrame([OWNED]), COMMITMENTS, where="test")
    assert (len(COLUMNS_1_3), len(set(COLUMNS_1_4))) == (13, 30)
    for version, columns in (("1.3", COLUMNS_1_3), ("1.4", COLUMNS_1_4)):
        names = contract_rows(table, version).columns
        assert tuple(names[: len(columns)]) == columns
        assert all(name.startswith("x_") for name in names[len(columns) :])


OWNED = {
    "commitment_id": "a", "provider": "coreweave", "gpu_model": "H100-SXM-80GB", "purchase_option": "contract",
    "holding_usd_per_gpu_hour": 2.1, "usage_usd_per_gpu_hour": 0.0, "start": "2026-01-01", "end": "2027-01-01",
    "gpus": 128.0,
}  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    gpus=st.floats(0.5, 5000).map(lambda value: round(value, 2)),
    price=st.floats(0.01, 90).map(lambda value: round(value, 4)),
    days=st.integers(1, 1500),
    option=st.sampled_from(["contract", "reserved", "capacity_block", "cud", "flex"]),
    version=st.sampled_from(["1.3", "1.4"]),
)
def test_what_is_written_reads_back_the_same(gpus: float, price: float, days: int, option: str, version: str) -> None:
    end = pl.date(2026, 1, 1) + pl.duration(days=days)
    more = {"region": "us-east", "lot_gpus": 8.0, "upfront_share": 0.25, "note": "ours", "offer_id": "o"}
    capacity = OWNED | more | {"gpus": gpus, "holding_usd_per_gpu_hour": price, "purchase_option": option}
    spend = OWNED | {"commitment_id": "b", "gpus": None, "usd_per_hour": gpus, "holding_usd_per_gpu_hour": 0.0,
                     "purchase_option": "savings_plan"}  # fmt: skip
    frame = pl.DataFrame([capacity, spend], infer_schema_length=None).with_columns(end=end, term_months=12.0)
    table = checked(frame, COMMITMENTS, where="test")
    rows = contract_rows(table, version)
    text = pl.read_csv(rows.write_csv().encode(), infer_schema=False)
    for written in (rows, text):
        back, found = commitments(written, "contracts.csv")
        assert not found
        same = [name for name in table.columns if name not in ("source", "note")]
        assert back.select(same).equals(table.select(same))
        assert back["note"].to_list()[0] == "ours"


def test_a_commitment_without_an_end_runs_for_its_term() -> None:
    table = checked(pl.DataFrame([OWNED | {"end": None, "term_months": 12.0}]), COMMITMENTS, where="test")
    assert contract_rows(table)["ContractCommitmentPeriodEnd"].item() == "2027-01-01T00:00:00Z"
    endless = checked(pl.DataFrame([OWNED | {"end": None}]), COMMITMENTS, where="test")
    with pytest.raises(InputError, match="neither an end nor a term"):
        contract_rows(endless)
