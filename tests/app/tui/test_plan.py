"""The plan screen: its curve, months, calendar and figures against sums made by hand, and its keys."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.session import load
from app.tui import words
from app.tui.app import TrancheApp
from app.tui.planning import Figure, Holding, ahead_of, figures_of, hours_at, limit_of, served_of
from app.tui.widgets.calendar import Calendar, bar, ruler
from app.tui.widgets.figures import block
from app.tui.widgets.month_chart import MixChart
from optimizer.policy import LimitValue
from tests.app.conftest import DEMAND, GPU

pytestmark = pytest.mark.thorough

HOSTILE = "[/foo]\x1b[31m\u202e[bold]"
START, MONTH = datetime(2026, 11, 21, tzinfo=UTC), timedelta(hours=730)


def book(files: Any) -> list[dict[str, object]]:
    """On demand at $4.00; a year at $2.40, all of it prepaid."""
    return [files.on_demand(), files.offer("year", "reserved", holding=2.4, term_months=12, upfront_share=1)]


def long_term(files: Any) -> list[dict[str, object]]:
    return [files.on_demand(), files.offer("two years", "reserved", holding=2.4, term_months=24)]


def planned(hands: Any, offers: list[dict[str, object]], **more: Any) -> Any:
    session = load(replace(hands.asks(offers=offers), **{"horizon": "12mo", **more}))
    plan = session.plan()
    return plan, ahead_of(session, plan)


def test_months_add_up_to_the_cost_of_the_plan(hands: Any, files: Any) -> None:
    """60 GPUs for a year at $2.40, the rest of Oracle-8 on demand: 80 of 520 GPU-hours in eight hours."""
    plan, ahead = planned(hands, book(files))
    bought, going = 60 * 2.4 * 8760, (20 + 40 + 40) / 8 * 4 * 8760
    for columns in (ahead.cost, ahead.cash):
        assert sum(columns["bought"]) == pytest.approx(bought)
        assert sum(columns["payg"]) == pytest.approx(going)
        assert sum(columns["owned"]) == sum(columns["spot"]) == 0
        assert {len(values) for values in columns.values()} == {len(ahead.months)}
    assert plan.summary.cost == pytest.approx(bought + going)
    assert ahead.cash["bought"][0] == pytest.approx(bought)
    assert ahead.cash["bought"][1] == pytest.approx(0)
    assert ahead.cost["bought"][1] == pytest.approx(60 * 2.4 * 31 * 24)
    assert ahead.months[:2] == ("2026-11", "2026-12")
    assert ahead.after == 0


def test_what_outlasts_the_plan_is_still_owed(hands: Any, files: Any) -> None:
    plan, ahead = planned(hands, long_term(files))
    (held,) = ahead.holdings
    assert (held.gpus, held.owned, held.usd_per_hour, held.renewed_until) == (60, False, None, None)
    assert held.until == START + 24 * MONTH
    assert held.months_left == pytest.approx(24)
    assert held.monthly == pytest.approx(60 * 2.4 * 730)
    assert held.owed == pytest.approx(60 * 2.4 * 730 * 24)
    assert held.after == ahead.after == pytest.approx(60 * 2.4 * 730 * 12)
    assert sum(map(sum, ahead.cost.values())) == pytest.approx(plan.summary.cost + ahead.after)


def test_owned_commitments_stand_beside_purchases_next_to_end_first(hands: Any, files: Any) -> None:
    rows = [
        {**files.offer(name, "reserved", holding=3, term_months=12), "commitment_id": name, "gpus": gpus} | dates
        for name, gpus, dates in (
            ("ends last", 8, {"start": "2026-10-21T00:00:00Z", "end": "2027-10-21T00:00:00Z"}),
            ("ends first", 16, {"start": "2026-01-21T00:00:00Z", "end": "2027-01-21T00:00:00Z"}),
        )
    ]
    path = files.table("owned.csv", rows)
    plan, ahead = planned(hands, long_term(files), commitments=(path,))
    assert [one.offer_id for one in ahead.holdings] == ["ends first", "ends last", "two years"]
    first = ahead.holdings[0]
    assert (first.owned, first.since) == (True, datetime(2026, 1, 21, tzinfo=UTC))
    hours = (datetime(2027, 1, 21, tzinfo=UTC) - START) / timedelta(hours=1)
    assert first.owed == pytest.approx(16 * 3 * hours)
    assert first.months_left == pytest.approx(hours / 730)
    assert sum(ahead.cost["owned"]) == pytest.approx(plan.summary.existing_commitment_cost)
    assert sum(one.after for one in ahead.holdings) == pytest.approx(ahead.after)
    assert sum(map(sum, ahead.cash.values())) == pytest.approx(plan.summary.cost + ahead.after)
    curves, joint = served_of(plan)
    assert joint
    assert set(curves) == {"bought", "spot", "payg"}


def test_the_curve_is_the_demand_by_what_serves_it(hands: Any, files: Any) -> None:
    plan, _ = planned(hands, book(files))
    curves, joint = served_of(plan)
    mean = {kind: sum(values) / len(values) for kind, values in curves.items()}
    assert not joint
    assert mean["bought"] == pytest.approx((3 * 40 + 5 * 60) / 8)
    assert mean["payg"] == pytest.approx((20 + 40 + 40) / 8)
    assert sum(mean.values()) == pytest.approx(sum(DEMAND) / 8)
    assert hours_at(8760, 4) == ["0 %", "25 % 2,190 h", "50 % 4,380 h", "75 % 6,570 h", "100 % 8,760 h"]


def holding(since: float, until: float | None, **more: Any) -> Holding:
    given = {"owned": False, "renewed_until": None} | more
    return Holding(
        offer_id="x",
        gpu_model=GPU,
        gpus=1,
        usd_per_hour=None,
        since=START + since * MONTH,
        until=None if until is None else START + until * MONTH,
        months_left=until,
        monthly=1.0,
        upfront=0.0,
        owed=0.0,
        after=0.0,
        **given,
    )


@pytest.mark.parametrize(
    ("held", "drawn"),
    [
        (holding(0, 12), "████████████"),
        (holding(-3, 6, owned=True), "▓▓▓▓▓▓      "),
        (holding(6, 18), "      █████→"),
        (holding(0, 6, renewed_until=START + 12 * MONTH), "██████▒▒▒▒▒▒"),
        (holding(-12, None, owned=True), "▓▓▓▓▓▓▓▓▓▓▓→"),
        (holding(-12, 0.01, owned=True), "▓           "),
        (holding(-12, -1, owned=True), "            "),
    ],
)
def test_a_bar_says_when_a_commitment_runs(held: Holding, drawn: str) -> None:
    assert bar(held, START, START + 12 * MONTH, 12) == drawn
    assert ruler(START, START + 12 * MONTH, 12) == "26-11  27-11"


def test_figures_and_limits_in_words(hands: Any, files: Any) -> None:
    plan, ahead = planned(hands, long_term(files))
    figures = {figure.label: figure.value for figure in figures_of(plan, ahead, "USD")}
    assert figures["Coverage"] == words.share((3 * 40 + 5 * 60) / sum(DEMAND))
    assert figures["Utilization"] == words.share((3 * 40 + 5 * 60) / (8 * 60))
    assert figures["Committed"] == words.money(60 * 2.4 * 730 * 24)
    assert figures["Owed after"] == words.money(60 * 2.4 * 730 * 12)
    assert (figures["Gap"], figures["Billing order"]) == ("0 %, proven", "same cost")
    assert figures_of(plan, None, "USD")[5] == Figure(label="Owed after", value=words.UNKNOWN)
    spot = LimitValue(name="spot", at=0.4, most=0.4, step=0.01, saving=1234.5)
    assert limit_of(spot, "USD") == "spot at 40.0 % of at most 40.0 %: 1 point more saves $1,234.50"
    cash = LimitValue(name="upfront", at=5.0, most=2e6, step=2e4, saving=0.0)
    assert limit_of(cash, "EUR") == "upfront at €5.00 of at most €2.00M: more would save nothing"
    texts = [Figure(label=label, value="1") for label in "abcdefg"]
    for width in (5, 12, 30, 100):
        lines = [line.plain for line in block(texts, ["limit"], width)]
        assert sorted("".join(lines[:-1]).replace("1", "").replace(" ", "")) == list("abcdefg")
        assert lines[-1] == "limit"
    assert len(block(texts, [], 100)) < len(block(texts, [], 5)) == len(texts)
    assert block([], [], 10) == []


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_keys_turn_the_curve_and_reach_the_calendar(hands: Any, files: Any, size: tuple[int, int]) -> None:
    app = TrancheApp(replace(hands.asks(offers=long_term(files)), horizon="12mo"))
    async with app.run_test(size=size) as pilot:
        await pilot.press("3")
        await hands.settled(pilot)
        await app.workers.wait_for_complete()
        await pilot.press("tab")
        await pilot.pause()
        shown = hands.text(app)
        assert "GPUs in use, the busiest hours first" in shown
        assert "100 % 8,760 h" in shown
        assert "peak 100 GPUs" in shown
        for name in ("cost", "cash"):
            await pilot.press("c")
            await pilot.pause()
            assert f"{name} by month; owed from 2027-11" in hands.text(app)
            assert f"{words.money(60 * 2.4 * 730 * 12)} of cash is still" in hands.text(app)
        await pilot.press("c", "tab")
        await pilot.pause()
        shown = hands.text(app)
        assert app.focused is app.screen.query_one(Calendar)
        assert "next to end 2028-11-20: two years" in shown
        assert "Lower bound" in shown
        assert f"{words.money(60 * 2.4 * 730)} a month" in shown
        assert "GPUs:" in "".join(text for line in app.screen.query_one(MixChart).lines(60, 10) for text, _ in line)


async def test_hostile_text_and_a_calendar_that_fails(hands: Any, files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    offers = long_term(files)
    offers[1] |= {"offer_id": f"two{HOSTILE}", "region": HOSTILE}
    app = TrancheApp(hands.asks(offers=offers))
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("3", "c")
        await hands.settled(pilot)
        await app.workers.wait_for_complete()
        await pilot.press("tab")
        await pilot.pause()
        shown = hands.text(app)
        assert "two[/foo]\ufffd[31m\ufffd[bold]" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown

        def fails(*_: object) -> None:
            from providers.tables import InputError

            raise InputError("the plan", "has no hours", "plan again")

        monkeypatch.setattr("app.tui.screens.plan.ahead_of", fails)
        app.edit("limit committed<=10%")
        await hands.settled(pilot)
        assert "has no hours" in hands.text(app)


async def test_a_plan_that_buys_nothing(hands: Any, files: Any) -> None:
    bare = TrancheApp(hands.asks(offers=[files.on_demand()]))
    async with bare.run_test(size=(120, 36)) as pilot:
        await pilot.press("3")
        assert "no plan yet" in hands.text(bare) or bare.desk.plan is not None
        await hands.settled(pilot)
        await bare.workers.wait_for_complete()
        await pilot.pause()
        shown = hands.text(bare)
        assert "nothing to buy" in shown
        assert "no commitment, owned or to buy" in shown
