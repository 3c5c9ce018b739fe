"""`tranche moving`: what moving saves with and without its costs, and the price that keeps a workload at home."""

import csv
import io

import pytest

GPU = "H100-SXM-80GB"


@pytest.fixture
def given(files):
    """10 GPUs for 8 hours at aws for 4.00; gcp asks 3.00, and each GPU-hour that moves sends 1 GB for 0.25."""
    hours = [f"2026-04-01T{hour:02}:00:00Z,search,{GPU},10,aws" for hour in range(8)]
    usage = files.text("moved.csv", "\n".join(["hour,workload,gpu_model,gpu_hours,provider", *hours]) + "\n")
    book = [f"{provider}-od,{provider},{GPU},on_demand,0,{price}" for provider, price in (("aws", 4.0), ("gcp", 3.0))]
    head = "offer_id,provider,gpu_model,purchase_option,holding_usd_per_gpu_hour,usage_usd_per_gpu_hour"
    offers = files.text("two.csv", "\n".join([head, *book]) + "\n")
    config = files.text("moving.toml", '[workloads."*"]\negress_gb_per_gpu_hour = 1.0\n[egress]\naws = 0.25\n')
    return [usage, "--offers", offers, "--config", config, "--horizon", "history", "--now", "2026-11-21"]


def test_what_moving_saves_and_what_keeps_it(tranche, given):
    ran = tranche("moving", *given, "--last-hour", "--format", "json")
    assert ran.code == 0, ran.err
    [found] = ran.json["moving"]
    assert (found["workload"], found["homes"]) == ("search", ["aws"])
    assert (found["gpu_hours"], found["away_gpu_hours"]) == (80, 80)
    assert [float(found[name]) for name in ("saves_before", "saves")] == pytest.approx([80.0, 60.0])
    assert float(found["home_usd_per_gpu_hour"]) == pytest.approx(4.0)
    assert float(found["keeps_usd_per_gpu_hour"]) == pytest.approx(3.25)
    assert float(found["last_cut_usd_per_gpu_hour"]) == pytest.approx(0.75)


def test_forms_agree(tranche, given):
    [row] = csv.DictReader(io.StringIO(tranche("moving", *given, "--format", "csv").out))
    assert (row["workload"], row["homes"], row["saves"]) == ("search", "aws", "60.00")
    table = tranche("moving", *given).out
    assert all(text in table for text in ("Stays at", "search", "$80.00", "$60.00", "$3.25"))


def test_what_stays_is_no_row(tranche, given, files):
    dear = files.text("stay.toml", '[workloads."*"]\negress_gb_per_gpu_hour = 5.0\n[egress]\naws = 0.25\n')
    ran = tranche("moving", *given, "--config", dear, "--format", "json")
    assert ran.json == {"moving": []}
    assert "moves nothing away" in ran.err
