"""What is on screen first, while the screens themselves are still being loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.screen import Screen
from textual.widgets import Static

from app.tui.screens.modes import OPENING
from app.tui.widgets.headline import Headline
from app.tui.widgets.key_bar import KeyBar
from app.tui.widgets.mode_bar import ModeBar

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from app.tui.app import TrancheApp


class OpeningScreen(Screen[None]):
    """The frame of the screen that follows; it is there in an instant, and gone in the next."""

    def compose(self) -> ComposeResult:
        """Lay out what does not move when the screen itself comes."""
        yield Headline(id="headline")
        yield ModeBar(OPENING)
        yield Static(id="panes")
        yield KeyBar()

    def on_mount(self) -> None:
        """Say that the files are being read."""
        desk = cast("TrancheApp", self.app).desk
        self.query_one(Headline).show(desk, f"{desk.stage}...")
