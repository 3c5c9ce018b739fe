"""Saving from the screens: the bytes of the command, never over another file unasked, and nothing lost on the way."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from app import saving
from app.tui.app import TrancheApp
from app.tui.widgets.line import Line
from app.tui.widgets.save_input import SaveInput

SETTINGS = """
[gates]
over = 1
savings_missed = "1M"
increase = "5%"

[budgets]
train = 10
"""
NOW = "2026-11-21T00:00:00Z"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(name: str | Path) -> bytes:
    return Path(name).read_bytes()


def commanded(tranche: Any, files: Any, out: str) -> bytes:
    """Return what `tranche plan` writes for the files of `hands.asks`."""
    given = [str(files.folder / "tui_usage.csv"), "--offers", str(files.folder / "tui_offers.csv")]
    ran = tranche("plan", *given, "--horizon", "history", "--now", NOW, "--out", out)
    assert f"wrote {Path(out).name}" in ran.err
    return content(out)


async def enter(pilot: Pilot[Any], out: str) -> None:
    """Type the name of a file into the open line, and wait for what comes of it."""
    pilot.app.screen.query_one(SaveInput).query_one(Input).value = out
    await pilot.press("enter")
    await written(pilot)


async def written(pilot: Pilot[Any]) -> None:
    """Wait until nothing is being written any more."""
    await pilot.pause()
    async with asyncio.timeout(60):
        while pilot.app.screen.query_one(SaveInput)._busy:
            await pilot.pause(0.01)
    await pilot.pause()


async def save(pilot: Pilot[Any], out: str) -> None:
    await pilot.press("s")
    await pilot.pause()
    await enter(pilot, out)


@pytest.mark.parametrize("ending", ["json", "md", "csv", "txt"])
async def test_the_bytes_are_those_of_the_command(hands: Any, files: Any, tranche: Any, ending: str) -> None:
    files.text("tranche.toml", SETTINGS)
    app, out = TrancheApp(hands.asks()), files.folder / f"screen.{ending}"
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await save(pilot, out.name)
        assert app.desk.note == f"wrote {out.resolve()}; gates: failed"
        assert f"wrote{out.resolve()};gates:failed" in "".join(hands.text(app).split())
    assert content(out) == commanded(tranche, files, str(files.folder / f"command.{ending}"))
    if ending == "json":
        gates = {gate["name"]: gate["outcome"] for gate in json.loads(content(out))["gates"]}
        assert gates == {"fail-over": "failed", "fail-savings-missed": "passed", "budget train": "failed"}


@pytest.mark.parametrize("ending", ["html", "xlsx"])
async def test_a_document_is_that_of_export(hands: Any, files: Any, tranche: Any, ending: str) -> None:
    app, out = TrancheApp(hands.asks()), files.folder / f"screen.{ending}"
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await save(pilot, str(out))
    commanded(tranche, files, "plan.json")
    ran = tranche("export", "plan.json", "--to", ending, "--out", f"command.{ending}")
    assert ran.code == 0, ran.err
    assert content(out) == content(f"command.{ending}")


async def test_a_file_is_overwritten_only_when_asked_twice(app: TrancheApp, hands: Any, files: Any) -> None:
    out = Path(files.text("mine.json", "mine"))
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await save(pilot, "mine.json")
        assert "mine.json: exists already; enter overwrites it" in hands.text(app)
        assert content(out) == b"mine"
        await pilot.press("escape")
        await save(pilot, "mine.json")
        assert content(out) == b"mine"
        other = Path(files.text("other.json", "other"))
        await enter(pilot, "other.json")
        assert content(other) == b"other"
        await enter(pilot, "other.json")
        assert content(out) == b"mine"
        assert json.loads(content(other))["summary"]
        assert not app.screen.query_one(SaveInput).open


UNWRITTEN = (
    ("nowhere/plan.json", "plan.json: its directory does not exist; create it first"),
    ("plan.docx", "plan.docx: has no known ending; use .json, .csv, .md, .txt, .html, .xlsx"),
    ("folder.json", "folder.json: is a directory; name a file in it"),
    ("~nobody-of-that-name/plan.json", "names no home directory that is known"),
    ("  ", "no file is named: type a file that ends in .json"),
    (f"{'x' * 300}.json", "File name too long"),
)


async def test_what_cannot_be_written_is_refused_on_screen(app: TrancheApp, hands: Any, files: Any) -> None:
    (files.folder / "folder.json").mkdir()
    async with app.run_test(size=(160, 36)) as pilot:
        await hands.settled(pilot)
        before, plan = names_in(files.folder), app.desk.plan
        for out, said in UNWRITTEN:
            await save(pilot, out)
            line = app.screen.query_one(SaveInput)
            shown = " ".join(hands.text(app).split())
            assert said in shown
            assert "--out" not in shown
            assert line.open
            assert line.query_one(Input).value == out
            assert app.desk.plan is plan
            assert names_in(files.folder) == before
            await pilot.press("escape")
        await save(pilot, "good.json")
        assert "good.json" in names_in(files.folder)
        assert not app.screen.query_one(SaveInput).open


async def test_a_fault_while_writing_leaves_the_old_file(
    app: TrancheApp, hands: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Path(files.text("mine.json", "mine"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        before = names_in(files.folder)
        await save(pilot, "mine.json")
        await enter(pilot, "mine.json")
        assert "mine.json: cannot be written (No space left on device)" in hands.text(app)
        assert content(out) == b"mine"
        assert names_in(files.folder) == before


async def test_edits_go_on_after_saving_and_are_noted_in_the_file(
    app: TrancheApp, hands: Any, files: Any, tranche: Any
) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        opening = app.desk.plan
        await hands.type_price(pilot, "open-quote", "2.1")
        await hands.settled(pilot)
        assert app.desk.plan is not None
        await save(pilot, "edited.json")
        edited = json.loads(content("edited.json"))
        assert float(edited["summary"]["cost"]) == pytest.approx(app.desk.plan.summary.cost, abs=0.01)
        typed = [found["message"] for found in edited["diagnostics"] if found["code"] == "typed-edit"]
        assert typed == ["typed: counter open-quote 2.1"]
        assert "wrote" in app.desk.note
        await pilot.press("u")
        await hands.settled(pilot)
        assert app.desk.plan is opening
        assert app.desk.note == ""
        await save(pilot, "undone.json")
        await pilot.press("r")
        await hands.settled(pilot)
        assert app.desk.plan is not opening
    assert content("undone.json") == commanded(tranche, files, "command.json")


async def test_nothing_is_saved_until_there_is_a_plan(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert "Save" in titles
        desk = app.desk
        app.desk = type(desk)()
        await pilot.pause()
        assert app.screen.check_action("save", ()) is None
        assert "Save" not in {command.title for command in app.get_system_commands(app.screen)}
        await pilot.press("s")
        await pilot.pause()
        assert not app.screen.query_one(SaveInput).open
        app.desk = desk


async def test_every_key_still_has_its_place_on_a_small_screen(app: TrancheApp, hands: Any) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await hands.settled(pilot)
        keys = " ".join(hands.text(app).splitlines()[-1].split())
        assert keys == "e Counter s Save : Command ? Help a Quotes u Undo r Redo q Quit"


async def test_a_plan_that_is_worked_out_anew_is_not_saved(app: TrancheApp, hands: Any, files: Any) -> None:
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await pilot.press("s")
        app.desk = replace(app.desk, stage="solving")
        await enter(pilot, "early.json")
        assert "the plan is still being worked out; press enter again" in hands.text(app)
        assert "early.json" not in names_in(files.folder)
        app.desk = replace(app.desk, stage="")
        await enter(pilot, "early.json")
        assert "early.json" in names_in(files.folder)


async def test_the_screen_goes_on_while_it_is_saved(
    app: TrancheApp, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release, gated, calls = Event(), Event(), saving.gated, []

    def slow(*given: Any) -> Any:
        calls.append(given)
        begun.set()
        assert release.wait(timeout=30)
        return gated(*given)

    monkeypatch.setattr(saving, "gated", slow)
    async with app.run_test(size=(120, 36)) as pilot:
        await hands.settled(pilot)
        await pilot.press("s")
        await pilot.pause()
        app.screen.query_one(SaveInput).query_one(Input).value = "slow.json"
        await pilot.press("enter")
        await pilot.pause()
        assert begun.wait(timeout=30)
        assert "saving…" in hands.text(app)
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert app.screen.query_one(SaveInput).open
        release.set()
        await written(pilot)
        assert not any(line.open for line in app.screen.query(Line))
        assert json.loads(content("slow.json"))["summary"]
        assert len(calls) == 1


def test_the_settings_are_asked_for_their_gates(files: Any) -> None:
    config = files.text("other.toml", SETTINGS)
    rules = saving.rules_of(config, {"over": 7.0}, warn_only=True)
    assert rules.limits == {"over": 7.0, "savings_missed": 1e6, "increase": 0.05}
    assert rules.budgets == {"train": 10.0}
    assert rules.warn_only
    assert not saving.rules_of(None).limits
