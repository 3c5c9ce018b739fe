"""How the prices of options moved, as lines; or in words what is known of them."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import set_cell_size

from app.tui.price_history import MOST, drawable, in_words
from app.tui.widgets.canvas import LABEL, Unit
from app.tui.widgets.lines import Path, PathChart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from app.tui.price_history import Track
    from app.tui.widgets.canvas import Line


class PriceLines(PathChart, can_focus=True):
    """One line an option, by day; the newest price of a single one is marked."""

    DEFAULT_CSS = """
    PriceLines { padding: 0 1; }
    """
    about = ""

    def tell(self, text: str) -> None:
        """Say something in place of lines."""
        self.about = text
        self.changed()

    def show_tracks(self, tracks: Sequence[Track], currency: str) -> None:
        """Draw the prices that are known, or say them where they are of one day."""
        self.about = "" if drawable(tracks) else in_words(tracks, currency)
        shown = tracks[:MOST]
        days = [day for track in shown for day, _ in track.days]
        per_hour = Unit(name="/GPU-h", currency=currency)
        paths = [_path(track, per_hour, alone=len(shown) == 1) for track in shown]
        self.show(paths, across=Unit(), up=per_hour, labels=_ends(days))

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is drawn at a size: the lines, or the words in as many lines as they need."""
        if not self.about:
            return super().lines(width, height)
        said = wrap(self.about, max(width, 1))[:height]
        return [[(set_cell_size(line, width), LABEL)] for line in said]


def _path(track: Track, per_hour: Unit, *, alone: bool) -> Path:
    points = [(float(day.toordinal()), price) for day, price in track.days]
    if not alone or not points:
        return Path(points=points, name=track.name)
    day, price = track.days[-1]
    return Path(points=points, marked=len(points) - 1, note=f"{per_hour.exact(price)} on {day}")


def _ends(days: Sequence[date]) -> list[str]:
    return [f"{min(days)}", f"{max(days)}"] if days else []
