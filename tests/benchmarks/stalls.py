"""How long the event loop did not come round: what a person at the keys feels."""

import asyncio
from time import perf_counter

TICK = 0.005


class Stalls:
    """The longest time beyond a tick that the event loop did not come round."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        while True:
            begun = perf_counter()
            await asyncio.sleep(TICK)
            self.longest = max(self.longest, perf_counter() - begun - TICK)

    def taken(self) -> float:
        longest, self.longest = self.longest, 0.0
        return longest
