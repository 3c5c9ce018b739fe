"""Open the terminal UI without a terminal and print the seconds from the given time to its first paint."""

import asyncio
import json
import os
import sys
from time import time

from app.session import Request
from app.tui.app import TrancheApp


async def first_paint() -> float:
    from datetime import UTC, datetime

    async with TrancheApp(Request(now=datetime.now(UTC))).run_test(size=(160, 48)):
        return time()


async def report(begun: float) -> None:
    async with asyncio.timeout(60):
        painted = await first_paint()
    print(json.dumps({"seconds": painted - begun}), flush=True)


if __name__ == "__main__":
    asyncio.run(report(float(sys.argv[1])))
    os._exit(0)  # what loads beside the screen is of no interest here
