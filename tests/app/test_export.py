"""Every form of the plan document says the same to the cent, is safe to open, and is the same bytes each time."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from decimal import ROUND_HALF_EVEN, Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import openpyxl
import pytest
from hypothesis import HealthCheck, assume, given, settings

from app.commands.export import FORMS, exported
from app.reports.document import document
from app.reports.finance import Terms, finance_of
from app.reports.paper import paper_of, without_walk_away
from app.reports.planfile import FORMAT_VERSION, Approval, Outcome, Point, Risk, decode, encode
from app.session import Session
from optimizer.evidence import STEPS, load_of
from optimizer.plan import plan_of
from optimizer.solve import InfeasibleError, Memory
from optimizer.stated import solved, stated_of
from providers.tables import SPEND

sys.path.insert(0, str(Path(__file__).parents[1] / "optimizer"))
from instances import NOW, Case, cases, offer, series

GOLDEN = Path(__file__).parent / "golden"
GPU = "H100-SXM-80GB"
WHOLE = str(GOLDEN / "plan-1.2.json")
"""A plan that buys, owns, prepays, was offered, was judged by gates, and was approved."""
TOTALS = {
    "cost": "Cost over the plan",
    "existing_commitment_cost": "of which commitments owned",
    "on_demand_cost": "On-demand equivalent",
    "savings": "Net savings",
    "upfront": "Paid upfront",
    "total_commitment": "New commitment in all",
    "lower_bound": "Proven lower bound of the cost",
}
IN_SUMMARIES = {
    "cost": "Cost",
    "existing_commitment_cost": "of which commitments owned",
    "on_demand_cost": "All on demand",
    "savings": "Savings",
    "upfront": "Paid at the start",
    "total_commitment": "New commitment in all",
    "lower_bound": "Proven lower bound",
}
CENT = Decimal("0.01")


def said(plan, form, **more):
    options = {"walk_away": True, "focus": "1.3", **more}
    return exported(plan, form, Terms(), **options)


def cents(text):
    return Decimal(str(text)).quantize(CENT, ROUND_HALF_EVEN)


def amount(text):
    return Decimal(re.sub(r"[^\d.-]", "", text.replace("\\", "")))


class Page(HTMLParser):
    """Collect the terms of definition lists, and every tag and attribute."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.pairs, self._at, self._name = set(), set(), {}, None, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._at = tag

    def handle_data(self, data):
        if self._at == "dt":
            self._name, self._at = data, None
        elif self._at == "dd":
            self.pairs[self._name], self._at = data, None


def evaluated(book, formula):
    """Add up what a formula of ours adds up, from the cells that it names."""
    total = 0.0
    for sign, part in re.findall(r"([+-]?)([^+-]+|'[^']+'![A-Z]+\d+)", formula.lstrip("=")):
        total += (-1 if sign == "-" else 1) * _valued(book, part)
    return total


def _valued(book, place):
    sheet, _, cell = place.rpartition("!")
    here = book[sheet.strip("'")] if sheet else book["Summary"]
    value = here[cell].value
    if isinstance(value, str) and value.startswith("=SUM("):
        column, first, last = re.fullmatch(r"=SUM\(([A-Z]+)(\d+):[A-Z]+(\d+)\)", value).groups()
        return sum(here[f"{column}{line}"].value or 0 for line in range(int(first), int(last) + 1))
    return evaluated(book, value) if isinstance(value, str) else value


def totals_in(plan):
    """Read the totals back from every form that states them."""
    summary = json.loads(said(plan, "json"))["summary"]
    found = {"json": {key: summary[key] for key in TOTALS}}
    found["csv"] = list(csv.DictReader(io.StringIO(said(plan, "csv").decode())))[-1]
    for form, names in (("md", TOTALS), ("github", IN_SUMMARIES)):
        rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", said(plan, form).decode(), re.MULTILINE))
        found[form] = {key: amount(rows[name]) if name in rows else None for key, name in names.items()}
    pairs = Page(said(plan, "html").decode()).pairs
    found["html"] = {key: amount(pairs[name]) if name in pairs else None for key, name in TOTALS.items()}
    book = openpyxl.load_workbook(io.BytesIO(said(plan, "xlsx")))
    cells = {row[0].value: f"B{row[0].row}" for row in book["Summary"].iter_rows(min_row=4)}
    found["xlsx"] = {key: _valued(book, cells[name]) if name in cells else None for key, name in TOTALS.items()}
    rows = csv.DictReader(io.StringIO(said(plan, "focus").decode()))
    bought = (row["ContractCommitmentCost"] for row in rows if row.get("x_PurchaseOption") not in SPEND)
    found["focus"] = {"total_commitment": sum(map(Decimal, bought), Decimal(0))}
    return found


def assert_same_totals(plan):
    found = totals_in(plan)
    for form, totals in found.items():
        for key in TOTALS:
            expected, value = getattr(plan.summary, key), totals.get(key, "absent")
            if value == "absent":
                continue
            if expected is None:
                assert value in {None, ""}, (form, key)
            else:  # where a sum of lines ends in half a cent, its last digit may round either way
                near = abs(Decimal(str(value)) - Decimal(expected)) < Decimal("0.0001")
                assert near or cents(value) == cents(expected), (form, key, value, expected)


def as_plan(case):
    inputs = case.inputs()
    session = Session(
        inputs=inputs, usage=(), offers=(), commitments=(), config=None, horizon="12mo", demo=False, currency="USD",
        diagnostics=(),
    )  # fmt: skip
    try:
        return document(session, plan_of(inputs), created=NOW)
    except InfeasibleError:
        return assume(False)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    from app.session import Request, load

    session = load(Request(now=NOW.replace(month=11)))
    return document(session, session.plan(), created=NOW)


def test_all_forms_carry_the_same_totals_on_the_demo(demo):
    assert set(totals_in(demo)) == {"json", "csv", "md", "github", "html", "xlsx", "focus"}
    assert_same_totals(demo)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(case=cases(quotes=1))
def test_all_forms_carry_the_same_totals_on_random_plans(case):
    plan = as_plan(case)
    assert_same_totals(plan)
    for bought in plan.purchases:
        assert f"contract value ${Decimal(bought.total_commitment):,.2f}" in said(plan, "orders").decode()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(case=cases())
def test_cash_and_amortisation_of_random_plans_add_up(case):
    from app.reports.cashflow import months_of

    plan = as_plan(case)
    months = months_of(plan)
    used = sum(month.used for month in months if month.planned)
    assert float(used) == pytest.approx(float(plan.summary.cost), rel=1e-6, abs=1e-3)
    paid, whole = (sum(float(getattr(month, name)) for month in months) for name in ("paid", "used"))
    assert paid == pytest.approx(whole, rel=1e-6, abs=1e-3)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(case=cases())
def test_the_load_curve_keeps_every_gpu_hour(case):
    stated = stated_of(case.inputs())
    try:
        load = load_of(stated, solved(stated, Memory()))
    except InfeasibleError:
        assume(False)
    whole = stated.problem.demanded
    assert sum(load.demand) * load.hours / STEPS == pytest.approx(whole, abs=1e-6)
    assert sum(map(sum, load.gpu_models.values())) * load.hours / STEPS == pytest.approx(whole, abs=1e-6)
    assert sum(map(sum, load.served.values())) * load.hours / STEPS == pytest.approx(whole, rel=1e-5, abs=1e-5)
    for curve in (load.demand, *load.gpu_models.values()):
        assert all(left >= right - 1e-9 for left, right in pairwise(curve))


def test_the_load_curve_of_oracle_8():
    case = Case(
        usage=series("w", [40, 40, 40, 60, 80, 100, 100, 60]), offers=[offer("od"), offer("r", "reserved", 2.4)]
    )
    stated = stated_of(case.inputs())
    load = load_of(stated, solved(stated, Memory()))
    assert (load.peak_gpus, load.hours) == (100, 8)
    assert (load.demand[0], load.demand[-1]) == pytest.approx((100, 40))
    assert sum(load.served["committed"]) / STEPS == pytest.approx(52.5)
    assert sum(load.served["on_demand"]) / STEPS == pytest.approx(12.5)


@pytest.fixture(scope="session")
def whole():
    return decode(Path(WHOLE).read_bytes(), where="plan")


def test_commitments_to_spend_are_part_of_every_total(tranche, whole):
    """The lines of every form add up to the cost; a prepaid pool of $500,000 at 8 % off gives $40,000 back."""
    [spend] = whole.spends
    assert (spend.taken, spend.cost) == (True, "-40000.00")
    assert_same_totals(whole)
    *lines, total = csv.DictReader(io.StringIO(said(whole, "csv").decode()))
    assert sum(Decimal(line["cost"]) for line in lines) == Decimal(total["cost"]) == Decimal(whole.summary.cost)
    assert [line["cost"] for line in lines if line["line"] == "commitment_to_spend"] == ["-40000.00"]
    finance = finance_of(whole, Terms())
    planned = [month for month in finance.months if month.planned]
    assert sum(month.used for month in planned) == pytest.approx(Decimal(whole.summary.cost))
    paper = paper_of(whole, finance, walk_away=False)
    bought, owned, going, spent = (paper.chapter(name).totals for name in ("Buy", "Owned", "As it goes", "Spend"))
    assert bought[11] + owned[11] + going[-1] + spent[-1] == Decimal(whole.summary.cost)


def test_what_providers_would_bill_is_said_and_how_much_dearer(whole):
    def figures(plan):
        paper = paper_of(plan, finance_of(plan, Terms()), walk_away=False)
        return {figure.name: figure.value for figure in paper.figures}

    billed, more = "As the providers would bill it", "of which their order of commitments adds"
    assert figures(whole)[billed] == Decimal(whole.summary.cost)
    assert more not in figures(whole)
    dearer = msgspec.structs.replace(whole.summary, replayed_cost="1645400.45")
    assert figures(msgspec.structs.replace(whole, summary=dearer))[more] == Decimal("5.25")
    unknown = msgspec.structs.replace(whole.summary, replayed_cost=None)
    assert billed not in figures(msgspec.structs.replace(whole, summary=unknown))


def test_a_plan_for_several_futures_says_what_each_comes_to(whole):
    """The expected cost is the mean of the outcomes by probability, as the three tables say it."""
    assert "Risk" not in {
        chapter.name for chapter in paper_of(whole, finance_of(whole, Terms()), walk_away=False).chapters
    }
    risk = Risk(
        weight=0.5, tail=0.9, expected="120.00", cvar="200.00", p5="100.00", p50="100.00", p95="200.00",
        stranded_cvar="7.00",
        outcomes=[
            Outcome(scenario="=grow", probability=0.2, cost="200.00", stranded="0.00", regret="30.00"),
            Outcome(scenario="stay", probability=0.8, cost="100.00", stranded="7.00", regret="0.00"),
        ],
        frontier=[
            Point(weight=0.0, expected="119.00", cvar="205.00"),
            Point(weight=0.5, expected="120.00", cvar="200.00"),
        ],
    )  # fmt: skip
    plan = msgspec.structs.replace(whole, risk=risk)
    paper = paper_of(plan, finance_of(plan, Terms()), walk_away=False)
    rows = paper.chapter("Scenarios").rows
    assert sum(float(row[1]) * float(row[2]) for row in rows) == pytest.approx(float(paper.chapter("Risk").rows[0][1]))
    assert ("Mean cost of the worst 10 %", Decimal("200.00")) in paper.chapter("Risk").rows
    assert [row[0] for row in paper.chapter("Frontier").rows] == [0.0, 0.5]
    book = openpyxl.load_workbook(io.BytesIO(said(plan, "xlsx")))
    assert [cell.data_type for cell in book["Scenarios"][2]] == ["s", "n", "n", "n", "n"]
    for form in ("md", "html"):
        assert all(text in said(plan, form).decode() for text in ("What less risk costs", "$205.00", "$30.00", "80 %"))


def test_the_document_says_who_approved_and_when_to_give_notice(whole):
    paper = paper_of(whole, finance_of(whole, Terms()), walk_away=False)
    assert paper.chapter("Approval").rows[0] == ("Plan approved by", "Jo Lee", "2026-01-02")
    draft = msgspec.structs.replace(whole, approval=Approval())
    roles = paper_of(draft, finance_of(draft, Terms()), walk_away=False).chapter("Approval").rows
    assert roles == paper.chapter("Approval").rows[1:]
    owed = {row[0]: row[-2:] for row in paper.chapter("Obligations").rows}
    assert owed["old-8"] == ("2026-07-01", "2026-04-02")  # 90 days before


def test_the_same_plan_gives_the_same_bytes(demo):
    for form in FORMS:
        assert said(demo, form) == said(demo, form)
    with zipfile.ZipFile(io.BytesIO(said(demo, "xlsx"))) as packed:
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_walk_away_prices_come_only_when_asked_for(demo):
    secret = [quote for quote in demo.walk_away if quote.walk_away_usd_per_gpu_hour]
    assert secret
    for form in ("md", "html", "json", "github"):
        open_form = said(demo, form).decode()
        kept = said(without_walk_away(demo), form, walk_away=False).decode()
        for quote in secret:
            headroom = quote.headroom if form in {"json", "csv"} else f"{abs(Decimal(quote.headroom)):,.2f}"
            assert headroom in open_form
            assert headroom not in kept
            assert f"{quote.gpus:g} GPUs would be busy" not in kept
        assert "Walk-away" not in kept
        assert len(open_form) > len(kept)
    shared = json.loads(said(without_walk_away(demo), "json"))
    assert [quote["verdict"] for quote in shared["walk_away"]] == [quote.verdict for quote in demo.walk_away]
    book = openpyxl.load_workbook(io.BytesIO(said(without_walk_away(demo), "xlsx", walk_away=False)))
    assert "Walk-away" not in [cell.value for cell in book["Offers"][1]]


def test_the_command_writes_and_round_trips(tranche, files, demo):
    plan = files.text("plan.json", encode(demo))
    ran = tranche("export", plan, "--to", "json", "--walk-away")
    assert ran.out == encode(demo).decode()
    again = files.text("again.json", ran.out)
    assert tranche("show", again).out == tranche("show", plan).out
    for form in FORMS:
        out = str(files.folder / f"document.{form}")
        assert tranche("export", plan, "--to", form, "--out", out, "--walk-away").code == 0
        assert Path(out).read_bytes() == said(demo, form)
        if form != "xlsx":
            assert tranche("export", plan, "--to", form, "--walk-away").out.encode() == said(demo, form)
    assert tranche("export", plan, "--to", "focus", "--focus", "1.4").out.encode() == said(demo, "focus", focus="1.4")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--to", "xlsx"], "name a file with --out"),
        (["--to", "pdf"], "'pdf' is not one of"),
        (["--to", "md", "--cost-of-capital", "lots"], "--cost-of-capital: 'lots' is no share"),
        (["--to", "md", "--private-discount", "120%"], "--private-discount: '120%' is no share"),
        (["--to", "md", "--out", "nowhere/x.md"], "its directory does not exist"),
        (["--to", "md", "--out", "."], "is a directory"),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_line(tranche, files, demo, options, problem):
    ran = tranche("export", files.text("plan.json", encode(demo)), *options)
    assert (ran.code, ran.out) == (2, "")
    assert problem in ran.err
    assert "Traceback" not in ran.err


def test_focus_rows_have_the_columns_and_read_back(tranche, files, demo):
    from providers.focus.contract_rows import COLUMNS_1_3, COLUMNS_1_4

    for version, columns in (("1.3", COLUMNS_1_3), ("1.4", COLUMNS_1_4)):
        head = said(demo, "focus", focus=version).decode().splitlines()[0].split(",")
        assert tuple(name for name in head if not name.startswith("x_")) == columns
    rows = list(csv.DictReader(io.StringIO(said(demo, "focus").decode())))
    assert [row["ContractCommitmentId"] for row in rows] == sorted(bought.offer_id for bought in demo.purchases)
    nothing = said(as_plan(Case(usage=series("w", [1.0] * 4), offers=[offer("od")])), "focus").decode()
    assert nothing == ",".join(COLUMNS_1_3) + "\n"
    owned = files.text("owned.csv", said(demo, "focus"))
    now = "2026-12-01"
    ran = tranche("plan", "--commitments", owned, "--now", now, "--format", "json")
    assert ran.code == 0, ran.err
    bought = {one.offer_id: one.gpus for one in demo.purchases}
    assert {one["offer_id"]: one["gpus"] for one in ran.json["commitments"]} == pytest.approx(bought)


EVIL = "=cmd|' /C calc'!A0<script>alert(1)</script>${file(1)}`$(touch x)`|x@team\x1b[31m\n\"}"


@pytest.fixture
def hostile(tranche, files):
    usage = files.table("usage.csv", [{**row, "workload": EVIL} for row in files.hours()])
    offers = files.table("offers.csv", [
        files.on_demand() | {"offer_id": f"@od{EVIL}", "provider": f"-2{EVIL}"},
        files.offer("res", "reserved", holding=2.4, term_months=12, region=EVIL) | {"offer_id": EVIL},
        files.offer("aws", "reserved", holding=2, max_gpus=10, term_months=12, region=EVIL) | {"offer_id": f"+{EVIL}"},
        files.offer("azure", "reserved", holding=1.9, max_gpus=10, term_months=12) | {"offer_id": f"a{EVIL}"},
    ])  # fmt: skip
    ran = tranche("plan", usage, "--offers", offers, "--horizon", "12mo", "--now", "2026-01-01", "--format", "json")
    assert ran.code == 0, ran.err
    return decode(ran.out.encode(), where="plan")


def test_nothing_that_a_file_says_is_markup_a_formula_or_a_command(hostile):
    page = said(hostile, "html").decode()
    assert "script" not in Page(page).tags
    assert not {name for name in Page(page).attributes if name.startswith("on") or name in {"src", "href"}}
    book = openpyxl.load_workbook(io.BytesIO(said(hostile, "xlsx")))
    formulas = [cell.value for sheet in book for row in sheet for cell in row if cell.data_type == "f"]
    assert formulas
    assert all(re.fullmatch(r"=[A-Z0-9()':!+/ a-z-]+", formula) for formula in formulas)
    assert not [formula for formula in formulas if "cmd" in formula]
    for row in csv.reader(io.StringIO(said(hostile, "focus").decode())):
        assert not [cell for cell in row if re.match(r"[=+@\t\r]|-(?![\d.]+$)", cell)]
    for form in set(FORMS) - {"xlsx"}:
        assert "\x1b" not in said(hostile, form).decode()
    lines = said(hostile, "orders").decode().splitlines()
    assert all(re.match(r"#|    |$", line) for line in lines)
    for line in lines:
        if line.startswith("    aws ") and "cmd" in line:
            assert re.search(r"--region '[^\n]*", line)
        if re.match(r"\s+\w+ = \"", line):
            assert "${file" not in line.replace("$${", "")


def test_orders_name_what_each_provider_needs(demo):
    text = said(demo, "orders").decode()
    for bought in demo.purchases:
        assert f". {bought.offer_id}\n" in text
    assert "aws ec2 purchase-capacity-block --dry-run" in text
    assert "gcloud compute commitments create" in text
    assert "To coreweave: we order 128 GPUs" in text
    assert 'resource "google_compute_region_commitment"' in text


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3"])
def test_a_plan_of_an_older_format_is_exported(tranche, version):
    path = GOLDEN / f"plan-{version}.json"
    old = json.loads(path.read_text())
    assert old["format_version"] == version
    for form in set(FORMS) - {"xlsx"}:
        ran = tranche("export", str(path), "--to", form)
        assert (ran.code, ran.err) == (0, "")
        if form not in {"focus", "orders"}:
            cost = old["summary"]["cost"]
            assert cost in ran.out or f"{Decimal(cost):,.2f}" in ran.out


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((form, ["export", WHOLE, "--to", form]) for form in sorted(set(FORMS) - {"xlsx"})),
        ("focus-1.4", ["export", WHOLE, "--to", "focus", "--focus", "1.4"]),
        ("walk-away.md", ["export", WHOLE, "--to", "md", "--walk-away"]),
        ("show.txt", ["show", WHOLE]),
        ("show.md", ["show", WHOLE, "--format", "md"]),
        ("show.csv", ["show", WHOLE, "--format", "csv"]),
    ],
)
def test_golden_documents(tranche, name, arguments, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")  # what runs the tests in parallel may say another width
    assert tranche(*arguments).out == (GOLDEN / f"document.{name}").read_text()


def test_golden_workbook(tranche, files):
    out = files.folder / "plan.xlsx"
    assert tranche("export", WHOLE, "--to", "xlsx", "--out", str(out)).code == 0
    assert cells_of(out) == (GOLDEN / "document.xlsx.txt").read_text()


def cells_of(path):
    """Write down every cell of a workbook: its place, type, format and what it holds."""
    book = openpyxl.load_workbook(path)
    return "".join(
        f"{sheet.title}!{cell.coordinate} {cell.data_type} {cell.number_format} {cell.value!r}\n"
        for sheet in book
        for row in sheet
        for cell in row
        if cell.value is not None
    )


def test_the_version_is_the_one_that_added_edits(demo):
    assert FORMAT_VERSION == "1.3"
    assert decode(encode(demo), where="plan") == demo


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_recalculates_the_same_totals(demo, tmp_path):
    book = openpyxl.load_workbook(io.BytesIO(said(demo, "xlsx")))  # read and written anew, it holds no cached value
    book.save(tmp_path / "plan.xlsx")
    subprocess.run(
        ["soffice", "--headless", f"-env:UserInstallation=file://{tmp_path}/profile", "--convert-to",
         "xlsx:Calc MS Excel 2007 XML", "--outdir", str(tmp_path / "out"), str(tmp_path / "plan.xlsx")],
        check=True, capture_output=True, timeout=180,
    )  # fmt: skip
    summary = openpyxl.load_workbook(tmp_path / "out" / "plan.xlsx", data_only=True)["Summary"]
    found = {row[0].value: row[1].value for row in summary.iter_rows(min_row=4)}
    for key, name in TOTALS.items():
        assert cents(found[name]) == cents(getattr(demo.summary, key))
    assert found["Effective savings rate, on list"] == pytest.approx(demo.summary.effective_savings_rate)


@pytest.mark.skipif(
    not (shutil.which("chromium") and shutil.which("pdftotext")), reason="Chromium or Poppler is missing"
)
def test_chromium_prints_the_whole_page_without_a_network(whole, tmp_path):
    page, printed, shot = (tmp_path / name for name in ("plan.html", "plan.pdf", "plan.png"))
    page.write_bytes(said(whole, "html", walk_away=False))
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
               "--host-resolver-rules=MAP * ~NOTFOUND"]  # fmt: skip
    for wanted in (f"--print-to-pdf={printed}", f"--screenshot={shot}"):
        subprocess.run([*browser, wanted, f"file://{page}"], check=True, capture_output=True, timeout=120)
    assert shot.read_bytes().startswith(b"\x89PNG")
    text = subprocess.run(["pdftotext", "-layout", printed, "-"], check=True, capture_output=True, text=True).stdout
    paper = paper_of(whole, finance_of(whole, Terms()), walk_away=False)
    for chapter in paper.chapters:
        assert chapter.title in text
    for key in TOTALS:
        assert f"${Decimal(getattr(whole.summary, key)):,.2f}" in text
