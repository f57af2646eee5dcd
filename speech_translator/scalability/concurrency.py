"""Running coroutines side by side where one failure ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def run_all(works: Iterable[Coroutine[Any, Any, T]], *, at_once: int = 0) -> list[T]:
    """Results in order; the first error cancels the rest and is raised as itself.

    ``asyncio.gather`` leaves the others running, and a bare task group wraps the error, which
    would hide its class from whoever maps errors to answers.

    Args:
        works: what to run.
        at_once: how many may run at the same time; all when 0.
    """
    window = asyncio.Semaphore(at_once) if at_once else None

    async def bounded(work: Coroutine[Any, Any, T]) -> T:
        if window is None:
            return await work
        async with window:
            return await work

    pending = list(works)
    if len(pending) == 1:
        return [await pending[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(bounded(work)) for work in pending]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    finally:
        for work in pending:
            work.close()  # one that was cancelled before its turn never began; no warning then
    return [task.result() for task in tasks]
