"""Ten plans of ten real histories: every form of the document says the same to the cent."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from app.commands.export import FORMS, exported
from app.reports.cashflow import months_of
from app.reports.document import differing, document
from app.reports.finance import Terms
from app.reports.planfile import decode, encode
from app.session import Request, load
from tests.app.test_export import assert_same_totals, totals_in

pytestmark = pytest.mark.thorough

HISTORIES = Path(__file__).parents[3] / "shared" / "data" / "usage"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
SLICES = {
    "helios, the largest team": ("helios_earth_2020_05", "workload", 0, 3),
    "helios, the second team": ("helios_earth_2020_05", "workload", 1, 3),
    "helios, the third team": ("helios_earth_2020_05", "workload", 2, 3),
    "philly": ("philly_2017_nodes", "workload", 0, 4),
    "servegen, the largest client": ("servegen_llm", "workload", 0, 3),
    "servegen, the second client": ("servegen_llm", "workload", 1, 3),
    "servegen, the third client": ("servegen_llm", "workload", 2, 3),
    "shaved ice, the largest VM type": ("shavedice_vm_2021_2022", "gpu_model", 0, 3),
    "shaved ice, the second VM type": ("shavedice_vm_2021_2022", "gpu_model", 1, 3),
    "shaved ice, the third VM type": ("shavedice_vm_2021_2022", "gpu_model", 2, 3),
}
"""File, the column by whose values it falls into histories, which of them by size, and how many of its first days."""


def sliced(name, by, place, days):
    """Return the first days of one history."""
    rows = pl.scan_parquet(HISTORIES / f"{name}.parquet").filter(pl.col("gpu_hours") > 0)
    sizes = rows.group_by(by).agg(pl.col("gpu_hours").sum()).sort("gpu_hours", by, descending=[True, False])
    value = sizes.select(by).collect().item(place, 0)
    mine = rows.filter(pl.col(by) == value)
    return mine.filter(pl.col("hour") < pl.col("hour").min() + pl.duration(days=days)).collect()


def offers(model, peak):
    """On demand, spot, a year with a quarter upfront, two rivals in lots, one of them a quote, and spend committed."""
    base = {"provider": "p", "gpu_model": model, "holding_usd_per_gpu_hour": 0.0, "usage_usd_per_gpu_hour": 0.0}
    spend = {"gpu_model": "any", "term_months": 12.0, "spend_usd": peak * 8760 * 0.05, "discount_share": 0.03}
    return pl.DataFrame(
        [
            base | {"offer_id": "od", "purchase_option": "on_demand", "usage_usd_per_gpu_hour": 3.97},
            base | {"offer_id": "spot", "purchase_option": "spot", "usage_usd_per_gpu_hour": 1.73, "max_gpus": 1.0},
            base
            | {"offer_id": "year", "purchase_option": "reserved", "holding_usd_per_gpu_hour": 2.393}
            | {"term_months": 12.0, "upfront_share": 0.25},
            base
            | {"offer_id": "rival", "provider": "q", "purchase_option": "contract", "holding_usd_per_gpu_hour": 2.117}
            | {"term_months": 36.0, "lot_gpus": 8.0, "max_gpus": 64.0, "status": "quote"},
            base
            | {"offer_id": "flex", "provider": "q", "purchase_option": "flex", "holding_usd_per_gpu_hour": 0.611}
            | {"usage_usd_per_gpu_hour": 1.907, "term_months": 12.0},
            base | {"offer_id": "floor", "purchase_option": "spend_floor", **spend},
        ],
        infer_schema_length=None,
    )


def session_of(name, files):
    """Read a history and what is offered for it; skip where it is not at hand."""
    file, *how = SLICES[name]
    if not (HISTORIES / f"{file}.parquet").exists():
        pytest.skip(f"{file} is not at hand")
    usage = sliced(file, *how)
    usage.write_parquet(files.folder / "usage.parquet")
    peak = usage.group_by("hour").agg(pl.col("gpu_hours").sum())["gpu_hours"].max()
    offers(usage["gpu_model"].unique().item(), peak).write_csv(files.folder / "offers.csv")
    return load(Request(now=NOW, usage=("usage.parquet",), offers=("offers.csv",), horizon="12mo"))


@pytest.mark.parametrize("name", SLICES)
def test_all_forms_carry_the_same_totals_on_a_real_history(name, files):
    session = session_of(name, files)
    plan = document(session, session.plan(), created=NOW)
    assert plan.purchases
    assert decode(encode(plan), where="plan") == plan
    assert set(totals_in(plan)) == set(FORMS) - {"orders"}
    assert_same_totals(plan)
    orders = exported(plan, "orders", Terms(), walk_away=False, focus="1.3").decode()
    for bought in plan.purchases:
        assert f"contract value ${Decimal(bought.total_commitment):,.2f}" in orders
    used = sum(month.used for month in months_of(plan) if month.planned)
    assert float(used) == pytest.approx(float(plan.summary.cost), rel=1e-9, abs=0.01)


@pytest.mark.parametrize("name", ["philly", "servegen, the largest client"])
def test_other_demand_on_a_real_history(name, files):
    """What is kept costs what the plan does where nothing differs, never less than the best, and more for more work."""
    session = session_of(name, files)
    plan = session.plan()
    found = {row.demand: row for row in differing(session.sensitivity(plan))}
    assert float(found[1.0].kept) == pytest.approx(plan.summary.cost, rel=1e-7)
    assert all(Decimal(row.kept) >= Decimal(row.best) for row in found.values())
    assert all(float(less.kept) <= float(more.kept) * (1 + 1e-9) for less, more in pairwise(found.values()))
    assert all(float(less.best) <= float(more.best) * (1 + 1e-9) for less, more in pairwise(found.values()))
