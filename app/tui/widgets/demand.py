"""The demand curve of a quote: how many GPUs of it are worth buying at each price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui.widgets.canvas import Unit, says
from app.tui.widgets.lines import Level, Mark, StepChart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.tui.quotes import Quote
    from app.tui.widgets.canvas import Line
    from optimizer.curve import Step

WORKING = "being worked out…"
NONE = "no curve: it is paid as it is used, or nothing else could serve in its place"


class Demand(StepChart):
    """A step chart with the price quoted and the walk-away price on it."""

    about = ""

    def show_curve(self, steps: Sequence[Step] | None, quote: Quote | None, currency: str) -> None:
        """Draw the curve; None where it is not known yet."""
        value = quote.value if quote else None
        self.about = "" if steps else self._missing(steps, quote)
        marked = [] if value is None else [Mark(at=value.quoted, name="quoted")]
        if value is not None and value.walk_away is not None:
            marked.append(Mark(at=value.walk_away, name="walk-away", style="walkaway"))
        self.show(
            [Level(low=step.low, high=step.high, amount=step.gpus) for step in steps or ()],
            prices=Unit(name="/GPU-h", currency=currency),
            amounts=Unit(name="GPUs"),
            marked=marked,
        )

    @staticmethod
    def _missing(steps: Sequence[Step] | None, quote: Quote | None) -> str:
        if quote is None or quote.value is None:
            return "no quote that is open"
        return WORKING if steps is None else NONE

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is drawn at a size: the curve, or why there is none."""
        return says(self.about, width, height) if self.about else super().lines(width, height)
