"""A screen that is being built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.tui.screens.base import BaseScreen
from app.tui.widgets.pane import Pane
from app.tui.widgets.purchases import Purchases

if TYPE_CHECKING:
    from collections.abc import Iterable


class RiskScreen(BaseScreen):
    """Nothing yet."""

    NAME = "risk"

    def panes(self) -> Iterable[Pane]:
        """Return the panes."""
        yield Pane(1, "Risk", Purchases(), id="pane-risk")
