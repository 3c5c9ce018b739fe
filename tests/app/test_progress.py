"""The bar on long reads: absent for a second, honest after it, gone at the end."""

import pytest

from app.progress import Bar, Bars


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("app.progress.monotonic", lambda: now[0])
    return now


def test_nothing_is_drawn_in_the_first_second(clock, capsys):
    bar = Bar("reading bills")
    clock[0] = 0.9
    bar.advance(10, "rows")
    bar.clear()
    assert capsys.readouterr().err == ""


def test_it_says_how_much_of_how_much_and_is_taken_away(clock, capsys):
    bar = Bar("reading bills")
    bar.expect(4e6, "rows")
    clock[0] = 1.5
    bar.advance(1e6, "rows")
    shown = capsys.readouterr().err
    assert shown == "\rtranche: reading bills [######..................]  25% 1.0 of 4.0 M rows"
    bar.clear()
    assert capsys.readouterr().err == "\r" + " " * (len(shown) - 1) + "\r"


def test_more_than_was_expected_is_never_above_the_whole(clock, capsys):
    bar = Bar("reading bills")
    bar.expect(1e6, "bytes")
    clock[0] = 2
    bar.advance(3e6, "bytes")
    assert "100% 3.0 of 1.0 MB" in capsys.readouterr().err


def test_without_a_known_whole_it_counts(clock, capsys):
    bar = Bar("reading bills")
    clock[0] = 2
    bar.advance(3e6, "rows")
    assert capsys.readouterr().err == "\rtranche: reading bills: 3.0 M rows"


def test_it_is_not_drawn_more_often_than_ten_times_a_second(clock, capsys):
    bar = Bar("reading bills")
    for tick in range(100):
        clock[0] = 1 + tick / 100
        bar.advance(1, "rows")
    assert capsys.readouterr().err.count("\r") == pytest.approx(10, abs=1)


def test_bars_of_several_works_stand_below_each_other_until_they_are_gone(capsys, monkeypatch):
    clock = iter(range(1, 100))
    monkeypatch.setattr("app.progress.monotonic", lambda: next(clock))
    bars = Bars(["one", "two"])
    first, second = bars.of("one"), bars.of("two")
    first.expect(4, "pages")
    second.expect(2, "pages")
    first.advance(1, "pages")
    drawn = capsys.readouterr().err
    assert drawn.count("\n") == 1 + 2 + 2  # the second work has no line before it expects anything
    assert "one                  [######..................]  25% 1 of 4" in drawn.splitlines()[-2]
    assert "0% 0 of 2" in drawn.splitlines()[-1]
    bars.end("two", "failed")
    ended = capsys.readouterr().err
    assert "two                  failed" in ended
    assert ended.startswith("\x1b[A" * 2)
    bars.clear()
    assert capsys.readouterr().err == "\x1b[A\x1b[K" * 2
