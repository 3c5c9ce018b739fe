"""The charts of the plan document as SVG: plain shapes that take their colours from the page, and no script."""

from __future__ import annotations

import math
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from app.reports.text import count, money

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from app.reports.cashflow import Month
    from app.reports.planfile import Load

WIDTH, HEIGHT = 920, 300
LEFT, RIGHT, TOP, BOTTOM = 84, 12, 12, 34
MOST_MONTHS = 36
LAYERS = (("committed", "commitments", "a"), ("spot", "spot", "b"), ("on_demand", "on demand", "c"))
BARS = (("upfront", "upfront", "d"), ("owned", "owned", "a"), ("committed", "new commitments", "b"))
LAST_BAR = ("as_you_go", "as it goes", "c")


def load_chart(load: Load) -> str:
    """Draw GPUs needed at once over the share of hours, the busiest first, by what serves them."""
    top = _ceiling(max([load.peak_gpus, *load.demand]))
    if not load.demand or not math.isfinite(top):
        return ""
    below = [0.0] * len(load.demand)
    shapes = []
    for key, _, ink in LAYERS:
        layer = load.served.get(key, [])
        above = [low + gpus for low, gpus in zip(below, layer, strict=False)] if layer else below
        if any(layer):
            shapes.append(f'<path class="{ink}" d="{_area(below, above, top)}"/>')
        below = above
    shapes.append(f'<path class="line" d="{_steps(load.demand, top)}"/>')
    marks = [_mark(x / 100, f"{x} %") for x in (0, 25, 50, 75, 100)]
    names = [(name, ink) for key, name, ink in LAYERS if any(load.served.get(key, []))]
    title = "GPUs needed at once, by share of hours"
    return _figure(title, [*_grid(top, count), *shapes, *marks], [*names, ("demand", "line")])


def cash_chart(months: Sequence[Month], currency: str) -> str:
    """Draw what is paid in each month as a bar, and what is used as a line; a long tail after the plan is left out."""
    shown = months[:MOST_MONTHS]
    bars = [*BARS, LAST_BAR]
    stacks = [[max(float(getattr(month, key)), 0.0) for key, _, _ in bars] for month in shown]
    top = _ceiling(max([sum(stack) for stack in stacks] + [float(month.used) for month in shown], default=0.0))
    width = (WIDTH - LEFT - RIGHT) / max(len(shown), 1)
    shapes = []
    for index, stack in enumerate(stacks):
        low = 0.0
        for usd, (_, _, ink) in zip(stack, bars, strict=True):
            if usd > 0:
                shapes.append(_bar(LEFT + width * (index + 0.12), width * 0.76, low, low + usd, top, ink))
            low += usd
    shapes += [_level(LEFT + width * index, width, float(month.used), top) for index, month in enumerate(shown)]
    step = max(math.ceil(len(shown) / 13), 1)
    marks = [_mark((at + 0.5) / len(shown), shown[at].month) for at in range(0, len(shown), step)]
    ends = sum(month.planned for month in shown)
    if ends < len(shown):
        x = LEFT + width * ends
        shapes.append(f'<line class="end" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    names = [(name, ink) for column, (_, name, ink) in enumerate(bars) if any(stack[column] for stack in stacks)]
    grid = _grid(top, lambda usd: money(str(Decimal(usd)), currency).removesuffix(".00"))
    return _figure("Paid by month", [*grid, *shapes, *marks], [*names, ("used (amortised)", "line")])


def _figure(title: str, shapes: Iterable[str], names: Iterable[tuple[str, str]]) -> str:
    keys = "".join(f'<span><i class="{ink}"></i>{escape(name)}</span>' for name, ink in names)
    drawn = "".join(shapes)
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{drawn}</svg>'
    return f'<figure><figcaption>{escape(title)}<span class="keys">{keys}</span></figcaption>{svg}</figure>'


def _grid(top: float, written: Callable[[float], str]) -> list[str]:
    lines = []
    for part in range(5):
        value = top * part / 4
        y = _y(value, top)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text class="y" x="{LEFT - 8}" y="{y + 4:.1f}">{escape(written(value))}</text>')
    return lines


def _mark(share: float, text: str) -> str:
    x = LEFT + share * (WIDTH - LEFT - RIGHT)
    anchor = "start" if share == 0 else "end" if share == 1 else "middle"
    return f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="{anchor}">{escape(text)}</text>'


def _bar(x: float, width: float, low: float, high: float, top: float, ink: str) -> str:
    y, until = _y(high, top), _y(low, top)
    return f'<rect class="{ink}" x="{x:.1f}" y="{y:.2f}" width="{width:.1f}" height="{until - y:.2f}"/>'


def _level(x: float, width: float, value: float, top: float) -> str:
    y = _y(value, top)
    return f'<line class="line" x1="{x:.1f}" x2="{x + width:.1f}" y1="{y:.2f}" y2="{y:.2f}"/>'


def _area(low: Sequence[float], high: Sequence[float], top: float) -> str:
    back = [f"L{x:.1f},{y:.2f}" for x, y in reversed(_corners(low, top))]
    return _steps(high, top) + "".join(back) + "Z"


def _steps(values: Sequence[float], top: float) -> str:
    first, *rest = [f"{x:.1f},{y:.2f}" for x, y in _corners(values, top)]
    return f"M{first}" + "".join(f"L{corner}" for corner in rest)


def _corners(values: Sequence[float], top: float) -> list[tuple[float, float]]:
    width = (WIDTH - LEFT - RIGHT) / len(values)
    return [(LEFT + width * (at + side), _y(value, top)) for at, value in enumerate(values) for side in (0, 1)]


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)


def _ceiling(value: float) -> float:
    """Return the next round number whose quarters are round too."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if step * power >= value)
