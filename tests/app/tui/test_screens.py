"""What holds on every screen: modes, commands, jumps, reasons, files that change, sessions, signs and themes."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from app.sessions import Sessions
from app.tui import glyphs
from app.tui.app import TrancheApp
from app.tui.commands import COMMANDS, actions, run
from app.tui.keeping import keeper_of
from app.tui.screens.jump import JumpScreen
from app.tui.screens.modes import MODES
from app.tui.screens.text import TextScreen
from app.tui.widgets.command_input import CommandInput
from app.tui.widgets.key_bar import KeyBar
from app.tui.widgets.mode_bar import ModeName
from app.tui.widgets.pane import Pane

NAMES = [mode.name for mode in MODES]


@pytest.fixture
def unicode_again() -> Any:
    yield
    glyphs.use(glyphs.UNICODE)


async def test_each_screen_opens_by_its_digit_its_name_and_the_mouse(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        for key, mode in enumerate(MODES, 1):
            await pilot.press(str(key))
            await pilot.pause()
            assert app.current_mode == mode.name
            assert mode.name == app.screen.NAME
            assert all(pane.caption.plain.startswith(f"{pane.number} ") for pane in app.screen.query(Pane))
            for _ in app.screen.query(Pane):
                await pilot.press("tab")
                await pilot.pause()
        await pilot.click(next(name for name in app.screen.query(ModeName) if name.mode == "desk"))
        await pilot.pause()
        assert app.current_mode == "desk"
        assert not run(app.screen, "go now")
        await pilot.pause()
        assert app.current_mode == "now"


async def test_whatever_a_key_does_a_command_does(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        for key in range(1, len(MODES) + 1):
            await pilot.press(str(key))
            await pilot.pause()
            palette = {command.title.lower() for command in app.get_system_commands(app.screen)}
            for name, about in actions(app.screen):
                assert about
                assert name in palette or not enabled(app, name)
        await pilot.press("4")
        await pilot.pause()
        assert not run(app.screen, "jump")
        await pilot.pause()
        assert isinstance(app.screen, JumpScreen)


def enabled(app: TrancheApp, name: str) -> bool:
    bound = app.screen.active_bindings.values()
    return any(one.enabled for one in bound if one.binding.description.lower() == name)


REFUSED = (
    ("hlep", "there is no command 'hlep'; did you mean help?"),
    ("go nowhere", "there is no screen 'nowhere'; there are now, market"),
    ("undo many", "'many' is no number of edits"),
    ("theme mauve", "there is no theme 'mauve'"),
    ("signs runes", "'runes' names no signs"),
    ("session name", "cannot be read; write session name NAME"),
    ("session copy x", "there is no session to keep yet"),
    ("filter nothing=1", "nothing"),
    ("counter open-quote", "cannot be read; write counter OFFER TERMS"),
    ("counter none 2", "there is no quote 'none'"),
    ("quote x", "does not name provider, GPU and price"),
)


async def test_a_command_that_cannot_be_says_why_and_stays(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        for typed, said in REFUSED:
            await pilot.press("colon")
            field = app.screen.query_one(CommandInput).query_one(Input)
            field.value = typed
            await pilot.press("enter")
            await pilot.pause()
            assert said in " ".join(hands.text(app).split())
            assert field.value == typed
            await pilot.press("escape", "colon", "up")
            assert field.value == typed
            await pilot.press("escape")


async def test_a_key_that_does_nothing_says_why(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(160, 60)) as pilot:
        await hands.settled(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert "Undo: there is no edit to take back" in hands.text(app)
        await pilot.press("4", "o")
        await pilot.pause()
        assert "Reopen: the quote under the cursor is settled already, or open" in hands.text(app)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, TextScreen)
        assert "not now: no edit was taken back" in " ".join(hands.text(app).split())


async def test_a_click_on_a_key_presses_it_where_it_can_be_pressed(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(160, 48), tooltips=True) as pilot:
        await hands.settled(pilot)
        bar = app.screen.query_one(KeyBar)
        shown = bar.render().plain
        await pilot.click(KeyBar, offset=(shown.index("Undo"), 0))
        assert not isinstance(app.screen, TextScreen)  # there is nothing to take back
        await pilot.hover(KeyBar, offset=(shown.index("Help"), 0))
        assert bar.tooltip
        await pilot.click(KeyBar, offset=(shown.index("Help"), 0))
        await pilot.pause()
        assert isinstance(app.screen, TextScreen)


async def test_a_letter_jumps_to_its_place(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        await pilot.press("4", "ctrl+o")
        await pilot.pause()
        assert isinstance(app.screen, JumpScreen)
        shown = hands.text(app)
        assert all(f" {letter} " in shown for letter in "abcdefghi")
        await pilot.press("c")
        await pilot.pause()
        assert app.screen.current == 3
        await pilot.press("ctrl+o", "escape")
        await pilot.pause()
        assert app.screen.current == 3
        await pilot.press("ctrl+o", "i")
        await pilot.pause()
        assert app.current_mode == "teams"


async def test_a_file_that_changes_underneath_is_told_of_and_read_again(hands: Any, files: Any) -> None:
    app = TrancheApp(hands.asks())
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        assert not app.edit("counter open-quote 2.1")
        await hands.settled(pilot)
        before = app.desk.plan
        touch(app.request.usage[0], hands)
        app._look_at_files()
        await pilot.pause()
        assert "tui_usage.csv has changed since it was read" in hands.text(app)
        assert app.desk.plan is before
        assert not run(app.screen, "reload")
        await hands.settled(pilot)
        assert app.desk.plan.summary.gpu_hours == pytest.approx(2 * before.summary.gpu_hours)
        assert app.desk.edits == ("counter open-quote 2.1",)
        remove(app.request.offers[0])
        app._look_at_files()
        await pilot.pause()
        assert "tui_offers.csv is gone" in hands.text(app)
        assert not run(app.screen, "reload")
        await hands.settled(pilot)
        assert "tui_offers.csv" in app.desk.problem
        assert app.desk.plan is not None
        assert app.desk.edits == ("counter open-quote 2.1",)


def remove(path: str) -> None:
    Path(path).unlink()


def touch(path: str, hands: Any) -> None:
    """Write the same usage twice as high."""
    hands.files.table(Path(path).name, [{**row, "gpu_hours": 2 * row["gpu_hours"]} for row in hands.usage()])


async def test_sessions_are_named_copied_left_and_opened(hands: Any, tmp_path: Path) -> None:
    kept = Sessions(tmp_path / "sessions")
    app = TrancheApp(hands.asks(), partial(keeper_of, name=None, sessions=kept))
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        assert not app.edit("counter open-quote 2.1")
        await hands.settled(pilot)
        assert not run(app.screen, "session name first")
        assert not run(app.screen, "session copy second")
        assert "already" in run(app.screen, "session copy second")
        assert not app.edit("counter open-quote 2.0")
        await hands.settled(pilot)
        assert not run(app.screen, "session open second")
        await hands.settled(pilot)
        assert app.desk.edits == ("counter open-quote 2.1",)
        assert "session second: 1 edit" in app.desk.note
        assert not run(app.screen, "session new")
        await hands.settled(pilot)
        assert app.desk.edits == ()
        assert not run(app.screen, "session open none")
        await hands.settled(pilot)
        assert app.desk.edits == ()
        await pilot.press("q")
    assert [edit.line for edit in kept.read("first").edits] == ["counter open-quote 2.1", "counter open-quote 2.0"]
    assert [edit.line for edit in kept.read("second").edits] == ["counter open-quote 2.1"]


async def test_a_session_that_cannot_be_saved_is_told_of(
    hands: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    app = TrancheApp(hands.asks(), partial(keeper_of, name="mine", sessions=Sessions(tmp_path / "sessions")))
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        monkeypatch.setattr("app.sessions.replace_at_once", full)
        assert not app.edit("counter open-quote 2.1")
        await hands.settled(pilot)
        while not app._keeper.problem:
            await pilot.pause(0.02)
        app._look_at_files()
        await pilot.pause()
        assert "session 'mine' cannot be saved (No space left on device)" in hands.text(app)
        assert app.desk.edits == ("counter open-quote 2.1",)


@pytest.mark.usefixtures("unicode_again")
async def test_in_ascii_every_screen_is_seven_bit(app: TrancheApp, hands: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANCHE_ASCII", "1")
    async with app.run_test(size=(160, 48)) as pilot:
        await hands.settled(pilot)
        assert not app.edit("counter open-quote 2.1")
        await hands.settled(pilot)
        for key in range(1, len(MODES) + 1):
            await pilot.press(str(key))
            await pilot.pause()
            assert hands.text(app).isascii()
            await pilot.press("question_mark")
            await pilot.pause()
            assert hands.text(app).isascii()
            await pilot.press("escape")
        assert not run(app.screen, "signs unicode")
        await pilot.pause()
        assert glyphs.chosen() is glyphs.UNICODE


async def test_each_theme_shows_the_same_words_on_each_screen(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        for key in (2, 3, 6):  # on the others something may still be worked out
            await pilot.press(str(key))
            await pilot.pause()
            before = hands.text(app).splitlines()[:-1]
            for theme in ("tranche-light", "tranche-safe", "tranche-dark"):
                assert not run(app.screen, f"theme {theme}")
                await pilot.pause()
                assert hands.text(app).splitlines()[:-1] == before


def test_every_command_says_how_it_is_written() -> None:
    assert all(command.form.startswith(name) and command.about for name, command in COMMANDS.items())
