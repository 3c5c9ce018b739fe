"""Long work beside the screen."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from threading import Semaphore, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
SLOTS = Semaphore(2)
FEEDS = Semaphore(1)  # nor does what runs now, which may wait for a slow source
SAVING = Semaphore(1)  # what is saved does not queue behind solves that nobody waits for


async def aside(work: Callable[[], T], slots: Semaphore = SLOTS) -> T:
    """Return what `work` returns, or raise what it raises, from a thread that the end of the program does not wait for.

    A solve cannot be interrupted; an executor's threads would keep a program that was quit alive until it is done. What
    nobody waits for any more is not begun, and of what has begun as many run at once as there are slots.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(set_outcome: Callable[[], None]) -> None:
        if not future.done():
            set_outcome()

    def run() -> None:
        with slots:
            if future.done():
                return
            outcome = _outcome(work, future)
        with suppress(RuntimeError):  # the loop is closed: the program has ended
            loop.call_soon_threadsafe(settle, outcome)

    Thread(target=run, daemon=True).start()
    return await future


def _outcome(work: Callable[[], T], future: asyncio.Future[T]) -> Callable[[], None]:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001  it is raised again where the work is awaited
        failure = error
        return lambda: future.set_exception(failure)
    return lambda: future.set_result(result)
