"""The risk screen: scenarios, other demand, stranded dollars and the past, against figures worked out by hand."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from threading import Event
from typing import Any

import numpy as np
import polars as pl
import pytest
from textual.worker import WorkerFailed

from app.scenario_files import scenarios_of
from app.session import Session, load
from app.tui import words
from app.tui.app import TrancheApp
from app.tui.risks import (
    EXAMPLE,
    Errand,
    Past,
    backtest_of,
    futures_in,
    idle_of,
    planned,
    sensitivity,
)
from app.tui.widgets.backtests import Backtests
from app.tui.widgets.frontier import Frontier, scale_of
from app.tui.widgets.outcomes import Outcomes, against, plain
from app.tui.widgets.stranded import Stranded
from optimizer.backtest import Backtest
from optimizer.errors import AbandonedError
from optimizer.gates import cost_of_keeping
from optimizer.sensitivity import FACTORS, quantities_of
from optimizer.stated import stated_of
from tests.app.conftest import DEMAND
from tests.app.tui.conftest import NOW

pytestmark = pytest.mark.thorough

HOSTILE = "[/foo]\x1b[31m\u202e[bold]"
YEAR = 8760
FUTURES = f"""
[[scenario]]
name = "boom {HOSTILE.encode("unicode_escape").decode().replace("x1b", "u001b")}"
probability = 0.25
[[scenario]]
name = "quiet"
probability = 0.75
[[scenario.changes]]
workload = "*"
factor = 0.5
"""


def yearly(files: Any) -> list[dict[str, object]]:
    return [files.on_demand(), files.offer("year", "reserved", holding=2.4, term_months=12)]


def asks(hands: Any, files: Any, **more: Any) -> Any:
    return replace(hands.asks(offers=yearly(files)), **{"horizon": "12mo", **more})


def kept(gpus: float, factor: float) -> tuple[float, float]:
    """Return what holding GPUs at $2.40 for a year costs with the rest on demand at $4.00, and what of it is idle."""
    need = np.array(DEMAND) * factor
    idle = np.maximum(gpus - need, 0).mean() * 2.4 * YEAR
    return gpus * 2.4 * YEAR + np.maximum(need - gpus, 0).mean() * 4 * YEAR, idle


def best(factor: float) -> float:
    return min(kept(gpus, factor)[0] for gpus in np.arange(0, 121, 0.5))


def test_demand_that_comes_otherwise(hands: Any, files: Any) -> None:
    """60 GPUs are held whatever comes; each row is worked out hour by hour, and by the gate on what is kept."""
    session = load(asks(hands, files))
    plan = session.plan()
    found = sensitivity(session, plan, lambda: True)
    assert [one.factor for one in found] == list(FACTORS)
    assert quantities_of(plan) == {"year": pytest.approx(60)}
    for one in found:
        cost, idle = kept(60, one.factor)
        assert one.cost == pytest.approx(cost)
        assert one.stranded == pytest.approx(idle)
        assert one.regret == pytest.approx(cost - best(one.factor), abs=cost * 1e-9)
        assert one.against == pytest.approx(cost - plan.summary.cost, abs=cost * 1e-9)
        usage = session.inputs.usage.with_columns(pl.col("gpu_hours") * one.factor)
        assert one.cost == pytest.approx(cost_of_keeping(stated_of(replace(session.inputs, usage=usage)), {"year": 60}))
    (same,) = (one for one in found if one.factor == 1)
    assert same.cost == pytest.approx(plan.summary.cost)
    assert same.stranded == pytest.approx(planned(plan).stranded)
    with pytest.raises(AbandonedError):
        sensitivity(session, plan, lambda: False)


def test_what_is_held_cannot_serve(hands: Any, files: Any) -> None:
    """Held GPUs are no more than 50 % of what is needed: with less demand the plan's own break that limit."""
    session = load(asks(hands, files, limit=("committed<=50%",)))
    plan = session.plan()
    found = {one.factor: one for one in sensitivity(session, plan, lambda: True)}
    assert (found[0.8].served, found[0.8].cost, found[0.8].regret) == (False, None, None)
    assert found[1.0].cost == pytest.approx(plan.summary.cost)
    assert found[1.2].served


def test_stranded_dollars_by_commitment(hands: Any, files: Any) -> None:
    owned = {**files.offer("old", "reserved", holding=3, term_months=24), "commitment_id": "old", "gpus": 8}
    path = files.table("owned.csv", [owned | {"start": "2026-10-21T00:00:00Z", "end": "2028-10-21T00:00:00Z"}])
    flex = files.offer("flex", "flex", holding=1.2, usage=1.1, max_gpus=80)
    request = replace(hands.asks(offers=[*yearly(files), flex]), horizon="12mo", commitments=(path,))
    plan = load(request).plan()
    idle = {one.offer_id: one for one in idle_of(plan)}
    prices = {"old": 3.0, "flex": 1.2, "year": 2.4}
    used = {name: sum(s.gpu_hours for s in plan.mix if s.tariff.offer_id == name) for name in prices}
    assert set(idle) == {one.tariff.offer_id for one in (*plan.purchases, *plan.commitments)}
    assert {"old", "flex"} <= set(idle)
    for name, one in idle.items():
        hours = one.gpus * YEAR
        assert one.gpu_hours == pytest.approx(hours - used[name], abs=1e-3)
        assert one.paid == pytest.approx(hours * prices[name])
        assert one.stranded == pytest.approx((hours - used[name]) * prices[name], abs=1e-2)
    assert sum(one.stranded for one in idle.values()) > 0
    assert [one.stranded for one in idle_of(plan)] == sorted((one.stranded for one in idle.values()), reverse=True)


def test_the_past_and_what_it_costs_on_demand(hands: Any, files: Any) -> None:
    """40 40 40 60 80 decide for 40 GPUs; then 100 100 60 are needed."""
    past = backtest_of(load(asks(hands, files)))
    costs = {one.rule: one.cost for one in past.found.outcomes}
    assert (past.found.decided_on, past.found.lived_through) == (5, 3)
    assert past.on_demand == pytest.approx((100 + 100 + 60) / 3 * 4 * YEAR)
    assert costs["the plan of the first part"] == pytest.approx((40 * 2.4 + (60 + 60 + 20) / 3 * 4) * YEAR)
    assert costs["nothing but what is owned"] == pytest.approx(past.on_demand)


def test_an_errand_forgets_what_was_abandoned() -> None:
    errand: Errand[int] = Errand()
    one, other = object(), object()
    wanted = errand.begin(one)
    assert wanted()
    assert errand.running(one)
    assert not errand.running(other)
    errand.end()
    errand.end(3)
    assert not wanted()
    assert errand.found(one) is None
    again = errand.begin(one)
    assert (wanted(), again()) == (False, True)
    errand.end(4)
    assert (errand.found(one), errand.found(other)) == (4, None)


def test_the_example_of_a_file_of_scenarios_is_one(files: Any, hands: Any) -> None:
    offers = load(hands.asks()).inputs.offers
    found = scenarios_of(files.text("futures.toml", EXAMPLE), start=NOW, offers=offers)
    assert [one.probability for one in found.scenarios] == pytest.approx([0.6, 0.4])
    assert found.scenarios[1].changes[0].factor == pytest.approx(0.67)
    assert not found.diagnostics
    assert len(EXAMPLE.splitlines()) < 7


def test_amounts_without_a_sign() -> None:
    assert [plain(usd) for usd in (None, -1e-9, 12.5, 2.5e6)] == ["", "0.00", "12.50", "2.50M"]
    assert [against(usd) for usd in (-1e-9, 3.0, -3.0)] == ["0.00", "+3.00", "-3.00"]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_without_scenarios_the_keys_try_demand_and_the_past(
    hands: Any, files: Any, size: tuple[int, int]
) -> None:
    app = TrancheApp(asks(hands, files))
    async with app.run_test(size=size) as pilot:
        await pilot.press("5")
        await hands.settled(pilot)
        screen = app.screen
        shown = hands.text(app)
        assert "tranche open --scenarios futures.toml" in shown
        assert "y: what keeping this plan costs" in shown
        assert screen.query_one(Outcomes).future.factor == 1
        assert screen.check_action("abandon", ()) is None
        await pilot.press("y")
        await app.workers.wait_for_complete()
        await pilot.pause()
        shown = hands.text(app)
        assert plain(kept(60, 0.8)[0]) in shown
        assert plain(kept(60, 0.8)[1]) in shown
        assert screen.query_one(Outcomes)._given[0].values[2] == pytest.approx(kept(60, 0.8)[0])
        assert "%" in shown
        chart = "".join(text for line in screen.query_one(Frontier).lines(60, 12) for text, _ in line)
        assert "best plan" in chart
        await pilot.press("tab", "tab")
        await pilot.pause()
        assert app.focused is screen.query_one(Stranded)
        assert f"{words.money(kept(60, 1)[1])} of the {words.money(60 * 2.4 * YEAR)}" in hands.text(app)
        await pilot.press("k")
        await app.workers.wait_for_complete()
        await pilot.pause()
        shown = hands.text(app)
        assert app.focused is screen.query_one(Backtests)
        assert "decided on 5 hours, lived through 3" in shown
        assert f"on demand {words.money((100 + 100 + 60) / 3 * 4 * YEAR)}" in shown
        assert "hindsight" in shown
        assert screen._demand.found(app.desk.session)


async def test_work_that_was_asked_for_holds_nothing_up_and_can_be_abandoned(
    hands: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release, solver = Event(), Event(), []
    tried = Session.backtest

    def slow(session: Session, *, train: float) -> Backtest:
        solver.append(session.solver)
        begun.set()
        release.wait(timeout=30)
        return tried(session, train=train)

    monkeypatch.setattr(Session, "backtest", slow)
    app = TrancheApp(asks(hands, files))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("5")
        await hands.settled(pilot)
        screen, first = app.screen, app.desk.session
        await pilot.press("k")
        assert begun.wait(timeout=30)
        await pilot.pause()
        assert "working out… 0 s; escape abandons it" in hands.text(app)
        assert solver[0] is not first.solver
        await pilot.press("escape")
        await pilot.pause()
        assert "k tries rules on the past" in hands.text(app)
        assert screen._past.found(first) is None
        await pilot.press("k")
        await pilot.pause()
        assert screen._past.running(first)
        app.edit("limit committed<=10%")
        await planned_again(pilot, app)
        assert app.desk.session is not first
        assert not screen._past.wanted
        release.set()
        await app.workers.wait_for_complete()
        await pilot.press("u")
        await hands.settled(pilot)
        await pilot.press("k")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert isinstance(screen._past.found(first), Past)
        assert "hindsight" in hands.text(app)
        app.edit("limit committed<=20%")
        await hands.settled(pilot)
        assert "k tries rules on the past" in hands.text(app)
        await pilot.press("u")
        await hands.settled(pilot)
        assert "hindsight" in hands.text(app)


async def planned_again(pilot: Any, app: TrancheApp) -> None:
    """Wait until the plan of the edit is there, while something else is still being worked out."""
    async with asyncio.timeout(60):
        while app.desk.stage:
            await pilot.pause(0.01)


async def test_scenarios_and_their_frontier(hands: Any, files: Any) -> None:
    """Boom needs what Oracle-8 needs, quiet half of it; hostile names are only text."""
    path = files.text("futures.toml", FUTURES)
    app = TrancheApp(asks(hands, files, scenarios=path, risk="50%", tail="75%"))
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.press("5")
        await hands.settled(pilot)
        plan, screen = app.desk.plan, app.screen
        (gpus,) = quantities_of(plan).values()
        found = {one.probability: one for one in futures_in(plan.risk)}
        for chance, factor in ((0.25, 1.0), (0.75, 0.5)):
            cost, idle = kept(gpus, factor)
            one = found[chance]
            assert one.cost == pytest.approx(cost)
            assert one.stranded == pytest.approx(idle, abs=1)
            assert one.regret == pytest.approx(cost - best(factor), abs=cost * 1e-6)
        expected = 0.25 * kept(gpus, 1)[0] + 0.75 * kept(gpus, 0.5)[0]
        assert found[0.25].against == pytest.approx(kept(gpus, 1)[0] - expected)
        shown = hands.text(app)
        assert f"Expected {words.money(expected)}" in shown
        assert f"CVaR of the worst 25 % {words.money(kept(gpus, 1)[0])}" in shown
        assert "boom [/foo]\ufffd[31m\ufffd[bold]" in shown
        assert "\x1b" not in shown
        assert "this plan" in shown
        assert "tranche open" not in shown
        assert screen.check_action("try_demand", ()) is None
        chart = screen.query_one(Frontier)
        frontier = sorted((point.expected, point.cvar) for point in plan.risk.frontier)
        assert np.array(chart.paths[0].points) * 1e6 == pytest.approx(np.array(frontier))
        assert np.array(chart.paths[1].points) * 1e6 == pytest.approx(np.array([(expected, kept(gpus, 1)[0])]))
        assert scale_of(9_999.0, "USD") == (1.0, "$")
        assert scale_of(2e4, "EUR") == (1e3, "€k")


async def test_a_plan_that_fails_and_a_past_that_is_too_short(hands: Any, files: Any) -> None:
    one = replace(hands.asks(usage=hands.usage()[:1], offers=yearly(files)), horizon="12mo")
    app = TrancheApp(one)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("5")
        await hands.settled(pilot)
        await pilot.press("k")
        with suppress(WorkerFailed):
            await app.workers.wait_for_complete()
        await pilot.pause()
        assert "leaves a part empty" in hands.text(app)
    broken = TrancheApp(replace(one, usage=("missing.csv",)))
    async with broken.run_test(size=(80, 24)) as pilot:
        await pilot.press("5")
        await hands.settled(pilot)
        await pilot.press("y", "k", "escape", "tab", "tab", "tab")
        await pilot.pause()
        assert "fault in tranche" not in hands.text(broken)
        assert "missing.csv" in hands.text(broken)
