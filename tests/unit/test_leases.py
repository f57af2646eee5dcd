"""Leases while the shared store is away, and what holds them."""

from __future__ import annotations

import asyncio

import pytest

from speech_translator.errors import LimitExceeded, StoreUnavailable
from speech_translator.security.concurrency import RENEW_S, ConcurrencyLimiter
from speech_translator.security.fallback import (
    DoneAlone,
    FallbackConfig,
    SharedBack,
    SharedEvent,
    SharedLost,
)
from speech_translator.security.leases import LIFE_S, MemoryLeaseStore
from speech_translator.security.resilient_leases import ResilientLeaseStore


class Shared(MemoryLeaseStore):
    """A store that can be away."""

    away = False

    async def acquire(self, subject: str, lease: str, limit: int) -> bool:
        self._check()
        return await super().acquire(subject, lease, limit)

    async def renew(self, subject: str, lease: str) -> None:
        self._check()
        await super().renew(subject, lease)

    async def release(self, subject: str, lease: str) -> None:
        self._check()
        await super().release(subject, lease)

    def _check(self) -> None:
        if self.away:
            raise StoreUnavailable("away")


class Replica:
    """One of three, over the shared store."""

    def __init__(self, shared: Shared) -> None:
        self.now = 0.0
        self.told: list[SharedEvent] = []
        self.shared = shared
        self.local = MemoryLeaseStore(clock=lambda: self.now)
        self.store = ResilientLeaseStore(
            shared,
            self.local,
            FallbackConfig(replicas=3),
            listener=self.told.append,
            clock=lambda: self.now,
        )

    async def acquire(self, *leases: str) -> list[bool]:
        return [await self.store.acquire("a", lease, 6) for lease in leases]


@pytest.fixture
def replica() -> Replica:
    return Replica(Shared(clock=lambda: 0.0))


async def test_replicas_share_the_places_while_the_store_is_there(replica: Replica) -> None:
    other = Replica(replica.shared)
    assert await replica.acquire(*"abcd") == [True] * 4
    assert await other.acquire(*"efg") == [True, True, False]
    assert (replica.told, len(replica.local), len(other.local)) == ([], 4, 2)


async def test_without_it_each_gives_its_share_and_counts_what_already_runs(
    replica: Replica,
) -> None:
    await replica.acquire("a")
    replica.shared.away = True
    assert await replica.acquire("b", "c") == [True, False]
    assert [type(event) for event in replica.told] == [SharedLost, DoneAlone, DoneAlone]
    await replica.store.release("a", "a")
    assert await replica.acquire("d") == [True]


async def test_what_runs_is_told_to_a_store_that_comes_back_empty(replica: Replica) -> None:
    await replica.acquire("a", "b")
    replica.shared.away = True
    await replica.store.renew("a", "a")
    replica.now += 1.0
    await replica.store.renew("a", "a")
    await asyncio.sleep(0)
    assert replica.told == [SharedLost("live_sessions", "StoreUnavailable")]
    replica.shared.away = False
    replica.shared._ends.clear()
    replica.now += 1.0
    await replica.store.renew("a", "a")
    await asyncio.sleep(0)
    await replica.store.renew("a", "a")
    await replica.store.renew("a", "b")
    assert len(replica.shared) == 2
    assert replica.told == [
        SharedLost("live_sessions", "StoreUnavailable"),
        SharedBack("live_sessions"),
    ]


class Limited:
    """A limiter whose renewals a test lets happen."""

    def __init__(self, store: MemoryLeaseStore | None = None) -> None:
        self.now = 0.0
        self.store = MemoryLeaseStore(clock=lambda: self.now) if store is None else store
        self.waits: asyncio.Queue[asyncio.Future[None]] = asyncio.Queue()
        self.limiter = ConcurrencyLimiter(self.store, "live-sessions", sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        assert seconds == RENEW_S
        waiting = asyncio.get_running_loop().create_future()
        self.waits.put_nowait(waiting)
        await waiting


async def test_a_refusal_names_the_limit_and_no_wait() -> None:
    world = Limited()
    async with world.limiter.hold("a", 1):
        with pytest.raises(LimitExceeded, match="live-sessions") as refused:
            async with world.limiter.hold("a", 1):
                raise AssertionError("let in")
        async with world.limiter.hold("b", 1), world.limiter.hold("a", None):
            pass
    assert refused.value.retry_after is None
    assert refused.value.details["violated"] == [
        {"policy": "live-sessions", "limit": 1, "remaining": 0, "retry_after": None}
    ]
    async with world.limiter.hold("a", 1):
        pass


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
async def test_a_place_is_free_however_the_block_ended(error: type[BaseException]) -> None:
    world = Limited()
    with pytest.raises(error):
        async with world.limiter.hold("a", 1):
            raise error
    assert len(world.store) == 0
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1


async def test_a_place_is_free_when_its_task_is_cancelled() -> None:
    world = Limited()

    async def run() -> None:
        async with world.limiter.hold("a", 1):
            await asyncio.get_running_loop().create_future()

    running = asyncio.create_task(run())
    await asyncio.sleep(0)
    assert len(world.store) == 1
    running.cancel()
    await asyncio.wait([running])
    assert len(world.store) == 0


async def test_a_lease_is_renewed_as_long_as_the_block_runs() -> None:
    world = Limited()
    async with world.limiter.hold("a", 1):
        for _ in range(3):
            waiting = await world.waits.get()
            world.now += LIFE_S - 1
            waiting.set_result(None)
        await world.waits.get()
        assert not await world.store.acquire("a", "other", 1)


async def test_a_renewal_that_fails_is_tried_again_and_ends_nothing() -> None:
    store = Shared()
    world = Limited(store)
    async with world.limiter.hold("a", 1):
        store.away = True
        (await world.waits.get()).set_result(None)
        (await world.waits.get()).set_result(None)
        await world.waits.get()


async def test_a_renewal_under_way_is_over_before_the_release() -> None:
    class Slow(MemoryLeaseStore):
        begun, go = asyncio.Event(), asyncio.Event()

        async def renew(self, subject: str, lease: str) -> None:
            self.begun.set()
            try:
                await self.go.wait()
            finally:  # what was sent is done, whether or not somebody waits for the answer
                await super().renew(subject, lease)

        async def acquire(self, subject: str, lease: str, limit: int) -> bool:
            return True

    store = Slow()
    world = Limited(store)

    async def run() -> None:
        async with world.limiter.hold("a", 1):
            (await world.waits.get()).set_result(None)
            await store.begun.wait()

    running = asyncio.create_task(run())
    await store.begun.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    store.go.set()
    await running
    await asyncio.sleep(0)
    assert len(store) == 0
