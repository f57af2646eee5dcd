"""Work beside the requests: begun again after a fault, which is told, and ended with its block."""

from __future__ import annotations

import asyncio
from typing import Any

from speech_translator.security import background
from speech_translator.security.background import beside


async def test_what_a_fault_ends_is_told_and_begun_again(monkeypatch) -> None:
    monkeypatch.setattr(background, "AGAIN_S", 0.0)
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    begun, going, ended = 0, asyncio.Event(), asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ValueError
        going.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with beside(work, "counting"):
        await going.wait()
    assert ended.is_set()
    assert [context["message"] for context in told] == ["counting failed, and begins again"] * 2


async def test_what_misses_a_cancellation_is_cancelled_again(monkeypatch) -> None:
    monkeypatch.setattr(background, "AGAIN_S", 0.0)
    cancelled = 0

    async def work() -> None:
        nonlocal cancelled
        while cancelled < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled += 1

    async with beside(work, "deaf"):
        await asyncio.sleep(0)
    assert cancelled == 3


async def test_what_is_over_is_not_begun_again() -> None:
    begun = []

    async def work() -> None:
        begun.append(1)

    async with beside(work, "nothing"):
        for _ in range(5):
            await asyncio.sleep(0)
    assert begun == [1]
