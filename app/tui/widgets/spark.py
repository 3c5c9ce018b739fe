"""A history in a few characters."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from app.tui.glyphs import chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

NOTHING = " "


def spark(values: Sequence[float], width: int) -> str:
    """Draw means of equal stretches as bars on the scale of the highest; a stretch of zeros is left blank."""
    stretches = min(width, len(values))
    cuts = [round(index * len(values) / stretches) for index in range(stretches + 1)] if stretches else [0]
    means = [sum(values[since:until]) / (until - since) for since, until in pairwise(cuts)]
    top = max(means, default=0.0)
    if top <= 0:
        return NOTHING * len(means)
    levels = chosen().levels
    return "".join(
        levels[min(int(mean / top * len(levels)), len(levels) - 1)] if mean > 0 else NOTHING for mean in means
    )
