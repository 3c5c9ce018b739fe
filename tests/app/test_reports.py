"""Four forms of one plan say the same, and nothing in them commands a terminal, a page or a spreadsheet."""

import csv
import io
import json
import re
import unicodedata
from decimal import Decimal

import jsonschema
import pytest

GPU = "H100-SXM-80GB"
FORMS = ("table", "json", "csv", "md")
EVIL = "job\x1b]0;owned\x07\x1b[2J\u202e\u2066\x9b31m|<img src=x>[a](http://evil.example)@team\r\n=cmd"


@pytest.fixture
def given(files):
    """Arguments of a plan with something in every section."""
    owned = files.offer("old", "reserved", holding=2, gpus=8, commitment_id="owned-8", term_months=12)
    return [
        files.usage, "--offers", files.offers, "--horizon", "history", "--now", "2026-11-21",
        "--commitments", files.table("commitments.csv", [owned]),
        "--offer", f"res:{GPU}=2.40/h,reserved,60gpus,12mo,25%upfront,name=quote-60",
        "--offer", f"two:{GPU}=0.9+2.9/h,lot8",
        "--limit", "committed<=90%",
    ]  # fmt: skip


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_all_forms_carry_the_same_totals(tranche, given):
    forms = {form: tranche("plan", *given, "--format", form).out for form in FORMS}
    summary = json.loads(forms["json"])["summary"]
    total = rows_of(forms["csv"])[-1]
    assert total["line"] == "total"
    for name in ("cost", "on_demand_cost", "savings", "upfront", "total_commitment", "existing_commitment_cost"):
        assert total[name] == summary[name]
        amount = f"${Decimal(summary[name]):,.2f}"
        assert amount in forms["table"]
        assert amount in forms["md"]
    rate = f"{summary['effective_savings_rate'] * 100:.2f}".rstrip("0").rstrip(".") + " %"
    assert rate in forms["table"]
    assert rate in forms["md"]
    assert forms["md"].startswith(f"### GPU plan: ${Decimal(summary['cost']):,.2f} over 8 hours of history — saves $")


def test_lines_of_csv_add_up_to_the_total(tranche, given):
    *lines, total = rows_of(tranche("plan", *given, "--format", "csv").out)
    assert {line["line"] for line in lines} == {"purchase", "commitment", "pay_as_you_go"}
    assert sum(Decimal(line["cost"]) for line in lines) == pytest.approx(Decimal(total["cost"]), abs=Decimal("1e-5"))
    assert sum(float(line["gpu_hours"]) for line in lines) == pytest.approx(float(total["gpu_hours"]))


def test_json_meets_the_schema_that_the_command_prints(tranche, given):
    schema = tranche("schema", "plan").json
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    plan = tranche("plan", *given, "--format", "json").json
    validator.validate(plan)
    assert plan["purchases"]
    assert plan["commitments"]
    assert plan["walk_away"]
    for wrong in ({"cost": 1552.0}, {"cost": "1,552.00"}, {"cost": None}, {"gap": "0"}):
        assert not validator.is_valid({**plan, "summary": {**plan["summary"], **wrong}})


def test_the_document_has_the_keys_of_the_design_in_order(tranche, given):
    plan = tranche("plan", *given, "--format", "json").json
    assert list(plan) == [
        "format_version", "tool", "created", "currency", "inputs", "summary", "purchases", "commitments", "mix",
        "walk_away", "gates", "diagnostics", "load", "spends", "approval", "limits", "risk", "sensitivity",
    ]  # fmt: skip
    assert plan["format_version"] == "1.3"
    assert plan["created"] == "2026-11-21T00:00:00Z"
    [usage] = plan["inputs"]["usage"]
    assert usage["path"] == "usage.csv"
    assert (usage["from"], usage["until"], usage["rows"]) == ("2026-04-01T00:00:00Z", "2026-04-01T07:00:00Z", 8)
    assert plan["inputs"]["limits"] == {"committed": "90%"}
    assert [quote["offer_id"] for quote in plan["walk_away"]] == ["quote-60", f"two-{GPU.lower()}-quote"]


def test_show_gives_every_form_back(tranche, files, given):
    out = str(files.folder / "plan.json")
    forms = {form: tranche("plan", *given, "--format", form, "--out", out) for form in FORMS}
    assert all("note: wrote plan.json\n" in ran.err for ran in forms.values())
    for form, ran in forms.items():
        assert tranche("show", out, "--format", form).out == ran.out


@pytest.mark.parametrize(("name", "form"), [("p.json", "json"), ("p.csv", "csv"), ("p.md", "md")])
def test_out_is_written_in_the_form_of_its_ending(tranche, files, given, name, form):
    path = files.folder / name
    ran = tranche("plan", *given, "--out", str(path), "--format", "table")
    assert ran.out.startswith("GPU plan: ")
    assert path.read_text() == tranche("plan", *given, "--format", form).out
    assert [left.name for left in files.folder.iterdir() if left.name.startswith(".")] == []


def test_a_write_that_fails_leaves_nothing_behind(tranche, files, given, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    before = sorted(files.folder.iterdir())
    ran = tranche("plan", *given, "--out", str(files.folder / "plan.json"))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("--out plan.json: cannot be written (No space left on device); check the directory\n")
    assert sorted(files.folder.iterdir()) == before


def test_the_gap_is_shown_as_it_is(tranche, files, given):
    plan = tranche("plan", *given, "--format", "json").json
    wider = {**plan, "summary": {**plan["summary"], "gap": 0.0123}}
    ran = tranche("show", files.text("wider.json", json.dumps(wider)))
    assert re.search(r"Gap to it +1\.2 %\n", ran.out)


def test_show_passes_over_what_a_later_minor_version_adds(tranche, files, given):
    plan = tranche("plan", *given, "--format", "json").json
    later = {**plan, "format_version": "1.7", "forecast": [1], "summary": {**plan["summary"], "risk": {}}}
    ran = tranche("show", files.text("later.json", json.dumps(later)), "--format", "csv")
    assert ran.code == 0
    assert ran.out == tranche("plan", *given, "--format", "csv").out


@pytest.fixture
def hostile(files):
    """Arguments of a plan in which every free text attacks."""
    usage = files.table("usage.csv", [{**row, "workload": EVIL, "team": EVIL} for row in files.hours()])
    name = "=HYPERLINK(1)\x1b[31m"
    offers = files.table("offers.csv", [
        files.on_demand() | {"offer_id": f"@sum{EVIL}", "provider": f"-2{EVIL}"},
        files.offer("res", "reserved", holding=2.4, status="quote", region=EVIL) | {"offer_id": name},
        files.offer("gone", "on_demand", usage=9, status="declined") | {"offer_id": f"declined{EVIL}"},
        files.offer("odd", "on_demand", usage=9) | {"gpu_model": f"GPU{EVIL}"},
    ])  # fmt: skip
    owned = files.offer("old", "reserved", holding=2, gpus=8) | {"commitment_id": f"+own{EVIL}"}
    return [usage, "--offers", offers, "--commitments", files.table("commitments.csv", [owned]), "--horizon", "history"]


def dangerous(text):
    return [char for char in text if char != "\n" and unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp", "Co"}]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", ["plan", "walkaway"])
def test_no_escape_code_gets_through(tranche, hostile, command, form):
    ran = tranche(command, *hostile, "--format", form)
    assert ran.code == 0, ran.err
    assert "HYPERLINK" in ran.out
    assert dangerous(ran.out) == []
    assert dangerous(ran.err) == []
    assert all(line.startswith("tranche: ") for line in ran.err.splitlines())


def test_no_escape_code_gets_through_in_errors(tranche, files):
    bad = files.table("bad.csv", [{**row, "gpu_hours": EVIL} for row in files.hours()])
    options = ("--offers", "--offer", "--limit", "--now", "--config", "--horizon", "--out")
    given = [["plan", files.usage, option, EVIL] for option in options]
    for arguments in (*given, ["plan", bad], ["price", EVIL], ["show", EVIL], [EVIL]):
        ran = tranche(*arguments)
        assert ran.code in {2, 6}
        assert dangerous(ran.err) == []
        assert ran.err.count("\n") == 1


def test_json_says_what_the_file_said(tranche, hostile):
    mix = tranche("plan", *hostile, "--format", "json").json["mix"]
    assert {service["workload"] for service in mix} == {EVIL}


def test_a_cell_of_csv_is_no_formula(tranche, hostile):
    text = tranche("plan", *hostile, "--format", "csv").out
    names = {row["offer_id"][:5] for row in rows_of(text)}
    assert {"'@sum", "'=HYP", "'+own"} <= names
    for row in rows_of(text):
        assert not [cell for cell in row.values() if re.match(r"[=+@\t\r]|-(?![\d.]+$)", cell)]


def test_markdown_has_no_markup_of_a_file(tranche, hostile):
    text = tranche("plan", *hostile, "--format", "md").out
    outside_code = re.sub(r"`[^`\n]*`", "", text)
    assert "img src" in outside_code
    assert not re.search(r"(?<!\\)(<img|\[a|\]\()", outside_code)
    assert "@team" not in outside_code
    for line in text.splitlines():  # no name breaks out of its cell
        if line.startswith("| `"):
            assert len(re.findall(r"(?<!\\)\|", line)) in {6, 9, 10}


def test_table_fits_80_columns_and_cuts_no_number(tranche, given, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    narrow = tranche("plan", *given).out
    assert max(map(len, narrow.splitlines())) <= 80
    monkeypatch.setenv("COLUMNS", "160")
    wide = tranche("plan", *given).out
    amounts = re.compile(r"\$[\d,.]+\d")
    assert sorted(amounts.findall(narrow)) == sorted(amounts.findall(wide))


def test_quiet_says_nothing_and_color_only_labels(tranche, given, files):
    out = str(files.folder / "p.json")
    assert tranche("-q", "plan", *given, "--out", out).err == ""
    assert tranche("plan", *given, "--out", out, "-q").err == ""
    assert tranche("plan", *given, "--out", out).err == "tranche: note: wrote p.json\n"
    assert tranche("plan", *given, "--out", out, "--color", "always").err.startswith("tranche: \x1b[36mnote:\x1b[0m ")
