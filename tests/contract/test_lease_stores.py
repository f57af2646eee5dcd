"""Every store of leases: the same answers, in memory and in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from speech_translator.security.leases import LeaseStore, MemoryLeaseStore
from speech_translator.security.redis_lease_store import SCRIPT, RedisLeaseStore
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.redis_wire import RedisWire
from tests.support.redis_server import RedisServer, redis_server

LIFE_S = 30.0
NOON = 1_796_126_400.0


@dataclass
class World:
    """A store and the clock that it goes by, in seconds."""

    store: LeaseStore
    now: float = NOON

    async def acquire(self, *leases: str, subject: str = "a", limit: int = 2) -> list[bool]:
        return [await self.store.acquire(subject, lease, limit) for lease in leases]


class ClockedRedis(RedisLeaseStore):
    """The store with a clock that a test sets, in place of Redis' own."""

    def __init__(self, wire: RedisWire) -> None:
        self.world: World | None = None
        self.wire = wire
        super().__init__(wire, life_s=LIFE_S)

    async def _run(self, *arguments):  # type: ignore[no-untyped-def]
        assert self.world
        seconds, rest = divmod(round(self.world.now * 1e6), 1_000_000)
        clock = f"{{'{seconds}', '{rest}'}}"
        self._script = RedisScript(self.wire, SCRIPT.replace("redis.call('TIME')", clock))
        return await super()._run(*arguments)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        made = World(MemoryLeaseStore(life_s=LIFE_S, clock=lambda: made.now))
        yield made
        return
    running: RedisServer = request.getfixturevalue("server")
    async with running.client() as client, running.wire() as wire:
        await client.flushall()
        store = ClockedRedis(wire)
        store.world = World(store)
        yield store.world


async def test_no_more_run_than_may(world: World) -> None:
    assert await world.acquire("one", "two", "three") == [True, True, False]
    assert await world.acquire("one", subject="b") == [True]
    assert await world.acquire("four", subject="c", limit=0) == [False]


async def test_one_that_ends_makes_room(world: World) -> None:
    await world.acquire("one", "two")
    await world.store.release("a", "two")
    await world.store.release("a", "never begun")
    assert await world.acquire("three", "four") == [True, False]


async def test_one_that_is_not_renewed_lapses(world: World) -> None:
    await world.acquire("killed")
    world.now += 20
    await world.acquire("renewed")
    world.now += 9.5
    await world.store.renew("a", "renewed")
    assert await world.acquire("early") == [False]
    world.now += 0.5
    assert await world.acquire("late") == [True]
    world.now += 29
    assert await world.acquire("early") == [False]
    world.now += 0.5
    assert await world.acquire("third") == [True]


async def test_asking_again_for_the_same_lease_takes_no_second_place(world: World) -> None:
    assert await world.acquire("one", "two", "one") == [True, True, True]
    await world.store.release("a", "one")
    assert await world.acquire("three", "four") == [True, False]


async def test_what_runs_is_never_broken_off(world: World) -> None:
    await world.acquire("stalled")
    world.now += 31
    await world.acquire("one", "two")
    await world.store.renew("a", "stalled")
    await world.store.release("a", "one")
    assert await world.acquire("three") == [False]


async def test_concurrent_callers_share_exactly_the_places(world: World) -> None:
    given = await asyncio.gather(*(world.store.acquire("a", str(n), 10) for n in range(200)))
    assert sum(given) == 10


async def test_a_subject_without_leases_takes_no_memory() -> None:
    now = NOON
    store = MemoryLeaseStore(life_s=LIFE_S, clock=lambda: now)
    for number in range(100):
        await store.acquire(str(number), "one", 1)
        await store.release(str(number), "one")
    assert (len(store), store._ends) == (0, {})


async def test_redis_forgets_a_subject_by_itself(server: RedisServer) -> None:
    async with server.client() as client, server.wire() as wire:
        await client.flushall()
        await RedisLeaseStore(wire, life_s=LIFE_S).acquire("a", "one", 1)
        await RedisLeaseStore(wire, life_s=60).renew("a", "two")
        await RedisLeaseStore(wire, life_s=LIFE_S).renew("a", "one")
        (key,) = await client.keys("*")
        assert 55_000 < await client.pttl(key) <= 60_000
        store = RedisLeaseStore(wire)
        await store.release("a", "one")
        await store.release("a", "two")
        assert await client.keys("*") == []
