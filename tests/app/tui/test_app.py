"""What a person at the desk sees and does, through the keys."""

import gc
from collections.abc import Generator
from threading import Event
from typing import Any

import pytest
from textual.widgets import Input

from app.session import Request, Session, load
from app.tui import words
from app.tui.app import TrancheApp
from app.tui.market import values_of
from app.tui.widgets.market import Market
from app.tui.widgets.terms_input import TermsInput
from optimizer.errors import InfeasibleError
from optimizer.plan import Plan

GPU = "H100-SXM-80GB"
HOSTILE = "[/foo]\x1b[31m\u202e[bold]"


def prices(plan: Plan) -> dict[str, float | None]:
    return {offer: value.walk_away for offer, value in values_of(plan).items()}


def quoted(session: Session, offer: str) -> float:
    rows = session.inputs.offers.rows_by_key("offer_id", named=True, unique=True)
    return float(rows[offer]["holding_usd_per_gpu_hour"])


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 48), (200, 60)])
async def test_every_size_shows_the_figures_of_the_plan(app: TrancheApp, hands: Any, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await hands.settled(pilot)
        plan, shown = app.desk.plan, hands.text(app)
        assert plan is not None
        assert plan.summary.cost == pytest.approx(load(app._request).plan().summary.cost, rel=1e-9)
        for amount in (plan.summary.cost, plan.summary.on_demand_cost, plan.summary.savings):
            assert words.money(amount) in shown
        for share in (plan.summary.effective_savings_rate, plan.summary.coverage, plan.summary.utilization):
            assert words.share(share) in shown
        assert "optimal" in shown
        await pilot.press("tab")
        await pilot.pause()
        shown = hands.text(app)
        assert all(offer in shown for offer in ("od", "open-quote", "block-quote"))
        assert all(words.rate(price) in shown for price in prices(plan).values())
        assert all(value.verdict in shown for value in plan.walk_away)


async def test_a_new_price_gives_the_plan_of_a_fresh_session(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        before = prices(app.desk.plan)
        await hands.type_price(pilot, "open-quote", "2.1")
        await hands.settled(pilot)
        fresh = load(hands.asks(open_quote=2.1)).plan()
        assert app.desk.plan.summary.cost == pytest.approx(fresh.summary.cost, rel=1e-9)
        assert prices(app.desk.plan) == pytest.approx(prices(fresh), rel=1e-9)
        assert prices(app.desk.plan)["block-quote"] < before["block-quote"] - 0.1
        shown = hands.text(app)
        assert "counter open-quote 2.1: plan ▼" in shown
        assert f"was {words.rate(before['block-quote'])}" in shown
        assert "▼2.100" in shown


async def test_undo_and_redo_go_through_every_edit(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        plans = [app.desk.plan]
        for offer, price in (("open-quote", "2.1"), ("block-quote", "1.9"), ("open-quote", "2.8")):
            await hands.type_price(pilot, offer, price)
            await hands.settled(pilot)
            plans.append(app.desk.plan)
        for plan in reversed(plans[:-1]):
            await pilot.press("u")
            await hands.settled(pilot)
            assert app.desk.plan is plan
        assert app.check_action("undo", ()) is None
        for plan in plans[1:]:
            await pilot.press("r")
            await hands.settled(pilot)
            assert app.desk.plan is plan
        assert app.check_action("redo", ()) is None
        assert quoted(app.desk.session, "open-quote") == 2.8
        assert quoted(app.desk.session, "block-quote") == 1.9


async def test_the_newest_edit_wins_and_none_is_lost(
    app: TrancheApp, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release, ended, solve = Event(), Event(), Event(), Session.plans

    def slow(session: Session, *, first: str) -> Generator[Plan]:
        if quoted(session, "open-quote") == 2.1 and quoted(session, "block-quote") == 2.4:
            begun.set()
            release.wait(timeout=30)
            ended.set()
        yield from solve(session, first=first)

    monkeypatch.setattr(Session, "plans", slow)
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        opening = app.desk.plan
        await hands.type_price(pilot, "open-quote", "2.1")
        assert begun.wait(timeout=30)
        assert "counter open-quote 2.1: solving…" in hands.text(app)
        assert app.desk.plan is opening
        await hands.type_price(pilot, "block-quote", "1.9")
        await hands.settled(pilot)
        newest = app.desk.plan
        release.set()
        assert ended.wait(timeout=30)
        await hands.settled(pilot)
        assert app.desk.plan is newest is not opening
        assert quoted(app.desk.session, "open-quote") == 2.1
        assert quoted(app.desk.session, "block-quote") == 1.9


async def test_what_comes_too_late_is_dropped(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        late, plan = app.desk.shown, app.desk.plan
        assert not app.edit("counter open-quote 2.1")
        assert not app._tell(late.session, late.solved)
        app._found(late.session, late.solved)
        assert app.desk.history.now.solved is None
        await hands.settled(pilot)
        assert app.desk.plan is not plan


async def test_an_edit_without_a_plan_leaves_the_old_one(
    app: TrancheApp, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    solve = Session.plans

    def failing(session: Session, *, first: str) -> Generator[Plan]:
        if quoted(session, "open-quote") == 9:
            raise InfeasibleError("upfront<=1 would have to be at least $7")
        yield from solve(session, first=first)

    monkeypatch.setattr(Session, "plans", failing)
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        plan = app.desk.plan
        await hands.type_price(pilot, "open-quote", "9")
        await hands.settled(pilot)
        assert app.desk.plan is plan
        assert "No plan: upfront<=1 would have to be at least $7" in hands.text(app)
        assert quoted(app.desk.session, "open-quote") == 3.2
        await hands.type_price(pilot, "open-quote", "2.1")
        await hands.settled(pilot)
        assert app.desk.plan is not plan
        assert "No plan" not in hands.text(app)


async def test_what_stays_is_set_aside_once_the_first_plan_is_whole(app: TrancheApp, hands: Any) -> None:
    assert not gc.get_freeze_count()
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        assert (aside := gc.get_freeze_count())
        await hands.type_price(pilot, "open-quote", "2.1")
        await hands.settled(pilot)
        assert gc.get_freeze_count() <= aside  # no later plan is


NO_TERMS = (
    ("abc", "'abc' is not a price; write"),
    ("-1", "'-1' is not a price; write"),
    ("nan", "'nan' is not a price; write"),
    ("1 + 2", "only a flex quote has two prices"),
    ("2.1 soon", "'soon' is not a term of a quote"),
    ("2.1 12mo 24mo", "says again what an earlier term said"),
    ("2.1 0mo", "term_months"),
    ("  ", "nothing is typed"),
)


async def test_what_are_no_terms_is_refused_and_kept(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        for typed, said in NO_TERMS:
            await pilot.press("e")
            field = app.screen.query_one(Input)
            field.value = typed
            await pilot.press("enter")
            await pilot.pause()
            assert said in hands.text(app)
            assert field.value == typed
            assert app.screen.query_one(TermsInput).open
            assert not app.desk.history.undoable
            await pilot.press("escape")
            await pilot.pause()
            assert app.focused is app.screen.query_one(Market)


async def test_enter_on_a_quote_edits_it_and_the_rest_cannot_be_edited(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        await pilot.press("tab")
        market = app.screen.query_one(Market)
        market.point_at("od")
        await pilot.press("enter", "e")
        assert not app.screen.query_one(TermsInput).open
        assert app.screen.check_action("edit", ()) is None
        market.point_at("open-quote")
        await pilot.press("enter")
        await pilot.pause()
        assert app.focused is app.screen.query_one(Input)
        assert app.screen.query_one(Input).value == "3.20"


async def test_text_from_files_is_only_text(hands: Any) -> None:
    offers = hands.offers()
    offers[1] |= {"offer_id": f"quote{HOSTILE}", "provider": HOSTILE, "region": HOSTILE}
    usage = hands.usage(team=HOSTILE, provider=HOSTILE, workload=HOSTILE)
    app = TrancheApp(hands.asks(usage=usage, offers=offers))
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        assert app.desk.plan is not None
        await pilot.press("down", "enter", "down", "enter", "tab", "e", "2", "enter")
        await hands.settled(pilot)
        await pilot.press("tab")
        await pilot.pause()
        shown = hands.text(app)
        assert "[/foo]\ufffd[31m\ufffd[bold]" in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert app.desk.history.undoable


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "empty"),
        ("short.csv", "hour,workload,gpu_model\n2026-04-01T00:00:00Z,a,b\n", "has no column gpu_hours"),
        ("binary.csv", b"\x00\x01\xff\xfe", "binary.csv"),
    ],
)
async def test_a_bad_file_is_one_message(files: Any, name: str, content: str | bytes, said: str, hands: Any) -> None:
    files.text(name, content)
    app = TrancheApp(Request(now=hands.asks().now, usage=(name,), offers=(files.offers,)))
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        shown = hands.text(app)
        assert said in shown
        assert "Traceback" not in shown
        assert "fault in tranche" not in shown
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_pool_opens_and_leads_to_its_market(files: Any, hands: Any) -> None:
    offers = [*hands.offers(), files.on_demand(offer_id="small", gpu_model="L4-24GB")]
    usage = [*hands.usage(), *hands.usage(gpu_model="L4-24GB", workload="serve", team="search", provider="gcp")]
    app = TrancheApp(hands.asks(usage=usage, offers=offers))
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        costs = app.screen.query_one("#costs")
        paths = [pool.path for pool in costs._visible.values()]
        assert paths == [(), ("aws",), ("aws", GPU), ("gcp",), ("gcp", "L4-24GB")]
        await pilot.press("down", "down", "down", "down", "enter", "down")
        await pilot.pause()
        assert costs.pool.path == ("gcp", "L4-24GB", "search")
        assert "small" in hands.text(app)
        assert "open-quote" not in hands.text(app)
        await pilot.press("a")
        await pilot.pause()
        assert "open-quote" in hands.text(app)
        await pilot.press("shift+tab", "left")
        await pilot.pause()
        assert costs.pool.path == ("gcp", "L4-24GB")


async def test_the_cursor_stays_on_a_quote_that_moves_in_the_market(hands: Any, files: Any) -> None:
    others = [files.on_demand(offer_id=f"other-{index}") for index in range(40)]
    dear = files.offer("dear-quote", "contract", holding=9, status="quote", term_months=12)
    app = TrancheApp(hands.asks(offers=[*hands.offers(), *others, dear]))
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        for price in ("0.5", "8"):
            await hands.type_price(pilot, "dear-quote", price)
            await hands.settled(pilot)
            assert app.screen.query_one(Market).key == "dear-quote"
            assert f"{float(price):.3f}" in hands.text(app)


async def test_help_and_problems_open_and_close(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        for key, said in (("question_mark", "What runs and what it costs"), ("p", "Found while reading")):
            await pilot.press(key)
            await pilot.pause()
            assert said in hands.text(app)
            await pilot.press("escape")
            await pilot.pause()
            assert "1 Allocated" in hands.text(app)


async def test_the_panes_follow_the_keys_and_the_mouse(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        for key, focused in (("tab", "market"), ("tab", "price-lines"), ("tab", "costs"), ("shift+tab", "price-lines")):
            await pilot.press(key)
            await pilot.pause()
            assert app.focused.id == focused
        await pilot.click(".pane-name")
        await pilot.pause()
        assert app.focused.id == "costs"


async def test_a_light_theme_shows_the_same(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        before = hands.text(app)
        for theme in ("textual-light", "ansi-dark", "textual-dark"):
            app.theme = theme
            await pilot.pause()
            assert hands.text(app) == before


async def test_the_palette_offers_what_the_keys_do(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await pilot.press("tab")
        await pilot.pause()
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Counter", "Quotes", "Help", "Problems", "Market", "Desk", "Command"} <= titles
        assert "Undo" not in titles
