"""A plan beyond today's prices: forecasts, planned changes, purchase dates, prices to come, data that has to move."""

import math
import re
from pathlib import Path

import pytest

from app.commands.options import time_of
from app.session import Request, load
from app.settings import read
from optimizer.demand import history_of
from tests.app.conftest import DEMAND, GPU, NOW

HOURS = 12 * 730
README = Path(__file__).parents[2] / "README.md"


def run(tranche, files, *arguments, command="plan", usage=None, offers=None, code=0):
    given = [usage or files.usage, "--offers", offers or files.offers, "--now", NOW, "--format", "json"]
    ran = tranche(command, *given, *arguments)
    assert ran.code == code, ran.err
    return ran


@pytest.fixture
def weeks(files):
    """Four weeks: 10 GPUs in the first two, 20 in the third, 30 in the last."""
    gpus = [10] * 336 + [20] * 168 + [30] * 168
    return files.table(
        "weeks.csv",
        [
            {"hour": f"2026-04-{1 + hour // 24:02}T{hour % 24:02}:00:00Z", "workload": "train", "gpu_model": GPU,
             "gpu_hours": need}
            for hour, need in enumerate(gpus)
        ],
    )  # fmt: skip


def cost(ran):
    return float(ran.json["summary"]["cost"])


def test_a_forecast_plans_what_it_expects_and_says_how_far_off_it_was(tranche, files, weeks):
    typical = run(tranche, files, usage=weeks)
    naive = run(tranche, files, "--forecast", "seasonal_naive", usage=weeks)
    assert cost(typical) == pytest.approx((10 * 2 + 20 + 30) / 4 * 4 * HOURS)
    assert cost(naive) == pytest.approx(30 * 4 * HOURS)
    # Two weeks of trials, each of a week: 10 for 20 and 20 for 30 is 20 off of 50.
    note = "demand is forecast by seasonal naive: 40.0 % off on your last 2 weeks"
    assert note in naive.err
    assert [one["message"] for one in naive.json["diagnostics"] if one["code"] == "forecast"] == [note]
    assert "forecast" not in typical.err
    table = tranche("plan", weeks, "--offers", files.offers, "--now", NOW, "--forecast", "seasonal_naive")
    assert f"tranche: note: {note}\n" in table.err


def test_settings_and_options_ask_for_the_same(tranche, files, weeks):
    files.text("tranche.toml", '[plan]\nforecast = "seasonal_naive"\n')
    said = run(tranche, files, usage=weeks)
    assert cost(said) == pytest.approx(30 * 4 * HOURS)
    over = run(tranche, files, "--forecast", "typical", usage=weeks)
    assert cost(over) == pytest.approx(17.5 * 4 * HOURS)
    refused = run(tranche, files, "--horizon", "history", usage=weeks, code=2)
    assert "the horizon is the history, and there is nothing to forecast" in refused.err


def test_growth_grows(tranche, files):
    plain, grown = (cost(run(tranche, files, "--growth", pct)) for pct in ("0%", "10%"))
    assert plain == pytest.approx(sum(DEMAND) / 8 * 4 * HOURS)
    # The plan begins 5,612 hours after the middle of the eight: the mean of 1.1^m from month 7.69 to 19.69.
    begins = 5612 / 730
    mean = (1.1 ** (begins + 12) - 1.1**begins) / (12 * math.log(1.1))
    assert grown == pytest.approx(plain * mean, rel=0.01)


def test_planned_changes_change_the_demand(tranche, files):
    files.text(
        "tranche.toml",
        f'[[changes]]\nworkload = "new"\ngpu_model = "{GPU}"\ngpus = 8\nstart = 2027-05-22T12:00:00Z\n'
        '[[changes]]\nworkload = "train"\nfactor = 0.5\n',
    )
    ran = run(tranche, files)
    # 2027-05-22T12 is six months of 730 hours after 2026-11-21.
    assert ran.json["summary"]["gpu_hours"] == pytest.approx(65 * 0.5 * HOURS + 8 * HOURS / 2)


def test_a_change_that_cannot_be_made_is_a_fault_of_the_settings(tranche, files):
    files.text("tranche.toml", f'[[changes]]\nworkload = "new"\ngpu_model = "{GPU}"\ngpus = 8\nlike = "nobody"\n')
    assert "is to be like nobody, which the usage does not have" in run(tranche, files, code=2).err
    assert run(tranche, files, command="walkaway", code=2).out == ""


@pytest.mark.parametrize("command", ["plan", "walkaway", "backtest"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--forecast", "tomorrow"), "--forecast: there is no forecast 'tomorrow'; use best, typical"),
        (("--growth", "5"), "--growth: '5' is no percentage"),
        (("--ladder", "soon"), "--ladder: 'soon' is no time in months; write 6mo"),
        (("--capital", "lots"), "--capital: 'lots' is no percentage"),
    ],
)
def test_options_that_cannot_be_read(tranche, files, command, given, said):
    ran = run(tranche, files, *given, command=command, code=2)
    assert said in ran.err


def test_a_forecast_that_reaches_too_far_is_a_fault_of_the_command(tranche, files):
    ran = run(tranche, files, "--forecast", "trend", "--horizon", "5y", code=2)
    assert "a horizon of 60 months is too far ahead for trend; plan at most 36mo" in ran.err


def test_a_backtest_says_what_the_forecast_would_have_come_to(tranche, files, weeks):
    ran = run(tranche, files, "--forecast", "seasonal_naive", "--train", "3/4", usage=weeks, command="backtest")
    assert "the plan of the forecast seasonal_naive" in [one["rule"] for one in ran.json["outcomes"]]


def test_a_ladder_buys_later_where_a_price_falls(tranche, files):
    offers = files.table("book.csv", [files.on_demand(), files.offer("r", "reserved", holding=2.4, term_months=6)])
    files.text("tranche.toml", f'[[prices]]\ngpu_model = "{GPU}"\nfrom = "6mo"\nfactor = 0.5\n')
    flat = files.table("flat.csv", [{**row, "gpu_hours": 10} for row in files.hours()])
    now = run(tranche, files, offers=offers, usage=flat)
    ladder = run(tranche, files, "--ladder", "6mo", offers=offers, usage=flat)
    # At once: ten GPUs at $2.40, or on demand at $2.00 from the sixth month on, but a price is kept on renewal.
    assert cost(now) == pytest.approx(10 * 2.4 * HOURS)
    assert cost(ladder) == pytest.approx(10 * (2.4 + 1.2) / 2 * HOURS)
    assert [one["offer_id"] for one in ladder.json["purchases"]] == ["r", "r+6mo"]


def test_capital_makes_cash_at_the_start_dearer(tranche, files):
    rows = [files.offer("up", "reserved", holding=2.39, upfront_share=1, term_months=12),
            files.offer("monthly", "reserved", holding=2.4, term_months=12)]  # fmt: skip
    offers = files.table("book.csv", rows)
    flat = files.table("flat.csv", [{**row, "gpu_hours": 10} for row in files.hours()])
    bought = [
        run(tranche, files, "--capital", pct, offers=offers, usage=flat).json["purchases"][0]["offer_id"]
        for pct in ("0%", "8%")
    ]
    assert bought == ["up", "monthly"]


def test_idle_gpus_are_planned_for_when_asked(tranche, files):
    rows = [{**row, "effective_cost": 1} for row in files.hours()]
    idle = [{**row, "workload": "", "gpu_hours": 5, "effective_cost": 20, "residual": "idle"} for row in rows]
    usage = files.table("bill.csv", [*rows, *idle])
    without, with_idle = run(tranche, files, usage=usage), run(tranche, files, "--commit-idle", usage=usage)
    assert "40 idle GPU-hours, $160.00 in the history, are not planned for; --commit-idle plans for them" in without.err
    assert "40 idle GPU-hours, $160.00 in the history, are planned for as the workload idle" in with_idle.err
    assert with_idle.json["summary"]["gpu_hours"] - without.json["summary"]["gpu_hours"] == pytest.approx(5 * HOURS)
    assert float(with_idle.json["summary"]["current_cost"]) == pytest.approx((8 + 160) / 8 * HOURS)
    assert {one["workload"] for one in with_idle.json["mix"]} == {"train", "idle"}
    only = files.table("idle.csv", idle)
    assert run(tranche, files, "--commit-idle", usage=only).json["summary"]["gpu_hours"] == pytest.approx(5 * HOURS)
    run(tranche, files, usage=only, code=6)


# Data that has to move


def loaded(files, toml, rows=None):
    files.text("tranche.toml", toml)
    usage = files.table("placed.csv", rows or [{**row, "provider": "aws"} for row in files.hours()])
    offers = files.table(
        "two.csv", [{**files.on_demand(), "provider": name, "offer_id": name} for name in ("aws", "gcp")]
    )
    return load(Request(now=time_of(NOW), usage=(usage,), offers=(offers,)))


def egress(session, workload="train"):
    [stream] = [
        one for one in history_of(session.inputs.usage, session.inputs.rules).streams if one.workload == workload
    ]
    return stream.leaving_usd_per_gpu_hour


def test_egress_at_a_price_of_one_s_own():
    table = '[egress]\naws = 0.05\n[workloads."tr*"]\negress_gb_per_gpu_hour = 2\n'
    assert read(table, where="x").reading.usd_per_gb == {"aws": 0.05}


def test_data_leaves_where_the_workload_runs_at_the_price_per_gb(files):
    session = loaded(files, '[egress]\naws = 0.05\n[workloads."tr*"]\negress_gb_per_gpu_hour = 2\n')
    assert egress(session) == pytest.approx(0.10)
    assert session.diagnostics == ()


def test_without_a_price_the_bundled_tiers_count_by_what_would_leave_in_a_month(files):
    session = loaded(files, '[workloads."tr*"]\negress_gb_per_gpu_hour = 0.2\n')
    # 65 GPUs, 0.2 GB an hour: 9,490 GB a month, of which aws gives 100 and asks $0.09 for each of the rest.
    month = 65 * 0.2 * 730
    assert egress(session) == pytest.approx(0.2 * (month - 100) * 0.09 / month)


def test_of_two_globs_the_later_says_how_much_is_read_and_where(files):
    toml = (
        '[egress]\ngcp = 0.5\n[workloads."*"]\negress_gb_per_gpu_hour = 9\ndata_at = "aws"\n'
        '[workloads."tr*"]\negress_gb_per_gpu_hour = 1\ndata_at = "gcp"\n'
    )
    assert egress(loaded(files, toml)) == pytest.approx(0.5)


def test_a_name_with_signs_of_a_glob_is_priced_by_its_own_name(files):
    rows = [{**row, "provider": "aws", "workload": name} for row in files.hours() for name in ("a[1]", "a1")]
    session = loaded(files, '[egress]\naws = 1\n[workloads."a[[]1]"]\negress_gb_per_gpu_hour = 3\n', rows)
    assert (egress(session, "a[1]"), egress(session, "a1")) == (3, 0)


def test_without_a_home_egress_is_not_counted_and_said(files):
    rows = [{**row, "provider": "aws" if place else "gcp"} for place, row in enumerate(files.hours())]
    session = loaded(files, '[workloads."tr*"]\negress_gb_per_gpu_hour = 1\n', rows)
    assert egress(session) == 0
    assert [one.code for one in session.diagnostics] == ["no-home"]


def test_where_nobody_knows_the_price_somebody_has_to_say_it(tranche, files):
    files.text("tranche.toml", '[workloads."tr*"]\negress_gb_per_gpu_hour = 1\ndata_at = "od"\n')
    ran = run(tranche, files, code=2)
    assert "nobody knows what egress from od costs, where the data of train is; write od = 0.09 there" in ran.err


def test_a_provider_that_nobody_else_names_is_doubted(files):
    toml = '[workloads."tr*"]\nquality = {gpc = 0.9, aws = 1}\n'
    [found] = loaded(files, toml).diagnostics
    assert (found.code, found.hint) == ("unknown-provider", "did you mean gcp?")


def test_moving_costs_keep_a_workload_where_a_lower_price_would_not_pay(tranche, files):
    usage = files.table("placed.csv", [{**row, "provider": "aws"} for row in files.hours()])
    rows = [
        files.offer("a", "on_demand", usage=4, provider="aws"),
        files.offer("g", "on_demand", usage=3, provider="gcp"),
    ]
    offers = files.table("two.csv", rows)

    def providers(toml):
        files.text("tranche.toml", toml)
        ran = run(tranche, files, usage=usage, offers=offers)
        return {one["offer_id"] for one in ran.json["mix"]}, cost(ran) / (65 * HOURS)

    table = '[workloads."tr*"]\n'
    assert providers(table) == ({"g"}, pytest.approx(3))
    assert providers(f"{table}quality = {{gcp = 0.7}}\n") == ({"a"}, pytest.approx(4))
    assert providers(f"[egress]\naws = 0.1\n{table}egress_gb_per_gpu_hour = 11\n") == ({"a"}, pytest.approx(4))
    assert providers(f"{table}migration_usd = {0.5 * 65 * HOURS}\n") == ({"g"}, pytest.approx(3.5))
    assert providers(f"{table}overlap_hours = {0.2 * HOURS}\n") == ({"g"}, pytest.approx(3.6))


def test_the_examples_of_the_readme_are_read():
    page = README.read_text("utf-8")
    section = page[page.index("## Beyond today's prices") :].split("\n## ", 1)[0]
    blocks = [
        re.sub("^    ", "", block, flags=re.MULTILINE)
        for block in re.findall(r"(?:^    .*\n|^\n)+", section, re.MULTILINE)
    ]
    found = [read(block, where="README.md") for block in blocks if block.strip().startswith("[")]
    assert [len(one.changes) for one in found if one.changes]
    assert [one.prices for one in found if one.prices]
    assert [one.outlook.forecast for one in found if one.outlook.forecast]
    assert [one.reading.gb_per_gpu_hour for one in found if one.reading.gb_per_gpu_hour]
