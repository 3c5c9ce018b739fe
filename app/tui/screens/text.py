"""A page of text over the screen: the keys, or what was found on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.console import Group
from rich.table import Table
from rich.text import Text
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from app.tui.words import name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType
    from textual.app import ComposeResult
    from textual.binding import ActiveBinding, BindingType

    from providers.tables import Diagnostic

FIRST = 12  # cells of the first column, so that tables below each other line up
WORDS = (
    ("allocated", "GPU-hours that were requested; used is the part of them that did work"),
    ("listed", "the price as the vendor states it: for having a GPU, or for using it; a + b for both"),
    ("effective", "what a useful GPU-hour costs when all is used; on spot with what interruptions cost"),
    ("in plan", "GPUs that the plan buys; of spot and on demand the mean in use"),
    ("walk-away", "the highest price at which buying the quote does not make the plan dearer"),
    ("next GPU", "the same for one more GPU alone"),
    ("verdict", "accept: at or below the walk-away price; counter: above it; decline: worth nothing"),
    ("headroom", "walk-away less quoted price, over the quote's GPUs and whole term"),
    ("coverage", "share of the demand, at on-demand prices, that commitments serve"),
    ("utilization", "share of the committed hours that are used"),
    ("break-even", "share of its hours from which a commitment beats paying as you go"),
    ("savings rate", "1 - cost of the plan / cost of the same demand on demand"),
    ("proven", "how far the plan can be from the best one there is; optimal: not at all"),
)


class TextScreen(ModalScreen[None]):
    """Something to read and close."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "app.pop_screen", "Close", id="text.close", tooltip="Go back to the plan"),
    ]

    def __init__(self, title: str, *parts: RenderableType) -> None:
        super().__init__()
        self._parts = (Text(f"{title}\n", style="bold"), *parts, Text("\nescape closes", style="dim"))

    def compose(self) -> ComposeResult:
        """Show the parts below each other in a box that scrolls."""
        with VerticalScroll(id="text"):
            yield Static(Group(*self._parts))


def help_parts(about: str, active: Iterable[ActiveBinding], why: Callable[[str], str]) -> tuple[RenderableType, ...]:
    """Write what the screen is for, its keys, why some of them do nothing now, and what its words mean."""
    keys = [
        (_key(binding), f"{tooltip or binding.description}{'' if enabled else f' (not now: {why(binding.action)})'}")
        for _, binding, enabled, tooltip in active
        if binding.id and not binding.system
    ]
    return Text(about), titled("Keys", keys), titled("Words", WORDS)


def problem_parts(problem: str, diagnostics: Iterable[Diagnostic]) -> tuple[RenderableType, ...]:
    """Write what went wrong and what was found on the way."""
    found = [("error", problem)] if problem else []
    found += [(note.level, name(f"{note.message}; {note.hint}" if note.hint else note.message)) for note in diagnostics]
    return (_pairs(found),) if found else (Text("nothing to report"),)


def _key(binding: Binding) -> str:
    return binding.key_display or binding.key.replace("question_mark", "?")


def titled(title: str, pairs: Iterable[tuple[str, str]]) -> RenderableType:
    """Write pairs under a title."""
    return Group(Text(f"\n{title}", style="bold"), _pairs(pairs))


def _pairs(pairs: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=FIRST)
    table.add_column()
    for first, second in pairs:
        table.add_row(Text(first, style="bold"), Text(second))
    return table
