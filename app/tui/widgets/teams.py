"""The tables of the accounts of teams: what each pays, who wastes most, what has no tag, what a GPU-hour costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from rich.text import Text

from app.tui import team_words, words
from app.tui.glyphs import chosen
from app.tui.ink import Ink
from app.tui.widgets.columns import Column, Row
from app.tui.widgets.table import FittedTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.filter_values import Value
    from app.tui.teams import Books, Gap, Line, UnitCost, Waste

T = TypeVar("T")
NAME_LEAST, WORKLOAD_LEAST = 12, 12
LEAST_CHANGE = 0.0005  # what would be written as 0.0 %


class Items(FittedTable, Generic[T]):
    """A table that knows what its rows are of."""

    def __init__(self, columns: Sequence[Column], *, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(columns, id=id)
        self._items: dict[str, T] = {}

    def present(self, items: Mapping[str, T], rows: Sequence[Row], *, at: str | None = None) -> None:
        """Show rows, and know what they are of."""
        self._items = dict(items)
        self.fill(rows, at=at)

    @property
    def item(self) -> T | None:
        """What the row under the cursor is of."""
        return self._items.get(self.key or "")


class TeamLines(Items["Line"]):
    """What each team pays, or each workload of a team; the total last."""

    def __init__(self) -> None:
        super().__init__(line_columns("$", inside=False), id="teams")

    def show(self, lines: Sequence[Line], currency: str, *, inside: bool, at: str | None = None) -> None:
        """Show lines, the cursor on that with key `at`; inside: they are the workloads of a team."""
        self._columns = line_columns(words.sign(currency).strip(), inside=inside)
        ink = Ink.of(self.app.theme_variables)
        self.present({line.key: line for line in lines}, [_line(line, ink) for line in lines], at=at)


def line_columns(sign: str, *, inside: bool) -> tuple[Column, ...]:
    """Return the columns, amounts in the currency with that sign."""
    return (
        Column(title="Workload" if inside else "Team", left=True, least=NAME_LEAST),
        Column(title="Direct", unit=sign, rank=5),
        Column(title="Shared", unit=sign, rank=4),
        Column(title="Total", unit=sign),
        Column(title="Share", unit="of team" if inside else "of all", rank=2),
        Column(title="Allocated", unit="GPU-hours", rank=3),
        Column(title="Used", unit="share", rank=1),
        Column(title="Allocated", unit=f"{sign}/GPU-h", rank=6, name="rate"),
        Column(title="Used", unit=f"{sign}/GPU-h", rank=7, name="used_rate"),
        Column(title="Budget", unit="spent", rank=8),
    )


def _line(line: Line, ink: Ink) -> Row:
    whole = "bold" if line.kind == "total" else ""
    name = {"untagged": ink.warn, "residual": ink.dim, "shared": ink.dim}.get(line.kind, whole)
    said, state = team_words.budget(line.budget)
    opens = f"{chosen().closed} " if line.opens else "  "
    cells = (
        Text(f"{opens}{team_words.label(line)}", style=name),
        Text(team_words.cents(line.direct_cents), style=whole),
        Text(team_words.cents(line.shared_cents) if line.shared_cents else "", style=whole),
        Text(team_words.cents(line.total_cents), style="bold"),
        Text(words.share(line.share), style=whole),
        Text(f"{line.gpu_hours:,.0f}" if line.gpu_hours else "", style=whole),
        Text(words.share(line.used_share) if line.used_share is not None else "", style=whole),
        Text(words.rate(line.usd_per_gpu_hour) if line.gpu_hours else "", style=whole),
        Text(words.rate(line.usd_per_used_gpu_hour) if line.used_share else "", style=whole),
        Text(said, style={"over": f"bold {ink.bad}", "warn": ink.warn}.get(state, ink.good)),
    )
    return Row(key=line.key, cells=cells, values=_values(line))


def _values(line: Line) -> tuple[Value, ...]:
    """Return what a line is sorted by; a total has nothing, and so stays last."""
    if line.kind == "total":
        return (None,) * 10
    amounts = (line.direct_cents, line.shared_cents, line.total_cents)
    return (
        team_words.label(line),
        *(None if amount is None else amount / 100 for amount in amounts),
        line.share,
        line.gpu_hours,
        line.used_share,
        line.usd_per_gpu_hour,
        line.usd_per_used_gpu_hour,
        line.budget.share_now if line.budget else None,
    )


class Wastes(Items["Waste"]):
    """Who wastes most of what was allocated, one row a workload."""

    def __init__(self) -> None:
        super().__init__(_waste_columns("$"), id="wastes")

    def show(self, wastes: Sequence[Waste], currency: str) -> None:
        """Show them, the most money first."""
        self._columns = _waste_columns(words.sign(currency).strip())
        ink = Ink.of(self.app.theme_variables)
        places = _places(waste.unused_usd for waste in wastes)
        self.present({waste.key: waste for waste in wastes}, [_waste(waste, ink, places) for waste in wastes])


def _waste_columns(sign: str) -> tuple[Column, ...]:
    return (
        Column(title="Team", left=True, rank=5, least=8),
        Column(title="Workload", left=True, least=WORKLOAD_LEAST),
        Column(title="Not used", unit=f"{sign}/month"),
        Column(title="Used", unit="share", rank=1),
        Column(title="Saves", unit=f"{sign}/month", rank=2),
        Column(title="Quiet", unit="hours", rank=3),
        Column(title="Not used", unit="GPU-hours", rank=4, name="unused_gpu_hours"),
    )


def _waste(waste: Waste, ink: Ink, places: int) -> Row:
    quiet = f"{waste.quiet_hours:,.0f}" if waste.quiet_hours else ""
    cells = (
        Text(team_words.of_team(waste.team), style="" if waste.team else ink.warn),
        Text(team_words.of_workload(waste.workload)),
        Text(_amount(waste.unused_usd, places), style="bold"),
        Text(words.share(waste.used_share)),
        Text(_amount(waste.saved_usd, places), style=ink.good if waste.saved_usd else ""),
        Text(quiet, style=ink.warn),
        Text(f"{waste.unused_gpu_hours:,.0f}"),
    )
    values = (
        *(cell.plain for cell in cells[:2]),
        waste.unused_usd,
        waste.used_share,
        waste.saved_usd,
        waste.quiet_hours,
        waste.unused_gpu_hours,
    )
    return Row(key=waste.key, cells=cells, values=values)


class Gaps(Items["Gap"]):
    """What lacks a tag: all of it, and below that what of it each provider has."""

    def __init__(self) -> None:
        super().__init__(_gap_columns("$"), id="gaps")

    def show(self, gaps: Sequence[Gap], currency: str) -> None:
        """Show them, tag by tag."""
        self._columns = _gap_columns(words.sign(currency).strip())
        ink = Ink.of(self.app.theme_variables)
        places = _places(gap.usd for gap in gaps)
        self.present({gap.key: gap for gap in gaps}, [_gap(gap, ink, places) for gap in gaps])


def _gap_columns(sign: str) -> tuple[Column, ...]:
    return (
        Column(title="Tag", left=True, least=8),
        Column(title="Provider", left=True, least=8),
        Column(title="Untagged", unit=sign),
        Column(title="Share", unit="of all", rank=1),
        Column(title="Untagged", unit="GPU-hours", rank=2, name="gpu_hours"),
        Column(title="Share", unit="of GPU-h", rank=3, name="gpu_hours_share"),
    )


def _gap(gap: Gap, ink: Ink, places: int) -> Row:
    complete = gap.everywhere and not gap.gpu_hours
    style = "bold" if gap.everywhere else ""
    cells = (
        Text(words.name(gap.tag), style=style if gap.everywhere else ink.dim),
        Text("complete" if complete else team_words.provider(gap), style=ink.good if complete else style),
        Text("" if complete else _amount(gap.usd, places), style=f"bold {ink.warn}" if gap.everywhere else ""),
        Text("" if complete else words.share(gap.usd_share), style=style),
        Text("" if complete else f"{gap.gpu_hours:,.0f}", style=style),
        Text("" if complete else words.share(gap.gpu_hours_share), style=style),
    )
    values = (*(cell.plain for cell in cells[:2]), gap.usd, gap.usd_share, gap.gpu_hours, gap.gpu_hours_share)
    return Row(key=gap.key, cells=cells, values=values)


class UnitCosts(Items["UnitCost"]):
    """What a GPU-hour of each workload costs, month by month."""

    def __init__(self) -> None:
        super().__init__(_unit_columns("$", ()), id="units")

    def show(self, books: Books) -> None:
        """Show the workload that costs most first."""
        self._columns = _unit_columns(words.sign(books.currency).strip(), books.months)
        ink = Ink.of(self.app.theme_variables)
        self.present({cost.key: cost for cost in books.units}, [_unit(cost, ink) for cost in books.units])


def _unit_columns(sign: str, months: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns; of months that do not fit, the oldest go first."""
    rates = [
        Column(
            title=month,
            unit=f"{sign}/{unit}",
            rank=2 * place + later + (2 if place else 0),
            name=f"{name}_{month.replace('-', '_')}",
        )
        for place, month in enumerate(months)
        for later, (unit, name) in enumerate((("GPU-h", "allocated"), ("used", "used")))
    ]
    change = Column(title="Change", unit="of used", rank=2)
    named = Column(title="Team", left=True, rank=3, least=8)
    return (named, Column(title="Workload", left=True, least=WORKLOAD_LEAST), *rates[:2], change, *rates[2:])


def _unit(cost: UnitCost, ink: Ink) -> Row:
    rates = [rate for pair in zip(cost.allocated, cost.used, strict=True) for rate in pair]
    written = [
        Text("" if rate is None else words.rate(rate), style="" if place % 2 else ink.dim)
        for place, rate in enumerate(rates)
    ]
    team, workload, change = team_words.of_team(cost.team), team_words.of_workload(cost.workload), cost.change
    names = (Text(team, style="" if cost.team else ink.warn), Text(workload))
    values = (team, workload, *rates[:2], change, *rates[2:])
    return Row(key=cost.key, cells=(*names, *written[:2], _moved(change, ink), *written[2:]), values=values)


def _moved(change: float | None, ink: Ink) -> Text:
    """Write by which share a unit cost went up or down; what rounds to nothing is left out."""
    if change is None or abs(change) < LEAST_CHANGE:
        return Text()
    return Text(f"{change * 100:+.1f} %", style=ink.warn if change > 0 else ink.good)


def _places(amounts: Iterable[float | None]) -> int:
    """Return how many decimals amounts have: none where there are large ones."""
    return 0 if max((abs(amount) for amount in amounts if amount is not None), default=0.0) >= words.TEN_THOUSAND else 2


def _amount(amount: float | None, places: int) -> str:
    return words.UNKNOWN if amount is None else f"{amount:,.{places}f}"
