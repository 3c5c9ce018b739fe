"""The keys that do something now, in one line; those that are not possible are dimmed.

Textual's own footer makes a widget of each key, and makes them all anew with every edit, which takes longer than all
the rest of a redraw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

if TYPE_CHECKING:
    from textual.events import Click, Leave, MouseMove
    from textual.screen import Screen


class Key(NamedTuple):
    """One key: what is written for it, what it does, and whether it can."""

    key: str
    shown: str
    description: str
    enabled: bool
    tooltip: str


class KeyBar(Widget, can_focus=False):
    """The keys of the screen, as its bindings have them; a click is a press.

    compact: with less space between them.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES = {"key-bar--key", "key-bar--description", "key-bar--under"}  # noqa: RUF012  Textual declares it
    DEFAULT_CSS = """
    KeyBar {
        dock: bottom;
        height: 1;
        color: $footer-foreground;
        background: $footer-background;
    }
    KeyBar > .key-bar--key {
        color: $footer-key-foreground;
        background: $footer-key-background;
        text-style: bold;
    }
    KeyBar > .key-bar--description {
        color: $footer-description-foreground;
        background: $footer-description-background;
    }
    KeyBar > .key-bar--under {
        color: $footer-key-foreground;
        background: $block-hover-background;
    }
    """

    compact = reactive(default=False)
    under: reactive[int | None] = reactive(None)

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._keys: list[Key] = []

    def on_mount(self) -> None:
        """Follow the bindings of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, screen: Screen[object]) -> None:
        keys = list(self._possible(screen).values()) if self.is_attached and screen is self.screen else self._keys
        if keys != self._keys:
            self._keys, self.under = keys, None
            self.refresh()

    def _possible(self, screen: Screen[object]) -> dict[str, Key]:
        """Return the first key of each action that is to be shown."""
        found: dict[str, Key] = {}
        for _, binding, enabled, tooltip in screen.active_bindings.values():
            if binding.show:
                shown = self.app.get_key_display(binding)
                key = Key(binding.key, shown, binding.description, enabled, tooltip or binding.description)
                found.setdefault(binding.action, key)
        return found

    def render(self) -> Text:
        """Draw the keys."""
        text = Text(no_wrap=True, overflow="crop")
        for place, key in enumerate(self._keys):
            text.append_text(self._drawn(key, under=place == self.under))
        return text

    def _drawn(self, key: Key, *, under: bool) -> Text:
        style, words = (
            self.get_component_rich_style(f"key-bar--{'under' if under else part}") for part in ("key", "description")
        )
        dim = Style(dim=not key.enabled)
        before, after = ("", " ") if self.compact else (" ", " ")
        return Text.assemble((f"{before}{key.shown} ", style + dim), (f"{key.description}{after}", words + dim))

    def _at(self, column: int) -> int | None:
        """Return the place of the key in a column, None where there is none."""
        ends = 0
        for place, key in enumerate(self._keys):
            ends += cell_len(self._drawn(key, under=False).plain)
            if column < ends:
                return place
        return None

    def on_mouse_move(self, event: MouseMove) -> None:
        """Light up the key under the mouse, and say what it does."""
        self.under = self._at(event.x)
        self.tooltip = None if self.under is None else self._keys[self.under].tooltip

    def on_leave(self, _: Leave) -> None:
        """Put the light out."""
        self.under = None

    def on_click(self, event: Click) -> None:
        """Press the key that was clicked on."""
        place = self._at(event.x)
        if place is not None and self._keys[place].enabled:
            self.app.simulate_key(self._keys[place].key)
        elif place is not None:
            self.app.bell()
