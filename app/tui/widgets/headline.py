"""The strip at the top: what is planned, what it costs and saves, how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import Static

from app.tui import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.tui.state import Desk
    from optimizer.plan import Plan, Summary

PROVEN = 1e-6
OPTIMAL = "optimal"
MOST_GAP = 6
RESERVED = 9  # cells of a figure before there is one: those of an arrow and most amounts
ARROW = 2  # cells that are kept for it, so that figures stay where they are when one moves
DEMO = " DEMO (fictional data) "


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure under its name; rank: of those that do not fit, the highest goes first. least: its cells at least."""

    label: str
    value: str
    rank: int = 0
    least: int = RESERVED

    @property
    def width(self) -> int:
        """The cells that it takes."""
        return max(len(self.label), len(self.value), self.least)


class Headline(Static):
    """Three lines that every size of screen shows."""

    def show(self, desk: Desk, status: str) -> None:
        """Draw the desk's figures and what the program is doing."""
        room = max(self.size.width, 20)
        figures = _figures(desk)
        labels, values = _aligned(figures, room)
        self.update(Text("\n").join([_first_line(desk, status, room), labels, values]), layout=False)


def _first_line(desk: Desk, status: str, room: int) -> Text:
    line = Text("tranche", style="bold", no_wrap=True)
    if desk.session is not None and desk.session.demo:
        line.append("  ").append(DEMO, style="reverse bold")
    if desk.plan is not None:
        line.append(f"  {_horizon(desk.plan)}", style="not bold dim")
    left, more = max(room - len(status) - 2, 0), words.ellipsis()
    if line.cell_len > left:
        line.truncate(max(left - len(more), 0))
        line.append(more)
    line.append(" " * (room - line.cell_len - len(status)))
    return line.append(status, style="not bold")


def _horizon(plan: Plan) -> str:
    horizon = plan.horizon
    if horizon.months is None:
        return f"the {plan.summary.hours:,.0f} hours of the history"
    return f"{horizon.months:g} months from {horizon.start:%Y-%m-%d}"


def _figures(desk: Desk) -> list[Figure]:
    now = desk.plan.summary if desk.plan else None
    before = desk.plan_before.summary if desk.plan_before else None

    def figure(label: str, part: str, write: Callable[[float | None], str], rank: int = 0) -> Figure:
        value = getattr(now, part, None)
        arrow, text = words.arrow(value, getattr(before, part, None)), write(value)
        least = max(len(text) + ARROW, RESERVED)
        return Figure(label=label, value=f"{arrow} {text}" if arrow else text, rank=rank, least=least)

    amount = partial(figure, write=partial(words.money, currency=desk.currency))
    part_of = partial(figure, write=words.share)
    return [
        amount("Plan cost", "cost"),
        amount("On demand", "on_demand_cost"),
        amount("Billed today", "current_cost", rank=2),
        amount("Savings", "savings"),
        part_of("Savings rate", "effective_savings_rate"),
        part_of("Coverage", "coverage"),
        part_of("Utilization", "utilization"),
        amount("Upfront", "upfront", rank=3),
        amount("Committed", "total_commitment", rank=4),
        Figure(label="Proven", value=proof(now) if now else words.UNKNOWN, least=len(OPTIMAL)),
    ]


def proof(summary: Summary) -> str:
    """Say how far the plan may be from the best one."""
    return OPTIMAL if summary.gap <= PROVEN else f"to {summary.gap * 100:.2g} %"


def _aligned(figures: list[Figure], room: int) -> tuple[Text, Text]:
    kept = list(figures)
    while len(kept) > 1 and _needed(kept, 1) > room and max(figure.rank for figure in kept):
        kept.remove(max(kept, key=lambda figure: figure.rank))
    gap = next((gap for gap in range(MOST_GAP, 1, -1) if _needed(kept, gap) <= room), 1)
    labels, values = Text(no_wrap=True), Text(no_wrap=True)
    for figure in kept:
        width = figure.width + gap
        labels.append(figure.label.ljust(width), style="dim")
        values.append(figure.value.ljust(width), style="bold")
    return labels, values


def _needed(figures: list[Figure], gap: int) -> int:
    return sum(figure.width for figure in figures) + gap * (len(figures) - 1)
