"""The terminal program: it reads and solves beside the screen, and keeps every edit.

The heavy libraries load after the first paint: nothing here imports them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.reactive import reactive
from textual.worker import Worker, WorkerState

from app.diagnostics import UsageError
from app.tui.aside import aside
from app.tui.prices import changed
from app.tui.screens.plan import PlanScreen
from app.tui.state import Desk, History, Solved, Step
from app.tui.words import name
from app.tui.words import price as price_of
from app.tui.work import Reading, explained, read, saved, solved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from textual.binding import BindingType
    from textual.screen import Screen

    from app.session import Request
    from app.tui.prices import Price
    from optimizer.tariffs import Tariff

T = TypeVar("T")


class TrancheApp(App[None]):
    """Holds the desk; the newest edit is the one that is solved."""

    TITLE = "tranche"
    CSS_PATH = "tranche.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (150, "-roomy")]  # noqa: RUF012  Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]  # noqa: RUF012  Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "undo", "Undo", id="undo", tooltip="Take back the last price"),
        Binding("r", "redo", "Redo", id="redo", tooltip="Put back the price that was taken back"),
        Binding("q", "quit", "Quit", id="quit", tooltip="Leave tranche"),
    ]

    desk: reactive[Desk] = reactive(Desk())

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._request = request
        self._newest: Worker[object] | None = None

    def get_default_screen(self) -> Screen[None]:
        """Open on the plan."""
        return PlanScreen()

    def on_mount(self) -> None:
        """Paint first, then read."""
        self.call_after_refresh(self._begin, lambda: read(self._request))

    def _begin(self, work: Callable[[], T]) -> None:
        """Do some work beside the screen; what was begun before is no longer waited for."""
        self._newest = self.run_worker(aside(work), group="solve", exclusive=True, exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Put what the newest worker found on the desk; what an older one still says is of a desk that has changed."""
        if event.worker is not self._newest:
            return
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.desk = self.desk.failed(explained(event.worker.error))
        elif event.state is WorkerState.SUCCESS and isinstance(event.worker.result, Reading):
            self._opened(event.worker.result)
        elif event.state is WorkerState.SUCCESS and isinstance(event.worker.result, Solved) and self.desk.history:
            self.desk = self.desk.showing(self.desk.history.solved(event.worker.result))

    def _opened(self, reading: Reading) -> None:
        history = History((Step(session=reading.session),))
        self.desk = replace(self.desk, allocation=reading.allocation, offered=reading.tariffs, rules=reading.rules)
        self._go(history)

    def _go(self, history: History) -> None:
        """Go to a step: show its plan, or work one out."""
        self.workers.cancel_group(self, "solve")
        if history.now.solved is not None:
            self.desk = self.desk.showing(history)
            return
        self.desk = replace(self.desk, history=history, stage="solving", problem="")
        session = history.now.session
        self._begin(lambda: solved(session))

    def reprice(self, tariff: Tariff, price: Price) -> str:
        """Give a quote another price and plan again; returns what is wrong with it, empty if nothing."""
        if self.desk.history is None:
            return "the files are still being read"
        try:
            session = self.desk.history.now.session.with_price(
                tariff.offer_id, holding=price.holding, usage=price.usage
            )
        except UsageError as error:
            return explained(error)
        edit = f"{name(tariff.offer_id)} {price_of(tariff)} → {changed(tariff, price)}"
        self._go(self.desk.history.edited(Step(session=session, edit=edit)))
        return ""

    def saving(self, out: str, *, overwrite: bool) -> Callable[[], str]:
        """Return the work of writing the plan on screen to a file."""
        return partial(saved, self.desk, out, created=self._request.now, overwrite=overwrite)

    def note(self, text: str) -> None:
        """Say something until the plan on screen is another."""
        self.desk = replace(self.desk, note=text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Say which actions are possible now; the others stay on screen, dimmed."""
        history = self.desk.history
        if action == "undo":
            return True if history and history.undoable else None
        if action == "redo":
            return True if history and history.redoable else None
        return True

    def action_undo(self) -> None:
        """Take back the last price."""
        if self.desk.history:
            self._go(self.desk.history.undone())

    def action_redo(self) -> None:
        """Put back the price that was taken back."""
        if self.desk.history:
            self._go(self.desk.history.redone())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every action that is possible now in the command palette."""
        yield from super().get_system_commands(screen)
        for _, binding, enabled, tooltip in screen.active_bindings.values():
            if enabled and binding.id and binding.tooltip:
                yield SystemCommand(binding.description, tooltip, partial(self.run_action, binding.action))


def run(request: Request) -> None:
    """Show the screens until they are quit."""
    TrancheApp(request).run()
