"""`tranche diff` and `tranche approve` on plans that the command made: parts that add up, and hashes that hold."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pytest

GPU = "H100-SXM-80GB"
NOW = "2026-11-21T00:00:00Z"
GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def planned(tranche, files):
    """Write a plan of Oracle-8 to a file, and return its name."""

    def run(name, *arguments, usage=files.usage, offers=files.offers, price="2.40"):
        quote = f"r:{GPU}={price}/h,reserved,12mo,name=r"
        given = [usage, "--offers", offers, "--offer", quote, "--horizon", "history", "--now", NOW]
        out = str(files.folder / name)
        ran = tranche("plan", *given, "--out", out, *arguments)
        assert ran.code == 0, ran.err
        return out

    return run


def more(files, factor):
    rows = [{**row, "gpu_hours": float(row["gpu_hours"]) * factor} for row in files.hours()]
    return files.table("more.csv", rows)


def dearer(files):
    return files.table("dearer.csv", [files.on_demand() | {"usage_usd_per_gpu_hour": 4.5}])


def parts(document):
    return {part["cause"]: Decimal(part["amount"]) for part in document["parts"]}


def test_a_plan_does_not_differ_from_itself(tranche, planned):
    plan = planned("plan.json")
    ran = tranche("diff", plan, plan, "--detailed-exitcode")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("GPU plan: $1,552.00, as before: nothing differs\n")


@pytest.mark.parametrize(("form", "ending"), [("table", "txt"), ("md", "md"), ("json", "json")])
def test_golden_differences(tranche, monkeypatch, form, ending):
    """More demand, a lower counter-offer, a commitment to spend and a limit, between two plans that were written."""
    monkeypatch.setenv("COLUMNS", "100")
    old, new = (str(GOLDEN / f"negotiated-{age}.json") for age in ("old", "new"))
    ran = tranche("diff", old, new, "--format", form)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (GOLDEN / f"diff.{ending}").read_text()


def test_the_golden_difference_adds_up():
    found = json.loads((GOLDEN / "diff.json").read_text())
    old, new = (json.loads((GOLDEN / f"negotiated-{age}.json").read_text())["summary"] for age in ("old", "new"))
    assert sum(parts(found).values()) == Decimal(found["difference"]) == Decimal(new["cost"]) - Decimal(old["cost"])
    assert parts(found)["demand"] == Decimal(old["cost"]) / 4
    assert parts(found)["price"] == Decimal("0.25") * -525600 + Decimal("0.20") * -109500


def test_more_demand_alone(tranche, planned, files):
    """With half as much demand again, everything costs half as much again."""
    old, new = planned("old.json"), planned("new.json", usage=more(files, 1.5))
    found = tranche("diff", old, new, "--format", "json").json
    assert found["causes"] == ["demand"]
    assert parts(found) == {"demand": Decimal("776.00")}
    assert found["difference"] == "776.00"
    assert [(one["what"], one["before"], one["after"]) for one in found["changes"]] == [
        ("purchase", 60.0, 90.0),
        ("served", 520.0, 780.0),
    ]


def test_a_dearer_price_and_a_limit(tranche, planned, files):
    """On demand $4 to $4.50 on the 100 GPU-hours above 60; a limit that stops nothing adds nothing."""
    old, new = planned("old.json"), planned("new.json", "--limit", "term<=3y", offers=dearer(files))
    found = tranche("diff", old, new, "--format", "json").json
    assert found["causes"] == ["price", "limit"]
    assert parts(found) == {"price": Decimal("50.00")}
    assert {one["what"] for one in found["changes"]} == {"price", "limit"}


def test_several_causes_add_up_and_say_what_they_do_together(tranche, planned, files):
    old = planned("old.json")
    owned = files.offer("old", "reserved", holding=2, gpus=8) | {"commitment_id": "owned-8"}
    given = ["--commitments", files.table("commitments.csv", [owned]), "--limit", "committed<=60%"]
    new = planned("new.json", *given, usage=more(files, 1.25), offers=dearer(files), price="2.30")
    found = tranche("diff", old, new, "--format", "json").json
    assert found["causes"] == ["demand", "price", "commitment", "limit"]
    assert sum(parts(found).values()) == Decimal(found["difference"])
    assert Decimal(found["new"]["cost"]) - Decimal(found["old"]["cost"]) == Decimal(found["difference"])
    assert parts(found)["demand"] == Decimal("388.00")
    assert parts(found)["price"] == Decimal(100) / 2 - Decimal("0.10") * 480
    assert parts(found)["commitment"] == 8 * 8 * 2
    because = found["parts"][-1]["because"]
    assert because == "what is bought and used otherwise, after demand, price, commitment and limit changed"


def test_every_form_says_the_same(tranche, planned, files):
    old, new = planned("old.json"), planned("new.json", usage=more(files, 1.5))
    for form in ("table", "md"):
        ran = tranche("diff", old, new, "--format", form, "--detailed-exitcode")
        assert ran.code == 4
        for shown in ("$1,552.00", "$2,328.00", "$776.00", "50 %", "60 GPUs", "90 GPUs", "draft"):
            assert shown in ran.out
    assert tranche("diff", old, new).code == 0


def test_many_changes_are_cut_for_people_and_whole_in_json(tranche, planned, files):
    rows = [{**row, "workload": f"job-{name:03}"} for name in range(60) for row in files.hours()]
    old, new = planned("old.json"), planned("new.json", usage=files.table("many.csv", rows))
    changes = tranche("diff", old, new, "--format", "json").json["changes"]
    assert len(changes) >= 61
    assert f"{len(changes) - 40:,} further changes; --format json has them all" in tranche("diff", old, new).out


def test_two_currencies_are_not_compared(tranche, planned, files):
    euro = files.table("euro.csv", [files.on_demand(currency="EUR")])
    ran = tranche("diff", planned("old.json"), planned("new.json", offers=euro))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "tranche: error: the plans are in USD and EUR; compare plans in one currency\n"
    ran = tranche("plan", files.usage, "--offers", euro, "--against", str(files.folder / "old.json"))
    assert (ran.code, "--against: is in USD and this plan in EUR" in ran.err) == (2, True)


def test_what_is_no_plan_cannot_be_compared(tranche, planned, files):
    plan = planned("plan.json")
    for bad, reason in ((files.text("no.json", "{}"), "no.json: is not a plan file"), ("gone.json", "cannot be read")):
        for arguments in (["diff", plan, bad], ["diff", bad, plan], ["plan", files.usage, "--against", bad]):
            ran = tranche(*arguments)
            assert (ran.code, ran.out) == (6, "")
            assert reason in ran.err


def approve(tranche, plan, out, *arguments):
    return tranche("approve", plan, "--by", "Jo Lee", "--out", out, "--now", "2026-11-22", *arguments)


@pytest.fixture
def approved(tranche, planned, files):
    plan, out = planned("plan.json"), str(files.folder / "approved.json")
    assert approve(tranche, plan, out).code == 0
    return plan, out


def test_an_approval_says_who_when_and_what_and_changes_nothing_else(tranche, approved):
    plan, out = (json.loads(Path(path).read_text()) for path in approved)
    approval = out.pop("approval")
    assert approval.pop("sha256")
    assert approval == {"status": "approved", "by": "Jo Lee", "date": "2026-11-22T00:00:00Z"}
    plan.pop("approval", None)
    assert out == plan
    assert tranche("show", approved[1]).out == tranche("show", approved[0]).out


def test_the_hash_is_of_the_content_not_of_the_bytes(tranche, approved, files):
    plan, out = (json.loads(Path(path).read_text()) for path in approved)
    plan.pop("approval", None)
    canonical = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert out["approval"]["sha256"] == hashlib.sha256(canonical.encode()).hexdigest()
    rewritten = files.text("rewritten.json", json.dumps(out, sort_keys=True))
    assert tranche("diff", rewritten, approved[0]).code == 0
    assert "the old plan was approved by Jo Lee on 2026-11-22" in tranche("diff", rewritten, approved[0]).out


def edited(files, path, **changes):
    document = json.loads(Path(path).read_text())
    approval = document["approval"] | changes.pop("approval", {})
    return files.text("edited.json", json.dumps(document | changes | {"approval": approval}))


@pytest.mark.parametrize(
    "changes",
    [
        {"purchases": []},
        {"created": "2026-11-21T00:00:01Z"},
        {"surprise": 1},
        {"approval": {"sha256": "0" * 64}},
        {"approval": {"sha256": None}},
        {"approval": {"status": "blessed"}},
        {"approval": {"by": 7}},
    ],
)
def test_an_approved_plan_that_was_edited_is_refused(tranche, approved, files, changes):
    bad = edited(files, approved[1], **changes)
    for arguments in (
        ["diff", bad, approved[0]],
        ["diff", approved[0], bad],
        ["plan", files.usage, "--offers", files.offers, "--against", bad],
    ):
        ran = tranche(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("tranche: error: edited.json: ")
        assert ran.err.endswith("or run tranche approve edited.json once somebody has looked at it\n")
    assert approve(tranche, bad, str(files.folder / "again.json")).code == 0
    assert tranche("diff", str(files.folder / "again.json"), approved[0]).code == 0


def test_an_approved_plan_is_compared_with(tranche, approved, files):
    given = [files.usage, "--offers", files.offers, "--horizon", "history", "--now", NOW]
    ran = tranche("plan", *given, "--against", approved[1], "--fail-increase", "30%")
    assert ran.code == 3  # without the quote everything is on demand: 2,080 / 1,552 - 1 is 34 %
    assert "is 34.02 %; the limit is 30 %" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--by", " "], 2, "--by ' ' is no name"),
        (["--by", "a\x1b[31m"], 2, "--by 'a\\x1b[31m' is no name"),
        (["--by", "x" * 201], 2, "is no name; write one of at most 200 printable characters"),
        (["--by", "x", "--out", "a.txt"], 2, "--out a.txt: has no known ending; use .json"),
        (["--by", "x", "--out", "no/a.json"], 2, "--out a.json: its directory does not exist"),
        (["--by", "x", "--now", "noon"], 2, "--now: 'noon' is not a time"),
    ],
)
def test_what_cannot_be_approved(tranche, planned, arguments, code, line):
    ran = tranche("approve", planned("plan.json"), "--out", "a.json", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert line in ran.err


def test_nothing_but_a_plan_is_approved(tranche, files):
    ran = tranche("approve", files.text("no.json", "[1]"), "--by", "x", "--out", "a.json")
    assert (ran.code, "no.json: is not a plan file" in ran.err) == (6, True)
    assert not (files.folder / "a.json").exists()
    assert tranche("approve", "gone.json", "--by", "x", "--out", "a.json").code == 6


def test_names_of_a_plan_file_command_nothing(tranche, planned, files):
    evil = "job\x1b[31m|<img src=x>@team"
    usage = files.table("evil.csv", [{**row, "workload": evil} for row in files.hours()])
    old, new = planned("old.json"), planned("new.json", usage=usage)
    for form in ("table", "md", "json"):
        assert "\x1b" not in tranche("diff", old, new, "--format", form).out
    markdown = tranche("diff", old, new, "--format", "md").out
    assert "\\<img src=x\\>@<!-- -->team" in markdown
    assert markdown.count("<img") == markdown.count("\\<img") == 1
