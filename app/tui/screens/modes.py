"""The screens that a digit opens, in their order."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from textual.screen import Screen


class Mode(NamedTuple):
    """One screen: its name and title, what it is for, and its class, which is imported when it is first shown."""

    name: str
    title: str
    about: str
    kind: str

    def screen(self) -> Screen[None]:
        """Make the screen."""
        made: Screen[None] = getattr(import_module(f"app.tui.screens.{self.name}"), self.kind)()
        return made


MODES = (
    Mode("now", "Now", "What runs now, what it costs an hour, and how old that is", "NowScreen"),
    Mode("market", "Market", "What can be bought for each GPU in use, cheapest first", "MarketScreen"),
    Mode("plan", "Plan", "What to buy, what carries the demand, and how sure that is", "PlanScreen"),
    Mode("desk", "Desk", "Every quote: what it is worth, and what was said", "DeskScreen"),
    Mode("risk", "Risk", "Scenarios, the worst outcomes, and the past", "RiskScreen"),
    Mode("teams", "Teams", "Who pays what, who wastes most, and what has no owner", "TeamsScreen"),
)
OPENING = "market"
