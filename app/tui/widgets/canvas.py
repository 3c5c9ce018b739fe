"""What the charts share: scales with round numbers, labels that fit, and lines of styled text."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from app.tui import themes, words
from app.tui.glyphs import chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from textual.geometry import Region

LEAST_WIDTH, LEAST_HEIGHT = 20, 4
MOST, LEAST = 1e300, 1e-300  # what is drawn of a number: beyond these, sums and ratios of floats come apart
LONGEST_LABEL = 9
LEAST_EXACT = 0.0001  # the last digit of an exact price
MOST_APART = 6  # rows from tick to tick
PLAIN = ""  # the style of the widget itself
LABEL = "label"

Piece = tuple[str, str]  # text, and the name of its style; "a on b" is the colour of a on that of b
Line = list[Piece]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What an axis counts; amounts of money where a currency is given."""

    name: str = ""
    currency: str = ""

    @property
    def title(self) -> str:
        """What the axis counts; with the currency where it has no sign to stand at each amount."""
        return words.name(self.name if len(self._sign) < 2 else f"{self._sign}{self.name}")

    @property
    def _sign(self) -> str:
        return words.sign(self.currency) if self.currency else ""

    def exact(self, value: float) -> str:
        """Write a value with the digits it has."""
        if not self.currency or not LEAST_EXACT <= abs(value) < words.TEN_THOUSAND:
            return self.labels([value])[0]
        return self._signed(value, words.exact(abs(value)))

    def labels(self, ticks: Sequence[float]) -> list[str]:
        """Write ticks with as few digits as keep them apart."""
        apart, top = _apart_by(ticks), max(map(abs, ticks), default=0.0)
        told = 0.1 if not self.currency else 0.01 if top < words.TEN_THOUSAND else 100.0 if top < words.MILLION else 1e4
        if apart < told * (1 - 1e-9):
            digits = min(max(-math.floor(math.log10(apart) + 1e-9), 0), 12)
            found = [f"{abs(tick):,.{digits}f}" for tick in ticks]
        else:
            found = self._short(ticks)
        signed = [self._signed(tick, label) for tick, label in zip(ticks, found, strict=True)]
        return [text if len(text) <= LONGEST_LABEL else f"{tick:.3g}" for tick, text in zip(ticks, signed, strict=True)]

    def _signed(self, value: float, label: str) -> str:
        return f"{'-' if value < 0 else ''}{self._sign if len(self._sign) < 2 else ''}{label}"

    def _short(self, ticks: Sequence[float]) -> list[str]:
        if not self.currency:
            return [words.count(abs(tick)) for tick in ticks]
        found = [words.money(abs(tick)).removeprefix("$") for tick in ticks]
        cents = not all(label.endswith(".00") for label in found if label[-1].isdigit())
        return [label if cents and label[-1].isdigit() else _shorn(label) for label in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis from low to high; its ticks are round."""

    low: float
    high: float
    ticks: tuple[float, ...] = ()

    @classmethod
    def over(cls, low: float, high: float) -> Scale:
        """Return an axis from one value to another; around them where they are the same."""
        low, high = spread(low, high)
        return cls(low=low, high=high)

    def at(self, value: float, cells: int) -> float:
        """Return how many cells a value is from the low end, within the axis."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0) * cells


def drawable(value: float | None) -> float | None:
    """Return a number as it can be drawn; None where it is none."""
    if value is None or not math.isfinite(value):
        return None
    return math.copysign(min(abs(value), MOST), value) if abs(value) >= LEAST else 0.0


def _steps(power: int) -> list[float]:
    # No negative power of ten is a float, but a division by the positive one is the float next to it.
    return [
        mantissa * 10.0**exponent if exponent >= 0 else mantissa / 10.0**-exponent
        for exponent in range(power - 1, power + 3)
        for mantissa in (1, 2, 5)
    ]


def ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    """Return at most so many round numbers (1, 2 or 5 times a power of ten apart) from low to high."""
    low, high = spread(low, high)
    found = (_multiples(step, low, high) for step in _steps(math.floor(math.log10((high - low) / most))))
    return next(ticks for ticks in found if len(ticks) <= most)


def _multiples(step: float, low: float, high: float) -> tuple[float, ...]:
    since, until = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    inverse = round(1 / step) if step < 1 else 0  # 3 / 10 is written 0.3, 3 * 0.1 is not
    return tuple(at / inverse if inverse else at * step for at in range(since, until + 1))


def spread(low: float, high: float) -> tuple[float, float]:
    """Return a range that has a length, also where the ends are one number."""
    middle = max(abs(low), abs(high))
    if high - low > middle * 1e-9 and high - low > LEAST * 1e3:
        return low, high
    pad = middle * 0.05 if middle > LEAST * 1e6 else 1.0
    return low - pad, high + pad


def rows_scale(low: float, high: float, rows: int) -> Scale:
    """Return the scale of an upright axis whose ticks are on the bottom of rows, and that wastes the fewest rows.

    The lowest tick is on the bottom row; there are at least two rows.
    """
    low, high = spread(low, high)
    least, fewest = (2 if rows > 3 else 1), min(rows // 2, 3)
    return min(
        (
            _rows(step, apart, low, rows)
            for apart in range(least, max(least, min(rows // 2, MOST_APART)) + 1)
            for step in _steps(math.floor(math.log10((high - low) / rows * apart)))
        ),
        key=lambda scale: (scale.high < high - abs(high) * 1e-12, len(scale.ticks) < fewest, scale.high - scale.low),
    )


def _rows(step: float, apart: int, low: float, rows: int) -> Scale:
    first = math.floor(low / step + 1e-9) * step
    high = first + step * rows / apart
    return Scale(low=first, high=high, ticks=_multiples(step, first, high - step / apart / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Two axes around the cells of a plot, with the labels of its rows to the left."""

    across: Scale
    up: Scale
    rows: int
    columns: int = 0
    labels: Mapping[int, str] = field(default_factory=dict)

    def beside(self, texts: Iterable[tuple[float, str]], width: int) -> Frame:
        """Label the rows of values, the first one of each row, and leave what remains of a width to the plot."""
        labels: dict[int, str] = {}
        for value, text in texts:
            labels.setdefault(self.row(value), text)
        return replace(self, labels=labels, columns=width - max(map(len, labels.values()), default=0) - 1)

    def row(self, value: float) -> int:
        """Return the row of a value, from the top."""
        return self.rows - 1 - min(int(self.up.at(value, self.rows) + 1e-9), self.rows - 1)

    def column(self, value: float) -> int:
        """Return the column of a value, from the left."""
        return min(int(self.across.at(value, self.columns) + 1e-9), self.columns - 1)

    def drawn(self, grid: Mapping[tuple[int, int], Piece]) -> list[Line]:
        """Return the rows of the plot with their labels."""
        glyphs, room = chosen(), len(self.below("")[0][0])
        sides = (
            f"{self.labels.get(row, ''):>{room - 1}}{glyphs.tick if row in self.labels else glyphs.axis}"
            for row in range(self.rows)
        )
        return [
            [(side, LABEL), *merged(grid.get((row, column), (" ", PLAIN)) for column in range(self.columns))]
            for row, side in enumerate(sides)
        ]

    def below(self, text: str) -> Line:
        """Return a line of text that begins under the left end of the plot."""
        return [(" " * (max(map(len, self.labels.values()), default=0) + 1) + text, LABEL)]


def placed(texts: Iterable[tuple[float, str]], width: int, *, strict: bool = False) -> list[tuple[int, str]]:
    """Put texts over their places (cells from the left) in one line, around their middle or, unless strict, beside it.

    What would touch one before it is left out.
    """
    taken: list[tuple[int, int, str]] = []
    for place, text in texts:
        length = cell_len(text)
        middle = min(max(round(place - length / 2), 0), max(width - length, 0))
        slack = 0 if strict else length // 2
        for at in sorted(range(middle - slack, middle + slack + 1), key=lambda at: abs(at - middle)):
            if 0 <= at <= width - length and all(at > end or at + length < start for start, end, _ in taken):
                taken.append((at, at + length, text))
                break
    return [(at, text) for at, _, text in sorted(taken) if text]


def spaced(texts: Iterable[tuple[int, str]]) -> str:
    """Write texts that begin at cells, in order, in one line."""
    line = ""
    for at, text in texts:
        line += " " * (at - cell_len(line)) + text
    return line


def along(labels: Sequence[str], places: Sequence[float], width: int) -> str:
    """Write labels at their places in one line: all of them, or every second, third... where they do not fit."""
    texts = [(place, text) for place, label in zip(places, labels, strict=True) if (text := words.name(label))]
    for stride in range(1, len(texts) + 1):
        kept = texts[::stride]
        if len(kept) <= width and len(line := placed(kept, width, strict=True)) == len(kept):
            return spaced(line)
    return ""


def merged(pieces: Iterable[Piece]) -> Line:
    """Join neighbours of one style."""
    return [("".join(text for text, _ in run), style) for style, run in groupby(pieces, key=itemgetter(1))]


def says(text: str, width: int, height: int) -> list[Line]:
    """Say in words why there is no chart."""
    return [[(set_cell_size(text, width), LABEL)]] if width > 0 and height > 0 else []


def _shorn(label: str) -> str:
    """Leave out zeros at the end of a fraction."""
    return re.sub(r"(\.\d*?)0+(?=[kM]?$)", r"\1", label).replace(".k", "k").replace(".M", "M").removesuffix(".")


def _apart_by(values: Sequence[float]) -> float:
    return min((abs(one - other) for one, other in pairwise(values) if one != other), default=math.inf)


class Chart(Widget):
    """Draws lines of styled text; the styles are its component classes."""

    DEFAULT_CSS = """
    Chart { height: 1fr; background: $background; }
    Chart > .chart--label { color: $text-muted; }
    """
    COMPONENT_CLASSES = {"chart--label"}  # noqa: RUF012  Textual declares it
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  Textual's name for it
        super().__init__(id=id)
        self._drawn: tuple[object, list[Line]] | None = None
        self._plain = Style.null()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is drawn at a size."""
        raise NotImplementedError

    @property
    def textured(self) -> bool:
        """Whether signs have to tell apart what colours cannot."""
        return self.app.no_color or self.app.theme == themes.PLAIN

    def changed(self) -> None:
        """Draw again: what is shown is another."""
        self._drawn = None
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw lines: the background of all of them is looked up once."""
        self._plain = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Draw one line; all are worked out once for a size and a set of signs."""
        width, height = self.size
        asked = (width, height, chosen(), self.textured)
        if self._drawn is None or self._drawn[0] != asked:
            self._drawn = asked, self.lines(width, height)
        drawn, plain = self._drawn[1], self._plain
        segments = [Segment(text, self._style(style)) for text, style in drawn[y]] if y < len(drawn) else []
        return Strip(Segment.apply_style(segments, plain)).adjust_cell_length(width, plain)

    def _style(self, name: str) -> Style:
        if not name:
            return Style.null()
        front, *behind = (self.get_component_rich_style(f"chart--{part}") for part in name.split(" on "))
        return front + Style(bgcolor=behind[0].color) if behind else front
