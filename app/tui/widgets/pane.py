"""A pane: one line of title over what it holds; and the bar that names the panes where only one fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.widget import Widget


class Pane(Vertical):
    """A titled part of the screen."""

    def __init__(self, number: int, title: str, *content: Widget, id: str) -> None:  # noqa: A002  Textual's name for it
        super().__init__(Static(classes="pane-title"), *content, id=id, classes="pane")
        self.number = number
        self.heading = title
        self.about = ""
        self._described = False
        self._content = content

    @property
    def target(self) -> Widget | None:
        """What the keys go to in this pane: the first that can take them."""
        inside = (node for widget in self._content for node in (widget, *widget.query("*")))
        return next((node for node in inside if node.can_focus), None)

    @property
    def caption(self) -> Text:
        """The title, and what is shown at the moment."""
        return Text.assemble((f"{self.number} ", "dim"), (self.heading, "bold"), "  ", self.about, no_wrap=True)

    def describe(self, about: str) -> None:
        """Say beside the title what is shown."""
        if about != self.about or not self._described:
            self.about, self._described = about, True
            self.query_one(".pane-title", Static).update(self.caption, layout=False)


class PaneName(Static):
    """One name on the bar."""

    class Chosen(Message):
        """Somebody clicked on it."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, number: int) -> None:
        super().__init__(classes="pane-name")
        self.number = number

    def on_click(self) -> None:
        """Ask for the pane."""
        self.post_message(self.Chosen(self.number))


class PaneBar(Horizontal):
    """The names of the panes; the one on screen with what it shows."""

    def __init__(self, panes: int) -> None:
        super().__init__(*(PaneName(number + 1) for number in range(panes)), id="bar")

    def show(self, panes: list[Pane], current: int) -> None:
        """Name the panes, where the bar is seen."""
        if not self.display:
            return
        for name, pane in zip(self.query(PaneName), panes, strict=True):
            chosen = pane.number == current
            name.set_class(chosen, "-current")
            name.update(pane.caption if chosen else Text.assemble((f"{pane.number} ", "dim"), pane.heading))
