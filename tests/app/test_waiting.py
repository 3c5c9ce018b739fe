"""A person at a terminal is told what a wait is for; a pipe is not."""

import sys
from threading import Event

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
    assert capsys.readouterr().err == ("\r\x1b[K" if told else "")


def test_the_seconds_are_counted_until_it_is_gone(monkeypatch, capsys):
    clock = iter((0.0, 1.0, 59.6, *range(61, 1000)))
    drawn = Event()
    monkeypatch.setattr("app.progress.PATIENCE_S", 0.001)
    monkeypatch.setattr("app.progress.monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    written = sys.stderr.write
    monkeypatch.setattr(sys.stderr, "write", lambda text: (drawn.set() if "61 s" in text else None, written(text))[1])
    with Voice().waiting("solving"):
        assert drawn.wait(60)
    said = capsys.readouterr().err.split("\r")
    assert said[1:5] == [
        "tranche: solving…",
        "tranche: solving… 1 s",
        "tranche: solving… 60 s",
        "tranche: solving… 61 s",
    ]
    assert said[-1] == "\x1b[K"
