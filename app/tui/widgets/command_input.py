"""The line to type any command or edit, with those typed before."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input

from app.tui.widgets.line import Line

if TYPE_CHECKING:
    from textual.binding import BindingType


class CommandInput(Line):
    """Asks for a command; up and down go through those typed before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(-1)", "Earlier", id="command.earlier", tooltip="The command typed before", show=False),
        Binding("down", "recall(1)", "Later", id="command.later", tooltip="The command typed after", show=False),
    ]

    class Entered(Message):
        """A command was entered."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self) -> None:
        super().__init__("command")
        self._typed: list[str] = []
        self._at = 0

    @property
    def expectation(self) -> str:
        """What can be typed."""
        return "a command or an edit: counter, quote, accept, decline, note, limit, go, save, theme…; help lists all"

    def ask(self, typed: list[str], text: str = "") -> Input:
        """Open; returns what to type into.

        Args:
            typed: what was typed so far in this run of the program, on whichever screen; it grows.
            text: how the command begins.
        """
        self._typed, self._at = typed, len(typed)
        field = self.opened(":", text)
        field.select_on_focus = False
        field.cursor_position = len(text)
        return field

    def action_recall(self, step: int) -> None:
        """Put back a command typed before."""
        self._at = max(min(self._at + step, len(self._typed)), 0)
        field = self.query_one(Input)
        field.value = self._typed[self._at] if self._at < len(self._typed) else ""
        field.cursor_position = len(field.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the command over; whoever does it says what is wrong with it."""
        event.stop()
        if not self.open:
            return
        text = event.value.strip()
        if not text:
            self.close()
            return
        if not self._typed or self._typed[-1] != text:
            self._typed.append(text)
        self.post_message(self.Entered(text))
