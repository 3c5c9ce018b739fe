"""What all screens have in common: the headline, the bar of screens, panes, lines to type into, and the keys of all."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import on
from textual.binding import Binding
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Static

from app.tui import captions
from app.tui.screens.text import TextScreen, help_parts, problem_parts
from app.tui.widgets.command_input import CommandInput
from app.tui.widgets.filter_input import FilterInput
from app.tui.widgets.headline import Headline
from app.tui.widgets.key_bar import KeyBar
from app.tui.widgets.line import Line
from app.tui.widgets.mode_bar import ModeBar, ModeName
from app.tui.widgets.pane import Pane, PaneBar, PaneName
from app.tui.widgets.save_input import SaveInput
from app.tui.widgets.table import FittedTable
from app.tui.widgets.terms_input import TermsInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Key
    from textual.widget import Widget
    from textual.widgets import Input

    from app.tui.app import TrancheApp
    from app.tui.state import Desk
    from optimizer.tariffs import Tariff

REASONS = {
    "edit": "only a quote that is open can be countered, and none is under the cursor",
    "save": "the plan is still being worked out",
    "undo": "there is no edit to take back",
    "redo": "no edit was taken back",
}
"""Why an action of every screen is not possible, where it is not."""
ROOMY = 110  # cells from which on the keys stand further apart
TICK = 1.0  # seconds between two counts of how long a plan takes


class BaseScreen(Screen[None]):
    """One screen; what it shows comes from the desk, none is kept here.

    A screen says its panes with `panes`, draws with `draw`, says what they show with `describe`, and tells the row
    under the cursor in full with `detail`. NAME: of its mode. ABOUT: what its help begins with.
    QUOTES: whether the row under the cursor may be a quote. WHY: what has to be there for an action, by its name.
    """

    NAME: ClassVar[str] = ""
    ABOUT: ClassVar[str] = ""
    QUOTES: ClassVar[bool] = False
    WHY: ClassVar[Mapping[str, str]] = {}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next_pane(1)", "Next pane", id="pane.next", tooltip="Go to the next pane", show=False),
        Binding(
            "shift+tab", "next_pane(-1)", "Pane before", id="pane.before", tooltip="Go to the pane before", show=False
        ),
        Binding("e", "edit", "Counter", id="quote.edit", tooltip="Type other terms for the quote under the cursor"),
        Binding("ctrl+o", "jump", "Jump", id="jump", tooltip="Go to any place by its letter", show=False),
        Binding("s", "save", "Save", id="save", tooltip="Write the plan to a file"),
        Binding("colon", "command", "Command", id="command", key_display=":", tooltip="Type any command or edit"),
        Binding(
            "p",
            "problems",
            "Problems",
            id="problems",
            tooltip="Show what was found while reading and planning",
            show=False,
        ),
        Binding(
            "question_mark", "help", "Help", id="help", key_display="?", tooltip="Show the keys and what the words mean"
        ),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.current = 1
        self._lines = (TermsInput(), SaveInput(), CommandInput(), FilterInput())
        self._said: str | None = None
        self._telling = False
        self._panes: list[Pane] = []
        self._began = monotonic()
        self._drawn: Desk | None = None

    def panes(self) -> Iterable[Pane]:
        """Return the panes, numbered from 1."""
        raise NotImplementedError

    def draw(self, desk: Desk, drawn: Desk | None) -> None:
        """Draw what the panes show; `drawn` is what they show now."""

    def describe(self) -> None:
        """Say beside each pane's title what it shows."""

    def detail(self) -> Text | None:
        """Tell the row under the cursor in full."""
        return None

    def tariff(self) -> Tariff | None:
        """Return the offer under the cursor, if it is a quote that can be edited."""
        return None

    def compose(self) -> ComposeResult:
        """Lay out the headline, the panes and the lines below them."""
        self._panes = panes = list(self.panes())
        yield Headline(id="headline")
        yield ModeBar(self.NAME)
        yield PaneBar(len(panes))
        with Container(id="panes", classes=f"panes-{self.NAME}"):
            yield from panes
        yield Static(id="detail")
        yield Static(id="message")
        yield KeyBar()

    def on_mount(self) -> None:
        """Follow the desk."""
        self.watch(self.app, "desk", self.show)
        self.watch(self.app, "theme", self.recolour, init=False)
        self.set_interval(TICK, self.count_seconds)
        self.action_pane(1)
        self.call_after_refresh(self._add_lines)

    def _add_lines(self) -> None:
        """Add what is not seen yet, once the rest is."""
        self.mount(*self._lines, before="#message")

    @property
    def tranche(self) -> TrancheApp:
        """The program."""
        return cast("TrancheApp", self.app)

    @property
    def desk(self) -> Desk:
        """The state of the program."""
        return self.tranche.desk

    def on_screen_resume(self) -> None:
        """Draw what changed while another screen was shown."""
        if self._drawn is not self.desk:
            self.show(self.desk)
        self.refresh_bindings()

    def show(self, desk: Desk) -> None:
        """Draw what changed on the desk; a screen that nobody sees waits until somebody does."""
        if not self.is_current and self._drawn is not None:
            return
        drawn, self._drawn = self._drawn, desk
        if drawn is None or desk.stage != drawn.stage or desk.history is not drawn.history:
            self._began = monotonic()
        self.draw(desk, drawn)
        self.tell()
        self.query_one(Headline).show(desk, self._status())
        self._say(desk)
        self.refresh_bindings()

    def recolour(self) -> None:
        """Draw everything again in the colours of another theme, once they are known."""
        self.call_after_refresh(self.redraw)

    def redraw(self) -> None:
        """Draw everything again."""
        self.draw(self.desk, None)
        self.tell()

    def tell(self) -> None:
        """Say what the panes show, and the row under the cursor in full."""
        self.describe()
        self.query_one(PaneBar).show(self._panes, self.current)
        self.query_one("#detail", Static).update(self.detail() or Text(), layout=False)

    def on_resize(self) -> None:
        """Fit the headline and the keys to another width."""
        self.query_one(KeyBar).compact = self.size.width < ROOMY
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        self.query_one(Headline).show(self.desk, self._status())
        self.tell()

    def count_seconds(self) -> None:
        """Show how long the work on a plan has taken."""
        if self.desk.stage and self.is_current:
            self.query_one(Headline).show(self.desk, self._status())

    def _status(self) -> str:
        return captions.status(self.desk, monotonic() - self._began)

    def _say(self, desk: Desk) -> None:
        line, text = self.query_one("#message", Static), captions.message(desk)
        line.set_class(bool(desk.problem), "-wrong")
        if text != self._said:
            self._said, line.display = text, bool(text)
            line.update(Text(text))

    @on(FittedTable.Pointed)
    def follow(self) -> None:
        """Tell the row under the cursor in full."""
        self._tell_soon()

    @on(PaneName.Chosen)
    def choose_pane(self, event: PaneName.Chosen) -> None:
        """Go to the pane whose name was clicked."""
        self.action_pane(event.number)

    @on(ModeBar.Chosen)
    def choose_mode(self, event: ModeBar.Chosen) -> None:
        """Go to the screen whose name was clicked."""
        self.tranche.action_show_mode(event.name)

    def on_descendant_focus(self) -> None:
        """Notice a pane that was reached with the mouse."""
        pane = next((node for node in (self.focused.ancestors if self.focused else ()) if isinstance(node, Pane)), None)
        if pane is not None and pane.number != self.current:
            self.action_pane(pane.number)

    @property
    def typing(self) -> bool:
        """Whether somebody types into a line."""
        return any(line.open for line in self._lines)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which actions are possible now; the others stay on screen, dimmed."""
        if action == "edit" and not self.QUOTES:
            return False
        if action == "edit":
            return True if self.is_mounted and self.tariff() is not None and not self.typing else None
        if action == "save":
            return True if self.desk.savable and not self.typing else None
        if action in {"next_pane", "problems", "help", "command", "jump", *self.BUSY}:
            return None if self.typing else True
        return True

    def why(self, action: str) -> str:
        """Say why an action is not possible now."""
        name = action.partition("(")[0].removeprefix("app.")
        if name == "save" and self.desk.plan is None:
            return "there is no plan yet"
        return {**REASONS, **self.WHY}.get(name, "there is nothing here that it could be done to")

    def on_key(self, event: Key) -> None:
        """Say why a key does nothing."""
        bound = self.active_bindings.get(event.key)
        if bound is not None and not bound.enabled and not self.typing:
            self.tranche.note(f"{bound.binding.description}: {self.why(bound.binding.action)}")

    BUSY: ClassVar[frozenset[str]] = frozenset()
    """Further actions that wait while somebody types."""

    def action_pane(self, number: int) -> None:
        """Go to a pane."""
        self.current = number
        for pane in self._panes:
            pane.set_class(pane.number == number, "-current")
            if pane.number == number:
                self.set_focus(pane.target)
        self.tell()
        self.refresh_bindings()

    @property
    def pane(self) -> Pane:
        """The pane we are in."""
        return self._panes[self.current - 1]

    def action_next_pane(self, step: int) -> None:
        """Go to the next pane, or the one before."""
        self.action_pane((self.current - 1 + step) % len(self._panes) + 1)

    def action_jump(self) -> None:
        """Put a letter on every pane and every screen's name, and go where one is typed."""
        from app.tui.screens.jump import JumpScreen

        places = [*(pane for pane in self._panes if pane.display and pane.region), *self.query(ModeName)]
        self.app.push_screen(JumpScreen(places), self._jump_to)

    def _jump_to(self, place: Widget | None) -> None:
        if isinstance(place, Pane):
            self.action_pane(place.number)
        elif isinstance(place, ModeName):
            self.tranche.action_show_mode(place.mode)

    def action_edit(self) -> None:
        """Open the line for other terms."""
        tariff = self.tariff()
        if tariff is not None:
            self.type_into(self.query_one(TermsInput).ask(tariff, self.desk))

    def action_save(self) -> None:
        """Open the line for the name of a file."""
        self.type_into(self.query_one(SaveInput).ask())

    def action_command(self) -> None:
        """Open the line for a command."""
        self.begin_command("")

    def begin_command(self, text: str) -> None:
        """Open the line for a command that begins with some words."""
        self.type_into(self.query_one(CommandInput).ask(self.tranche.typed, text))

    def type_into(self, field: Input) -> None:
        """Let somebody type into a line, which takes the place of the detail."""
        self.query_one("#detail").display = False
        self.set_focus(field)
        self.refresh_bindings()

    @on(Line.Left)
    def back_to_pane(self, event: Line.Left) -> None:
        """Go on where we were; say what was done."""
        if event.note:
            self.tranche.note(event.note)
        self.query_one("#detail").display = True
        self.action_pane(self.current)

    @on(FittedTable.FilterAsked)
    def ask_filter(self, event: FittedTable.FilterAsked) -> None:
        """Open the line for a filter of a table."""
        if not self.typing:
            self.type_into(self.query_one(FilterInput).ask(event.table))

    @on(FittedTable.Arranged)
    def say_arranged(self) -> None:
        """Say how many rows are shown."""
        self._tell_soon()

    def _tell_soon(self) -> None:
        """Tell once, however many tables move at a time."""
        if not self._telling:
            self._telling = True
            self.call_after_refresh(self._tell_now)

    def _tell_now(self) -> None:
        self._telling = False
        self.tell()
        self.refresh_bindings()

    @on(SaveInput.Entered)
    def save(self, event: SaveInput.Entered) -> None:
        """Write the file beside the screen."""
        self.query_one(SaveInput).wait_for(self.tranche.saving(event.out, overwrite=event.overwrite))

    @on(TermsInput.Entered)
    def counter(self, event: TermsInput.Entered) -> None:
        """Hand an edit over to the desk."""
        self._done(self.query_one(TermsInput), self.tranche.edit(event.line))

    @on(CommandInput.Entered)
    def command(self, event: CommandInput.Entered) -> None:
        """Do what was typed."""
        from app.tui.commands import run

        self._done(self.query_one(CommandInput), run(self, event.text))

    def _done(self, line: Line, problem: str) -> None:
        """Close a line once what was typed is done, or say what is wrong with it."""
        if problem:
            line.complain(problem)
        elif line.open:
            line.close()

    def save_as(self, name: str) -> None:
        """Open the line for the name of a file with that name entered, or with the one used last."""
        line = self.query_one(SaveInput)
        self.type_into(line.ask())
        if name:
            line.enter(name)

    def action_commands(self) -> None:
        """List what can be typed."""
        from app.tui.commands import command_parts

        self.app.push_screen(TextScreen("Commands", *command_parts(self)))

    def action_problems(self) -> None:
        """Show what was found on the way."""
        parts = problem_parts(self.desk.problem, self.desk.diagnostics)
        self.app.push_screen(TextScreen("Found while reading and planning", *parts))

    def action_help(self) -> None:
        """Show the keys and the words."""
        title = f"tranche · {self.NAME}"
        self.app.push_screen(TextScreen(title, *help_parts(self.ABOUT, self.active_bindings.values(), self.why)))
