"""Bars in one line: a part of the highest, and a budget with what is used of it."""

from __future__ import annotations

import math

from rich.segment import Segment
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

from app.tui import words
from app.tui.glyphs import chosen
from app.tui.widgets.canvas import drawable

SAID = 14  # cells for the longest of what `used` says, and a gap
WARNED = 0.8  # of the limit: from here on a budget is nearly used up
MOST_SHARE = 1e6  # of the limit: drawn alike from here on
MANY = 10  # times the limit: no percentage says more
ROOM = 1.2  # of the limit: how far a bar goes, so that the limit can be seen from both sides


def bar(value: float | None, top: float, width: int) -> str:
    """Draw a value as a bar that is `width` cells where the value is `top`; any value above 0 is seen."""
    value, top = drawable(value) or 0.0, drawable(top) or 0.0
    if value <= 0 or top <= 0 or width <= 0:
        return ""
    parts = len(chosen().across)
    return _across(max(round(min(value / top, 1.0) * width * parts), 1))


def _across(filled: int) -> str:
    signs = chosen().across
    whole, part = divmod(filled, len(signs))
    return signs[-1] * whole + (signs[part - 1] if part else "")


def meter(
    value: float | None, limit: float | None, width: int, *, ok: str = "", warn: str = "", over: str = ""
) -> Text:
    """Draw what is used of a limit, with marks at 80 % and 100 % of it; what is over it has a sign of its own.

    Args:
        value: what is used; nothing where it is None or no number.
        limit: what may be used; without one, or with an infinite one, nothing is marked, and 0 allows nothing.
        width: cells.
        ok: style up to 80 % of the limit.
        warn: style from there up to the limit.
        over: style beyond the limit.
    """
    width, used = max(width, 0), max(_number(value), 0.0)
    if limit is None or math.isnan(limit) or limit == math.inf:
        return Text(" " * width, no_wrap=True)
    allowed = max(_number(limit), 0.0)
    style = over if used > allowed else warn if used >= WARNED * allowed and used else ok
    if not allowed:
        return Text((chosen().over if used else " ") * width, style, no_wrap=True)
    share = min(used / allowed, MOST_SHARE)
    return _marked(_cells(share, width), reach(share), width, style)


def _marked(cells: str, ends: float, width: int, style: str) -> Text:
    """Put the marks on a bar; one within it is seen against it."""
    drawn, seen = Text(no_wrap=True), {mark_at(mark, ends, width) for mark in (WARNED, 1.0)}
    for at, cell in enumerate(cells):
        within = cell != " " and len(chosen().across) > 1
        if at in seen:
            drawn.append(chosen().limit, f"{style} reverse".strip() if within else "dim")
        else:
            drawn.append(cell, style if cell != " " else "")
    return drawn


def reach(share: float) -> float:
    """Return the share of the limit at the right end of a meter that shows a share."""
    return max(share, ROOM)


def mark_at(mark: float, ends: float, width: int) -> int:
    """Return the cell of a mark, from the left, of a meter that ends at a share of its limit."""
    return min(int(mark / ends * width), width - 1)


def _cells(share: float, width: int) -> str:
    parts, ends = len(chosen().across), reach(share)
    drawn = _across(max(round(share / ends * width * parts), 1) if share > 0 and width else 0)
    if share > 1:
        within = mark_at(1.0, ends, width) + 1
        drawn = drawn[:within] + chosen().over * (len(drawn) - within)
    return drawn.ljust(width)[:width]


def _number(value: float | None) -> float:
    if value is None or math.isnan(value):
        return 0.0
    return drawable(math.copysign(1e300, value) if math.isinf(value) else value) or 0.0


class Meter(Widget):
    """What is used of a budget, as a bar and in words."""

    DEFAULT_CSS = """
    Meter { height: 1; background: $background; }
    Meter > .meter--ok { color: $text-success; }
    Meter > .meter--warn { color: $text-warning; }
    Meter > .meter--over { color: $text-error; }
    """
    COMPONENT_CLASSES = {"meter--ok", "meter--warn", "meter--over"}  # noqa: RUF012  Textual declares it
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._value: float | None = None
        self._limit: float | None = None

    def show(self, value: float | None, limit: float | None) -> None:
        """Show what is used of a limit."""
        self._value, self._limit = value, limit
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the bar, and say after it what share of the limit is used."""
        width, plain = self.size.width, self.rich_style
        if y:
            return Strip.blank(width, plain)
        said = f"{used(self._value, self._limit):>{SAID}}"
        styles = {
            name: str(self.get_component_rich_style(f"meter--{name}", partial=True)) for name in ("ok", "warn", "over")
        }
        drawn = meter(self._value, self._limit, max(width - len(said), 0), **styles).append(said)
        segments = drawn.render(self.app.console, end="")
        return Strip(Segment.apply_style(segments, plain)).adjust_cell_length(width, plain)


def used(value: float | None, limit: float | None) -> str:
    """Say what share of a limit is used, and if it is more than all of it."""
    if value is None or limit is None or not math.isfinite(value) or not math.isfinite(limit):
        return words.UNKNOWN if limit is not None and limit != math.inf else "no limit"
    if limit <= 0:
        return "over 0" if value > 0 else words.share(0.0)
    if value > limit * MANY:
        return f"over {MANY:g} times"
    return words.share(max(value, 0.0) / limit) + (" over" if value > limit else "")
