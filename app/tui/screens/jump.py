"""Jump mode: a letter on every place that can be gone to; its key goes there."""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Key
    from textual.widget import Widget


class JumpScreen(ModalScreen["Widget | None"]):
    """Lies over a screen; dismissed with the place that was chosen, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Stay", id="jump.stay", tooltip="Stay where you are"),
    ]

    def __init__(self, places: Sequence[Widget]) -> None:
        super().__init__()
        self._places = dict(zip(ascii_lowercase, places, strict=False))

    def compose(self) -> ComposeResult:
        """Put each letter on its place."""
        for letter, place in self._places.items():
            label = Static(f" {letter} ", classes="jump-label", markup=False)
            label.styles.offset = place.region.offset
            yield label

    def on_key(self, event: Key) -> None:
        """Go to the place whose letter was typed."""
        if event.key in self._places:
            event.stop()
            self.dismiss(self._places[event.key])
