"""The signs: one cell each, plain ones where a terminal shows no others, and every drawing made of those in force."""

from collections.abc import Iterator
from dataclasses import fields

import pytest
from rich.cells import cell_len

from app.tui.glyphs import ASCII, UNICODE, Glyphs, chosen, fitting, use
from app.tui.widgets.mix import KINDS
from app.tui.widgets.spark import spark


@pytest.fixture(params=[UNICODE, ASCII], ids=["unicode", "ascii"])
def glyphs(request: pytest.FixtureRequest) -> Iterator[Glyphs]:
    use(request.param)
    yield request.param
    use(UNICODE)


def signs(glyphs: Glyphs) -> str:
    return "".join(getattr(glyphs, field.name) for field in fields(glyphs))


def test_every_sign_is_one_cell_wide(glyphs: Glyphs) -> None:
    assert [sign for sign in signs(glyphs) if cell_len(sign) != 1] == []


def test_every_sign_of_braille_is_one_cell_wide() -> None:
    assert {cell_len(chr(ord(UNICODE.dots) | dots)) for dots in range(256)} == {1}


def test_the_plain_signs_are_plain() -> None:
    assert signs(ASCII).isascii()
    assert signs(ASCII).isprintable()


def test_scales_have_no_sign_twice_and_kinds_differ(glyphs: Glyphs) -> None:
    for scale in (glyphs.levels, glyphs.rising, glyphs.across, glyphs.lines):
        assert len(set(scale)) == len(scale)
    assert len({glyphs.of(kind) for kind, _ in KINDS}) == len(KINDS)
    assert len(glyphs.pieces) == 16
    assert len(glyphs.lines) == 4


def test_a_full_cell_is_the_last_of_each_scale() -> None:
    assert UNICODE.rising[-1] == UNICODE.across[-1] == UNICODE.bought == "\N{FULL BLOCK}"
    assert len(UNICODE.rising) == len(UNICODE.across) == 8


def test_a_piece_of_a_line_reaches_the_sides_that_its_number_says() -> None:
    names = {"UP": 1, "DOWN": 2, "LEFT": 4, "RIGHT": 8, "VERTICAL": 3, "HORIZONTAL": 12}
    import unicodedata

    for ways, piece in enumerate(UNICODE.pieces[1:], 1):
        said = unicodedata.name(piece).removeprefix("BOX DRAWINGS LIGHT ").split()
        assert sum(names[word] for word in said if word in names) == ways, piece


@pytest.mark.parametrize(
    ("environment", "encoding", "found"),
    [
        ({}, "utf-8", UNICODE),
        ({"TERM": "xterm-256color"}, "UTF8", UNICODE),
        ({"TRANCHE_ASCII": "1"}, "utf-8", ASCII),
        ({"TRANCHE_ASCII": "0"}, "utf-8", UNICODE),
        ({"TRANCHE_ASCII": ""}, "utf-8", UNICODE),
        ({"TERM": "dumb"}, "utf-8", ASCII),
        ({"TERM": "linux"}, "utf-8", ASCII),
        ({"TERM": "xterm"}, "latin-1", ASCII),
        ({"TERM": "xterm"}, "ANSI_X3.4-1968", ASCII),
        ({"TERM": "xterm"}, "cp437", ASCII),
        ({}, None, ASCII),
        ({}, "no such encoding", ASCII),
        ({}, "utf\x008", ASCII),
    ],
)
def test_signs_fit_the_terminal(environment: dict[str, str], encoding: str | None, found: Glyphs) -> None:
    assert fitting(environment, encoding) is found


def test_a_spark_is_drawn_with_the_signs_in_force(glyphs: Glyphs) -> None:
    assert chosen() is glyphs
    drawn = spark([0, 1, 2, 4, 8], 5)
    assert set(drawn) <= {" ", *glyphs.levels}
    heights = [glyphs.levels.find(sign) for sign in drawn]
    assert heights == sorted(heights)
    assert heights[-1] == len(glyphs.levels) - 1
