"""Sessions: kept as they go, gone on with after a crash, and run again to the same bytes."""

import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.diagnostics import UsageError
from app.negotiation import History, Step
from app.session import Request, load
from app.sessions import LAST, SessionFile, Sessions, Typed, file_of, in_use, negotiated, recovered
from app.tui.keeping import Keeper, keeper_of

GPU = "H100-SXM-80GB"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
TYPED = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
LINES = (f"quote b:{GPU}=2/h,64gpus,12mo,name=block", "counter block 1.8 12mo 64", "limit committed<=90%")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANCHE_SESSIONS", str(tmp_path / "sessions"))
    return Sessions()


@pytest.fixture
def request_here(files):
    return Request(now=NOW, usage=("usage.csv",), offers=("offers.csv",), horizon="history")


def history(request, lines=LINES):
    found = History((Step(session=load(request)),))
    for line in lines:
        found = found.edited(line, TYPED)
    return found


def write(kept, request, name="nego", *, back=0, is_open=False):
    found = history(request)
    file = file_of(name, request, found.gone_to(found.at - back), screen="desk", is_open=is_open)
    kept.write(file)
    return file


def test_what_is_written_is_read_as_the_same(kept, request_here):
    file = write(kept, request_here, back=1)
    assert kept.read("nego") == file
    assert [edit.line for edit in file.edits] == list(LINES)
    assert (file.at, file.request, file.screen, file.open_by) == (2, request_here, "desk", None)
    assert kept.names() == ["nego"]
    path = kept.folder / "nego.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.folder.stat().st_mode) == 0o700


def test_the_command_plans_a_session_to_the_same_bytes(kept, request_here, tranche, files):
    write(kept, request_here, back=1)
    same = ("--offer", f"b:{GPU}=1.8/h,64gpus,12mo,name=block")
    given = ["usage.csv", "--offers", "offers.csv", "--horizon", "history", "--now", "2026-11-21"]
    ran = tranche("plan", "--session", "nego", "--format", "json")
    again = tranche("plan", "--session", "nego", "--format", "json")
    typed = tranche("plan", *given, *same, "--format", "json")
    assert ran.code == typed.code == 0
    assert ran.out == again.out
    mine, theirs = ran.json, typed.json
    assert mine["inputs"]["options"]["edits"] == list(LINES[:2])
    assert mine["inputs"]["usage"] == theirs["inputs"]["usage"]
    for part in ("summary", "purchases", "mix", "walk_away", "created"):
        assert mine[part] == theirs[part]


def test_a_session_can_be_planned_from_elsewhere(kept, request_here, tranche, files, monkeypatch):
    files.text("tranche.toml", '[limits]\ncommitted = "70%"\n')
    write(kept, request_here)
    here = tranche("plan", "--session", "nego", "--format", "json").json
    monkeypatch.chdir("/")
    there = tranche("plan", "--session", "nego", "--format", "json")
    assert there.code == 0
    assert "warning" not in there.err
    assert there.json["summary"] == here["summary"]
    assert here["inputs"]["limits"] == there.json["inputs"]["limits"] == {"committed": "90%"}


def test_a_file_that_changed_since_is_named(kept, request_here, tranche, files):
    write(kept, request_here)
    files.table("offers.csv", [files.on_demand(usage_usd_per_gpu_hour=5)])
    ran = tranche("plan", "--session", "nego", "--format", "json")
    assert ran.code == 0
    assert "warning: offers.csv is not what it was when session nego was saved" in ran.err


def test_an_edit_that_can_no_longer_be_made_is_refused_by_the_command_and_named_on_screen(
    kept, request_here, tranche, files
):
    rows = [files.on_demand(), files.offer("there", "contract", holding=2, status="quote", term_months=12)]
    files.table("offers.csv", rows)
    file = replace_edits(write(kept, request_here), "counter there 1.9", LINES[0])
    kept.write(file)
    files.table("offers.csv", [files.on_demand()])
    ran = tranche("plan", "--session", "nego")
    assert ran.code == 2
    assert "session 'nego', edit 1 (counter there 1.9): there is no quote 'there'" in ran.err
    found, lost = recovered(load(request_here), file)
    assert [str(edit) for edit in found.now.session.edits] == [LINES[0]]
    assert "counter there 1.9" in lost[0].message


def replace_edits(file, *lines):
    return SessionFile(name=file.name, folder=file.folder, request=file.request, edits=tuple(map(Typed, lines)), at=2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plan", "--session", "none"), "there is no session 'none'; there are: nego"),
        (("plan", "--session", "../x"), "'../x' cannot name a session"),
        (("plan", "--session", "nego", "usage.csv"), "holds its inputs already; leave out files"),
        (("plan", "--session", "nego", "--limit", "spot<=1%"), "leave out --limit"),
        (("sessions", "copy", "nego", "nego"), "there is a session 'nego' already"),
        (("sessions", "show", "bad"), "session 'bad' cannot be read"),
        (("sessions", "delete", "none", "--yes"), "there is no session 'none'"),
    ],
)
def test_what_cannot_be_is_one_line(kept, request_here, tranche, arguments, said):
    (kept.folder).mkdir(parents=True, exist_ok=True)
    if "bad" in arguments:
        (kept.folder / "bad.json").write_text("{")
    write(kept, request_here)
    ran = tranche(*arguments)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_sessions_are_listed_copied_renamed_compared_and_deleted(kept, request_here, tranche, monkeypatch):
    write(kept, request_here, back=1)
    assert tranche("sessions").out == "nego: 2 edits, 1 undone · as of 2026-11-21 · usage.csv\n"
    assert tranche("sessions", "show", "nego").out.splitlines()[1:] == [*LINES[:2], f"({LINES[2]})"]
    assert tranche("sessions", "copy", "nego", "other").code == 0
    assert tranche("sessions", "rename", "other", "third one").code == 0
    assert sorted(kept.names()) == ["nego", "third one"]
    kept.write(replace_edits(kept.read("third one"), LINES[0], "counter block 0.5"))
    compared = tranche("sessions", "compare", "nego", "third one", "--format", "json")
    assert compared.code == 0
    old, new = (tranche("plan", "--session", name, "--format", "json").json for name in ("nego", "third one"))
    change = float(new["summary"]["cost"]) - float(old["summary"]["cost"])
    parts = compared.json["parts"]
    assert change < 0
    assert [part["cause"] for part in parts if float(part["amount"])] == ["price"]
    assert sum(float(part["amount"]) for part in parts) == pytest.approx(change, abs=0.01)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert "is kept" in tranche("sessions", "delete", "nego").err
    assert tranche("sessions", "delete", "nego", "--yes").code == 0
    assert kept.names() == ["third one"]


def test_a_session_goes_to_another_machine(kept, request_here, tranche, files, tmp_path, monkeypatch):
    write(kept, request_here, is_open=True)
    here = tranche("plan", "--session", "nego", "--format", "json").out
    assert tranche("sessions", "export", "nego", "nego.json").code == 0
    monkeypatch.setenv("TRANCHE_SESSIONS", str(tmp_path / "elsewhere"))
    assert tranche("sessions", "import", "nego.json", "brought").code == 0
    assert tranche("plan", "--session", "brought", "--format", "json").out == here
    assert Sessions().read("brought").open_by is None
    for wrong, said in (("usage.csv", "usage.csv cannot be read"), ("nego.json", "a session 'brought' already")):
        ran = tranche("sessions", "import", wrong, "brought")
        assert (ran.code, said in ran.err) == (2, True)


def test_hostile_names_in_a_session_cannot_steer_a_terminal(kept, request_here, tranche):
    file = write(kept, request_here)
    kept.write(replace_edits(file, "note block \x1b[31mred\u202e", LINES[0]))
    ran = tranche("sessions", "show", "nego")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


def test_a_write_that_fails_leaves_what_was_there(kept, request_here, monkeypatch):
    file = write(kept, request_here)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    keeper = Keeper(kept, "nego", request_here)
    keeper.close(history(request_here, LINES[:1]), screen="plan")
    assert "session 'nego' cannot be saved (No space left on device)" in keeper.problem
    assert kept.read("nego") == file
    assert [path.name for path in kept.folder.iterdir()] == ["nego.json"]


def test_what_was_not_closed_is_gone_on_with(kept, request_here):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    file = file_of(LAST, request_here, history(request_here), screen="desk", is_open=True)
    kept.write(SessionFile(**{**{f: getattr(file, f) for f in file.__struct_fields__}, "open_by": dead.pid}))
    later = replace(request_here, now=datetime(2026, 12, 1, tzinfo=UTC))
    asked, keeper = keeper_of(later, None)
    assert (asked, keeper.name) == (request_here, LAST)
    assert keeper.greeting.startswith("restored 3 edits of a session that was not closed")
    found, lost = recovered(load(asked), keeper.kept)
    assert [str(edit) for edit in found.now.session.edits] == list(LINES)
    assert not lost
    other, fresh = keeper_of(replace(request_here, horizon="12mo"), None)
    assert other.horizon == "12mo"
    assert fresh.kept is None


def test_what_was_closed_is_set_aside_and_kept(kept, request_here):
    write(kept, request_here, LAST)
    asked, keeper = keeper_of(request_here, None)
    assert (asked, keeper.kept, keeper.name) == (request_here, None, LAST)
    assert kept.names() == ["2026-11-21 14.02.00"]
    assert [edit.line for edit in kept.read("2026-11-21 14.02.00").edits] == list(LINES)


def test_a_session_that_is_open_elsewhere_is_left_alone(kept, request_here):
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        for name in ("nego", LAST):
            file = file_of(name, request_here, history(request_here), is_open=True)
            kept.write(SessionFile(**{**{f: getattr(file, f) for f in file.__struct_fields__}, "open_by": other.pid}))
            assert in_use(kept.read(name))
        with pytest.raises(UsageError, match="is open in another tranche"):
            keeper_of(request_here, "nego")
        with pytest.raises(UsageError, match="is open in another tranche and cannot be deleted"):
            kept.delete("nego")
        _, keeper = keeper_of(request_here, None)
        assert keeper.name == f"{LAST}-2"
    finally:
        other.kill()
        other.wait()


KILLED = """
import asyncio, sys
from datetime import UTC, datetime
from functools import partial
from app.session import Request
from app.tui.app import TrancheApp
from app.tui.keeping import keeper_of

async def main():
    request = Request(now=datetime(2026, 11, 21, tzinfo=UTC), usage=("usage.csv",), offers=("offers.csv",))
    app = TrancheApp(request, partial(keeper_of, name="nego"))
    async with app.run_test() as pilot:
        while app.desk.history is None:
            await pilot.pause(0.05)
        for line in sys.argv[1:]:
            assert not app.edit(line)
        print("edited", flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_nothing_typed_is_lost_when_the_program_is_killed(kept, request_here, tranche):
    """Killed as it solves, seconds after the last edit: the session is there, with all edits, and no half of a file."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    program = subprocess.Popen([sys.executable, "-c", KILLED, *LINES], stdout=subprocess.PIPE, env=environment)
    assert program.stdout is not None
    assert program.stdout.readline() == b"edited\n"
    until = time.monotonic() + 30
    while time.monotonic() < until and not _written(kept, len(LINES)):
        time.sleep(0.02)
    program.send_signal(signal.SIGKILL)
    program.wait()
    program.stdout.close()
    file = kept.read("nego")
    assert [edit.line for edit in file.edits] == list(LINES)
    assert file.open_by == program.pid
    assert not in_use(file)
    assert [str(edit) for edit in negotiated(file).edits] == list(LINES)
    planned = tranche("plan", "--session", "nego", "--format", "json").json
    assert planned["inputs"]["options"]["edits"] == list(LINES)


def _written(kept, edits):
    return "nego" in kept.names() and len(kept.read("nego").edits) == edits
