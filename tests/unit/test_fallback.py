"""Asking a shared store that comes and goes."""

from __future__ import annotations

import asyncio

from speech_translator.errors import StoreUnavailable
from speech_translator.security.fallback import (
    Fallback,
    FallbackConfig,
    SharedBack,
    SharedEvent,
    SharedLost,
)


class World:
    """A store whose answers a test lets go one by one."""

    def __init__(self, max_calls: int = 100) -> None:
        self.now = 0.0
        self.told: list[SharedEvent] = []
        self.calls: list[asyncio.Future[str]] = []
        self.probes: list[asyncio.Future[str]] = []
        config = FallbackConfig(replicas=3, pause_s=1.0, max_calls=max_calls)
        self.fallback = Fallback(
            "limits",
            lambda: self.answer(self.probes),
            config,
            listener=self.told.append,
            clock=lambda: self.now,
        )

    async def answer(self, waiting: list[asyncio.Future[str]]) -> str:
        waiting.append(asyncio.get_running_loop().create_future())
        return await waiting[-1]

    async def begin(self, count: int) -> list[asyncio.Task[str]]:
        ask = self.fallback.ask
        tasks = [asyncio.create_task(ask(lambda: self.answer(self.calls))) for _ in range(count)]
        await turns()
        return tasks

    async def lose(self) -> None:
        (task,) = await self.begin(1)
        self.calls.pop().set_exception(unavailable())
        assert await outcomes([task]) == [StoreUnavailable]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def unavailable() -> StoreUnavailable:
    error = StoreUnavailable("away")
    error.__cause__ = ConnectionRefusedError("redis.example:6379")
    return error


async def outcomes(tasks: list[asyncio.Task[str]]) -> list[object]:
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(one) if isinstance(one, Exception) else one for one in found]


async def test_a_loss_is_told_once_by_its_kind_alone() -> None:
    world = World()
    tasks = await world.begin(3)
    for call in world.calls:
        call.set_exception(unavailable())
    assert await outcomes(tasks) == [StoreUnavailable] * 3
    assert world.told == [SharedLost("limits", "ConnectionRefusedError")]


async def test_who_waits_for_a_turn_does_not_wait_for_what_is_lost() -> None:
    world = World(max_calls=2)
    tasks = await world.begin(10)
    assert len(world.calls) == 2
    world.calls[0].set_exception(unavailable())
    world.calls[1].set_exception(unavailable())
    assert await outcomes(tasks) == [StoreUnavailable] * 10
    assert len(world.calls) == 2


async def test_it_is_looked_for_once_a_pause_and_nobody_waits_for_that() -> None:
    world = World()
    await world.lose()
    world.now = 0.9
    assert await outcomes(await world.begin(5)) == [StoreUnavailable] * 5
    assert world.probes == []
    world.now = 1.0
    assert await outcomes(await world.begin(5)) == [StoreUnavailable] * 5
    assert (len(world.probes), len(world.calls)) == (1, 0)
    world.probes[0].set_exception(unavailable())
    await turns()
    world.now = 1.9
    assert await outcomes(await world.begin(1)) == [StoreUnavailable]
    assert len(world.probes) == 1
    world.now = 2.0
    assert await outcomes(await world.begin(1)) == [StoreUnavailable]
    world.probes[1].set_result("there")
    await turns()
    assert world.told[1:] == [SharedBack("limits")]
    tasks = await world.begin(5)
    for call in world.calls:
        call.set_result("there")
    assert await outcomes(tasks) == ["there"] * 5


async def test_an_answer_that_was_asked_for_before_the_loss_does_not_end_it() -> None:
    world = World()
    slow, failing = await world.begin(2)
    world.calls[1].set_exception(unavailable())
    assert await outcomes([failing]) == [StoreUnavailable]
    world.calls[0].set_result("there")
    assert await slow == "there"
    assert await outcomes(await world.begin(1)) == [StoreUnavailable]
    assert len(world.calls) == 2
