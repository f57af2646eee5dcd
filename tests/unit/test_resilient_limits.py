"""Limits while the shared counters are away, and when they come back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from speech_translator.errors import StoreUnavailable
from speech_translator.security.fallback import (
    DoneAlone,
    FallbackConfig,
    SharedBack,
    SharedEvent,
    SharedLost,
)
from speech_translator.security.limit_store import MemoryLimitStore
from speech_translator.security.limits import Debit, Decision, Rate, Window
from speech_translator.security.resilient_limits import ResilientLimitStore

MINUTE, DAY = Rate("minute", 9), Window("day", 100)
LOST = SharedLost("limits", "StoreUnavailable")


class Shared(MemoryLimitStore):
    """A store that can be away."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: 0)
        self.away = False
        self.asked = 0

    async def acquire(self, debits: Sequence[Debit]) -> Decision:
        self._check()
        return await super().acquire(debits)

    async def settle(self, debits: Sequence[Debit]) -> None:
        self._check()
        await super().settle(debits)

    async def peek(self, debits: Sequence[Debit]) -> Decision:
        self._check()
        return await super().peek(debits)

    def _check(self) -> None:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")


class World:
    """A resilient store of three replicas."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[SharedEvent] = []
        self.shared = Shared()
        self.local = MemoryLimitStore(clock=lambda: 0)
        self.store = ResilientLimitStore(
            self.shared,
            self.local,
            FallbackConfig(replicas=3, pause_s=1.0),
            listener=self.told.append,
            clock=lambda: self.now,
        )


@pytest.fixture
def world() -> World:
    return World()


async def test_shared_counters_decide_while_they_are_there(world: World) -> None:
    decision = await world.store.acquire([Debit("a", MINUTE, 9)])
    assert (decision.allowed, decision.exact) == (True, True)
    assert not (await world.store.peek([Debit("a", MINUTE)])).allowed
    assert len(world.local) == 0


async def test_without_them_each_replica_allows_its_share(world: World) -> None:
    world.shared.away = True
    allowed = [(await world.store.acquire([Debit("a", MINUTE)])).allowed for _ in range(5)]
    assert allowed == [True, True, True, False, False]
    refused = await world.store.acquire([Debit("a", MINUTE)])
    assert not refused.exact
    assert refused.standings[0].policy == MINUTE  # what was bought is what is told


async def test_a_cost_above_the_share_passes_when_nothing_else_was_taken(world: World) -> None:
    world.shared.away = True
    assert (await world.store.acquire([Debit("a", DAY, 90)])).allowed
    assert not (await world.store.acquire([Debit("a", DAY, 90)])).allowed
    assert not (await world.store.acquire([Debit("b", DAY, 101)])).allowed


async def test_a_store_that_is_away_is_not_asked_by_every_request(world: World) -> None:
    world.shared.away = True
    for _ in range(10):
        await world.store.acquire([Debit("a", DAY)])
    assert world.shared.asked == 1
    world.now = 1.0
    await world.store.settle([Debit("a", DAY, -1)])
    await asyncio.sleep(0)
    assert world.shared.asked == 2
    assert world.told.count(DoneAlone("limits")) == 11
    assert [event for event in world.told if event != DoneAlone("limits")] == [LOST]


async def test_it_comes_back_by_itself(world: World) -> None:
    world.shared.away = True
    await world.store.acquire([Debit("a", DAY)])
    world.shared.away = False
    world.now = 1.0
    assert not (await world.store.acquire([Debit("a", DAY)])).exact  # it is looked for beside this
    await asyncio.sleep(0)
    assert (await world.store.acquire([Debit("a", DAY)])).exact
    alone = DoneAlone("limits")
    assert world.told == [LOST, alone, alone, SharedBack("limits")]


async def test_counters_are_forgotten_on_both_sides(world: World) -> None:
    await world.store.acquire([Debit("a", DAY, 30)])
    world.shared.away = True
    await world.store.acquire([Debit("a", DAY, 30)])
    await world.store.forget([Debit("a", DAY)])
    assert (len(world.shared), len(world.local)) == (1, 0)
    world.shared.away = False
    world.now = 1.0
    await world.store.peek([])
    await asyncio.sleep(0)
    await world.store.forget([Debit("a", DAY)])
    assert len(world.shared) == 0


async def test_corrections_reach_the_counter_that_decides(world: World) -> None:
    world.shared.away = True
    await world.store.acquire([Debit("a", DAY, 30)])
    await world.store.settle([Debit("a", DAY, -30)])
    seen = await world.store.peek([Debit("a", DAY)])
    assert seen.standings[0].remaining == 34
