"""The bar that names the screens; the one that is shown stands out."""

from __future__ import annotations

from rich.text import Text
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from app.tui.screens.modes import MODES


class ModeName(Static):
    """One name on the bar."""

    def __init__(self, key: int, name: str, title: str, *, shown: bool) -> None:
        text = Text.assemble((f"{key} ", "dim"), (title, "bold" if shown else ""))
        super().__init__(text, classes="mode-name -shown" if shown else "mode-name")
        self.mode = name

    def on_click(self) -> None:
        """Ask for the screen."""
        self.post_message(ModeBar.Chosen(self.mode))


class ModeBar(Horizontal):
    """The names of the screens, with the digits that open them."""

    class Chosen(Message):
        """Somebody clicked on a name."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, shown: str) -> None:
        names = (ModeName(key, mode.name, mode.title, shown=mode.name == shown) for key, mode in enumerate(MODES, 1))
        super().__init__(*names, id="modes")
