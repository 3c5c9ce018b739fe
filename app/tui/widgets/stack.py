"""What carries the demand over time or over the hours by size: stacked columns of the kinds of capacity."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from rich.cells import cell_len

from app.tui.glyphs import chosen
from app.tui.widgets.canvas import (
    LABEL,
    LEAST_HEIGHT,
    LEAST_WIDTH,
    LONGEST_LABEL,
    PLAIN,
    Chart,
    Frame,
    Line,
    Piece,
    Unit,
    along,
    drawable,
    rows_scale,
    says,
)
from app.tui.widgets.mix import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHORT = {"bought": "buy", "owned": "own", "spot": "spot", "payg": "dem"}  # where the titles do not fit
BELOW = 2  # lines: labels, and the key


def stack(
    columns: Mapping[str, Sequence[float]],
    width: int,
    height: int,
    *,
    labels: Sequence[str] = (),
    unit: Unit = Unit(),  # noqa: B008  it cannot be changed
    textured: bool = False,
) -> list[Line]:
    """Draw kinds of capacity on each other, as `height` lines of `width` cells.

    Where there are more values than cells, a cell shows the mean of its stretch, so that areas stay what they are.

    Args:
        columns: values by kind, as in `KINDS`; what is negative or no number is drawn as 0.
        width: cells.
        height: lines, with the labels and the key.
        labels: one for each value, or fewer, spread from the first value to the last.
        unit: what the values count.
        textured: fill each kind with its own sign, for a screen without colours.
    """
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return says("no room", width, height)
    kinds = _cleaned(columns)
    total = [sum(values) for values in zip(*kinds.values(), strict=True)]
    if not any(total):
        return says("nothing to show: every value is 0" if total else "nothing to show", width, height)
    rows = height - BELOW
    scale = rows_scale(0.0, _highest(total, width), rows)
    frame = Frame(across=scale, up=scale, rows=rows)
    frame = frame.beside(list(zip(scale.ticks, unit.labels(scale.ticks), strict=True)), width)
    sizes = {kind: reduced(values, frame.columns) for kind, values in kinds.items()}
    below = frame.below(_labels(labels, len(total), len(reduced(total, frame.columns)), frame.columns))
    shown = [kind for kind, values in kinds.items() if any(values)]
    return [*frame.drawn(_plot(sizes, frame, textured=textured)), below, _key(shown, width, unit, textured=textured)]


def reduced(values: Sequence[float], width: int) -> list[float]:
    """Return what each cell shows: the mean of its stretch, or each value over as many cells as fit.

    The mean of what is returned is the mean of the values.
    """
    count = len(values)
    if not count or width <= 0:
        return []
    if count <= width:
        return [value for value in values for _ in range(width // count)]
    sums = [0.0, *accumulate(values)]
    edges = [_sum_to(sums, values, cell * count / width) for cell in range(width)] + [sums[-1]]
    return [max(until - since, 0.0) * width / count for since, until in pairwise(edges)]


def _sum_to(sums: Sequence[float], values: Sequence[float], place: float) -> float:
    whole = min(int(place), len(values) - 1)
    return sums[whole] + (place - whole) * values[whole]


def _cleaned(columns: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """Return the values that can be drawn, as many of every kind as the longest has."""
    kinds = {
        kind: [max(drawable(float(value)) or 0.0, 0.0) for value in columns[kind]]
        for kind, _ in KINDS
        if kind in columns
    }
    count = max((len(values) for values in kinds.values()), default=0)
    return {kind: values + [0.0] * (count - len(values)) for kind, values in kinds.items()}


def _highest(total: Sequence[float], width: int) -> float:
    """Return the highest column; how many cells the columns have is only known once the scale has labels."""
    widths = range(width - LONGEST_LABEL - 1, width)
    return max(value for cells in widths for value in reduced(total, cells))


def _plot(sizes: Mapping[str, Sequence[float]], frame: Frame, *, textured: bool) -> dict[tuple[int, int], Piece]:
    parts = 1 if textured else len(chosen().rising)
    columns = [
        _column(
            [(kind, frame.up.at(value, frame.rows)) for kind, value in zip(sizes, values, strict=True)],
            frame.rows,
            parts,
        )
        for values in zip(*sizes.values(), strict=True)
    ]
    return {(frame.rows - 1 - row, at): piece for at, column in enumerate(columns) for row, piece in enumerate(column)}


def _column(sizes: Sequence[tuple[str, float]], rows: int, parts: int) -> list[Piece]:
    """Draw one column from the bottom up; each end is rounded to a part of a cell."""
    ends = [round(end * parts) for end in accumulate(size for _, size in sizes)]
    spans = [(kind, since, until) for (kind, _), since, until in zip(sizes, [0, *ends], ends, strict=False)]
    return [_cell(spans, row * parts, parts) for row in range(rows)]


def _cell(spans: Sequence[tuple[str, int, int]], low: int, parts: int) -> Piece:
    """Draw one cell; it can show two kinds, or one and what is empty above, so that the least of more gives way."""
    found = [(kind, min(until, low + parts) - max(since, low)) for kind, since, until in spans]
    found = [(kind, part) for kind, part in found if part > 0]
    filled = sum(part for _, part in found)
    if not found:
        return " ", PLAIN
    largest = sorted(found, key=lambda one: -one[1])[: 2 if filled == parts else 1]
    kept = [one for one in found if one in largest]
    if parts == 1:
        return chosen().of(kept[0][0]), kept[0][0]
    if len(kept) == 1:
        return chosen().rising[filled - 1], kept[0][0]
    (lower, part), (upper, other) = kept
    level = min(max(round(part / (part + other) * parts), 1), parts - 1)
    return chosen().rising[level - 1], f"{lower} on {upper}"


def _labels(labels: Sequence[str], count: int, drawn: int, width: int) -> str:
    if len(labels) == count and count <= drawn:
        return along(labels, [(index + 0.5) * drawn / count for index in range(count)], width)
    return along(labels, [index * drawn / max(len(labels) - 1, 1) for index in range(len(labels))], width)


def _key(kinds: Sequence[str], width: int, unit: Unit, *, textured: bool) -> Line:
    glyphs, titles = chosen(), dict(KINDS)
    signs = {kind: glyphs.of(kind) if textured or len(glyphs.rising) == 1 else glyphs.rising[-1] for kind in kinds}
    for gap, names, name in ((2, titles, unit.title), (2, titles, ""), (1, titles, ""), (1, SHORT, "")):
        line = _key_line({kind: (signs[kind], names[kind]) for kind in kinds}, gap, name)
        if sum(cell_len(text) for text, _ in line) <= width:
            break
    return line


def _key_line(names: Mapping[str, tuple[str, str]], gap: int, unit: str) -> Line:
    line: Line = [(f"{unit}:{' ' * gap}", LABEL)] if unit else []
    for index, (kind, (sign, name)) in enumerate(names.items()):
        line += [(sign, kind), (f"{' ' * (gap - 1)}{name}{' ' * gap if index < len(names) - 1 else ''}", PLAIN)]
    return line


class StackChart(Chart):
    """Stacked columns of the kinds of capacity, with a key."""

    DEFAULT_CSS = """
    StackChart > .chart--bought { color: $text-primary; }
    StackChart > .chart--owned { color: $text-success; }
    StackChart > .chart--spot { color: $text-warning; }
    StackChart > .chart--payg { color: $text-error; }
    """
    COMPONENT_CLASSES = {f"chart--{kind}" for kind, _ in KINDS}  # noqa: RUF012  Textual declares it

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._columns: dict[str, Sequence[float]] = {}
        self._labels: tuple[str, ...] = ()
        self._unit = Unit()

    def show(self, columns: Mapping[str, Sequence[float]], *, labels: Sequence[str] = (), unit: Unit) -> None:
        """Show values by kind of capacity; see `stack`."""
        self._columns, self._labels, self._unit = dict(columns), tuple(labels), unit
        self.changed()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is drawn at a size."""
        return stack(self._columns, width, height, labels=self._labels, unit=self._unit, textured=self.textured)
