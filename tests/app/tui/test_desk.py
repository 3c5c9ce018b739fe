"""The desk, through the keys: quotes are typed, countered, settled, taken back, and shown to their vendor."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from app.negotiation import History, Step
from app.reports.document import document, encode
from app.session import load
from app.sessions import Sessions, negotiated
from app.tui import words
from app.tui.app import TrancheApp
from app.tui.keeping import keeper_of
from app.tui.screens.desk import DeskScreen
from app.tui.screens.vendor import VendorScreen
from app.tui.verdicts import headroom_at, verdict_at
from app.tui.widgets.quotes import Quotes
from app.tui.widgets.said import SaidTable
from app.tui.widgets.terms_input import TermsInput

GPU = "H100-SXM-80GB"
KEYS = {".": "full_stop", " ": "space", "-": "minus", "/": "slash", "=": "equals_sign", ",": "comma", ":": "colon"}


def content(name: str) -> bytes:
    return Path(name).read_bytes()


async def type_text(pilot: Any, text: str) -> None:
    await pilot.press(*(KEYS.get(char, char) for char in text))


async def command(pilot: Any, text: str) -> None:
    await pilot.press("colon")
    await type_text(pilot, text)
    await pilot.press("enter")
    await pilot.pause()


async def counter(pilot: Any, offer: str, terms: str) -> None:
    pilot.app.screen.query_one(Quotes).point_at(offer)
    await pilot.pause()
    await pilot.press("e")
    await type_text(pilot, terms)
    await pilot.press("enter")
    await pilot.pause()


async def test_a_negotiation_ends_with_the_bytes_of_the_command(
    hands: Any, tmp_path: Path, tranche: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three quotes are entered, two are countered, all is undone and redone, and the plan is saved."""
    monkeypatch.setenv("TRANCHE_SESSIONS", str(tmp_path / "sessions"))
    app = TrancheApp(hands.asks(), partial(keeper_of, name="nego"))
    lines = [
        f"quote {name}:{GPU}={price}/h,64gpus,12mo,name={name}" for name, price in (("a", 3), ("b", 2.9), ("c", 2))
    ]
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        opening = app.desk.plan
        await pilot.press("4")
        for line in lines:
            await command(pilot, line)
        await counter(pilot, "a", "2.10 24mo 64")
        await hands.settled(pilot)
        await counter(pilot, "b", "1.95")
        await hands.settled(pilot)
        ending = app.desk.plan
        await command(pilot, "undo all")
        await hands.settled(pilot)
        assert app.desk.plan is opening
        for _ in range(5):
            await pilot.press("r")
        await hands.settled(pilot)
        assert app.desk.plan is ending
        assert app.check_action("redo", ()) is None
        await command(pilot, "save end.json")
        while app.screen.typing:
            await pilot.pause(0.02)
        assert "wrote" in app.desk.note
        await pilot.press("q")
    saved = content("end.json")
    assert tranche("plan", "--session", "nego", "--out", "again.json", "-q").code == 0
    assert content("again.json") == saved
    session = load(hands.asks())
    kept = Sessions().read("nego")
    assert [edit.line for edit in kept.edits] == [*lines, "counter a 2.10 24mo 64", "counter b 1.95"]
    for edit in kept.edits:
        session = session.after(edit.line, edit.typed)
    assert encode(document(session, session.plan(), created=hands.asks().now)) == saved


async def test_a_price_means_something_before_it_is_entered(app: TrancheApp, hands: Any) -> None:
    """What is said at once is what a plan with that price says."""
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await pilot.press("4")
        value = app.desk.values()["block-quote"]
        app.screen.query_one(Quotes).point_at("block-quote")
        await pilot.pause()
        await pilot.press("e")
        field = app.screen.query_one(TermsInput).query_one(Input)
        for price in (value.walk_away - 0.5, value.walk_away + 0.5, 0.3):
            field.value = f"{price:.4f}"
            await pilot.pause()
            [then] = [
                found
                for found in load(hands.asks(block_quote=round(price, 4))).plan().walk_away
                if found.tariff.offer_id == "block-quote"
            ]
            assert verdict_at(value, round(price, 4)) == then.verdict
            assert headroom_at(value, round(price, 4)) == pytest.approx(then.headroom, rel=1e-6, abs=1e-6)
            shown = hands.text(app)
            assert f"{then.verdict.capitalize()}: $0.5" in shown or price == 0.3
            assert words.money(then.headroom) in shown
        field.value = "2.10 24mo 128"
        await pilot.pause()
        assert "with other terms its walk-away price is another" in hands.text(app)
        assert not app.desk.history.undoable


async def test_a_rival_moves_every_other_walk_away_price(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        await pilot.press("4")
        before = {name: value.walk_away for name, value in app.desk.values().items()}
        await command(pilot, f"quote rival:{GPU}=2.40/h,12mo,name=rival")
        await hands.settled(pilot)
        after = {name: value.walk_away for name, value in app.desk.values().items()}
        assert set(after) == {*before, "rival"}
        assert after["block-quote"] == pytest.approx(2.34375)  # design section 6: against an unlimited rival at $2.40
        shown = hands.text(app)
        assert "▼2.344" in shown
        assert words.rate(before["block-quote"]) in shown


async def test_quotes_are_settled_noted_and_told(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        await pilot.press("4")
        quotes = app.screen.query_one(Quotes)
        quotes.point_at("block-quote")
        await pilot.pause()
        await pilot.press("d")
        await hands.settled(pilot)
        assert "block-quote" not in app.desk.values()
        assert quotes.quote.status == "declined"
        assert app.screen.check_action("edit", ()) is None
        await pilot.press("o")
        await hands.settled(pilot)
        assert quotes.quote.status == "open"
        await pilot.press("plus")
        await pilot.pause()
        assert "names no one number of GPUs" not in hands.text(app)
        await hands.settled(pilot)
        assert [bought.tariff.offer_id for bought in app.desk.plan.purchases] == ["block-quote"]
        await pilot.press("t")
        await type_text(pilot, "call back in March")
        await pilot.press("enter")
        await hands.settled(pilot)
        said = app.screen.query_one(SaidTable)
        texts = [row.cells[2].plain for row in said._rows]
        assert texts == ["note call back in March", "accept", "reopen", "decline", "as it was read"]
        assert quotes.quote.note == "call back in March"
        quotes.point_at("open-quote")
        await pilot.pause()
        await pilot.press("plus")
        await pilot.pause()
        assert app.screen.typing
        await pilot.press("6", "4", "enter")
        await hands.settled(pilot)
        assert {bought.tariff.offer_id for bought in app.desk.plan.purchases} == {"block-quote", "open-quote"}


async def test_the_vendor_sees_its_own_quotes_alone(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await pilot.press("4")
        await counter(pilot, "block-quote", "2.2 12mo 64")
        await command(pilot, "note block-quote our limit is 2.30")
        await hands.settled(pilot)
        value, plan = app.desk.values()["block-quote"], app.desk.plan
        await pilot.press("v")
        await pilot.pause()
        assert isinstance(app.screen, VendorScreen)
        shown = hands.text(app)
        assert "block-quote" in shown
        assert "2.2 12mo 64" in shown
        secrets = [words.rate(value.walk_away), words.money(value.headroom), words.money(plan.summary.cost)]
        for secret in (*secrets, "open-quote", "our limit", "Walk", "accept", "counter", "Savings", "DEMO"):
            assert secret not in shown
        for key in ("question_mark", "p", "colon", "4", "ctrl+p", "ctrl+o", "u"):
            await pilot.press(key)
            await pilot.pause()
            assert isinstance(app.screen, VendorScreen)
            assert words.rate(value.walk_away) not in hands.text(app)
        assert app.desk.plan is plan
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, DeskScreen)


async def test_the_demand_curve_of_a_quote_is_drawn(app: TrancheApp, hands: Any) -> None:
    """Oracle-8: 40 GPUs are worth $2.50 to $4, 60 from $1.50, 80 from $1, 100 below."""
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        await command(pilot, "decline block-quote")
        await hands.settled(pilot)
        await pilot.press("4")
        app.screen.query_one(Quotes).point_at("open-quote")
        while "open-quote" not in app.screen._curves:
            await pilot.pause(0.05)
        steps = [(round(step.high, 4), round(step.gpus, 4)) for step in app.screen._curves["open-quote"]]
        assert steps == [(1.0, 100.0), (1.5, 80.0), (2.5, 60.0), (4.0, 40.0)]
        await pilot.pause()
        shown = hands.text(app)
        assert "quoted" in shown
        assert "walk-away" in shown


async def test_every_size_has_the_desk(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        await pilot.press("4")
        for size in ((80, 24), (120, 36), (200, 60), (40, 12)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            shown = hands.text(app)
            if size[0] >= 80:
                assert "block-quote" in shown
                assert words.rate(app.desk.values()["block-quote"].walk_away) in shown


def test_a_copy_of_a_session_goes_its_own_way(hands: Any, tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions")
    request, keeper = keeper_of(hands.asks(), "one", sessions)
    found = History((Step(session=load(request)),)).edited("counter block-quote 2")
    keeper.close(found, screen="desk")
    keeper.copy("two")
    keeper.close(found.edited("counter block-quote 1"), screen="desk")
    assert [str(edit) for edit in negotiated(sessions.read("two")).edits] == ["counter block-quote 2"]
    assert len(negotiated(sessions.read("one")).edits) == 2
