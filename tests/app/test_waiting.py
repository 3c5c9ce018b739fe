"""A person at a terminal is told what a wait is for; a pipe is not."""

import sys

import pytest

from app.diagnostics import Voice


@pytest.mark.parametrize(
    ("terminal", "quiet", "told"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_wait_is_announced_on_a_terminal_and_taken_away(monkeypatch, capsys, terminal, quiet, told):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with Voice(quiet=quiet).waiting("solving"):
        during = capsys.readouterr().err
    assert ("solving" in during) is told
    assert capsys.readouterr().err.strip() == ""
