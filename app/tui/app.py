"""The terminal program: it reads and solves beside the screen, and keeps every edit.

The heavy libraries load after the first paint: nothing here imports them.
"""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.reactive import reactive
from textual.worker import Worker, WorkerState

from app.diagnostics import UsageError
from app.negotiation import Solved
from app.quiet import stdout_aside
from app.tui import glyphs, themes
from app.tui.aside import FEEDS, aside
from app.tui.plainly import Plainly
from app.tui.screens import modes
from app.tui.screens.opening import OpeningScreen
from app.tui.state import Desk
from app.tui.watching import changed
from app.tui.words import name
from app.tui.work import Present, Reading, explained, keeper_of, opened, read_again, saved, solve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from textual.binding import BindingType
    from textual.filter import LineFilter
    from textual.screen import Screen

    from app.live.state import Live, Refreshing
    from app.negotiation import History
    from app.session import Request, Session
    from app.sessions import Sessions
    from app.tui.keeping import Keeper
    from app.tui.watching import Stamp
    from app.tui.work import Opening

T = TypeVar("T")
FIRST = "opening"
NOW = partial(datetime.now, UTC)
LOOK = 3.0  # seconds between two looks at the files behind the session
EVERY = 30.0  # seconds between two looks at what runs now


class TrancheApp(App[None]):
    """Holds the desk; the newest edit is the one that is solved.

    live: what runs now, None until it is known. clock: says what time it is. typed: the commands typed so far.
    """

    TITLE = "tranche"
    CSS_PATH = "tranche.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (150, "-roomy")]  # noqa: RUF012  Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012  Textual declares it
    DEFAULT_MODE = FIRST
    MODES = {FIRST: OpeningScreen, **{mode.name: mode.screen for mode in modes.MODES}}  # noqa: RUF012  as above
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(key), f"show_mode('{mode.name}')", mode.title, id=mode.name, tooltip=mode.about, show=False)
            for key, mode in enumerate(modes.MODES, 1)
        ),
        Binding("u", "undo", "Undo", id="undo", tooltip="Take back the last edit"),
        Binding("r", "redo", "Redo", id="redo", tooltip="Make the edit again that was taken back"),
        Binding("q", "quit", "Quit", id="quit", tooltip="Leave tranche; the session is kept"),
    ]

    desk: reactive[Desk] = reactive(Desk())
    live: reactive[Live | None] = reactive(None)

    def __init__(
        self,
        request: Request,
        opening: Opening | None = None,
        *,
        sources: tuple[str, ...] = (),
        clock: Callable[[], datetime] = NOW,
    ) -> None:
        super().__init__()
        self._request = request
        self._opening = opening
        self._present = Present(sources, clock)
        self.clock = clock
        self._feed: Refreshing | None = None
        self._refreshing: Worker[Live] | None = None
        self._keeper: Keeper | None = None
        self._newest: Worker[object] | None = None
        self._stamps: dict[Path, Stamp | None] = {}
        self._is_set_aside = False
        self.typed: list[str] = []
        for theme in themes.themes():
            self.register_theme(theme)
        self.theme = themes.fitting_theme(os.environ)

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self._request

    def on_mount(self) -> None:
        """Paint first, then read."""
        glyphs.use(glyphs.fitting(os.environ, self.console.encoding))
        self.set_interval(LOOK, self._look_at_files)
        self.set_interval(EVERY, self.refresh_live)
        self.call_after_refresh(self._load)

    def _load(self) -> None:
        """Load the screen that nobody has chosen another for yet, and read the files beside it."""
        self._begin(lambda: opened(self._request, self._opening, self._present))
        if self.current_mode == FIRST:
            self.switch_mode(modes.OPENING)

    def _begin(self, work: Callable[[], T]) -> None:
        """Do some work beside the screen; what was begun before is no longer waited for."""
        self._newest = self.run_worker(partial(aside, work), group="solve", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Put what the newest worker found on the desk; what an older one still says is of a desk that has changed."""
        if event.worker is self._refreshing and event.state is WorkerState.SUCCESS:
            self.live = self._refreshing.result
        if event.worker is not self._newest:
            return
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.desk = self.desk.failed(explained(event.worker.error))
            self._keep()
        elif event.state is WorkerState.SUCCESS and isinstance(event.worker.result, Reading):
            self._opened(event.worker.result)

    def _opened(self, reading: Reading) -> None:
        self._request, self._keeper = reading.request, reading.keeper or self._keeper
        if reading.screen in {mode.name for mode in modes.MODES}:
            self.switch_mode(reading.screen)
        self.desk = replace(
            self.desk,
            allocation=reading.allocation,
            offered=reading.tariffs,
            rules=reading.rules,
            found=reading.found,
            note=reading.note,
        )
        self._stamps, self._feed = reading.stamps, reading.feed
        self.refresh_live()
        self._go(reading.history)

    def refresh_live(self) -> None:
        """Ask what runs now, unless that is being asked; a source that fails is told of on screen."""
        asking = self._refreshing is not None and not self._refreshing.is_finished
        if self._feed is not None and not asking:
            work = partial(aside, self._feed.refresh, FEEDS)
            self._refreshing = self.run_worker(work, group="live", exit_on_error=False)

    def _look_at_files(self) -> None:
        """Say that a file is another than the one that was read, or that the session could not be saved."""
        problem = self._keeper.problem if self._keeper else ""
        if problem and problem not in self.desk.note:
            self.note(problem)
        news = changed(self._stamps) if self._stamps else ()
        if news:
            self._stamps = {}
            self.note(f"{' and '.join(map(name, news))} since it was read; :reload reads it again and keeps the edits")

    def reload(self) -> str:
        """Read the files again, and make the edits again; returns what is wrong, empty if nothing."""
        if self.desk.history is None:
            return "the files are still being read"
        history = self.desk.history
        self.desk = replace(self.desk, stage="reading again", problem="", note="")
        self._begin(lambda: read_again(self._request, history, self._present))
        return ""

    def _go(self, history: History) -> None:
        """Go to a step: show its plan, or work one out."""
        self.workers.cancel_group(self, "solve")
        if history.now.solved is not None and history.now.solved.whole:
            self.desk = self.desk.showing(history)
        else:
            self.desk = replace(self.desk, history=history, stage="solving", problem="")
            session, edit = history.now.session, history.now.edit
            self._begin(lambda: solve(session, edit.offer if edit else "", partial(self._tell, session)))
        self._keep()

    def _tell(self, session: Session, found: Solved) -> bool:
        """Take what a solve has found, from its thread; say whether it is still wanted."""
        wanted = self._wants(session)
        if wanted:
            self.call_later(self._found, session, found)
        return wanted

    def _wants(self, session: Session) -> bool:
        return self.desk.history is not None and self.desk.history.now.session is session

    def _found(self, session: Session, found: Solved) -> None:
        if self._wants(session) and self.desk.history is not None:
            self.desk = self.desk.showing(self.desk.history.solved(found))
            self._set_aside(found)

    def _set_aside(self, found: Solved) -> None:
        """Once the first plan is whole, spare the garbage collector what stays: a tenth of a second each time it runs.

        The libraries are loaded then, and the screens are there.
        """
        if found.whole and not self._is_set_aside:
            self._is_set_aside = True
            gc.freeze()

    def edit(self, line: str) -> str:
        """Make an edit and plan again; returns what is wrong with it, empty if nothing."""
        if self.desk.history is None:
            return "the files are still being read"
        try:
            history = self.desk.history.edited(line, self.clock().replace(microsecond=0))
        except UsageError as error:
            return explained(error)
        self.desk = replace(self.desk, note="")
        self._go(history)
        return ""

    def saving(self, out: str, *, overwrite: bool) -> Callable[[], str]:
        """Return the work of writing the plan on screen to a file."""
        return partial(saved, self.desk, out, created=self._request.now, overwrite=overwrite)

    def note(self, text: str) -> None:
        """Say something until the plan on screen is another."""
        self.desk = replace(self.desk, note=text)

    def _keep(self) -> None:
        """Save the session beside the screen."""
        if self._keeper:
            self._keeper.keep(self.desk.history, screen=self.current_mode)

    def session(self, verb: str, to: str) -> str:
        """Name this session, copy it, go on with another or begin anew; returns what is wrong, empty if nothing."""
        keeper, history = self._keeper, self.desk.history
        if keeper is None or history is None:
            return "there is no session to keep yet"
        keeper.close(history, screen=self.current_mode)
        try:
            if verb in {"open", "new"}:
                self._open_another(to or None, keeper.sessions)
                return ""
            (keeper.rename if verb == "name" else keeper.copy)(to)
        except UsageError as error:
            return explained(error)
        self.note(f"session {to} is kept")
        self._keep()
        return ""

    def _open_another(self, session: str | None, sessions: Sessions) -> None:
        self.desk = replace(self.desk, stage="reading", problem="", note="")
        opening = partial(keeper_of, name=session, sessions=sessions)
        self._begin(lambda: opened(self._request, opening, self._present))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which actions are possible now; the others stay on screen, dimmed, or are gone where a guest looks on."""
        if getattr(self.screen, "ALONE", False):
            return False
        history = self.desk.history
        if action == "undo":
            return True if history and history.undoable else None
        if action == "redo":
            return True if history and history.redoable else None
        return True

    def action_show_mode(self, mode: str) -> None:
        """Go to one of the screens."""
        self.switch_mode(mode)
        self._keep()

    def action_undo(self) -> None:
        """Take back the last edit."""
        self.travel("undo", 1)

    def action_redo(self) -> None:
        """Make the edit again that was taken back."""
        self.travel("redo", 1)

    def travel(self, way: str, edits: int | None) -> None:
        """Take back some edits, or make them again; None: all of them."""
        history = self.desk.history
        if history is not None:
            number = len(history.steps) if edits is None else edits
            self.desk = replace(self.desk, note="")
            self._go(history.gone_to(history.at + (number if way == "redo" else -number)))

    async def action_quit(self) -> None:
        """Leave, with the session kept and closed."""
        if self._keeper:
            self._keeper.close(self.desk.history, screen=self.current_mode)
        self.exit()

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Draw with 7-bit signs where the terminal has no others."""
        filters = super().get_line_filters()
        return [*filters, Plainly()] if glyphs.chosen() is glyphs.ASCII else filters

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every action that is possible now in the command palette."""
        yield from super().get_system_commands(screen)
        for _, binding, enabled, tooltip in screen.active_bindings.values():
            if enabled and binding.id and binding.tooltip:
                yield SystemCommand(binding.description, tooltip, partial(self.run_action, binding.action))


def run(request: Request, session: str | None = None, *, sources: tuple[str, ...] = ()) -> None:
    """Show the screens until they are quit.

    Args:
        request: what to plan.
        session: the name under which the session is kept, None for the one that nobody has named.
        sources: addresses of live sources of what runs now.
    """
    with stdout_aside():
        TrancheApp(request, partial(keeper_of, name=session), sources=sources).run()
