"""A value that is believed for a while: who asks the store, and what its silence changes."""

from __future__ import annotations

import asyncio

import pytest

from speech_translator.errors import StoreUnavailable
from speech_translator.security.refreshed import Refreshed


class World:
    """A store that counts, and that can be slow and down; a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.value = Refreshed(self.fetch, fresh_s=5, outage_s=60, clock=lambda: self.now)

    async def fetch(self) -> int:
        self.asked += 1
        answer = self.asked
        await self.gate.wait()
        if self.down:
            raise StoreUnavailable("down")
        return answer


async def test_a_value_is_believed_for_a_while() -> None:
    world = World()
    assert [await world.value.get(), await world.value.get()] == [1, 1]
    world.now = 4.9
    assert await world.value.get() == 1
    assert await world.value.get(max_age_s=4.9) == 2
    world.now = 9.9
    assert await world.value.get() == 3


async def test_all_who_wait_are_answered_by_one_question_and_one_may_leave() -> None:
    world = World()
    world.gate.clear()
    waiting = [asyncio.create_task(world.value.get()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    world.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [1, 1]
    assert world.asked == 1


async def test_what_was_asked_before_a_change_is_not_kept() -> None:
    world = World()
    world.gate.clear()
    early = asyncio.create_task(world.value.get())
    await asyncio.sleep(0)
    world.value.forget()
    late = asyncio.create_task(world.value.get())
    await asyncio.sleep(0)
    world.gate.set()
    assert (await early, await late, await world.value.get()) == (1, 2, 2)


async def test_an_outage_is_bridged_for_a_while_and_then_told() -> None:
    world = World()
    await world.value.get()
    world.down, world.now = True, 59.9
    assert await world.value.get() == 1
    world.now = 60.0
    with pytest.raises(StoreUnavailable):
        await world.value.get()
    world.down = False
    assert await world.value.get() == 4


async def test_without_a_value_an_outage_is_told_at_once() -> None:
    world = World()
    world.down = True
    with pytest.raises(StoreUnavailable):
        await world.value.get()
