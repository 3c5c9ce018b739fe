"""The command on real histories: it finishes, and its file is what the schema says."""

import json
from pathlib import Path

import polars as pl
import pytest
from jsonschema import Draft202012Validator

from app.cli import main

HISTORIES = Path(__file__).parents[3] / "shared" / "data" / "usage"
NAMES = ("helios_earth_2020_05", "philly_2017_nodes", "servegen_llm", "shavedice_vm_2021_2022")


def offers_for(usage: Path, path: Path) -> Path:
    """Offer every model of the history on demand, reserved, and as a quote of one rack."""
    rows = []
    for model in pl.read_parquet(usage)["gpu_model"].unique().sort():
        base = {"provider": "p", "gpu_model": model, "holding_usd_per_gpu_hour": 0.0, "usage_usd_per_gpu_hour": 0.0}
        rows += [
            base | {"offer_id": f"{model}-od", "purchase_option": "on_demand", "usage_usd_per_gpu_hour": 4.0},
            base | {"offer_id": f"{model}-1y", "purchase_option": "reserved", "holding_usd_per_gpu_hour": 2.4},
            base
            | {"offer_id": f"{model}-q", "purchase_option": "contract", "holding_usd_per_gpu_hour": 2.1}
            | {"status": "quote", "lot_gpus": 72.0},
        ]
    pl.DataFrame(rows, infer_schema_length=None).write_csv(path)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_real_history_gives_a_plan_that_its_schema_accepts(name, tmp_path, capfdbinary):
    usage = HISTORIES / f"{name}.parquet"
    if not usage.exists():
        pytest.skip(f"{name} is not at hand")
    offers = offers_for(usage, tmp_path / "offers.csv")
    assert main(["schema", "plan"]) == 0
    schema = json.loads(capfdbinary.readouterr().out)
    assert main(["plan", str(usage), "--offers", str(offers), "--now", "2026-11-21T00:00Z", "--format", "json"]) == 0
    plan = json.loads(capfdbinary.readouterr().out)
    Draft202012Validator(schema).validate(plan)
    assert plan["summary"]["gap"] <= 1e-9
    assert float(plan["summary"]["cost"]) < float(plan["summary"]["on_demand_cost"])
