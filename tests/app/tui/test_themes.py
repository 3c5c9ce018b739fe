"""Text can be read in every theme; the safe one keeps colours apart for the colour-blind, the plain one has none."""

import itertools
import math
import re

import numpy as np
import pytest
from textual.app import App
from textual.color import Color
from textual.theme import Theme

from app.tui.themes import DARK, LIGHT, PLAIN, SAFE, fitting_theme, themes

THEMES = {theme.name: theme for theme in themes()}
INKS = ("foreground", "text-primary", "text-secondary", "text-success", "text-warning", "text-error", "text-accent")
READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3
APART = 30.0  # CIE 1976 colour difference; 2.3 is just noticeable, and neighbours in a chart are told apart from 20 on
# What is seen without one kind of cone: Machado, Oliveira and Fernandes, IEEE TVCG 15 (2009), table 1, severity 1.0.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def variables(theme: Theme) -> dict[str, str]:
    """Return what a program sees: Textual's own variables, then those of the theme."""
    return {**theme.to_color_system().generate(), **theme.variables}


def linear(colour: str) -> np.ndarray:
    found = Color.parse(colour)
    assert found.a == 1.0
    parts = np.array(found.rgb) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* of linear sRGB under D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(light, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def apart(one: str, other: str, seen: np.ndarray) -> float:
    return float(np.linalg.norm(lab(seen @ linear(one)) - lab(seen @ linear(other))))


def test_the_yardsticks_agree_with_what_is_published() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the well-known grey that just fails
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.1)
    assert all(matrix.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5) for matrix in BLINDNESS.values())  # grey stays


@pytest.mark.parametrize("ink", INKS)
@pytest.mark.parametrize("behind", ["background", "surface", "panel"])
@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read(name: str, behind: str, ink: str) -> None:
    found = variables(THEMES[name])
    assert contrast(found[ink], found[behind]) >= READABLE


@pytest.mark.parametrize("behind", ["background", "surface", "panel"])
@pytest.mark.parametrize("name", THEMES)
def test_muted_text_can_be_read(name: str, behind: str) -> None:
    """What is muted is black or white, whichever stands out, mixed with what is behind it."""
    found = variables(THEMES[name])
    share = int(re.fullmatch(r"auto (\d+)%", found["text-muted"])[1]) / 100
    ground = Color.parse(found[behind])
    assert contrast((ground + ground.get_contrast_text(share)).hex6, found[behind]) >= READABLE


@pytest.mark.parametrize("name", THEMES)
def test_the_row_under_the_cursor_and_what_is_current_can_be_read(name: str) -> None:
    found = variables(THEMES[name])
    for behind in ("block-cursor", "block-cursor-blurred"):
        assert contrast(found[f"{behind}-foreground"], found[f"{behind}-background"]) >= READABLE
    for behind in ("primary-muted", "error-muted"):
        assert contrast(found["foreground"], found[behind]) >= READABLE


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_safe_theme_keeps_good_and_bad_apart(blindness: str) -> None:
    found = variables(THEMES[SAFE])
    for one, other in itertools.combinations(("text-success", "text-warning", "text-error"), 2):
        assert apart(found[one], found[other], BLINDNESS[blindness]) >= APART


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_the_safe_theme_keeps_kinds_that_lie_on_each_other_apart(blindness: str) -> None:
    found = variables(THEMES[SAFE])
    for one, other in itertools.pairwise(("text-primary", "text-success", "text-warning", "text-error")):
        assert apart(found[one], found[other], BLINDNESS[blindness]) >= 20


def test_the_usual_theme_does_not_and_is_why_there_is_a_safe_one() -> None:
    found = variables(THEMES[DARK])
    assert apart(found["text-success"], found["text-error"], BLINDNESS["deuteranopia"]) < 20


def test_the_safe_theme_has_the_published_hues() -> None:
    okabe_ito = {"#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"}
    theme = THEMES[SAFE]
    assert {theme.success, theme.warning, theme.error, theme.accent} <= okabe_ito


def test_the_plain_theme_has_no_hue_at_all() -> None:
    found = variables(THEMES[PLAIN])
    colours = {}
    for name, value in found.items():
        if value.startswith("#"):
            colours[name] = Color.parse(value).rgb
        else:
            assert re.fullmatch(r"auto \d+%|transparent|initial|none|[a-z ]*(bold|underline|reverse)[a-z ]*", value), (
                name
            )
    assert len(colours) > 50
    assert {name: rgb for name, rgb in colours.items() if len(set(rgb)) > 1} == {}


def test_themes_have_what_their_names_say() -> None:
    assert list(THEMES) == [DARK, LIGHT, SAFE, PLAIN]
    for theme in THEMES.values():
        darker = luminance(theme.background) < luminance(theme.foreground)
        assert theme.dark is darker
        assert math.isclose(contrast(theme.background, theme.background), 1)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, DARK),
        ({"TERM": "xterm-256color"}, DARK),
        ({"NO_COLOR": "1"}, PLAIN),
        ({"NO_COLOR": ""}, DARK),  # no-color.org: "when present and not an empty string"
        ({"TERM": "dumb"}, PLAIN),
    ],
)
def test_a_theme_fits_the_terminal(environment: dict[str, str], name: str) -> None:
    assert fitting_theme(environment) == name


@pytest.mark.parametrize("name", THEMES)
async def test_a_program_takes_the_theme(name: str) -> None:
    app: App[None] = App()
    for theme in themes():
        app.register_theme(theme)
    async with app.run_test() as pilot:
        app.theme = name
        await pilot.pause()
        assert app.theme_variables["text-error"] == THEMES[name].error
