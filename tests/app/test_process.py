"""What only a true process shows: what is imported, whether bytes repeat, and how a pipe ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GPU = "H100-SXM-80GB"
HEAVY = {"polars", "scipy", "numpy", "msgspec", "textual", "boto3", "google", "azure"}


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, *command], capture_output=True, check=False, env=env, cwd=cwd)


def imported_by(*arguments: str, cwd: Path) -> set[str]:
    """Return the top-level modules that one run of the command imports."""
    code = (
        "import json, sys; from app.cli import main; main(sys.argv[1:]); "
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    return set(json.loads(run("-c", code, *arguments, cwd=cwd).stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], [], ["plan", "--help"], ["nonsense"]])
def test_help_imports_nothing_heavy(files, arguments):
    found = imported_by(*arguments, cwd=files.folder)
    assert "click" in found
    assert found & HEAVY == set()


def test_the_headless_command_never_imports_textual(files):
    found = imported_by("plan", files.usage, "--offers", files.offers, "--horizon", "history", cwd=files.folder)
    assert {"polars", "scipy"} <= found
    assert "textual" not in found


def test_without_a_terminal_the_bare_command_prints_help(files):
    ran = run("-m", "app.cli", cwd=files.folder)
    assert ran.returncode == 2
    assert ran.stdout.startswith(b"Usage: tranche")


def test_version(files):
    ran = run("-m", "app.cli", "--version", cwd=files.folder)
    assert (ran.returncode, ran.stdout.split()[0]) == (0, b"tranche")


@pytest.mark.parametrize("form", ["json", "table", "csv", "md"])
def test_the_same_inputs_give_the_same_bytes(files, form):
    quotes = ["--offer", f"b:{GPU}=2.4/h,64gpus,12mo", "--offer", f"c:{GPU}=2.3/h,lot8,12mo"]
    given = [files.usage, "--offers", files.offers, *quotes, "--now", "2026-11-21"]
    command = ["-m", "app.cli", "plan", *given, "--format", form, "--out", "plan.json"]
    first, second = (
        (run(*command, cwd=files.folder, PYTHONHASHSEED=seed), (files.folder / "plan.json").read_bytes())
        for seed in ("1", "2")
    )
    assert first[0].returncode == 0
    assert first[0].stdout
    assert (first[0].stdout, first[0].stderr, first[1]) == (second[0].stdout, second[0].stderr, second[1])


def test_a_closed_pipe_is_no_error(files):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "app.cli", "plan", files.usage, "--offers", files.offers, "--out", "plan.json"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, cwd=files.folder, env=env)
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (0, b"tranche: note: wrote plan.json\n")
    assert (files.folder / "plan.json").exists()


def test_data_is_utf_8_in_any_locale(files):
    usage = files.table("usage.csv", [{**row, "workload": "训练"} for row in files.hours()])
    command = ["-m", "app.cli", "plan", usage, "--offers", files.offers, "--format", "json"]
    ran = run(*command, cwd=files.folder, LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0
    assert {service["workload"] for service in json.loads(ran.stdout)["mix"]} == {"训练"}


def test_what_the_solver_prints_itself_never_reaches_stdout(tmp_path):
    code = (
        "import ctypes; from app.quiet import hushed\n"
        "print('before')\n"
        "with hushed(): ctypes.CDLL(None).printf(b'noise')\n"
        "print('after')"
    )
    assert run("-c", code, cwd=tmp_path).stdout.split() == [b"before", b"after"]


def test_silence_that_several_threads_ask_for_ends_when_the_last_leaves(tmp_path):
    """One begins while another is inside, and goes on after it: neither brings the noise back, nor keeps it away."""
    code = (
        "import ctypes; from app.quiet import hushed\n"
        "say = lambda what: ctypes.CDLL(None).printf(what) and ctypes.CDLL(None).fflush(None)\n"
        "first, second = hushed(), hushed()\n"
        "first.__enter__(); second.__enter__(); first.__exit__(None, None, None)\n"
        "say(b'noise'); second.__exit__(None, None, None); say(b'after')"
    )
    assert run("-c", code, cwd=tmp_path).stdout == b"after"


def test_a_screen_in_a_browser_is_drawn_while_something_is_solved(tmp_path):
    code = (
        "import ctypes, os, sys; from app.quiet import hushed, stdout_aside\n"
        "say = lambda what: ctypes.CDLL(None).printf(what) and ctypes.CDLL(None).fflush(None)\n"
        "with stdout_aside():\n"
        "    screen = sys.__stdout__.fileno()\n"
        "    with hushed(): say(b'noise'); os.write(screen, b'drawn ')\n"
        "    say(b'noise'); os.write(screen, b'again ')\n"
        "say(b'after')"
    )
    assert run("-c", code, cwd=tmp_path).stdout == b"drawn again after"


def test_what_libraries_log_is_not_narrated(files):
    log = "import logging; logging.getLogger('azure.identity').warning('a wall of text')"
    assert b"a wall of text" in run("-c", log, cwd=files.folder).stderr
    assert run("-c", f"from app.quiet import hush_libraries; hush_libraries(); {log}", cwd=files.folder).stderr == b""
