"""The signs that are drawn: in Unicode, or in plain 7-bit characters where a terminal shows no others."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

POOR = ("dumb", "linux")  # values of TERM: no display at all, and a console whose font lacks most signs


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """Signs, each one cell wide; a field of several characters is a scale, its least sign first.

    levels: of a spark. rising: parts of a cell filled from below, the full cell last. across: the same from the left.
    bought, owned, spot, payg: what fills the bar of a kind of capacity. over: what fills a bar beyond its limit.
    pieces: a line's way out of a cell, as a sum of 1 up, 2 down, 4 left and 8 right. dots: the empty cell of Braille,
    or nothing where there is none. lines: one sign for each line of a chart without Braille. mark: a marked point.
    upright, level: a line that marks a place on an axis. limit: a mark on a bar. tick, axis: beside the plot, with and
    without a label. up, down: where a figure went. opened, closed: a row with and without what is in it. to: from a
    value to another. middle: between two words.
    """

    levels: str
    rising: str
    across: str
    bought: str
    owned: str
    spot: str
    payg: str
    over: str
    pieces: str
    dots: str
    lines: str
    mark: str
    upright: str
    level: str
    limit: str
    tick: str
    axis: str
    up: str
    down: str
    opened: str
    closed: str
    to: str
    middle: str

    def of(self, kind: str) -> str:
        """Return what fills the bar of a kind of capacity."""
        return {"bought": self.bought, "owned": self.owned, "spot": self.spot, "payg": self.payg}[kind]


UNICODE = Glyphs(
    levels="▁▂▃▄▅▆▇█",
    rising="▁▂▃▄▅▆▇█",
    across="▏▎▍▌▋▊▉█",
    bought="█",
    owned="▓",
    spot="▒",
    payg="░",
    over="▓",
    pieces=" ╵╷│╴┘┐┤╶└┌├─┴┬┼",
    dots="\u2800",
    lines="•+x◦",
    mark="●",
    upright="┊",
    level="╌",
    limit="│",
    tick="┤",
    axis="│",
    up="▲",
    down="▼",
    opened="▾",
    closed="▸",
    to="→",
    middle="·",
)
ASCII = Glyphs(
    levels=".:-=+*#@",
    rising="#",
    across="#",
    bought="#",
    owned="=",
    spot="+",
    payg=".",
    over="!",
    pieces=" |||-++|-++|-+++",
    dots="",
    lines="*+xo",
    mark="@",
    upright=":",
    level=".",
    limit="|",
    tick="+",
    axis="|",
    up="^",
    down="v",
    opened="-",
    closed="+",
    to=">",
    middle="-",
)
_IN_FORCE = [UNICODE]


def chosen() -> Glyphs:
    """Return the signs in force."""
    return _IN_FORCE[0]


def use(glyphs: Glyphs) -> None:
    """Draw with these signs from now on."""
    _IN_FORCE[0] = glyphs


def fitting(environment: Mapping[str, str], encoding: str | None) -> Glyphs:
    """Choose the signs that a terminal shows: plain ones where TRANCHE_ASCII, TERM or the encoding asks for them."""
    asked = environment.get("TRANCHE_ASCII", "") not in {"", "0"}
    return ASCII if asked or environment.get("TERM") in POOR or not _is_utf8(encoding) else UNICODE


def _is_utf8(encoding: str | None) -> bool:
    try:
        return codecs.lookup(encoding or "").name == "utf-8"
    except (LookupError, ValueError):
        return False
