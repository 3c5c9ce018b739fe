"""The screens on Oracle-8: a team's usage at a provider, spot, and two vendors who quote."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.worker import WorkerCancelled, WorkerFailed

from app.session import Request
from app.tui.app import TrancheApp

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Let the collector see again what a program set aside for good: here many run in one process."""
    yield
    gc.unfreeze()


class Hands:
    """What every test of the screens does."""

    def __init__(self, files: Any) -> None:
        self.files = files

    def usage(self, **more: object) -> list[dict[str, object]]:
        place = {"provider": "aws", "team": "language", **more}
        return [{**row, **place, "effective_cost": float(row["gpu_hours"]) * 4} for row in self.files.hours()]

    def offers(self) -> list[dict[str, object]]:
        offer = self.files.offer
        return [
            self.files.on_demand(),
            offer("open-quote", "contract", holding=3.2, status="quote", term_months=12),
            offer("block-quote", "contract", holding=2.4, status="quote", lot_gpus=64, max_gpus=64, term_months=12),
        ]

    def asks(self, *, usage: Any = None, offers: Any = None, **holding: float) -> Request:
        """Write the files and ask for them; holding: prices of offers, to replace."""
        rows = offers or self.offers()
        for row in rows:
            name = str(row["offer_id"]).replace("-", "_")
            row["holding_usd_per_gpu_hour"] = holding.get(name, row["holding_usd_per_gpu_hour"])
        return Request(
            now=NOW,
            usage=(self.files.table("tui_usage.csv", usage or self.usage()),),
            offers=(self.files.table("tui_offers.csv", rows),),
            horizon="history",
        )

    @staticmethod
    async def settled(pilot: Pilot[Any]) -> None:
        """Wait until nothing is read or solved any more."""
        async with asyncio.timeout(60):
            while pilot.app.desk.stage:
                with suppress(WorkerFailed, WorkerCancelled):
                    await pilot.app.workers.wait_for_complete()
                await pilot.pause()
        await pilot.pause()

    @staticmethod
    async def type_price(pilot: Pilot[Any], offer: str, price: str) -> None:
        """Put the cursor on a quote, and type another price for it."""
        await pilot.press("2")
        pilot.app.screen.action_pane(2)
        pilot.app.screen.query_one("#market").point_at(offer)
        await pilot.pause()
        await pilot.press("e", *("full_stop" if char == "." else char for char in price), "enter")
        await pilot.pause()

    @staticmethod
    def text(app: TrancheApp) -> str:
        """Return what the screen shows, line by line."""
        strips = app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)


@pytest.fixture
def hands(files: Any) -> Hands:
    return Hands(files)


@pytest.fixture
def app(hands: Hands) -> TrancheApp:
    return TrancheApp(hands.asks())
