"""Look through a million rows of ten columns without a terminal; print seconds, the longest stall and the memory.

Seconds run from the key to the rows on screen, whole: a stall is how long the screen could not answer meanwhile.
"""

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter

from textual.app import App

from app.tui.screens.rows import RowsScreen
from app.tui.widgets.table import FittedTable
from tests.benchmarks.stalls import Stalls

ROWS = 1_000_000
SIZE = (160, 48)


class Bench(App[None]):
    """Nothing but what is pushed over it."""

    CSS_PATH = "../../app/tui/tranche.tcss"


def usage(rows: int) -> object:
    """Usage rows as a bill gives them: six columns of text, one of times, three of numbers."""
    import numpy as np
    import polars as pl

    draw = np.random.default_rng(7)

    def text(name: str, kinds: int) -> pl.Series:
        return pl.Series(name, [f"{name} {kind}" for kind in range(kinds)]).gather(draw.integers(kinds, size=rows))

    hours = pl.Series("hour", draw.integers(8760, size=rows) * 3_600_000_000 + 1_767_225_600_000_000)
    kinds = {"workload": 5_000, "gpu_model": 12, "provider": 8, "region": 30, "team": 200, "purchase_option": 4}
    numbers = {name: draw.gamma(2.0, scale, rows) for name, scale in (("gpu_hours", 8), ("used", 4), ("cost", 20))}
    columns = [text(name, count) for name, count in kinds.items()]
    return pl.DataFrame([hours.cast(pl.Datetime("us", "UTC")), *columns]).with_columns(**numbers)


@asynccontextmanager
async def watched(stalls: Stalls) -> AsyncIterator[None]:
    task = asyncio.create_task(stalls.watch())
    try:
        yield
    finally:
        task.cancel()


async def report(rows: int) -> dict[str, float]:
    frame, app, stalls, said = usage(rows), Bench(), Stalls(), {}
    async with app.run_test(size=SIZE) as pilot, watched(stalls):
        await pilot.pause()
        screen = RowsScreen("Usage", frame)
        table: FittedTable | None = None

        async def timed(name: str, act: Callable[[], object], done: Callable[[], bool]) -> None:
            stalls.taken()
            begun = perf_counter()
            act()
            while not done():  # noqa: ASYNC110  what is waited for is what is seen
                await asyncio.sleep(0.001)
            painted = asyncio.Event()
            screen.call_after_refresh(painted.set)
            await painted.wait()
            said[f"{name}_seconds"] = round(perf_counter() - begun, 4)
            await asyncio.sleep(0.1)
            said[f"{name}_stall_seconds"] = round(stalls.taken(), 4)

        await timed(
            "mount", lambda: app.push_screen(screen), lambda: screen.is_mounted and "reading" not in screen.caption
        )
        table = screen.query_one(FittedTable)
        table.focus()
        await pilot.pause()
        await timed("page", lambda: table.action_page(1), lambda: table.cursor > 0)
        await timed("end", table.action_last, lambda: table.cursor == rows - 1)
        for name in ("cost", "workload", "hour"):
            await timed(f"sort_{name}", lambda name=name: table.sort(name, descending=True), lambda: not table.busy)
        await timed("filter", lambda: table.filter("team~7 cost>30 | !spot gpu_hours<0.5"), lambda: not table.busy)
        await timed("unfiltered", lambda: table.filter(""), lambda: not table.busy)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"rows": rows, **said, "frame_megabytes": frame.estimated_size("mb"), "peak_megabytes": used / 1024}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(report(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))), flush=True)
