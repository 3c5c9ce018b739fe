"""`tranche completion`: the scripts, and what they get when they ask."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import COMMANDS

ROOT = Path(__file__).parents[2]


def asked(shell, words, *, place):
    """Return what a shell gets that completes word number `place` of the words."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "_TRANCHE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(place),
    }
    code = "import sys; from app.cli import main; sys.exit(main([]))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=env, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_this_command(tranche, shell):
    ran = tranche("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_TRANCHE_COMPLETE={shell}_complete" in ran.out
    assert "tranche" in ran.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_itself_accepts_the_script(tranche, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    script = tranche("completion", shell).out
    ran = subprocess.run([shell, "-n"], input=script, capture_output=True, check=False, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_every_command_is_completed():
    assert [line.removeprefix("plain,") for line in asked("bash", "tranche ", place=1)] == sorted(COMMANDS)
    assert asked("bash", "tranche app", place=1) == ["plain,approve"]


def test_options_are_completed():
    found = asked("bash", "tranche plan --fail-", place=2)
    assert {"plain,--fail-over", "plain,--fail-expiring-within"} <= set(found)
    assert len(found) == 8


def test_another_shell_is_refused(tranche):
    ran = tranche("completion", "tcsh")
    assert (ran.code, ran.out) == (2, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in ran.err
