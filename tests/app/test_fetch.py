"""`tranche fetch` from servers on loopback: what it says, what it leaves, and what a kill leaves behind."""

import os
import random
import signal
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Event
from time import monotonic, sleep

import polars as pl
import pytest

from providers import book
from providers.store import OFFERS, Workspace

ROOT = Path(__file__).parents[2]
_SPEC = spec_from_file_location("loopback_server", ROOT / "tests/providers/loopback_server.py")
loopback = module_from_spec(_SPEC)
_SPEC.loader.exec_module(loopback)


def sells(cents):
    """Return what Lambda and RunPod answer while an H100 costs so many cents an hour."""
    machine = {
        "name": "gpu_1x_h100_sxm5", "description": "1x H100 (80 GB SXM5)", "gpu_description": "H100 (80 GB SXM5)",
        "price_cents_per_hour": cents, "specs": {"vcpus": 26, "memory_gib": 225, "storage_gib": 2816, "gpus": 1},
    }  # fmt: skip
    row = {"instance_type": machine, "regions_with_capacity_available": [{"name": "us-east-1"}]}
    gpu = {
        "id": "NVIDIA H100 80GB HBM3", "displayName": "H100 SXM", "memoryInGb": 80, "secureCloud": True,
        "communityCloud": False, "securePrice": cents / 100, "communityPrice": None, "secureSpotPrice": None,
        "communitySpotPrice": None, "oneMonthPrice": None, "threeMonthPrice": None, "sixMonthPrice": None,
        "lowestPrice": {"stockStatus": "High"},
    }  # fmt: skip
    return {"/graphql": {"data": {"gpuTypes": [gpu]}}, "/api/v1/instance-types": {"data": {machine["name"]: row}}}


@pytest.fixture
def market(files, monkeypatch):
    """Give a server, what it answers by path (which a test may change), and settings that ask it."""
    monkeypatch.setenv("LAMBDA_API_KEY", "secret-key-of-ours")
    answers = {path: (200, body) for path, body in sells(399).items()}
    with loopback.answering(lambda asked: answers[asked.path]) as (url, asked):
        files.text(
            "tranche.toml", f'[fetch]\nfeeds = ["lambda", "runpod"]\nurls = {{ lambda = "{url}", runpod = "{url}" }}\n'
        )
        yield answers, asked


def h100(workspace):
    offers = book.current(Workspace(workspace)).offers
    fetched = offers.filter(pl.col("feed").is_in(["lambda", "runpod"]))
    return dict(fetched.select("feed", "usage_usd_per_gpu_hour").iter_rows())


def test_prices_are_fetched_reported_and_listed(tranche, market, workspace):
    ran = tranche("fetch", "--now", "2026-11-20T08:00:00Z")
    assert ran.code == 0, ran.err
    assert [line.split()[:3] for line in ran.out.splitlines()[1:]] == [
        ["lambda", "refreshed", "1"],
        ["runpod", "refreshed", "1"],
    ]
    assert h100(workspace) == {"lambda": 3.99, "runpod": 3.99}
    listed = tranche("price", "H100-SXM", "--now", "2026-11-21", "--format", "json")
    assert "prices are from the price book in the workspace" in listed.err
    row = next(row for row in listed.json if row["offer_id"] == "lambda-1x-gpu-1x-h100-sxm5-on-demand")
    assert (row["advertised_usd_per_gpu_hour"], row["age_days"], row["availability"]) == ("3.99", 1, "confirmed")
    assert (row["confidence"], row["source"], row["marks"]) == ("high", "Lambda API", "")


def test_a_feed_that_fails_leaves_its_prices_and_the_exit_code_says_so(tranche, market, workspace):
    answers, _ = market
    tranche("fetch", "--now", "2026-11-20")
    answers["/api/v1/instance-types"] = (401, {"error": "no"})
    answers["/graphql"] = (200, sells(420)["/graphql"])
    ran = tranche("fetch", "--now", "2026-11-21", "--format", "json")
    assert ran.code == 6
    assert "lambda was not refreshed: Lambda API (127.0.0.1:" in ran.err
    assert "answers 401" in ran.err
    assert "secret-key-of-ours" not in ran.err + ran.out
    assert {one["feed"]: (one["state"], one["changed"]) for one in ran.json} == {
        "lambda": ("failed", 0),
        "runpod": ("refreshed", 1),
    }
    assert h100(workspace) == {"lambda": 3.99, "runpod": 4.2}


def test_without_credentials_a_feed_is_skipped_and_only_named_ones_are_missed(tranche, market, monkeypatch):
    monkeypatch.delenv("LAMBDA_API_KEY")
    ran = tranche("fetch")
    assert ran.code == 0
    assert "skipped" not in ran.err
    assert "needs a key" in next(line for line in ran.out.splitlines() if line.startswith("lambda"))
    named = tranche("fetch", "lambda")
    assert named.code == 6
    assert "lambda was skipped: Lambda API: needs a key and there is none; set LAMBDA_API_KEY" in named.err


def test_an_unknown_feed_is_refused(tranche, files):
    ran = tranche("fetch", "lamda")
    assert ran.code == 6
    assert "lamda: is no feed of prices; use one of" in ran.err


def test_the_list_of_feeds_needs_no_network(tranche, files):
    ran = tranche("fetch", "gpu_clouds", "--list", "--format", "json")
    assert {"feed": "vast", "about": "the market's median prices", "needs": "nothing"} in ran.json
    assert "aws-prices" not in ran.out


def test_the_history_is_drawn_from_day_to_day(tranche, market):
    answers, _ = market
    for day, cents in enumerate((400, 420, 360), 18):
        answers.update({path: (200, body) for path, body in sells(cents).items()})
        assert tranche("fetch", "--now", f"2026-11-{day}").code == 0
    listed = tranche("price", "H100-SXM", "--history", "90d", "--now", "2026-11-21", "--format", "json")
    row = next(row for row in listed.json if row["offer_id"].startswith("lambda-1x"))
    assert row["history"] == [
        {"day": "2026-11-18", "usd_per_gpu_hour": "4.00"},
        {"day": "2026-11-19", "usd_per_gpu_hour": "4.20"},
        {"day": "2026-11-20", "usd_per_gpu_hour": "3.60"},
    ]
    assert "▆█▁ -10.0%" in tranche("price", "H100-SXM", "--history", "90d", "--now", "2026-11-21").out
    ran = tranche("price", "H100-SXM", "--history", "soon")
    assert (ran.code, "write 90d" in ran.err) == (2, True)


def test_a_plan_takes_the_fetched_prices_and_the_demo_never_does(tranche, market, files):
    tranche("fetch", "--now", "2026-11-20")
    plan = ["plan", files.usage, "--horizon", "history", "--now", "2026-11-21", "--format", "json"]
    mine = tranche(*plan).json
    assert [source["path"] for source in mine["inputs"]["offers"]] == ["workspace"]
    assert tranche(*plan, "--offers", "bundled").json["inputs"]["offers"][0]["path"] == "bundled/offers.csv"
    demo = tranche("plan", "--format", "json", "--now", "2026-11-21").json
    assert "workspace" not in [source["path"] for source in demo["inputs"]["offers"]]


def test_a_plan_from_the_workspace_gives_the_same_bytes_again(tranche, market, files):
    tranche("fetch", "--now", "2026-11-20")
    plan = ["plan", files.usage, "--horizon", "history", "--now", "2026-11-21", "--format", "json"]
    assert tranche(*plan).out == tranche(*plan).out


def test_a_plan_in_another_currency_than_the_book_says_what_is_missing(tranche, market, files):
    tranche("fetch", "--now", "2026-11-20")
    euro = files.table("euro.csv", [{**row, "effective_cost": 1, "currency": "EUR"} for row in files.hours()])
    ran = tranche("plan", euro, "--horizon", "history", "--now", "2026-11-21")
    assert ran.code == 6
    assert "euro.csv: column currency: is in EUR, while workspace is in USD" in ran.err
    assert "or give [currencies] in tranche.toml" in ran.err
    files.text("tranche.toml", "[currencies]\nEUR = 1.08\n")
    plan = tranche("plan", euro, "--horizon", "history", "--now", "2026-11-21", "--format", "json")
    assert plan.code == 0
    assert plan.json["currency"] == "EUR"


@pytest.mark.thorough
def test_killed_at_any_moment_a_fetch_leaves_a_readable_book(market, files, workspace):
    """Each fetch writes one of two prices; whenever it is killed, each feed has one of them, whole."""
    answers, asked = market
    rng = random.Random(20)  # noqa: S311 - nothing secret
    command = [sys.executable, "-m", "app.cli", "fetch", "--now", "2026-11-20"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, cwd=files.folder, env=environment, capture_output=True)
    kills = 0
    while kills < 20:
        answers.update({path: (200, body) for path, body in sells(rng.choice((399, 420))).items()})
        before = len(asked)
        process = subprocess.Popen(command, cwd=files.folder, env=environment, stdout=-3, stderr=-3)
        while len(asked) == before and process.poll() is None:
            sleep(0.001)
        sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        found = h100(workspace)
        assert set(found) == {"lambda", "runpod"}
        assert set(found.values()) <= {3.99, 4.2}
        assert book.current(Workspace(workspace)).found == []
    subprocess.run(command, check=True, cwd=files.folder, env=environment, capture_output=True)
    left = [path.name for path in (Path(workspace) / OFFERS).rglob("*") if path.is_file()]
    assert left == ["offers.parquet", "offers.parquet"]


def test_ctrl_c_ends_a_fetch_at_once_and_keeps_what_is_done(market, files, workspace):
    answers, _ = market
    lambda_answer, wait = answers["/api/v1/instance-types"], Event()

    class Slow(dict):
        def __missing__(self, path):
            wait.wait(30)
            return lambda_answer

    del answers["/api/v1/instance-types"]
    slow = Slow(answers)
    with loopback.answering(lambda one: slow[one.path]) as (url, _):
        files.text(
            "tranche.toml", f'[fetch]\nfeeds = ["lambda", "runpod"]\nurls = {{ lambda = "{url}", runpod = "{url}" }}\n'
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "fetch"], cwd=files.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        until = monotonic() + 30
        while "runpod" not in h100(workspace) and monotonic() < until:
            sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        wait.set()
    assert process.returncode == 130
    assert "interrupted" in said
    assert list(h100(workspace)) == ["runpod"]
