"""The burn rate: in large figures, and in rows of what it is spent on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.binding import Binding
from textual.renderables.digits import Digits
from textual.widgets import Static

from app.tui import burn_words, words
from app.tui.burning import named
from app.tui.glyphs import UNICODE, chosen
from app.tui.ink import Ink
from app.tui.widgets.canvas import drawable
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.spark import spark
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from textual.binding import BindingType

    from app.tui.burning import Burn, Burning

DAYS = 14
BAR = 36  # cells
LEAST_LINES = 3
LARGE = 110  # cells from which there is room for large figures beside what they mean


def columns(by: str, sign: str) -> tuple[Column, ...]:
    """Return the columns for rows broken down by one of the usage, amounts in the currency with that sign."""
    hourly = f"{sign}/hour"
    title = burn_words.column(by)
    return (
        Column(title=f"{title[:1].upper()}{title[1:]}", left=True, least=16, name=words.name(by)),
        Column(title="Allocated", unit=hourly),
        Column(title="Used", unit=hourly),
        Column(title="Idle", unit=hourly),
        Column(title="Other", unit=hourly, rank=1),
        Column(title="Total", unit=hourly, rank=6),
        Column(title="Share", unit="of total", rank=7),
        Column(title="GPUs", unit="now", rank=4),
        Column(title="Used", unit="share", rank=3, name="used_share"),
        Column(title="Change", unit="in 7 days", rank=5),
        Column(title=f"{DAYS} days", unit=hourly, left=True, rank=2),
        Column(title=_key(), unit=hourly, left=True, rank=8, name="bar"),
    )


class BurnTable(FittedTable):
    """What money is spent on, one row each, under the total of all of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace,left", "screen.back", "Back", id="burn.back", tooltip="Go back to where you came from"),
        Binding("right", "choose", "Into", id="burn.into", tooltip="Go into the row", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(columns("", "$"), id="burn")
        self._burns: dict[str, Burn] = {}

    def show(self, burning: Burning, currency: str, *, at: str | None = None) -> None:
        """Show the rows; the cursor goes to the row with key `at`, or stays on its row."""
        self._columns = columns(burning.view.by, words.sign(currency).strip())
        burns = (burning.total, *burning.rows)
        self._burns = {burn.key: burn for burn in burns}
        ink, other = Ink.of(self.app.theme_variables), any(burn.other for burn in burns)
        top = max((size(burn) for burn in burning.rows), default=0.0)
        rows = [_row(burn, burning, ink, other=other, top=top) for burn in self._burns.values()]
        self.fill(rows, at=at)

    @property
    def burn(self) -> Burn | None:
        """The row under the cursor."""
        return self._burns.get(self.key or "")

    def _show(self, rows: Sequence[Row], at: str | None) -> None:
        """Show the total first, whatever the order and the filter."""
        total = self._given[0] if self._given else None
        super()._show([total, *(row for row in rows if row is not total)] if total else rows, at)


def _row(burn: Burn, burning: Burning, ink: Ink, *, other: bool, top: float) -> Row:
    is_total = burn is burning.total
    name = named(*burn.path[-1]) if burn.path else "All"
    name = f"All of {name}" if is_total and burn.path else name
    whole = burning.total.usd
    share = burn.usd / whole if burn.usd is not None and whole else None
    style = "bold" if is_total else ""
    cells = (
        Text(name, style=style or ("" if is_total or burn.path[-1][1] is not None else ink.dim)),
        *(Text(_hourly(usd), style=style) for usd in (burn.allocated, burn.used, burn.idle)),
        Text(_hourly(burn.other) if other else ""),
        Text(_hourly(burn.usd), style=style),
        Text(words.share(share)),
        Text("" if burn.gpus is None else burn_words.count(burn.gpus)),
        Text(words.share(burn.used_share)),
        Text(burn_words.change(burn.change)),
        Text(daily(burn.daily), style=ink.dim),
        Text(split_bar(burn, top, BAR), style=ink.dim),
    )
    empty = not is_total and burn.path[-1][1] is None
    figures = (
        burn.allocated,
        burn.used,
        burn.idle,
        burn.other,
        burn.usd,
        share,
        burn.gpus,
        burn.used_share,
        burn.change,
    )
    last = next((usd for usd in reversed(burn.daily) if usd is not None), None)
    return Row(key=burn.key, cells=cells, values=(None if empty else name, *figures, last, burn.usd))


def daily(usd: Sequence[float | None]) -> str:
    """Draw the mean rate of each day; a day of which nothing is known is left blank."""
    known = [drawable(rate) or 0.0 for rate in usd]
    return spark(known, len(known))


def _key() -> str:
    """Say what the signs of the bar are."""
    glyphs = chosen()
    return f"{glyphs.bought} used {glyphs.owned} rest of allocated {glyphs.payg} idle"


def size(burn: Burn) -> float:
    """Return what a bar shows of a row: allocated and idle."""
    return max(drawable(burn.allocated) or 0.0, 0.0) + max(drawable(burn.idle) or 0.0, 0.0)


def split_bar(burn: Burn, top: float, width: int) -> str:
    """Draw used, allocated and idle beside each other, `width` cells where they are `top` or more."""
    whole = size(burn)
    if whole <= 0:
        return ""
    cells = width if whole >= top else round(whole / top * width)
    allocated = round(max(drawable(burn.allocated) or 0.0, 0.0) / whole * cells)
    used = min(round(max(drawable(burn.used) or 0.0, 0.0) / whole * cells), allocated)
    glyphs = chosen()
    return glyphs.bought * used + glyphs.owned * (allocated - used) + glyphs.payg * (cells - allocated)


def _hourly(usd: float | None) -> str:
    return words.UNKNOWN if usd is None else f"{usd:,.2f}"


class Rate(Static):
    """What is spent an hour, a day and a month, how new that is, and what is wrong with a source, if anything."""

    def __init__(self) -> None:
        super().__init__(id="rate")
        self._figure = ""
        self._lines: tuple[Text, ...] = ()
        self._height = 0

    def show(self, burning: Burning, currency: str, now: datetime) -> None:
        """Show the rate of everything."""
        ink, burn = Ink.of(self.app.theme_variables), burning.everything
        self._figure, unit = burn_words.rate(burn, currency)
        first = Text.assemble((unit, "bold"), "   ", burn_words.longer(burn, currency))
        second = Text(burn_words.shares(burn))
        self._lines = (first, second, *burn_words.news(burning.live, now, ink))
        self._draw()

    def say(self, text: str) -> None:
        """Say why there is no rate."""
        self._figure, self._lines = "", (Text(text),)
        self._draw()

    def on_resize(self) -> None:
        """Write the figure large where there is room."""
        self._draw()

    @property
    def text(self) -> Text:
        """What is written at this size."""
        large = self.size.width >= LARGE and chosen() is UNICODE and bool(self._figure)
        beside = _digits(self._figure) if large else [Text(f"{self._figure} " if self._figure else "", style="bold")]
        lines = [Text.assemble(*pair) for pair in _pairs(beside, self._lines, gap="   " if large else "")]
        text = Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text

    def _draw(self) -> None:
        lines = max(len(self._lines), LEAST_LINES)
        self.update(self.text, layout=lines != self._height)
        self._height = lines


def _pairs(beside: Sequence[Text], lines: Sequence[Text], *, gap: str) -> Iterable[tuple[Text, str, Text]]:
    blank = Text(" " * beside[0].cell_len if gap else "")
    for at, line in enumerate(lines):
        yield (beside[at] if at < len(beside) else blank), gap, line


def _digits(figure: str) -> list[Text]:
    """Write a figure three lines high."""
    rows = [part.text for part in Digits(figure).render(Style(bold=True)) if isinstance(part, Segment)]
    return [Text(row, style="bold") for row in rows if row != "\n"]
