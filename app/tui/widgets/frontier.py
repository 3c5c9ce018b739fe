"""What less risk costs: expected cost against the mean of the worst; or cost against the demand that comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui import words
from app.tui.widgets.canvas import Unit, says
from app.tui.widgets.lines import Path, PathChart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.tui.risks import Future
    from app.tui.widgets.canvas import Line
    from optimizer.risk import Risk


class Frontier(PathChart):
    """The frontier of a plan with scenarios, or how its cost follows the demand."""

    about = "no plan yet"

    def say(self, about: str) -> None:
        """Say in words why there is no chart."""
        self.about = about
        self.changed()

    def show_risk(self, risk: Risk, currency: str) -> None:
        """Draw the frontier, with the plan on screen as a point of its own."""
        self.about = ""
        part, sign = scale_of(max(risk.expected, risk.cvar), currency)
        frontier = sorted((point.expected / part, point.cvar / part) for point in risk.frontier)
        lines = [
            Path(points=frontier),
            Path(points=[(risk.expected / part, risk.cvar / part)], marked=0, note="this plan"),
        ]
        worst = f"worst {(1 - risk.tail) * 100:.3g} %, {sign}"
        self.show(lines, across=Unit(name=f"expected, {sign}"), up=Unit(name=worst))

    def show_demand(self, futures: Sequence[Future], currency: str) -> None:
        """Draw the cost of keeping the plan, and that of the best plan for each demand."""
        self.about = ""
        known = [one for one in futures if one.factor is not None]
        at = next((index for index, one in enumerate(known) if one.factor == 1.0), None)
        part, sign = scale_of(max((one.cost or 0.0 for one in known), default=0.0), currency)
        points = [_at(one, one.cost, part) for one in known]
        kept = Path(points=points, name="this plan kept", marked=at, note="as planned")
        best = Path(points=[_at(one, _best(one), part) for one in known], name="best plan")
        self.show([kept, best], across=Unit(name="% of demand"), up=Unit(name=f"cost, {sign}"))

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is drawn at a size: the chart, or why there is none."""
        return says(self.about, width, height) if self.about else super().lines(width, height)


def scale_of(top: float, currency: str) -> tuple[float, str]:
    """Return what a chart divides amounts by, so that labels can tell close ones apart, and how it writes the rest."""
    sign = words.sign(currency).strip()
    if abs(top) >= words.MILLION:
        return words.MILLION, f"{sign}M"
    return (1e3, f"{sign}k") if abs(top) >= words.TEN_THOUSAND else (1.0, sign)


def _at(one: Future, usd: float | None, part: float) -> tuple[float, float | None]:
    return (one.factor or 0.0) * 100, None if usd is None else usd / part


def _best(one: Future) -> float | None:
    return None if one.cost is None or one.regret is None else one.cost - one.regret
