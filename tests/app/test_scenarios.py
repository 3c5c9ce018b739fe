"""Scenarios by the command: figures derived by hand, what a file may not say, and that every report has them."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from app.diagnostics import UsageError
from app.future import Outlook, described, settled, weighed
from app.scenario_files import scenarios_of
from app.session import Request, load
from app.settings import read as read_settings
from optimizer.edits import Change
from optimizer.ladder import PriceMove
from optimizer.scenarios import Drought
from tests.app.conftest import GPU, NOW

YEAR = 12 * 730
START = datetime(2026, 11, 21, tzinfo=UTC)
MONTH = timedelta(hours=730)
README = Path(__file__).parents[2] / "README.md"

# Ten GPUs are needed with 10 %, else none. On demand at $4.00, or reserved at $2.00 a GPU-hour, whatever comes.
RARE = """
[[scenario]]
name = "boom"
probability = 0.1
[[scenario]]
name = "quiet"
probability = "90%"
[[scenario.changes]]
workload = "train"
factor = 0.0
"""
EVEN = '[[scenario]]\nname = "as it is"\nprobability = 0.5\n[[scenario]]\nname = "other"\nprobability = 0.5\n'


@pytest.fixture
def flat(files):
    return files.table("flat.csv", [{**row, "gpu_hours": 10} for row in files.hours()])


@pytest.fixture
def book(files):
    reserved = files.offer("r", "reserved", holding=2, term_months=12)
    return files.table("book.csv", [files.on_demand(), reserved])


@pytest.fixture
def run(tranche, files, flat, book):
    """Plan ten GPUs for a year with scenarios, on demand at $4.00 or reserved at $2.00."""

    def planned(text, *arguments, code=0, usage=flat, offers=book, form="json", command="plan"):
        path = files.text("futures.toml", text)
        given = [usage, "--offers", offers, "--now", NOW, "--format", form, "--scenarios", path]
        ran = tranche(command, *given, *arguments)
        assert ran.code == code, ran.err
        return ran

    return planned


def money(text):
    return float(Decimal(text))


def outcomes(plan, name):
    return {one["scenario"]: money(one[name]) for one in plan["risk"]["outcomes"]}


# Figures


def test_the_mean_buys_nothing_for_a_rare_need(run):
    """Reserved costs $2.00 in any case, on demand 10 % of $4.00."""
    plan = run(RARE, "--tail", "90%").json
    risk = plan["risk"]
    assert plan["purchases"] == []
    assert (risk["weight"], risk["tail"]) == (0, 0.9)
    assert money(risk["expected"]) == pytest.approx(0.1 * 10 * 4 * YEAR)
    assert money(plan["summary"]["cost"]) == money(risk["expected"])
    assert outcomes(plan, "cost") == pytest.approx({"boom": 10 * 4 * YEAR, "quiet": 0})
    assert outcomes(plan, "stranded") == {"boom": 0, "quiet": 0}
    # The best plan for the boom alone is reserved.
    assert outcomes(plan, "regret") == pytest.approx({"boom": 10 * 2 * YEAR, "quiet": 0})
    assert money(risk["cvar"]) == pytest.approx(10 * 4 * YEAR)
    assert [money(risk[name]) for name in ("p5", "p50", "p95")] == pytest.approx([0, 0, 10 * 4 * YEAR])
    assert money(risk["stranded_cvar"]) == 0


def test_the_tail_buys_what_the_mean_does_not(run):
    """With all weight on the worst tenth, the boom, $2.00 in any case is better than $4.00 there."""
    plan = run(RARE, "--tail", "0.9", "--risk", "1").json
    risk = plan["risk"]
    assert [(one["offer_id"], one["gpus"]) for one in plan["purchases"]] == [("r", 10)]
    assert (risk["weight"], risk["tail"]) == (1, 0.9)
    assert [money(risk[name]) for name in ("expected", "cvar", "p5", "p50", "p95")] == pytest.approx([20 * YEAR] * 5)
    assert outcomes(plan, "stranded") == pytest.approx({"boom": 0, "quiet": 20 * YEAR})
    assert money(risk["stranded_cvar"]) == pytest.approx(20 * YEAR)
    assert outcomes(plan, "regret") == pytest.approx({"boom": 0, "quiet": 20 * YEAR}, abs=1e-3)


def test_the_frontier_turns_where_the_tail_pays_for_the_mean(run):
    """On demand weighs (1 - w) · 4 + w · 40, reserved 20: they meet at w = 16/36, between 25 % and 50 %."""
    frontier = run(RARE, "--tail", "90%").json["risk"]["frontier"]
    assert [point["weight"] for point in frontier] == [0, 0.25, 0.5, 0.75, 0.99]
    on_demand, reserved = (4 * YEAR, 40 * YEAR), (20 * YEAR, 20 * YEAR)
    expected = [on_demand, on_demand, reserved, reserved, reserved]
    assert [(money(point["expected"]), money(point["cvar"])) for point in frontier] == [
        (pytest.approx(mean), pytest.approx(tail)) for mean, tail in expected
    ]


@pytest.mark.parametrize(("weight", "bought"), [("44%", []), ("45%", ["r"])])
def test_the_weight_moves_the_plan_along_the_frontier(run, weight, bought):
    plan = run(RARE, "--tail", "90%", "--risk", weight).json
    assert [one["offer_id"] for one in plan["purchases"]] == bought


def test_growth_from_a_month_on(run):
    """Twice the demand from the sixth month on: ten GPUs more, for half a year."""
    text = f'{EVEN}[[scenario.changes]]\nworkload = "*"\nstart = "6mo"\nfactor = 2\n'
    plan = run(text).json
    # Ten are needed in any case; ten more in a quarter of the hours, for which $2.00 in all of them is too much.
    assert [(one["offer_id"], one["gpus"]) for one in plan["purchases"]] == [("r", 10)]
    base = 10 * 2 * YEAR
    assert outcomes(plan, "cost") == pytest.approx({"as it is": base, "other": base + 10 * 4 * YEAR / 2})
    dated = text.replace('"6mo"', f"{START + 6 * MONTH:%Y-%m-%dT%H:%M:%SZ}")
    assert run(dated).json["risk"] == plan["risk"]


def test_prices_that_fall_in_one_future(run):
    """New hardware halves the on-demand price twice from the third month on: to $1.00, below the $2.00 reserved.

    Reserved costs 2; on demand (4 · 3 + 9 · 1) / 12 = 1.75 where prices fall and 4 where they do not: with 80 % on the
    fall 2.2 are expected, with 95 % 1.8625.
    """
    text = '{}[[scenario]]\nname = "stays"\nprobability = {}\n'
    fall = '[[scenario]]\nname = "falls"\nprobability = {}\n[[scenario.prices]]\nfrom = "3mo"\nfactor = 0.25\n'
    likely, sure = (run(text.format(fall.format(p), q)).json for p, q in ((0.8, 0.2), (0.95, 0.05)))
    assert [one["offer_id"] for one in likely["purchases"]] == ["r"]
    assert sure["purchases"] == []
    # Those who reserved still pay on demand only what is cheaper: nothing. So regret is what waiting had saved.
    assert outcomes(likely, "regret") == pytest.approx({"falls": 10 * 0.25 * YEAR, "stays": 0}, abs=1e-3)
    assert outcomes(sure, "cost") == pytest.approx({"falls": 10 * 1.75 * YEAR, "stays": 10 * 4 * YEAR})


def test_spot_that_runs_dry(run, files):
    """Spot at $1.00 is away for three of twelve months in one of two futures, and on demand at $4.00 stands in."""
    usage = files.table("soft.csv", [{**row, "gpu_hours": 10, "interruptible": "true"} for row in files.hours()])
    offers = files.table("spot.csv", [files.on_demand(), files.offer("s", "spot", usage=1)])
    drought = '[[scenario.droughts]]\ngpu_model = "H100*"\nfrom = "3mo"\nuntil = "6mo"\n'
    plan = run(EVEN + drought, usage=usage, offers=offers).json
    assert outcomes(plan, "cost") == pytest.approx({"as it is": 10 * YEAR, "other": 10 * (9 * 1 + 3 * 4) / 12 * YEAR})
    endless = run(EVEN + '[[scenario.droughts]]\nfrom = "6mo"\n', usage=usage, offers=offers).json
    assert outcomes(endless, "cost")["other"] == pytest.approx(10 * (1 + 4) / 2 * YEAR)


def test_one_scenario_is_the_plan_without_any(run, tranche, flat, book):
    certain = run('[[scenario]]\nname = "sure"\nprobability = 1\n').json
    plain = tranche("plan", flat, "--offers", book, "--now", NOW, "--format", "json").json
    assert plain["risk"] is None
    assert {**certain["summary"], "solver": None} == {**plain["summary"], "solver": None}
    cost = plain["summary"]["cost"]
    assert {certain["risk"][name] for name in ("expected", "cvar", "p5", "p50", "p95")} == {cost}


# Reports


def test_the_plan_file_meets_its_schema_and_names_the_file(run, tranche):
    plan = run(RARE, "--risk", "0.5").json
    jsonschema.Draft202012Validator(tranche("schema", "plan").json).validate(plan)
    options = plan["inputs"]["options"]
    assert re.fullmatch(r"[0-9a-f]{64}", options["scenarios"]["sha256"])
    assert options["scenarios"]["path"].endswith("futures.toml")
    assert options["outlook"] == {"scenarios": options["scenarios"]["path"], "risk": "50%"}
    assert {len(one) for one in (plan["risk"]["outcomes"], plan["risk"]["frontier"])} == {2, 5}


def test_the_same_scenarios_give_the_same_bytes_and_show_them_again(run, tranche, files):
    saved = files.folder / "plan.json"
    first = run(RARE, "--risk", "0.5", "--out", str(saved))
    assert saved.read_text("utf-8") == first.out == run(RARE, "--risk", "0.5").out
    for form in ("table", "md", "json"):
        assert tranche("show", str(saved), "--format", form).out == run(RARE, "--risk", "0.5", form=form).out


@pytest.mark.parametrize("form", ["table", "md"])
def test_reports_show_measures_scenarios_and_frontier(run, form):
    text = run(RARE, "--tail", "90%", "--risk", "100%", form=form).out.replace("\\", "")
    risk = run(RARE, "--tail", "90%", "--risk", "100%").json["risk"]
    for name in ("expected", "cvar", "p5", "p50", "p95", "stranded_cvar"):
        assert f"${Decimal(risk[name]):,.2f}" in text
    cells = [[cell.strip() for cell in re.split(r"\||  +", line) if cell.strip()] for line in text.splitlines()]
    assert ["boom", "10 %", "$175,200.00", "$0.00", "$0.00"] in cells
    assert ["quiet", "90 %", "$175,200.00", "$175,200.00", "$175,200.00"] in cells
    assert ["0 %", "$35,040.00", "$350,400.00"] in cells
    assert ["99 %", "$175,200.00", "$175,200.00"] in cells
    assert ["Mean of the worst 10 % (CVaR)", "$175,200.00"] in cells


def test_without_scenarios_no_report_speaks_of_risk(tranche, flat, book):
    for form in ("table", "md"):
        assert "Risk" not in tranche("plan", flat, "--offers", book, "--now", NOW, "--format", form).out


def test_a_name_commands_no_terminal_and_no_page(run):
    name = "\\u001b[2J<img src=x>|@team"
    text = RARE.replace('"boom"', f'"{name}"')
    for form in ("table", "md", "json", "csv"):
        out = run(text, form=form).out
        assert "\x1b" not in out
    assert not re.search(r"(?<!\\)<img|@team", run(text, form="md").out)


# What else plans


def test_settings_name_scenarios_and_options_win(tranche, files, flat, book):
    files.text("futures.toml", RARE)
    files.text("tranche.toml", '[plan]\nscenarios = "futures.toml"\nrisk = "100%"\ntail = 0.9\n')

    def planned(*arguments):
        ran = tranche("plan", flat, "--offers", book, "--now", NOW, "--format", "json", *arguments)
        assert ran.code == 0, ran.err
        return ran.json["risk"]

    assert (planned()["weight"], planned()["tail"]) == (1, 0.9)
    assert planned("--risk", "0")["weight"] == 0
    assert planned("--scenarios", "none") is None
    refused = tranche("plan", flat, "--offers", book, "--now", NOW, "--scenarios", "none", "--risk", "0.1")
    assert refused.code == 2
    assert "--risk: there are no scenarios to weigh" in refused.err


@pytest.mark.parametrize(("weight", "worth"), [("0", 0.4), ("100%", 2.0)])
def test_walk_away_prices_are_those_of_all_scenarios(run, weight, worth):
    """To the mean a quote saves 10 % of $4.00 on demand; to the tail alone it stands in for $2.00 reserved."""
    given = ("--offer", f"v:{GPU}=1/h,contract,10gpus,12mo,name=q", "--tail", "90%", "--risk", weight)
    [quote] = run(RARE, *given, command="walkaway").json["walk_away"]
    assert money(quote["walk_away_usd_per_gpu_hour"]) == pytest.approx(worth)
    assert quote["verdict"] == ("accept" if worth > 1 else "counter")


def test_a_backtest_has_no_scenarios(run, tranche, flat, book):
    with_scenarios = run(RARE, "--train", "1/2", command="backtest").json
    without = tranche("backtest", flat, "--offers", book, "--now", NOW, "--format", "json", "--train", "1/2").json
    assert with_scenarios == without


# What is read


def scenarios(text, files, offers=None):
    session = load(Request(now=START, usage=(files.usage,), offers=(offers or files.offers,)))
    return scenarios_of(files.text("s.toml", text), start=START, offers=session.inputs.offers)


def test_everything_that_a_scenario_may_say(files):
    found = scenarios(
        """
        [[scenario]]
        name = "a"
        probability = 0.333333
        [[scenario.changes]]
        workload = "train"
        start = "6mo"
        end = 2027-08-01
        per_month = "5%"
        [[scenario.changes]]
        workload = "new"
        gpu_model = "h100-sxm"
        gpus = 8
        start = 1.5
        [[scenario]]
        name = "b"
        probability = "33.3333%"
        [[scenario.prices]]
        gpu_model = "h100-sxm"
        from = "1y"
        factor = 0.6
        [[scenario]]
        name = "c"
        probability = 0.333334
        [[scenario.droughts]]
        from = 2026-12-21
        """,
        files,
    )
    assert [one.probability for one in found.scenarios] == pytest.approx([1 / 3] * 3, abs=2e-6)
    assert sum(one.probability for one in found.scenarios) == pytest.approx(1, abs=1e-15)
    assert [one.changes for one in found.scenarios] == [
        (
            Change(workload="train", start=START + 6 * MONTH, end=datetime(2027, 8, 1, tzinfo=UTC), per_month=0.05),
            Change(workload="new", gpu_model=GPU, gpus=8, start=START + 1.5 * MONTH),
        ),
        (),
        (),
    ]
    assert found.scenarios[1].moves == (PriceMove(gpu_model=GPU, from_month=12, factor=0.6),)
    drought = Drought(gpu_model="*", provider="*", from_month=30 * 24 / 730, until_month=600)
    assert found.scenarios[2].droughts == (drought,)


def test_what_changes_nothing_is_said_with_its_scenario(files):
    text = (
        '[[scenario]]\nname = "a"\nprobability = 1\n'
        '[[scenario.prices]]\ngpu_model = "B200*"\nfrom = "1mo"\nfactor = 2\n'
        '[[scenario.droughts]]\nprovider = "aws"\n'
    )
    assert [(one.level, one.where, one.message) for one in scenarios(text, files).diagnostics] == [
        ("warning", "s.toml: a", "no offer is of GPU model 'B200*', so that no price of it moves"),
        (
            "warning",
            "s.toml: a: [[scenario.droughts]]",
            "no offer is spot of GPU model '*' at provider 'aws', so that none runs dry",
        ),
    ]


ONE = '[[scenario]]\nname = "a"\nprobability = 1\n'
FAULTS = {
    "nothing": ("", "s.toml: has no scenario; write each under a line [[scenario]], at most 50"),
    "too many": (
        "".join(f'[[scenario]]\nname = "{index}"\nprobability = 0.01\n' for index in range(51)),
        "s.toml: has 51 scenarios; write each under",
    ),
    "no TOML": ("[[scenario", "s.toml: Expected ']]' at the end of an array declaration (at "),
    "not text": (b"\xff\xfe", "s.toml: is not text; give a TOML file"),
    "other tables": ("[[scenarios]]\n", "s.toml: has no table or key 'scenarios'; did you mean scenario?"),
    "one table": ("[scenario]\n", "s.toml: scenario is no list of tables; write each under a line [[scenario]]"),
    "no name": ("[[scenario]]\nprobability = 1", "s.toml: [[scenario]]: Object missing required field `name`"),
    "empty name": ('[[scenario]]\nname = ""\nprobability = 1', "s.toml: [[scenario]] name: Expected `str` of length"),
    "no probability": ('[[scenario]]\nname = "a"', "s.toml: [[scenario]]: Object missing required field `probability`"),
    "unknown key": (f"{ONE}change = 1", "s.toml: [[scenario]] has no key 'change'; did you mean changes?"),
    "never": (
        f'{ONE}[[scenario]]\nname = "b"\nprobability = 0',
        "s.toml: [[scenario]] 2 probability: b cannot come; leave it out",
    ),
    "more than sure": ('[[scenario]]\nname = "a"\nprobability = 1.5', "s.toml: [[scenario]] probability: 1.5 is no"),
    "not all": (EVEN.replace("0.5", "0.45"), "s.toml: the probabilities of the scenarios add up to 0.9; make that 1"),
    "almost": (
        EVEN.replace("0.5", "0.500001"),
        "s.toml: the probabilities of the scenarios add up to 1.000002; make that 1",
    ),
    "one name": (EVEN.replace("other", "as it is"), "s.toml: two scenarios are called 'as it is'; give each a name"),
    "known already": (
        f'{ONE}[[scenario.prices]]\nfactor = 2\ngpu_model = "{GPU}"',
        f"s.toml: a: [[scenario.prices]]: the price of {GPU} moves no later than the plan begins, and is known then",
    ),
    "a past day": (f"{ONE}[[scenario.prices]]\nfactor = 2\nfrom = 2026-01-01", "s.toml: a: [[scenario.prices]]: the"),
    "free": (f'{ONE}[[scenario.prices]]\nfactor = 0\nfrom = "1mo"', "s.toml: a: [[scenario.prices]] factor: Expected"),
    "no change": (f'{ONE}[[scenario.changes]]\nworkload = "x"', "s.toml: a: [[scenario.changes]]: says no change"),
    "no start": (
        f'{ONE}[[scenario.changes]]\nworkload = "x"\nretire = true\nstart = "soon"',
        "s.toml: a: [[scenario.changes]] start: 'soon' is no time in months; write 6mo or 1y",
    ),
    "backwards": (
        f'{ONE}[[scenario.droughts]]\nfrom = "6mo"\nuntil = "6mo"',
        "s.toml: a: [[scenario.droughts]]: is over before it begins; correct from or until",
    ),
    "long ago": (f"{ONE}[[scenario.droughts]]\nuntil = 2026-01-01", "s.toml: a: [[scenario.droughts]]: is over before"),
    "unknown of a drought": (f"{ONE}[[scenario.droughts]]\ngpu = 1", "s.toml: a: [[scenario.droughts]] has no key"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_refused(files, fault):
    text, expected = FAULTS[fault]
    with pytest.raises(UsageError) as caught:
        scenarios(text, files)
    assert str(caught.value).startswith(expected)


def test_a_file_that_is_not_there_is_a_fault_of_the_command(tranche, files):
    ran = tranche("plan", files.usage, "--offers", files.offers, "--now", NOW, "--scenarios", "gone.toml")
    assert (ran.code, ran.out) == (2, "")
    assert "gone.toml: cannot be read (No such file or directory); check the path given to --scenarios" in ran.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--risk", "2"), "--risk: '2' is no percentage between 0% and 100%"),
        (("--risk", "-1%"), "--risk: '-1%' is no percentage"),
        (("--tail", "1"), "--tail: '1' is no percentage"),
        (("--tail", "100%"), "--tail: '100%' leaves no tail; write 95% for the worst twentieth, at most 99.9%"),
    ],
)
def test_weights_that_cannot_be_read(run, given, said):
    assert said in run(RARE, *given, code=2).err


@pytest.mark.parametrize("name", ["risk", "tail"])
def test_a_weight_without_scenarios_has_nothing_to_weigh(tranche, files, name):
    ran = tranche("plan", files.usage, "--offers", files.offers, f"--{name}", "50%")
    assert ran.code == 2
    assert f"--{name}: there are no scenarios to weigh; name a file with --scenarios, or scenarios in [plan]" in ran.err


def test_limits_on_shares_do_not_go_with_a_weight_of_risk(run):
    refused = run(RARE, "--risk", "50%", "--limit", "spot<=40%", code=2)
    assert "scenarios: do not go with limits on shares under a weight of risk; take one of the two out" in refused.err
    run(RARE, "--limit", "spot<=40%")


def test_what_the_settings_say_of_risk():
    table = '[plan]\nscenarios = "f.toml"\nrisk = 1\ntail = "90%"\n'
    said = read_settings(table, where="tranche.toml").outlook
    assert said == Outlook(scenarios="f.toml", risk=1, tail=0.9)
    asked = weighed(Outlook(), scenarios=None, risk="25%", tail=None)
    found = settled(asked, said, months=12)
    assert found == Outlook(scenarios="f.toml", risk=0.25, tail=0.9)
    assert described(found, commit_idle=False) == {"scenarios": "f.toml", "risk": "25%"}
    with pytest.raises(UsageError, match=r"^tranche.toml: \[plan\] tail: '100%' leaves no tail"):
        read_settings("[plan]\ntail = '100%'\n", where="tranche.toml")


def test_the_example_of_the_readme_is_a_file_of_scenarios(files):
    section = README.read_text("utf-8").partition("## Several futures")[2].partition("\n## ")[0]
    indented = "\n".join(line.removeprefix("    ") for line in section.splitlines() if line.startswith("    "))
    start = indented.index("[[scenario]]")
    found = scenarios(indented[start:], files).scenarios
    assert {one.name: one.probability for one in found} == pytest.approx(
        {"as expected": 0.5, "growth, and prices rise": 0.3, "new hardware": 0.2}
    )
    assert found[1].changes == (Change(workload="*", start=START + 3 * MONTH, per_month=0.04),)
    assert found[1].moves == (PriceMove(gpu_model="*", from_month=6, factor=1.2),)
    assert found[2].moves == (PriceMove(gpu_model="H100*", from_month=6, factor=0.6),)
    assert found[2].droughts == (Drought(gpu_model="*", provider="aws", from_month=3, until_month=6),)
