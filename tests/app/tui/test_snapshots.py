"""What the demo looks like, on each screen at three sizes: looked at as pictures, kept as text.

TRANCHE_WRITE_SNAPSHOTS=1 writes them anew; look at them before they are committed.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.session import Request
from app.tui.app import TrancheApp
from app.tui.screens.modes import MODES

KEPT = Path(__file__).parent / "snapshots"
SIZES = ((80, 24), (120, 36), (200, 60))
NOW = datetime(2026, 11, 27, tzinfo=UTC)


def text(app: TrancheApp, hands: Any) -> str:
    """Return the screen without what differs from run to run: how long the plan took, and blanks at the ends."""
    shown = re.sub(r" *solved in [\d.]+ s", " solved", hands.text(app))
    return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())


async def quiet(app: TrancheApp, pilot: Any) -> None:
    """Wait until nothing is worked out beside the screen any more, a curve that begins late included."""
    for _ in range(400):
        await pilot.pause(0.05)
        busy = [worker for worker in app.workers if not worker.is_finished]
        waits = app.current_mode == "desk" and not app.screen._curves
        if not busy and not waits and not app.desk.stage:
            break
    await pilot.pause()


async def test_each_screen_looks_as_it_did(hands: Any, tmp_path: Path) -> None:
    app = TrancheApp(Request(now=NOW), clock=lambda: NOW)
    apart = []
    async with app.run_test(size=SIZES[0]) as pilot:
        await hands.settled(pilot)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            for key, mode in enumerate(MODES, 1):
                await pilot.press(str(key))
                await quiet(app, pilot)
                name = f"{mode.name}-{size[0]}x{size[1]}.txt"
                if not compared(name, text(app, hands), tmp_path):
                    apart.append(name)
    assert not apart, f"these differ from tests/app/tui/snapshots; what they are now is in {tmp_path}"


def compared(name: str, shown: str, folder: Path) -> bool:
    """Say whether a screen is as it is kept; what it is now is written beside."""
    (folder / name).write_text(shown)
    if os.environ.get("TRANCHE_WRITE_SNAPSHOTS"):
        KEPT.mkdir(exist_ok=True)
        (KEPT / name).write_text(shown)
    return (KEPT / name).read_text() == shown
