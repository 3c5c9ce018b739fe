"""The line to type the name of a file that the plan is written to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text
from textual.message import Message
from textual.worker import Worker, WorkerState

from app.saving import ENDINGS, TakenError
from app.tui.aside import SAVING, aside
from app.tui.widgets.line import Line
from app.tui.work import explained

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.widgets import Input

FIRST = "plan.json"


class SaveInput(Line):
    """Asks for a file; what was typed stays until the plan is written there."""

    class Entered(Message):
        """A file was named; overwrite: whether what is there may go."""

        def __init__(self, out: str, *, overwrite: bool) -> None:
            super().__init__()
            self.out = out
            self.overwrite = overwrite

    def __init__(self) -> None:
        super().__init__("save")
        self._typed = FIRST
        self._taken: str | None = None
        self._busy = False
        self._saving: Worker[str] | None = None

    @property
    def expectation(self) -> str:
        """What can be typed."""
        return f"a file that ends in {', '.join(ENDINGS)}; enter writes it, escape cancels"

    def ask(self) -> Input:
        """Open with the name used last; returns what to type into."""
        self._taken = None
        return self.opened("Save the plan to ", self._typed)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the name over; a file that exists is overwritten only when its name is entered again."""
        event.stop()
        if not self.open or self._busy:
            return
        if not event.value.strip():
            self.complain(f"no file is named: type {self.expectation}")
            return
        self.enter(event.value)

    def enter(self, out: str) -> None:
        """Ask for the plan to be written to a file."""
        self._busy, self._typed = True, out
        self.complain("")
        self.hint(Text("saving…"))
        self.post_message(self.Entered(out, overwrite=out == self._taken))

    def wait_for(self, work: Callable[[], str]) -> None:
        """Do the work of writing beside the screen."""
        self._saving = self.run_worker(partial(aside, work, SAVING), group="save", exit_on_error=False)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Close once the plan is written, or say why it is not."""
        if event.state is WorkerState.SUCCESS:
            self._busy = False
            self.close(str(event.worker.result))
        elif event.state is WorkerState.ERROR and event.worker.error is not None:
            self._busy = False
            self._refuse(event.worker.error)

    def _refuse(self, error: BaseException) -> None:
        taken = isinstance(error, TakenError)
        self._taken = self._typed if taken else None
        words = explained(error).removeprefix("--out ")
        self.complain(f"{words}; enter overwrites it, escape leaves it as it is" if taken else words)

    def action_leave(self) -> None:
        """Close without a file; what is being written is waited for."""
        if not self._busy:
            self.close()
