"""Work beside the requests, which no fault of ours may end in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

AGAIN_S = 1.0
"""Seconds after which work that a fault ended is begun again, and what does not end cancelled."""


def report(message: str, error: Exception) -> None:
    """Tell the event loop's handler, which writes it into the log."""
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended.

    Once is not enough: ``asyncio.wait_for`` of Python 3.11 loses a cancellation that comes at the
    moment at which what it waits for is done (https://github.com/python/cpython/issues/86296).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)


@asynccontextmanager
async def beside(work: Callable[[], Awaitable[None]], name: str) -> AsyncIterator[None]:
    """Work that goes on as long as the block runs; begun again where a fault ends it.

    Args:
        work: what is done; it is over when it returns.
        name: what the report calls it.
    """

    async def going() -> None:
        while True:
            try:
                return await work()
            except Exception as error:  # noqa: BLE001 - see above
                report(f"{name} failed, and begins again", error)
            await asyncio.sleep(AGAIN_S)

    working = asyncio.create_task(going())
    try:
        yield
    finally:
        await end(working)
