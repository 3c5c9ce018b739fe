"""The record of a negotiation, other demand, and commitments to spend: in the plan file and in every document."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import openpyxl
import polars as pl
import pytest
from jsonschema import Draft202012Validator

from app.commands.export import FORMS, exported
from app.negotiation import History, Step
from app.reports.document import differing, document
from app.reports.finance import Terms, finance_of
from app.reports.focus import new_spends
from app.reports.paper import paper_of, without_walk_away
from app.reports.planfile import decode, schema
from app.session import Request, load
from app.sessions import Sessions, file_of
from optimizer.sensitivity import FACTORS
from optimizer.solve import Memory, solve
from optimizer.stated import stated_of
from providers.focus.contract_rows import COLUMNS_1_3, COLUMNS_1_4
from providers.tables import SPEND
from tests.app.conftest import DEMAND, GPU

GOLDEN = Path(__file__).parent / "golden"
OLD, NEW = (str(GOLDEN / f"negotiated-{age}.json") for age in ("old", "new"))
NOW = datetime(2026, 11, 21, tzinfo=UTC)
TYPED = datetime(2026, 11, 21, 14, 2, 30, tzinfo=UTC)
YEAR = 8760
QUOTE = f"r:{GPU}=2.40/h,reserved,12mo,name=block"
FLOOR = "od:any=spend 500k,12mo,5% off,name=floor"
LINES = (
    "counter block 2.20 12mo",
    f"quote crusoe:{GPU}=1.85/h,32gpus,12mo,name=rack",
    "counter block 2.15 24mo",
    "decline rack",
    "limit committed<=97%",
)
EVIL = "=cmd|' /C calc'!A0<script>alert(1)</script>|x@team\x1b[31m\u202e"


def request(*offers, **more):
    given = {"usage": ("usage.csv",), "offers": ("offers.csv",), "horizon": "12mo"}
    return Request(now=NOW, offer=offers, **{**given, **more})


def negotiated(asked, *lines):
    history = History((Step(session=load(asked)),))
    for number, line in enumerate(lines):
        history = history.edited(line, TYPED + timedelta(minutes=number))
    return history


def planned(session):
    return document(session, session.plan(), created=NOW)


def paper(plan, *, walk_away=False):
    return paper_of(plan, finance_of(plan, Terms()), walk_away=walk_away)


def said(plan, form, *, walk_away=False):
    shown = plan if walk_away else without_walk_away(plan)
    return exported(shown, form, Terms(), walk_away=walk_away, focus="1.4")


@pytest.fixture(scope="module")
def new():
    return decode(Path(NEW).read_bytes(), where="new")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("negotiated.md", ["export", NEW, "--to", "md"]),
        ("negotiated.walk-away.md", ["export", NEW, "--to", "md", "--walk-away"]),
        ("negotiated.focus", ["export", NEW, "--to", "focus"]),
        ("negotiated.focus-1.4", ["export", NEW, "--to", "focus", "--focus", "1.4"]),
        ("negotiated.orders", ["export", NEW, "--to", "orders"]),
        ("negotiated.show.txt", ["show", NEW]),
        ("negotiated.show.md", ["show", NEW, "--format", "md"]),
    ],
)
def test_golden_documents_of_a_negotiated_plan(tranche, name, arguments, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert tranche(*arguments).out == (GOLDEN / name).read_text()


def test_a_quote_is_kept_as_it_was_first_and_as_it_stands(files):
    """Three prices of one quote, one of another that was declined; list prices are no offers received."""
    plan = planned(negotiated(request(QUOTE, FLOOR), *LINES).now.session)
    Draft202012Validator(schema()).validate(msgspec.to_builtins(plan))
    found = {one.offer_id: one for one in plan.inputs.offers_received}
    assert list(found) == ["block", "floor", "rack"]
    block, floor, rack = found.values()
    assert (block.first_usd_per_gpu_hour, block.last_usd_per_gpu_hour, block.rounds) == ("2.40", "2.15", 3)
    assert (block.term_months, block.gpus, block.status) == (24, None, "quote")
    assert (rack.first_usd_per_gpu_hour, rack.last_usd_per_gpu_hour, rack.rounds) == ("1.85", "1.85", 1)
    assert (rack.gpus, rack.status) == (32, "declined")
    assert (floor.first_usd_per_gpu_hour, floor.spend_usd, floor.discount) == (None, "500000.00", 0.05)
    assert [turn.line for turn in plan.inputs.turns] == plan.inputs.options.edits == list(LINES)
    assert [turn.usd_per_gpu_hour for turn in plan.inputs.turns] == ["2.20", "1.85", "2.15", "1.85", None]
    assert [turn.status for turn in plan.inputs.turns] == ["quote", "quote", "quote", "declined", None]
    assert plan.inputs.turns[1].typed == "2026-11-21T14:03:30Z"


def test_a_price_of_two_parts_is_what_an_hour_held_and_used_costs(files):
    files.table("offers.csv", [files.on_demand(), files.offer("f", "flex", holding=1.2, usage=0.6, status="quote")])
    plan = planned(negotiated(request(), "counter f 1.10/h + 0.50/h").now.session)
    [one] = plan.inputs.offers_received
    assert (one.first_usd_per_gpu_hour, one.last_usd_per_gpu_hour) == ("1.80", "1.60")


def test_what_was_undone_is_no_part_of_the_record(files):
    history = negotiated(request(QUOTE), *LINES[:3])
    back = planned(history.gone_to(1).now.session)
    assert [turn.line for turn in back.inputs.turns] == [LINES[0]]
    [block] = back.inputs.offers_received
    assert (block.last_usd_per_gpu_hour, block.rounds) == ("2.20", 2)


def test_a_session_on_disk_gives_the_same_record(files, tranche, monkeypatch):
    monkeypatch.setenv("TRANCHE_SESSIONS", str(files.folder / "sessions"))
    asked = request(QUOTE)
    history = negotiated(asked, *LINES)
    Sessions().write(file_of("nego", asked, history, is_open=False))
    ran = tranche("plan", "--session", "nego", "--format", "json")
    assert ran.code == 0, ran.err
    assert decode(ran.out.encode(), where="plan").inputs == planned(history.now.session).inputs
    assert tranche("plan", "--session", "nego", "--format", "json").out == ran.out


def test_a_plan_that_was_not_negotiated_has_no_such_chapter(files):
    plan = planned(load(request(QUOTE)))
    assert [one.rounds for one in plan.inputs.offers_received] == [1]
    assert {"Negotiation", "Edits"}.isdisjoint(chapter.name for chapter in paper(plan).chapters)
    for form in ("md", "html"):
        assert b"Negotiation" not in said(plan, form)


def test_a_file_that_keeps_only_lines_shows_them(tranche):
    ran = tranche("export", str(GOLDEN / "plan-1.3.json"), "--to", "md")
    assert "| 1 |  | counter q 1.85 12mo 64 | - |  |" in ran.out


def test_the_record_is_in_every_document_and_names_no_walk_away_price(new):
    [quote] = [one for one in new.walk_away if one.walk_away_usd_per_gpu_hour]
    for form in ("md", "html"):
        secret, open_form = said(new, form).decode(), said(new, form, walk_away=True).decode()
        assert "Negotiation: step by step" in secret
        assert "2026-11-21 14:04" in secret
        for text in ("Walk-away", f"${quote.walk_away_usd_per_gpu_hour}"):
            assert text not in secret
            assert text in open_form
    closed, opened = (
        openpyxl.load_workbook(io.BytesIO(said(new, "xlsx", walk_away=walk_away))) for walk_away in (False, True)
    )
    heads = [[cell.value for cell in book["Negotiation"][1]] for book in (closed, opened)]
    assert heads[1] == [*heads[0], "Walk-away"]
    assert [cell.value for cell in closed["Edits"]["C"]][1:] == new.inputs.options.edits
    assert [cell.data_type for cell in closed["Edits"][2]] == ["n", "s", "s", "n", "s"]
    assert [row[8].value for row in closed["Negotiation"].iter_rows(min_row=2)] == [2.4, None, 1.85]
    assert f"{quote.walk_away_usd_per_gpu_hour}" not in said(new, "json").decode()


def test_what_a_vendor_writes_stays_text(files):
    rows = [files.on_demand(), files.offer("q", "contract", holding=2, max_gpus=40, status="quote", term_months=12)]
    files.table("offers.csv", [rows[0], rows[1] | {"offer_id": EVIL, "provider": f"@{EVIL}"}])
    session = load(request())
    name = session.inputs.offers.filter(pl.col("status") == "quote")["offer_id"].item()
    quoted = "'" + name.replace("'", "'\"'\"'") + "'"
    plan = planned(negotiated(request(), f"counter {quoted} 1.9", f"note {quoted} {EVIL}").now.session)
    assert len(plan.inputs.turns) == 2
    for form in set(FORMS) - {"xlsx"}:
        text = said(plan, form).decode()
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in said(plan, "html").decode()
    assert "<script" not in said(plan, "md").decode().replace("\\<script", "")
    book = openpyxl.load_workbook(io.BytesIO(said(plan, "xlsx")))
    cells = [cell for name in ("Negotiation", "Edits") for row in book[name] for cell in row]
    assert [cell for cell in cells if "cmd" in str(cell.value)]
    assert not [cell for cell in cells if cell.data_type == "f"]


def kept(gpus, factor, price):
    need = np.array(DEMAND) * factor
    return (gpus * price + np.maximum(need - gpus, 0).mean() * 4) * YEAR


def best(factor, price):
    return min(kept(gpus, factor, price) for gpus in np.arange(0, 121, 0.5))


@pytest.fixture
def yearly(files):
    return files.table("yearly.csv", [files.on_demand(), files.offer("y", "reserved", holding=2.4, term_months=12)])


def test_other_demand_is_worked_out_hour_by_hour(files, tranche, yearly):
    given = ["usage.csv", "--offers", yearly, "--horizon", "12mo", "--now", "2026-11-21", "--format", "json"]
    ran = tranche("plan", *given, "--sensitivity")
    assert ran.code == 0, ran.err
    Draft202012Validator(schema()).validate(ran.json)
    rows = ran.json["sensitivity"]
    assert [row["demand"] for row in rows] == list(FACTORS)
    for row in rows:
        assert float(row["kept"]) == pytest.approx(kept(60, row["demand"], 2.4), abs=0.01)
        assert float(row["best"]) == pytest.approx(best(row["demand"], 2.4), abs=0.01)
        assert Decimal(row["kept"]) >= Decimal(row["best"])
    [same] = [row for row in rows if row["demand"] == 1]
    assert same["kept"] == same["best"] == ran.json["summary"]["cost"]
    assert tranche("plan", *given).json | {"sensitivity": rows} == ran.json
    plan = decode(ran.out.encode(), where="plan")
    chapter = paper(plan).chapter("Demand")
    assert [row[0] for row in chapter.rows] == [-0.2, -0.1, 0.0, 0.1, 0.2]
    assert [row[1] - row[2] for row in chapter.rows] == [row[3] for row in chapter.rows]
    for form in ("md", "html"):
        assert all(f"{row[1]:,.2f}" in said(plan, form).decode() for row in chapter.rows)
    assert "Demand" in openpyxl.load_workbook(io.BytesIO(said(plan, "xlsx"))).sheetnames


def test_what_is_bought_may_leave_no_way(files, tranche, yearly):
    """Held GPUs are at most 50 % of what is needed: with less demand the plan's own break that limit."""
    given = ["usage.csv", "--offers", yearly, "--horizon", "12mo", "--now", "2026-11-21", "--limit", "committed<=50%"]
    ran = tranche("plan", *given, "--sensitivity", "--format", "json")
    rows = {row["demand"]: row for row in ran.json["sensitivity"]}
    assert (rows[0.8]["kept"], rows[0.8]["stranded"]) == (None, None)
    assert rows[0.8]["best"] is not None
    assert rows[1.0]["kept"] == ran.json["summary"]["cost"]
    plan = decode(ran.out.encode(), where="plan")
    assert paper(plan).chapter("Demand").rows[0][1::2] == (None, None)
    shown = tranche("plan", *given, "--sensitivity").out
    assert "If demand differs" in shown


@pytest.mark.parametrize(("spend", "taken"), [("500k", True), ("1500k", False)])
def test_spend_that_was_signed_stays_signed_at_other_demand(files, spend, taken):
    """5 % off on demand for a least spend: below it, what is short is paid; where it was left, so are its prices."""
    session = load(request(QUOTE, f"od:any=spend {spend},12mo,5% off,name=floor"))
    plan = session.plan()
    assert [one.taken for one in plan.floors] == [taken]
    [bought] = plan.purchases
    price = 4 * 0.95 if taken else 4.0
    least = float(spend.removesuffix("k")) * 1000 if taken else 0.0
    for one in session.sensitivity(plan):
        need = np.array(DEMAND) * one.factor
        going = np.maximum(need - bought.gpus, 0).mean() * price * YEAR
        assert one.kept == pytest.approx(bought.gpus * 2.4 * YEAR + max(going, least), rel=1e-9)
        assert one.kept >= one.best
        scaled = session.inputs.usage.with_columns(pl.col("gpu_hours") * one.factor)
        alone = solve(stated_of(replace(session.inputs, usage=scaled)).problem, Memory()).cost
        assert one.best == pytest.approx(alone, rel=1e-9)
    [same] = [one for one in session.sensitivity(plan) if one.factor == 1]
    assert same.kept == pytest.approx(plan.summary.cost, rel=1e-9)
    assert len(differing(session.sensitivity(plan))) == len(FACTORS)


def test_scenarios_say_already_what_demand_may_be(files, tranche):
    futures = files.text(
        "futures.toml",
        '[[scenario]]\nname = "a"\nprobability = 0.5\n[[scenario]]\nname = "b"\nprobability = 0.5\n',
    )
    ran = tranche("plan", "usage.csv", "--offers", "offers.csv", "--scenarios", futures, "--sensitivity")
    assert (ran.code, ran.out) == (2, "")
    assert "--sensitivity: the scenarios say already what the demand may be" in ran.err


def test_a_commitment_to_spend_says_its_term_and_who_it_binds(files):
    session = load(request(QUOTE, "od:any=spend 2M,24mo,5% off,from 2026-11-21,name=floor"))
    [spend] = planned(session).spends
    assert (spend.contract_usd, spend.term_months, spend.status) == ("2000000.00", 24, "quote")
    assert (spend.start, spend.end) == ("2026-11-21T00:00:00Z", "2028-11-20T00:00:00Z")
    assert Decimal(spend.usd) == Decimal(spend.contract_usd) / 2


def test_an_accepted_commitment_to_spend_is_ordered_as_such(files):
    floor = files.offer("floor", "spend_floor", spend_usd=500_000, discount_share=0.05, term_months=12)
    told = floor | {"provider": "od", "gpu_model": "any", "status": "accepted", "eligible_gpu_models": GPU}
    files.table("offers.csv", [files.on_demand(), told])
    plan = planned(load(request()))
    [spend] = plan.spends
    assert (spend.status, spend.taken, spend.worth, spend.gpu_models) == ("accepted", True, None, [GPU])
    order = said(plan, "orders").decode()
    assert f"To od: we commit to spend $500,000.00 at the least on {GPU}, under your offer floor." in order
    assert "It was accepted already." in order
    [row] = csv.DictReader(io.StringIO(said(plan, "focus").decode()))
    assert (row["x_EligibleGpuModels"], row["ContractCommitmentCost"]) == (GPU, "500000.0")


@pytest.mark.parametrize("version", ["1.3", "1.4"])
def test_a_commitment_to_spend_is_a_contract_that_reads_back(files, tranche, version):
    """Owned, it binds as it did when it was new: the same cost, and no choice."""
    ran = tranche(
        "plan", "usage.csv", "--offers", "offers.csv", "--offer", FLOOR, "--horizon", "12mo", "--now", "2026-11-21",
        "--format", "json",
    )  # fmt: skip
    plan = decode(ran.out.encode(), where="plan")
    assert [one.taken for one in plan.spends] == [True]
    text = exported(plan, "focus", Terms(), walk_away=False, focus=version).decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["ContractCommitmentCategory"], float(row["ContractCommitmentCost"])) == ("Spend", 500_000)
    assert row["ContractCommitmentType"] == "Minimum Spend"
    assert (row["ContractCommitmentPeriodStart"], row["ContractCommitmentPeriodEnd"]) == (
        "2026-11-21T00:00:00Z", "2027-11-21T00:00:00Z",
    )  # fmt: skip
    if version == "1.4":
        assert (row["ContractCommitmentFulfillmentInterval"], row["ContractCommitmentBenefitCategory"]) == (
            "Total Term", "Discount",
        )  # fmt: skip
        assert float(row["ContractCommitmentDiscountPercentage"]) == 0.05
    owned = files.text("owned.csv", text)
    again = tranche(
        "plan", "usage.csv", "--offers", "offers.csv", "--commitments", owned, "--horizon", "12mo", "--now",
        "2026-11-21", "--format", "json",
    )  # fmt: skip
    assert again.code == 0, again.err
    assert again.json["summary"]["cost"] == ran.json["summary"]["cost"]
    [spend] = again.json["spends"]
    assert (spend["status"], spend["contract_usd"], spend["worth"]) == ("owned", "500000.00", None)
    after = decode(again.out.encode(), where="plan")
    assert new_spends(after) == []
    assert "To od:" not in said(after, "orders").decode()
    assert paper(after).chapter("Spend").rows[0][3] == "owned"


@pytest.mark.parametrize(("version", "columns"), [("1.3", COLUMNS_1_3), ("1.4", COLUMNS_1_4)])
def test_contracts_have_the_columns_of_the_standard_and_what_may_not_be_empty(new, version, columns):
    text = exported(new, "focus", Terms(), walk_away=False, focus=version).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(name for name in rows[0] if not name.startswith("x_")) == columns
    assert {row["ContractCommitmentCategory"] for row in rows} == {"Usage", "Spend"}
    for row in rows:
        measured = ("ContractCommitmentQuantity", "ContractCommitmentUnit")
        assert all(row[name] for name in COLUMNS_1_3 if name not in measured)
        assert [bool(row[name]) for name in measured] == [row["ContractCommitmentCategory"] == "Usage"] * 2
        begins, ends = (row[f"ContractCommitmentPeriod{name}"] for name in ("Start", "End"))
        assert datetime.fromisoformat(begins) < datetime.fromisoformat(ends)
    bought = [Decimal(row["ContractCommitmentCost"]) for row in rows if row["x_PurchaseOption"] not in SPEND]
    assert sum(bought) == Decimal(new.summary.total_commitment)


def test_spend_that_is_not_taken_is_neither_a_contract_nor_an_order(files, tranche):
    dear = "od:any=spend 5M,12mo,5% off,name=floor"
    given = ["usage.csv", "--offers", "offers.csv", "--offer", dear, "--horizon", "12mo", "--now", "2026-11-21"]
    plan = decode(tranche("plan", *given, "--format", "json").out.encode(), where="plan")
    assert [one.taken for one in plan.spends] == [False]
    assert "floor" not in said(plan, "focus").decode()
    assert said(plan, "orders").decode().endswith("# The plan buys nothing.\n")


def test_older_files_say_nothing_of_the_spend_they_have(tranche):
    plan = decode((GOLDEN / "plan-1.2.json").read_bytes(), where="plan")
    assert [one.taken for one in plan.spends] == [True]
    assert new_spends(plan) == []
    assert json.loads(said(plan, "json"))["spends"][0]["contract_usd"] is None
