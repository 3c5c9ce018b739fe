"""What is wrong with an input is said in one line, with the documented exit code, and nothing is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GPU = "H100-SXM-80GB"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def refused(tranche, files):
    """Plan what is given; return the one line on stderr once it is sure that nothing else happened."""

    def run(*arguments: str, code: int) -> str:
        out = files.folder / "plan.json"
        before = sorted(files.folder.iterdir())
        ran = tranche("plan", "--now", "2026-11-21", "--out", str(out), *arguments)
        assert ran.code == code, ran.err
        assert ran.out == ""
        assert sorted(files.folder.iterdir()) == before
        assert ran.err.startswith("tranche: error: ")
        assert ran.err.count("\n") == 1
        assert "Traceback" not in ran.err
        return ran.err.removeprefix("tranche: error: ").rstrip("\n")

    return run


def changed(rows, row, **cells):
    return [{**cells_of, **cells} if index == row else cells_of for index, cells_of in enumerate(rows)]


USAGE_FAULTS = {
    "wrong type": ({"gpu_hours": "many"}, "column gpu_hours, row 3: many is not a number"),
    "negative": ({"gpu_hours": -1}, "column gpu_hours, row 3: -1.0 is negative"),
    "NaN": ({"gpu_hours": "NaN"}, "column gpu_hours, row 3: nan is not a finite number"),
    "infinite": ({"gpu_hours": "inf"}, "column gpu_hours, row 3: inf is not a finite number"),
    "empty": ({"gpu_hours": ""}, "column gpu_hours, row 3: is empty"),
    "duplicate": ({"hour": "2026-04-01T01:00:00Z"}, "column hour, row 3: 2026-04-01T01:00:00Z, train, "),
    "half past": ({"hour": "2026-04-01T02:30:00Z"}, "column hour, row 3: 2026-04-01T02:30:00Z is not on the hour"),
    "no time": ({"hour": "yesterday"}, "column hour, row 3: yesterday is not a time"),
    "option": ({"purchase_option": "barter"}, "column purchase_option, row 3: barter is not a known value"),
}


@pytest.mark.parametrize("fault", USAGE_FAULTS)
def test_usage(refused, files, fault):
    cells, said = USAGE_FAULTS[fault]
    bad = files.table("bad.csv", changed(files.hours(), 2, **cells))
    line = refused(bad, "--offers", files.offers, code=6)
    assert line.startswith(f"bad.csv: {said}")
    assert "; " in line  # and what to do


def test_missing_column(refused, files):
    rows = [{name: cell for name, cell in row.items() if name != "gpu_model"} for row in files.hours()]
    line = refused(files.table("bad.csv", rows), "--offers", files.offers, code=6)
    assert line == "bad.csv: has no column gpu_model; a table of usage needs hour, workload, gpu_model, gpu_hours"


OFFER_FAULTS = {
    "missing price": (
        {"usage_usd_per_gpu_hour": ""},
        "column usage_usd_per_gpu_hour, row 2: is empty; a missing price",
    ),
    "negative price": ({"usage_usd_per_gpu_hour": -4}, "column usage_usd_per_gpu_hour, row 2: -4.0 is negative"),
    "minimum above maximum": ({"min_gpus": 9, "max_gpus": 8}, "column min_gpus, row 2: 9.0 is above max_gpus"),
    "currency": ({"currency": "EUR"}, "column currency, row 2: EUR after USD; convert"),
    "duplicate": ({"offer_id": "od"}, "column offer_id, row 2: od stands in an earlier row too"),
    "upfront": ({"upfront_share": 25}, "column upfront_share, row 2: 25.0 is not between 0 and 1"),
}


@pytest.mark.parametrize("fault", OFFER_FAULTS)
def test_offers(refused, files, fault):
    cells, said = OFFER_FAULTS[fault]
    rows = [
        files.on_demand(min_gpus="", max_gpus="", currency="USD", upfront_share=""),
        files.on_demand() | {"offer_id": "od2"},
    ]
    bad = files.table("bad.csv", changed([{**rows[0], **row} for row in rows], 1, **cells))
    assert refused(files.usage, "--offers", bad, code=6).startswith(f"bad.csv: {said}")


def test_two_files_in_two_currencies(refused, files):
    euro = files.table("euro.csv", [files.offer("eu", "on_demand", usage=3, currency="EUR")])
    line = refused(files.usage, "--offers", files.offers, "--offers", euro, code=6)
    assert line.startswith("euro.csv: column currency: is in EUR, while offers.csv is in USD; convert")


def test_usage_billed_in_another_currency_than_the_offers(refused, files):
    usage = files.table("euro.csv", [{**row, "effective_cost": 1, "currency": "EUR"} for row in files.hours()])
    assert "euro.csv: column currency: is in EUR" in refused(usage, "--offers", files.offers, code=6)


def test_usage_without_costs_has_no_currency_of_its_own(tranche, files):
    euro = files.table("euro.csv", [files.offer("eu", "on_demand", usage=3, currency="EUR")])
    ran = tranche("plan", files.usage, "--offers", euro, "--offer", f"x:{GPU}=2/h", "--format", "json")
    assert ran.code == 0, ran.err
    assert ran.json["currency"] == "EUR"
    assert "EUR" in tranche("plan", files.usage, "--offers", euro).out


def test_the_same_offer_in_two_files(refused, files):
    again = files.table("again.csv", [files.on_demand()])
    line = refused(files.usage, "--offers", files.offers, "--offers", again, code=6)
    assert line.startswith("again.csv: column offer_id: od stands in offers.csv too; ")


def test_the_same_hour_in_two_files(refused, files):
    again = files.table("again.csv", files.hours()[4:5])
    line = refused(files.usage, again, "--offers", files.offers, code=6)
    assert line.startswith("again.csv: column hour: 2026-04-01 04:00:00+00:00, train, ")


UNREADABLE = {
    "empty": (b"", "is empty"),
    "blank": (b"  \n\n", "is empty"),
    "only a header": (b"hour,workload,gpu_model,gpu_hours\n", "has no rows of usage"),
    "binary": (bytes(range(256)) * 8, "is a binary file that is not Parquet"),
    "broken Parquet": (b"PAR1 and then nothing", "cannot be read as a table"),
    "prose": (b"Dear team,\nplease find attached\n", "has no column hour"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_no_table(refused, files, kind):
    content, said = UNREADABLE[kind]
    assert refused(files.text("bad.csv", content), "--offers", files.offers, code=6).startswith(f"bad.csv: {said}")


def test_a_directory_and_a_file_that_is_not_there(refused, files):
    assert "is a directory; give a CSV" in refused(str(files.folder), "--offers", files.offers, code=6)
    assert "does not exist; check the path" in refused("nowhere.csv", "--offers", files.offers, code=6)


def test_a_limit_that_cannot_be_met(refused, files):
    line = refused(files.usage, "--offers", files.offers, "--limit", "provider.od<=50%", code=5)
    assert "provider.od<=50%" in line


def test_a_gpu_that_nobody_offers(refused, files):
    usage = files.table("usage.csv", [{**row, "gpu_model": "A100-80GB"} for row in files.hours()])
    line = refused(usage, "--offers", files.offers, code=5)
    assert "A100-80GB" in line
    assert "--offers" in line


USAGE_ERRORS = {
    "unknown limit": (["--limit", "spt<=40%"], "limit 'spt<=40%' names no known quantity; write "),
    "limit without a value": (["--limit", "spot"], "limit 'spot' cannot be read; write "),
    "horizon": (["--horizon", "soon"], "--horizon: 'soon' is not a horizon; write 12mo"),
    "no horizon": (["--horizon", "0mo"], "--horizon: '0mo' is not a horizon; write 12mo"),
    "endless horizon": (["--horizon", "9999999999y"], "--horizon: '9999999999y' is not a horizon"),
    "now": (["--now", "noon"], "--now: 'noon' is not a time; write 2026-11-21"),
    "now in the year 9999": (["--now", "9999-12-31"], "--now: '9999-12-31' is not between"),
    "quote": (["--offer", "crusoe H100"], "quote 'crusoe H100' does not name provider, GPU and price; write it as"),
    "quote of an ambiguous GPU": (["--offer", "crusoe:H100=2"], "quote 'crusoe:H100=2': H100 is ambiguous"),
    "quote with a negative price": (["--offer", f"x:{GPU}=-2"], f"quote 'x:{GPU}=-2': '-2' is not a price"),
    "quote with a wrong term": (["--offer", f"x:{GPU}=2,soon"], f"quote 'x:{GPU}=2,soon': 'soon' is not a term"),
    "quote against the table": (["--offer", f"x:{GPU}=2,9..8gpus"], f"quote 'x:{GPU}=2,9..8gpus': column min_gpus"),
    "option": (["--fromat", "json"], "No such option"),
    "format": (["--format", "yaml"], "Invalid value for '--format'"),
    "no config": (["--config", "none.toml"], "none.toml: cannot be read (No such file or directory); check"),
}


@pytest.mark.parametrize("fault", USAGE_ERRORS)
def test_command_line(refused, files, fault):
    arguments, said = USAGE_ERRORS[fault]
    assert refused(files.usage, "--offers", files.offers, *arguments, code=2).startswith(said)


CONFIG_FAULTS = {
    "unknown key": ("[plan]\nhorizn = '1y'", "[plan] has no key 'horizn'; did you mean horizon?"),
    "unknown table": ("[limts]\nspot = '40%'", "has no table or key 'limts'; did you mean limits?"),
    "unknown key of a workload": (
        "[workloads.'a/*']\nmoveable = true",
        "[workloads.\"a/*\"] has no key 'moveable'; did you",
    ),
    "wrong type": ("[plan]\nhorizon = 12", "[plan] horizon: Expected `str`, got `int`; correct"),
    "bad limit": ("[limits]\nspot = 'most'", "[limits]: limit 'spot<=most' has a value that cannot be read"),
    "unknown limit": ("[limits]\nspott = '4%'", "[limits] has no key 'spott'; did you mean spot?"),
    "bad horizon": ("[plan]\nhorizon = 'soon'", "[plan] horizon: 'soon' is not a horizon"),
    "no ratio": ("[workloads.a]\nruns_on = {L4-24GB = 0}", '[workloads."a"] runs_on'),
    "not TOML": ("[plan]\nhorizon = = 3", "line 2, column 11: Invalid value; correct the line"),
    "not text": (b"\xff\xfe\x00", "is not text; give a TOML file"),
}


@pytest.mark.parametrize("fault", CONFIG_FAULTS)
def test_settings(refused, files, fault):
    text, said = CONFIG_FAULTS[fault]
    files.text("tranche.toml", text)
    assert refused(files.usage, "--offers", files.offers, code=2).startswith(f"tranche.toml: {said}")


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("plan.docx", "has no known ending"),
        ("nowhere/plan.json", "its directory does not exist"),
        ("dir.md", "is a dir"),
    ],
)
def test_out_that_cannot_be_written_is_refused_before_anything_is_read(tranche, files, out, said):
    (files.folder / "dir.md").mkdir()
    ran = tranche("plan", "no such usage.csv", "--out", out)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_failed_plan_leaves_the_earlier_file(tranche, files):
    kept = files.text("plan.json", "the earlier plan")
    ran = tranche("plan", files.usage, "--offers", files.offers, "--limit", "provider.od<=50%", "--out", kept)
    assert ran.code == 5
    assert Path(kept).read_text() == "the earlier plan"


def test_show_refuses_what_is_no_plan(tranche, files):
    for content, said in [
        (b"[]", "is not a plan file"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'{"format_version": "2.0"}', "has format_version 2.0; this program reads 1.x"),
        (b'{"format_version": "1.0"}', "is not a plan file"),
    ]:
        ran = tranche("show", files.text("bad.json", content))
        assert (ran.code, ran.out) == (6, "")
        assert ran.err.startswith(f"tranche: error: bad.json: {said}")
        assert ran.err.count("\n") == 1
    assert tranche("show", "nowhere.json").code == 6


def test_a_bug_is_one_line_and_a_traceback_only_when_asked(tranche, files, monkeypatch):
    monkeypatch.setattr("app.session.load", lambda _: 1 / 0)
    ran = tranche("plan", files.usage)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "bug of tranche: ZeroDivisionError" in ran.err
    assert "Traceback" in tranche("-v", "plan", files.usage).err


def test_interrupted(tranche, files, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("app.session.load", stop)
    ran = tranche("plan", files.usage)
    assert ran.code == 130
    assert ran.err.strip() == "tranche: error: interrupted"


def test_true_process_says_the_same(files):
    bad = files.table("bad.csv", changed(files.hours(), 2, gpu_hours="many"))
    ran = subprocess.run(
        [sys.executable, "-m", "app.cli", "plan", bad, "--offers", files.offers],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=files.folder,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (6, "")
    assert ran.stderr == (
        "tranche: error: bad.csv: column gpu_hours, row 3: many is not a number; correct the value, or leave the cell "
        "empty if it may be\n"
    )
