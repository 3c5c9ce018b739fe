"""What a terminal that shows only 7-bit characters gets in place of the signs that stand in words and frames.

Charts choose their signs themselves (`glyphs`); this takes care of what is left when a line is drawn: ellipses, dots
between words, scroll bars and frames, those of Textual included. Text from files keeps its letters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.filter import LineFilter

from app.tui.glyphs import ASCII, UNICODE

if TYPE_CHECKING:
    from textual.color import Color

IN_WORDS = dict(zip("…·±←→▸▾", ".-~<>>v", strict=True))
IN_FRAMES = dict(zip("│─┌┐└┘╭╮╰╯", "|-++++++++", strict=True))
BARS = dict.fromkeys("▁▂▃▄▅▆▇█▉▊▋▌▍▎▏▐▔▕", "|")  # what scroll bars are drawn with
PAIRED = ("over", "mark", "upright", "level", "limit", "up", "down", "opened", "closed", "to", "middle")
DRAWN = {getattr(UNICODE, name): getattr(ASCII, name) for name in PAIRED}
SIGNS = str.maketrans({**BARS, **IN_FRAMES, **IN_WORDS, **DRAWN})


class Plainly(LineFilter):
    """Replaces signs one by one, so that every cell stays where it is."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002  Textual's signature
        """Replace the signs of a line."""
        return [Segment(text.translate(SIGNS), style, control) for text, style, control in segments]
