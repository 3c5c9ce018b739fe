"""The colours of the screens: dark, light, safe for the colour-blind, and without any colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.theme import Theme

if TYPE_CHECKING:
    from collections.abc import Mapping

DARK, LIGHT, SAFE, PLAIN = "tranche-dark", "tranche-light", "tranche-safe", "tranche-plain"
INKS = ("primary", "secondary", "success", "warning", "error", "accent")


def themes() -> tuple[Theme, ...]:
    """Return every theme, the usual one first."""
    return (_dark(), _light(), _safe(), _plain())


def fitting_theme(environment: Mapping[str, str]) -> str:
    """Name the theme for a terminal: without colour where NO_COLOR is set or TERM is dumb."""
    return PLAIN if environment.get("NO_COLOR") or environment.get("TERM") == "dumb" else DARK


def _theme(name: str, colours: Mapping[str, str], *, cursor: tuple[str, str], dark: bool = True) -> Theme:
    """Make a theme whose text is written in its colours as they are, where Textual would mix them with white or black.

    cursor: the colour behind and of the row that is pointed at.
    """
    behind, front = cursor
    return Theme(
        name=name,
        dark=dark,
        variables={
            **{f"text-{ink}": colours[ink] for ink in INKS},
            "block-cursor-background": behind,
            "block-cursor-foreground": front,
            "block-cursor-blurred-background": colours["panel"],
            "footer-key-foreground": colours["accent"],
        },
        **colours,  # type: ignore[arg-type]
    )


def _dark() -> Theme:
    return _theme(
        DARK,
        {
            "background": "#10141a",
            "surface": "#181e26",
            "panel": "#232b36",
            "foreground": "#dde4ec",
            "primary": "#5aa2ef",
            "secondary": "#8fb3d9",
            "success": "#4fc48a",
            "warning": "#e5b04c",
            "error": "#f27d78",
            "accent": "#c6a0f6",
        },
        cursor=("#2f6db5", "#ffffff"),
    )


def _light() -> Theme:
    return _theme(
        LIGHT,
        {
            "background": "#fbfbf8",
            "surface": "#f0f0eb",
            "panel": "#e3e4de",
            "foreground": "#1d2228",
            "primary": "#1f62ae",
            "secondary": "#44627f",
            "success": "#1a6e3f",
            "warning": "#855600",
            "error": "#b3261e",
            "accent": "#7b3fa0",
        },
        cursor=("#1f62ae", "#ffffff"),
        dark=False,
    )


def _safe() -> Theme:
    """Use the hues of Okabe and Ito (2002), which stay apart for every kind of colour blindness."""
    return _theme(
        SAFE,
        {
            "background": "#08090b",
            "surface": "#101316",
            "panel": "#15191d",
            "foreground": "#e4e8ec",
            "primary": "#9bd1f7",
            "secondary": "#a9c4d6",
            "success": "#009e73",
            "warning": "#f0e442",
            "error": "#d55e00",
            "accent": "#cc79a7",
        },
        cursor=("#0072b2", "#ffffff"),
    )


def _plain() -> Theme:
    return _theme(
        PLAIN,
        {
            "background": "#000000",
            "surface": "#141414",
            "panel": "#2a2a2a",
            "foreground": "#e8e8e8",
            "primary": "#c4c4c4",
            "secondary": "#b4b4b4",
            "success": "#d0d0d0",
            "warning": "#e0e0e0",
            "error": "#ffffff",
            "accent": "#f0f0f0",
        },
        cursor=("#e0e0e0", "#000000"),
    )
