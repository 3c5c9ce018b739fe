"""What is owned and what is to be bought along the calendar: when it ends, what it costs, what it leaves owed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from app.tui import words
from app.tui.glyphs import chosen
from app.tui.ink import Ink
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from datetime import datetime

    from app.tui.planning import Ahead, Holding

SHORT, LONG = 12, 24  # cells of the bar
ROOMY = 100  # cells of the table from which the long bar fits
COLOURS = {False: "text-primary", True: "text-success"}  # of the theme, as in the mix; by whether it is owned
SOON = 3.0  # months: what ends within them is to be thought of now


def columns(sign: str, ruler: str) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign; ruler: the dates at both ends of the bars."""
    return (
        Column(title="Commitment", left=True, least=16),
        Column(title="", left=True, rank=6, name="state"),
        Column(title="GPU", left=True, rank=8),
        Column(title="GPUs", rank=4),
        Column(title="Starts", left=True, rank=7),
        Column(title="Ends", left=True, rank=2),
        Column(title="Left", unit="months"),
        Column(title="Horizon", unit=ruler, left=True, rank=1),
        Column(title="A month", unit=sign, rank=3),
        Column(title="Owed after", unit=sign, rank=5),
    )


class Calendar(FittedTable):
    """Commitments, the next to end first."""

    def __init__(self) -> None:
        super().__init__(columns("$", ""), id="calendar")
        self._ahead: Ahead | None = None
        self._holdings: dict[str, Holding] = {}
        self._currency = "USD"
        self._bar_cells = 0

    def show(self, ahead: Ahead, currency: str) -> None:
        """Show the commitments of a plan."""
        self._ahead, self._currency = ahead, currency
        self._refill()

    def on_resize(self) -> None:
        """Draw bars of another length, if another length fits now."""
        if self._ahead is not None and self._bar_cells != self._fitting:
            self._refill()

    @property
    def _fitting(self) -> int:
        return LONG if self.size.width >= ROOMY else SHORT

    @property
    def holding(self) -> Holding | None:
        """The commitment under the cursor."""
        return self._holdings.get(self.key or "")

    def _refill(self) -> None:
        ahead = self._ahead
        if ahead is None:
            return
        self._bar_cells, sign = self._fitting, words.sign(self._currency).strip()
        self._columns = columns(sign, ruler(ahead.start, ahead.end, self._bar_cells))
        self._holdings = {f"{index} {one.offer_id}": one for index, one in enumerate(ahead.holdings)}
        ink, theme = Ink.of(self.app.theme_variables), self.app.theme_variables
        colours = {owned: theme[name].removeprefix("ansi_") for owned, name in COLOURS.items()}
        bars = [bar(one, ahead.start, ahead.end, self._bar_cells) for one in self._holdings.values()]
        self.fill(
            [
                _row(key, one, Text(drawn, style=colours[one.owned]), ink)
                for (key, one), drawn in zip(self._holdings.items(), bars, strict=True)
            ]
        )


def ruler(start: datetime, end: datetime, width: int) -> str:
    """Write the first and the last month under the ends of the bars."""
    since, until = f"{start:%y-%m}", f"{end:%y-%m}"
    return since + until.rjust(width - len(since))


def bar(held: Holding, start: datetime, end: datetime, width: int) -> str:
    """Draw when a commitment runs between the start and the end of a plan; an arrow where it runs on."""
    glyphs, last = chosen(), held.until or end
    cells = _run(held.since, last, start, end, width, glyphs.owned if held.owned else glyphs.bought)
    if held.renewed_until is not None:
        again = _run(last, held.renewed_until, start, end, width, glyphs.spot)
        cells = [first if first != " " else second for first, second in zip(cells, again, strict=True)]
    if held.until is None or held.until > end:
        cells[-1] = glyphs.to
    return "".join(cells)


def _run(since: datetime, until: datetime, start: datetime, end: datetime, width: int, sign: str) -> list[str]:
    """Fill the cells between two times; what runs at all is seen."""
    first, last = (min(max((time - start) / (end - start), 0.0), 1.0) * width for time in (since, until))
    if last <= first:
        return [" "] * width
    begin = min(round(first), width - 1)
    until_cell = max(round(last), begin + 1)
    return [sign if begin <= cell < until_cell else " " for cell in range(width)]


def _row(key: str, held: Holding, drawn: Text, ink: Ink) -> Row:
    soon = held.months_left is not None and held.months_left <= SOON
    left = "" if held.months_left is None else f"{held.months_left:,.1f}"
    cells = (
        Text(words.name(held.offer_id), style="" if held.owned else "bold"),
        Text("owned" if held.owned else "buy", style="dim" if held.owned else "bold"),
        Text(words.name(held.gpu_model)),
        Text(words.count(held.gpus)),
        Text(f"{held.since:%Y-%m-%d}"),
        Text(f"{held.until:%Y-%m-%d}" if held.until else "no end"),
        Text(f"{left}!" if soon else left, style=ink.warn if soon else ""),
        drawn,
        Text(words.money(held.monthly).replace("$", "")),
        Text(words.money(held.after).replace("$", "") if held.after else ""),
    )
    values = (
        *(cell.plain for cell in cells[:3]),
        held.gpus,
        cells[4].plain,
        cells[5].plain,
        held.months_left,
        None,
        held.monthly,
        held.after,
    )
    return Row(key=key, cells=cells, values=values)
