"""`tranche backtest`: the forms agree, and a share that is none is refused."""

import csv
import io

import pytest


@pytest.fixture
def given(files):
    offers = files.table("book.csv", [files.on_demand(), files.offer("r", "reserved", holding=2.4, term_months=12)])
    return [files.usage, "--offers", offers, "--now", "2026-11-21", "--train", "1/2"]


def test_forms_agree(tranche, given):
    found = tranche("backtest", *given, "--format", "json").json
    assert (found["decided_on_hours"], found["lived_through_hours"]) == (4, 4)
    cells = list(csv.DictReader(io.StringIO(tranche("backtest", *given, "--format", "csv").out)))
    assert cells == found["outcomes"]
    costs = {row["rule"]: float(row["cost"]) for row in found["outcomes"]}
    # 40 40 40 60 decide for 40 GPUs; then 80 100 100 60 are needed, of which the hours above 60 % are worth holding.
    assert costs["the plan of the first part"] == pytest.approx((40 * 2.4 + (40 + 60 + 60 + 20) * 4 / 4) * 8760)
    assert costs["hindsight"] == pytest.approx((80 * 2.4 + (20 + 20) * 4 / 4) * 8760)
    table = tranche("backtest", *given).out
    assert table.splitlines()[3].startswith("hindsight")


@pytest.mark.parametrize("share", ["0", "1", "3/2", "1/0", "half", "150%"])
def test_a_share_that_is_none(tranche, given, share):
    ran = tranche("backtest", *given[:-1], share)
    assert (ran.code, "is no share between 0 and 1; write 2/3" in ran.err) == (2, True)


def test_too_short_a_history(tranche, given):
    ran = tranche("backtest", *given[:-1], "1%")
    assert (ran.code, "leaves a part empty" in ran.err) == (2, True)


def test_rules_that_buy_as_they_go(tranche, given):
    """Costs are those of the four hours lived through, in whose middle rules decide again."""
    found = tranche("backtest", *given, "--every", "0.0028mo", "--format", "json").json
    assert found["every_months"] == pytest.approx(0.0028)
    costs = {row["rule"]: float(row["cost"]) for row in found["outcomes"]}
    assert costs["nothing but what is owned"] == pytest.approx((80 + 100 + 100 + 60) * 4)
    assert costs["one level for all"] == pytest.approx(40 * 2.4 * 4 + (40 + 60 + 60 + 20) * 4)
    # Hindsight buys 80 at once; 20 more in the middle would be busy half of the time, and pay from 60 % on.
    assert costs["hindsight"] == pytest.approx(80 * 2.4 * 4 + (20 + 20) * 4)
    table = tranche("backtest", *given, "--every", "0.0028mo").out
    assert "bought every 0.0028 months; cost of the hours lived through" in table


@pytest.mark.parametrize(("every", "problem"), [("soon", "is no time in months"), ("0", "more than 60 dates")])
def test_dates_that_are_none(tranche, given, every, problem):
    ran = tranche("backtest", *given, "--every", every)
    assert (ran.code, problem in ran.err) == (2, True)
