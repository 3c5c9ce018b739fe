"""Lines with axes: the steps of a quote's demand curve, and values along days, costs or whatever else."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from app.tui import words
from app.tui.glyphs import chosen
from app.tui.widgets.canvas import (
    LABEL,
    LEAST_HEIGHT,
    LEAST_WIDTH,
    PLAIN,
    Chart,
    Frame,
    Line,
    Piece,
    Scale,
    Unit,
    along,
    drawable,
    merged,
    placed,
    rows_scale,
    says,
    spaced,
    ticks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Cell = tuple[int, int]  # row from the top, column from the left
Grid = dict[Cell, Piece]
Spot = tuple[float, float]  # a value across, and one up
UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8  # as in Glyphs.pieces
BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # dots of a cell, by row and column
STYLES = ("first", "second", "third", "fourth")
CELLS_A_TICK = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """From one price to another this amount is bought; None where it is not known."""

    low: float
    high: float
    amount: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A price to see on the curve; style: quoted or walkaway."""

    at: float | None
    name: str
    style: str = "quoted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A line through points; None is a gap. One point may be marked, with a note on what it is."""

    points: Sequence[tuple[float, float | None]]
    name: str = ""
    marked: int | None = None
    note: str = ""


def steps(
    levels: Sequence[Level], width: int, height: int, *, prices: Unit, amounts: Unit, marked: Sequence[Mark] = ()
) -> list[Line]:
    """Draw the amount bought at each price, with some prices marked, as `height` lines of `width` cells.

    The axes name the prices and amounts of the steps instead of round numbers, the widest steps first.
    """
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return says("no room", width, height)
    known = [known for level in levels if (known := _known(level))]
    if not known:
        return says("nothing to show", width, height)
    known.sort(key=lambda step: step[:2])
    at = [(found, mark) for mark in marked if (found := drawable(mark.at)) is not None]
    ends = [end for low, high, _ in known for end in (low, high)]
    sizes = [0.0, *(amount for _, _, amount in known)]
    prices_at = [*ends, *(price for price, _ in at)]
    frame = Frame(
        across=Scale.over(min(prices_at), max(prices_at)), up=Scale.over(min(sizes), max(sizes)), rows=height - 2
    )
    widest = sorted(known, key=lambda step: step[0] - step[1])
    frame = frame.beside([(amount, amounts.exact(amount)) for amount in (0.0, *(step[2] for step in widest))], width)
    grid = _outline(known, frame)
    for price, mark in at:
        _show_mark(grid, price, mark.style, known, frame)
    foot = [(frame.column(end) + 0.5, prices.exact(end)) for low, high, _ in widest for end in (high, low)]
    foot.append((float(frame.columns), prices.title))
    return [_names(at, frame, prices, amounts), *frame.drawn(grid), frame.below(spaced(placed(foot, frame.columns)))]


def _known(level: Level) -> tuple[float, float, float] | None:
    low, high, amount = drawable(level.low), drawable(level.high), drawable(level.amount)
    return None if low is None or high is None or amount is None or low > high else (low, high, amount)


def _outline(known: Sequence[tuple[float, float, float]], frame: Frame) -> Grid:
    """Draw the steps, joined where one begins at the price at which another ends."""
    ways: dict[Cell, int] = defaultdict(int)
    for low, high, amount in known:
        row, since, until = frame.row(amount), frame.column(low), frame.column(high)
        ways[row, since] |= 0 if until > since else LEFT | RIGHT
        for column in range(since, until):
            ways[row, column] |= RIGHT
            ways[row, column + 1] |= LEFT
    for (_, end, before), (start, _, amount) in pairwise(known):
        if start - end <= (frame.across.high - frame.across.low) * 1e-9:
            top, bottom = sorted((frame.row(before), frame.row(amount)))
            for row in range(top, bottom):
                ways[row, frame.column(start)] |= DOWN
                ways[row + 1, frame.column(start)] |= UP
    return {cell: (chosen().pieces[way], "curve") for cell, way in ways.items()}


def _show_mark(grid: Grid, price: float, style: str, known: Sequence[tuple[float, float, float]], frame: Frame) -> None:
    """Draw an upright line at a price, and a point where it meets the curve: at a step, what is still bought there."""
    column = frame.column(price)
    for row in range(frame.rows):
        grid.setdefault((row, column), (chosen().upright, style))
    for low, high, amount in known:
        if low < price <= high or price == low == known[0][0]:
            grid[frame.row(amount), column] = chosen().mark, style


def _names(at: Sequence[tuple[float, Mark]], frame: Frame, prices: Unit, amounts: Unit) -> Line:
    """Name the marks above the plot, and what the rows count where that leaves room; the names alone are shorter."""
    full, short = [], []
    for price, mark in at:
        place, name = frame.column(price) + 0.5, words.name(mark.name)
        full.append((place, f"{name} {prices.exact(price)}"))
        short.append((place, name))
    tries = (full, full[::-1], short, short[::-1])
    texts = next((texts for texts in tries if len(placed(texts, frame.columns)) == len(texts)), short)
    styles = {text: mark.style for names in (full, short) for (_, text), (_, mark) in zip(names, at, strict=True)}
    line, end = frame.below(""), 0
    for start, text in placed([*texts, (0.0, amounts.title)], frame.columns):
        line += [(" " * (start - end), PLAIN), (text, styles.get(text, LABEL))]
        end = start + cell_len(text)
    return line


def paths(
    lines: Sequence[Path],
    width: int,
    height: int,
    *,
    across: Unit,
    up: Unit,
    labels: Sequence[str] = (),
    textured: bool = False,
) -> list[Line]:
    """Draw lines through points as `height` lines of `width` cells.

    labels: spread from the first x to the last, instead of round numbers. textured: give each line its own sign, for a
    screen without colours.
    """
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return says("no room", width, height)
    spots = [[_spot(point) for point in line.points] for line in lines]
    known = [spot for line in spots for spot in line if spot is not None]
    if not known:
        return says("nothing to show", width, height)
    about = " by ".join(unit.title for unit in (up, across) if unit.title)
    key = about or any(line.name or line.note for line in lines)
    rows = height - (2 if key else 1)
    upward = rows_scale(min(y for _, y in known), max(y for _, y in known), rows)
    frame = Frame(across=Scale.over(min(x for x, _ in known), max(x for x, _ in known)), up=upward, rows=rows)
    frame = frame.beside(list(zip(upward.ticks, up.labels(upward.ticks), strict=True)), width)
    dots = "" if textured and len(lines) > 1 else chosen().dots
    grid: Grid = {}
    for index, line in enumerate(spots):
        _draw(grid, line, index, frame, dots)
    for path, line in zip(lines, spots, strict=True):
        if path.marked is not None and 0 <= path.marked < len(line) and (spot := line[path.marked]):
            grid[frame.row(spot[1]), frame.column(spot[0])] = chosen().mark, "mark"
    drawn = [*frame.drawn(grid), frame.below(_foot(labels, across, frame))]
    return [*drawn, _key(lines, width, dots, set_cell_size(about, min(cell_len(about), width)))] if key else drawn


def _spot(point: tuple[float, float | None]) -> Spot | None:
    x, y = drawable(point[0]), drawable(point[1])
    return None if x is None or y is None else (x, y)


def _draw(grid: Grid, line: Sequence[Spot | None], index: int, frame: Frame, dots: str) -> None:
    """Draw one line over those before it: in dots of Braille, which add up, or else in its own sign."""
    down, right = (4, 2) if dots else (1, 1)
    fine, style = replace(frame, rows=frame.rows * down, columns=frame.columns * right), STYLES[index % 4]
    for row, column in _passed([(fine.row(spot[1]), fine.column(spot[0])) if spot else None for spot in line]):
        if not dots:
            grid[row, column] = chosen().lines[index % 4], style
            continue
        cell = row // 4, column // 2
        before = ord(grid[cell][0]) if cell in grid else ord(dots)
        grid[cell] = chr(before | BRAILLE[row % 4][column % 2]), style


def _passed(cells: Sequence[Cell | None]) -> Iterator[Cell]:
    """Yield the cells that a line through cells passes, not those of its gaps."""
    yield from (cell for cell in cells if cell is not None)
    for one, other in pairwise(cells):
        if one is None or other is None:
            continue
        down, right = other[0] - one[0], other[1] - one[1]
        far = max(abs(down), abs(right))
        for at in range(1, far):
            yield round(one[0] + down * at / far), round(one[1] + right * at / far)


def _foot(labels: Sequence[str], across: Unit, frame: Frame) -> str:
    if labels:
        width = frame.columns
        return along(labels, [index * width / max(len(labels) - 1, 1) for index in range(len(labels))], width)
    found = ticks(frame.across.low, frame.across.high, max(frame.columns // CELLS_A_TICK, 2))
    return along(across.labels(found), [frame.column(tick) + 0.5 for tick in found], frame.columns)


def _key(lines: Sequence[Path], width: int, dots: str, about: str) -> Line:
    """Say what is drawn, name the lines, and say what is marked; what does not fit is left out."""
    glyphs, line, end = chosen(), [(about, LABEL)], cell_len(about)
    signs = [glyphs.pieces[LEFT | RIGHT] * 2 if dots else glyphs.lines[index % 4] for index in range(len(lines))]
    named = [(sign, STYLES[index % 4], path.name) for index, (sign, path) in enumerate(zip(signs, lines, strict=True))]
    for sign, style, text in (*named, *((glyphs.mark, "mark", path.note) for path in lines)):
        gap, name = "  " if end else "", words.name(text)
        if name and end + cell_len(f"{gap}{sign} {name}") <= width:
            line += [(gap, PLAIN), (sign, style), (f" {name}", PLAIN)]
            end += cell_len(f"{gap}{sign} {name}")
    return merged(line)


class StepChart(Chart):
    """What is bought at each price, with the prices that matter in a negotiation."""

    DEFAULT_CSS = """
    StepChart > .chart--curve { color: $text-primary; }
    StepChart > .chart--quoted { color: $text-warning; }
    StepChart > .chart--walkaway { color: $text-error; }
    """
    COMPONENT_CLASSES = {"chart--curve", "chart--quoted", "chart--walkaway"}  # noqa: RUF012  Textual's way
    levels: tuple[Level, ...] = ()
    marked: tuple[Mark, ...] = ()
    prices = amounts = Unit()

    def show(self, levels: Sequence[Level], *, prices: Unit, amounts: Unit, marked: Sequence[Mark] = ()) -> None:
        """Show a curve; see `steps`."""
        self.levels, self.marked, self.prices, self.amounts = tuple(levels), tuple(marked), prices, amounts
        self.changed()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is drawn at a size."""
        return steps(self.levels, width, height, prices=self.prices, amounts=self.amounts, marked=self.marked)


class PathChart(Chart):
    """Lines through points, with a key."""

    DEFAULT_CSS = """
    PathChart > .chart--first { color: $text-primary; }
    PathChart > .chart--second { color: $text-warning; }
    PathChart > .chart--third { color: $text-success; }
    PathChart > .chart--fourth { color: $text-error; }
    PathChart > .chart--mark { color: $text-accent; text-style: bold; }
    """
    COMPONENT_CLASSES = {f"chart--{style}" for style in (*STYLES, "mark")}  # noqa: RUF012  Textual's way
    paths: tuple[Path, ...] = ()
    labels: tuple[str, ...] = ()
    across = up = Unit()

    def show(self, lines: Sequence[Path], *, across: Unit, up: Unit, labels: Sequence[str] = ()) -> None:
        """Show lines; see `paths`."""
        self.paths, self.labels, self.across, self.up = tuple(lines), tuple(labels), across, up
        self.changed()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is drawn at a size."""
        across, up, labels = self.across, self.up, self.labels
        return paths(self.paths, width, height, across=across, up=up, labels=labels, textured=self.textured)
