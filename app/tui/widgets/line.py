"""One line to type something, and one that says what is expected or what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class Line(Vertical):
    """Asks for one thing; open while somebody types."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Cancel", id="line.cancel", tooltip="Close the line; nothing is changed"),
    ]

    class Left(Message):
        """The line was closed; note: what was done, empty where nothing is to be said."""

        def __init__(self, note: str = "") -> None:
            super().__init__()
            self.note = note

    def __init__(self, name: str) -> None:
        super().__init__(id=name, classes="line")
        self.open = False

    @property
    def expectation(self) -> str:
        """What can be typed."""
        return ""

    def compose(self) -> ComposeResult:
        """Put what is asked for, the input and the hint together."""
        with Horizontal():
            yield Static(classes="line-name")
            yield Input(classes="line-input", compact=True)
        yield Static(classes="line-hint")

    def opened(self, asked: str, value: str) -> Input:
        """Open with a value to type over; returns what to type into."""
        self.open = self.display = True
        self.query_one(".line-name", Static).update(Text(asked))
        self.complain("")
        field = self.query_one(Input)
        field.value = value
        field.select_all()
        return field

    def complain(self, problem: str) -> None:
        """Say what is wrong with what was typed, or what is expected."""
        self.set_class(bool(problem), "-wrong")
        self.hint(Text(problem or self.expectation))

    def hint(self, text: Text) -> None:
        """Say something below what is typed."""
        self.query_one(".line-hint", Static).update(text)

    def close(self, note: str = "") -> None:
        """Close; what was typed has been dealt with."""
        self.open = self.display = False
        self.post_message(self.Left(note))

    def action_leave(self) -> None:
        """Close without a change."""
        self.close()
