"""Gates of `tranche plan`: each fails by its cause, with the plan written, and says its name, value and limit."""

import json
from decimal import Decimal

import pytest

from app.diagnostics import UsageError
from app.gate_rules import limit_of

GPU = "H100-SXM-80GB"
NOW = "2026-11-21T00:00:00Z"


@pytest.fixture
def gated(tranche, files):
    """Plan Oracle-8 with 60 GPUs on offer at $2.40 and further arguments; return what ran and the plan written."""
    out = files.folder / "plan.json"

    def run(*arguments, usage=files.usage, offers=files.offers):
        out.unlink(missing_ok=True)
        given = [usage, "--offers", offers, "--offer", f"r:{GPU}=2.40/h,reserved,12mo,25%upfront,name=r"]
        ran = tranche("plan", *given, "--horizon", "history", "--now", NOW, "--out", str(out), *arguments)
        return ran, json.loads(out.read_text()) if out.exists() else None

    return run


def owned(files, **more):
    row = files.offer("old", "reserved", holding=2, gpus=8, commitment_id="owned-8") | more
    return files.table("commitments.csv", [row])


def said(ran):
    return [line for line in ran.err.splitlines() if "gate " in line]


@pytest.mark.parametrize(
    ("gate", "limit", "passes", "line"),
    [
        ("over", "1551", "1552", "the cost over the hours planned is $1,552.00; the limit is $1,551.00"),
        (
            "savings-missed",
            "527",
            "528",
            "what buying nothing new costs more than this plan is $528.00; the limit is $527.00",
        ),
        ("stale", "30", "400", "the age of the prices of offers.csv is 325 days; the limit is 30 days"),
        ("untagged", "10%", "25%", "the share of GPU-hours without team is 11.54 %; the limit is 10 %"),
        ("utilization-below", "90%", "87.5%", "the utilization of commitments is 87.5 %; the limit is 90 %"),
    ],
)
def test_each_gate_fails_by_its_cause(gated, files, gate, limit, passes, line):
    rows = [{**row, "team": "" if index == 3 else "red"} for index, row in enumerate(files.hours())]
    usage = files.table("tagged.csv", rows)
    offers = files.table("offers.csv", [files.on_demand(as_of="2025-12-31")])
    ran, plan = gated(f"--fail-{gate}", limit, usage=usage, offers=offers)
    assert ran.code == 3
    assert said(ran) == [f"tranche: error: gate fail-{gate} failed: {line}"]
    assert ran.out.startswith("GPU plan: $1,552.00")
    [found] = plan["gates"]
    assert (found["name"], found["outcome"]) == (f"fail-{gate}", "failed")
    ran, plan = gated(f"--fail-{gate}", passes, usage=usage, offers=offers)
    assert (ran.code, said(ran), plan["gates"][0]["outcome"]) == (0, [], "passed")


def test_usage_that_ended_long_ago_is_stale(gated, files):
    offers = files.table("offers.csv", [files.on_demand(as_of="2026-11-20")])
    ran, plan = gated("--fail-stale", "30", offers=offers)
    days = 233 + 16 / 24  # from 2026-04-01T08:00 to 2026-11-21
    assert ran.code == 3
    assert plan["gates"][0]["value"] == pytest.approx(days)
    assert "the age of the usage is 233.67 days; the limit is 30 days" in ran.err


def test_prices_of_no_day_are_stale_and_typed_quotes_are_not(gated):
    ran, plan = gated("--fail-stale", "9999")
    assert ran.code == 3
    assert plan["gates"][0]["value"] is None
    assert (
        "the age of prices without as_of in offers.csv cannot be measured or has no bound; the limit is 9,999 days"
        in ran.err
    )


def test_break_even(gated):
    """A quarter of $2.40 · 60 GPUs · 8,760 h at the start; each hour used avoids $4, each hour paid costs $1.80."""
    ran, plan = gated("--fail-break-even-above", "3mo")
    months = 0.25 * 2.4 * 8760 / (0.875 * 4.0 - 0.75 * 2.4) / 730
    assert ran.code == 3
    assert plan["gates"][0]["value"] == pytest.approx(months, abs=1e-6)
    assert gated("--fail-break-even-above", "5")[0].code == 0


def test_expiring(gated, files):
    ends = owned(files, start="2025-12-01T00:00:00Z", end="2026-12-01T00:00:00Z")
    ran, plan = gated("--commitments", ends, "--fail-expiring-within", "10")
    assert ran.code == 3
    assert "gate fail-expiring-within failed: the time until owned-8 ends is 10 days; the limit is 10 days" in ran.err
    assert plan["gates"][0]["value"] == 10.0
    assert gated("--commitments", ends, "--fail-expiring-within", "9")[0].code == 0


def test_increase_against_another_plan(gated, files):
    gated()
    old = files.text("old.json", (files.folder / "plan.json").read_bytes())
    more = files.table("more.csv", [{**row, "gpu_hours": float(row["gpu_hours"]) * 1.5} for row in files.hours()])
    ran, plan = gated("--against", old, "--fail-increase", "49%", usage=more)
    assert ran.code == 3
    assert plan["gates"][0]["value"] == pytest.approx(0.5)
    assert "is 50 %; the limit is 49 %" in ran.err
    assert "note: compared with the plan of --against: $1,552.00 to $2,328.00: $776.00 more (50 %)" in ran.err
    assert gated("--against", old, "--fail-increase", "50%", usage=more)[0].code == 0


def test_savings_missed_by_keeping_to_the_approved_plan(gated, files):
    """The old plan bought 60 GPUs; half as much demand again would be cheaper with 90, by hand."""
    gated()
    old = files.text("old.json", (files.folder / "plan.json").read_bytes())
    demand = [float(row["gpu_hours"]) * 1.5 for row in files.hours()]
    more = files.table(
        "more.csv", [{**row, "gpu_hours": need} for row, need in zip(files.hours(), demand, strict=True)]
    )
    kept = 60 * 2.4 * 8 + 4 * sum(max(need - 60, 0) for need in demand)
    best = 90 * 2.4 * 8 + 4 * sum(max(need - 90, 0) for need in demand)
    ran, plan = gated("--against", old, "--fail-savings-missed", "0", usage=more)
    assert ran.code == 3
    assert Decimal(plan["gates"][0]["value"]) == pytest.approx(Decimal(kept - best))


def test_what_is_owned_already_is_not_kept_twice(gated, files):
    gated()
    old = files.text("old.json", (files.folder / "plan.json").read_bytes())
    bought = owned(files, offer_id="r", gpus=60, holding_usd_per_gpu_hour=2.4)
    ran, plan = gated("--against", old, "--commitments", bought, "--fail-savings-missed", "0")
    assert ran.code == 0, ran.err
    assert Decimal(plan["gates"][0]["value"]) == 0


@pytest.mark.parametrize(
    ("budget", "outcome", "code"), [(141620, "warned", 0), (141619, "failed", 3), (200000, "passed", 0)]
)
def test_budgets(gated, files, budget, outcome, code):
    """$194 an hour is $141,620 a month of 730 hours."""
    config = files.text("b.toml", f'[budgets]\n"*" = {budget}\n"other/*" = "1"\n')
    ran, plan = gated("--config", config)
    assert ran.code == code
    assert [(gate["name"], gate["outcome"]) for gate in plan["gates"]] == [
        ("budget *", outcome),
        ("budget other/*", "passed"),
    ]
    assert plan["gates"][0]["value"] == "141620.00"
    assert ("warning: gate budget * warned" in ran.err) == (outcome == "warned")


def test_settings_hold_gates_and_the_command_line_wins(gated, files):
    config = files.text("g.toml", '[gates]\nover = "1k"\nincrease = "1%"\nutilization_below = "50%"\n')
    ran, plan = gated("--config", config)
    assert ran.code == 3
    assert [gate["name"] for gate in plan["gates"]] == ["fail-over", "fail-utilization-below"]
    assert "the limit is $1,000.00" in ran.err
    assert "note: gate fail-increase of the settings is not judged; name a plan with --against" in ran.err
    assert gated("--config", config, "--fail-over", "2k")[0].code == 0
    tags = files.text("t.toml", '[gates]\nuntagged = "99%"\ntags = ["gpu_model"]\nwarn_only = true\nover = 1\n')
    ran, plan = gated("--config", tags)
    assert (ran.code, [gate["outcome"] for gate in plan["gates"]]) == (0, ["failed", "passed"])


def test_warn_only_says_and_passes(gated):
    ran, plan = gated("--fail-over", "1", "--warn-only")
    assert ran.code == 0
    assert said(ran) == [
        "tranche: warning: gate fail-over failed: the cost over the hours planned is $1,552.00; the limit is $1.00"
    ]
    assert plan["gates"][0]["outcome"] == "failed"


def test_a_failed_gate_says_so_though_quiet(gated):
    ran, _ = gated("--fail-over", "1", "-q")
    assert (ran.code, len(ran.err.splitlines())) == (3, 1)


def test_detailed_exitcode_comes_after_the_gates(gated, files):
    gated()
    old = files.text("old.json", (files.folder / "plan.json").read_bytes())
    assert gated("--against", old, "--detailed-exitcode")[0].code == 0
    assert gated("--against", old, "--detailed-exitcode", "--limit", "term<=3y")[0].code == 4
    assert gated("--against", old, "--detailed-exitcode", "--limit", "term<=3y", "--fail-over", "1")[0].code == 3


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--fail-over", "much"], "--fail-over: 'much' cannot be read; write an amount such as 2M or 1500"),
        (["--fail-untagged", "0.5"], "--fail-untagged: '0.5' may be a share or a percentage; write 50% or 0.5%"),
        (["--fail-stale", "-1"], "--fail-stale: '-1' cannot be read; write days such as 30"),
        (["--fail-increase", "5%"], "--fail-increase compares with another plan; name it with --against PLAN"),
        (["--detailed-exitcode"], "--detailed-exitcode compares with another plan; name it with --against PLAN"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_written(gated, arguments, line):
    ran, plan = gated(*arguments)
    assert (ran.code, ran.out, plan) == (2, "", None)
    assert ran.err == f"tranche: error: {line}\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[gates]\nover = 'much'", "bad.toml: [gates] over: 'much' cannot be read; write an amount such as 2M or 1500"),
        ("[gates]\never = 1", "bad.toml: [gates] has no key 'ever'; did you mean over?"),
        ("[gates]\ntags = 'team'", "bad.toml: [gates] tags: Expected `array`, got `str`; correct the value"),
        ("[budgets]\n'*' = [1]", "bad.toml: [budgets] holds something else than amounts; "),
        ("[budgets]\n'*' = 'x'", "bad.toml: [budgets] *: 'x' cannot be read; write an amount such as 2M or 1500"),
    ],
)
def test_settings_that_cannot_be_read(gated, files, text, line):
    ran, _ = gated("--config", files.text("bad.toml", text))
    assert ran.code == 2
    assert ran.err.startswith(f"tranche: error: {line}")


@pytest.mark.parametrize(
    ("gate", "text", "limit"),
    [
        ("over", "$1,500.50", 1500.5), ("over", "2M", 2e6), ("over", 250_000.0, 250_000.0), ("increase", "10 %", 0.1),
        ("increase", 10, 0.1), ("increase", "0.5%", 0.005), ("stale", "30d", 30.0), ("break_even_above", "9mo", 9.0),
    ],
)  # fmt: skip
def test_limits_as_people_write_them(gate, text, limit):
    assert limit_of(gate, text, where="here") == pytest.approx(limit)


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e3", "-5", "5 apples", "٣"])
def test_limits_that_are_none(text):
    with pytest.raises(UsageError, match="here: "):
        limit_of("over", text, where="here")
