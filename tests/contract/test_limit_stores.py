"""Every store of limits: the same decisions, on counters in memory and in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_translator.security.limit_store import LimitStore, MemoryLimitStore
from speech_translator.security.limits import Debit, Decision, Policy, Rate, Window
from speech_translator.security.redis_limit_store import SCRIPT, RedisLimitStore
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.redis_wire import RedisWire
from tests.support.redis_server import RedisServer, redis_server

MINUTE = Rate("minute", 100)
DAY = Window("day", 1_000)
MONTH = Window("month", 5_000, "month")
NOON = int(datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp())


@dataclass
class World:
    """A store and the clock that it goes by, in seconds since 1970."""

    store: LimitStore
    now: float = NOON
    set_clock: object = None

    async def take(self, *debits: Debit) -> Decision:
        return await self.store.acquire(debits)


class ClockedRedis(RedisLimitStore):
    """The store with a clock that a test sets, in place of Redis' own."""

    def __init__(self, wire: RedisWire) -> None:
        self.world: World | None = None
        self.wire = wire
        super().__init__(wire)

    async def _run(self, mode, debits):  # type: ignore[no-untyped-def]
        assert self.world
        microseconds = round(self.world.now * 1e6)
        seconds, rest = divmod(microseconds, 1_000_000)
        clock = f"{{'{seconds}', '{rest}'}}"
        self._script = RedisScript(self.wire, SCRIPT.replace("redis.call('TIME')", clock))
        return await super()._run(mode, debits)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "memory":
        made = World(MemoryLimitStore(clock=lambda: round(made.now * 1e6)))
        yield made
        return
    running: RedisServer = request.getfixturevalue("server")
    async with running.client() as client, running.wire() as wire:
        await client.flushall()
        store = ClockedRedis(wire)
        store.world = World(store)
        yield store.world


async def test_a_rate_is_spent_at_once_and_refills_steadily(world: World) -> None:
    for left in range(99, -1, -1):
        decision = await world.take(Debit("a", MINUTE))
        assert decision.allowed
        assert decision.standings[0].remaining == left
    refused = await world.take(Debit("a", MINUTE))
    assert not refused.allowed
    assert refused.retry_after_s == pytest.approx(0.6)
    assert refused.standings[0].reset_after_s == pytest.approx(60.0)
    assert (await world.take(Debit("b", MINUTE))).allowed
    world.now += 0.59
    assert not (await world.take(Debit("a", MINUTE))).allowed
    world.now += 0.01
    assert (await world.take(Debit("a", MINUTE))).allowed
    assert not (await world.take(Debit("a", MINUTE))).allowed


async def test_who_waits_exactly_as_long_as_told_gets_through(world: World) -> None:
    seven = Rate("seven", 7)
    for cost in (5, 2, 7, 3, 6):
        refused = await world.take(Debit("a", seven, cost))
        if not refused.allowed:
            assert refused.retry_after_s is not None
            world.now += refused.retry_after_s
            assert (await world.take(Debit("a", seven, cost))).allowed


@pytest.mark.parametrize(
    ("policy", "last", "first"),
    [
        (DAY, datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)),
        (MONTH, datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)),
        (MONTH, datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
async def test_windows_end_with_the_day_and_the_month_of_utc(
    world: World, policy: Window, last: datetime, first: datetime
) -> None:
    world.now = last.timestamp()
    assert (await world.take(Debit("a", policy, policy.limit))).allowed
    refused = await world.take(Debit("a", policy))
    assert refused.standings[0].remaining == 0
    assert refused.retry_after_s == 1.0
    world.now = first.timestamp()
    taken = await world.take(Debit("a", policy))
    assert taken.allowed
    assert taken.standings[0].remaining == policy.limit - 1


async def test_all_debits_are_taken_or_none(world: World) -> None:
    await world.take(Debit("a", DAY, 999))
    refused = await world.take(Debit("a", MINUTE), Debit("a", DAY, 2), Debit("o", MONTH, 10))
    assert [standing.policy for standing in refused.violated] == [DAY]
    assert [standing.remaining for standing in refused.standings] == [100, 1, 5_000]
    assert refused.retry_after_s == 12 * 3600.0
    taken = await world.take(Debit("a", MINUTE), Debit("a", DAY, 1), Debit("o", MONTH, 10))
    assert [standing.remaining for standing in taken.standings] == [99, 0, 4_990]


async def test_what_is_above_the_limit_never_passes(world: World) -> None:
    refused = await world.take(Debit("a", MINUTE, 101), Debit("a", DAY))
    assert not refused.allowed
    assert refused.retry_after_s is None
    assert (await world.take(Debit("a", DAY, 1_000))).allowed


async def test_what_was_reserved_is_settled(world: World) -> None:
    await world.take(Debit("a", MINUTE, 80), Debit("a", DAY, 80))
    await world.store.settle([Debit("a", MINUTE, -50), Debit("a", DAY, -50)])
    seen = await world.store.peek([Debit("a", MINUTE), Debit("a", DAY)])
    assert [standing.remaining for standing in seen.standings] == [70, 970]
    await world.store.settle([Debit("a", MINUTE, 100), Debit("a", DAY, 2_000)])
    seen = await world.store.peek([Debit("a", MINUTE), Debit("a", DAY)])
    assert [standing.remaining for standing in seen.standings] == [0, 0]
    assert not seen.allowed


async def test_nothing_is_given_back_beyond_the_limit_or_into_the_next_day(world: World) -> None:
    await world.take(Debit("a", MINUTE, 10), Debit("a", DAY, 10))
    await world.store.settle([Debit("a", MINUTE, -500), Debit("a", DAY, -500)])
    seen = await world.store.peek([Debit("a", MINUTE), Debit("a", DAY)])
    assert [standing.remaining for standing in seen.standings] == [100, 1_000]
    assert not (await world.take(Debit("a", MINUTE, 101))).allowed
    await world.take(Debit("a", DAY, 700))
    world.now += 24 * 3600
    await world.take(Debit("a", DAY, 100))
    await world.store.settle([Debit("a", DAY, -700)])
    assert (await world.take(Debit("a", DAY, 1_000))).allowed


async def test_looking_takes_nothing(world: World) -> None:
    for _ in range(3):
        seen = await world.store.peek([Debit("a", MINUTE, 60)])
        assert seen.allowed
        assert seen.standings[0].remaining == 100


async def test_concurrent_callers_share_exactly_the_limit(world: World) -> None:
    decisions = await asyncio.gather(*(world.take(Debit("a", DAY, 10)) for _ in range(300)))
    assert sum(decision.allowed for decision in decisions) == 100


async def test_counters_that_say_nothing_any_more_are_forgotten() -> None:
    now = NOON
    store = MemoryLimitStore(clock=lambda: now * 1_000_000)
    for number in range(100):
        await store.acquire([Debit(str(number), MINUTE)])
    now += 61
    for number in range(100):
        await store.acquire([Debit(f"new {number}", MINUTE)])
    assert len(store) == 100


async def test_memory_is_bounded_and_the_least_recently_used_go_first() -> None:
    store = MemoryLimitStore(clock=lambda: NOON * 1_000_000, max_counters=10)
    await store.acquire([Debit("kept", MINUTE, 100)])
    for number in range(50):
        await store.acquire([Debit(str(number), MINUTE)])
        assert not (await store.acquire([Debit("kept", MINUTE)])).allowed
        await store.settle([Debit("kept", MINUTE, 1)])
    assert len(store) <= 11


policies = st.one_of(
    st.builds(Rate, st.just("r"), st.integers(1, 2_000_000), st.sampled_from([1.0, 60.0, 3600.0])),
    st.builds(Window, st.just("d"), st.integers(1, 2_000_000), st.just("day")),
    st.builds(Window, st.just("m"), st.integers(1, 2_000_000), st.just("month")),
)


@dataclass
class Step:
    """Something that is done to a store, so many seconds after the last."""

    after_s: float
    mode: str
    costs: list[int] = field(default_factory=list)


steps = st.lists(
    st.builds(
        Step,
        st.one_of(st.floats(0, 100), st.integers(0, 90 * 86_400).map(float)),
        st.sampled_from(["acquire", "acquire", "settle", "peek"]),
        st.lists(st.integers(1, 3_000_000), min_size=3, max_size=3),
    ),
    max_size=12,
)


@given(
    begin=st.datetimes(datetime(1990, 1, 1), datetime(2150, 1, 1)),  # noqa: DTZ001 - the strategy's
    limits=st.lists(policies, min_size=1, max_size=3, unique_by=lambda policy: policy.name),
    steps=steps,
)
@settings(max_examples=200, deadline=None)
def test_redis_decides_as_the_arithmetic_does(
    server: RedisServer, begin: datetime, limits: list[Policy], steps: list[Step]
) -> None:
    async def compare() -> None:
        async with server.client() as client, server.wire() as wire:
            await client.flushall()
            redis = ClockedRedis(wire)
            world = World(redis, now=int(begin.replace(tzinfo=UTC).timestamp()))
            redis.world = world
            memory = MemoryLimitStore(clock=lambda: round(world.now * 1e6))
            for step in steps:
                world.now = round(world.now + step.after_s, 3)
                sign = -1 if step.mode == "settle" and step.costs[0] % 2 else 1
                debits = [
                    Debit("a", policy, sign * cost)
                    for policy, cost in zip(limits, step.costs, strict=False)
                ]
                mine = await getattr(memory, step.mode)(debits)
                theirs = await getattr(redis, step.mode)(debits)
                if mine is None:
                    continue
                assert mine.allowed == theirs.allowed
                for ours, other in zip(mine.standings, theirs.standings, strict=True):
                    assert abs(ours.remaining - other.remaining) <= 1
                    assert ours.reset_after_s == pytest.approx(other.reset_after_s, abs=1e-3)
                    assert ours.retry_after_s == pytest.approx(other.retry_after_s, abs=1e-3)

    asyncio.run(compare())


async def test_redis_forgets_by_itself(server: RedisServer) -> None:
    async with server.client() as client, server.wire() as wire:
        await client.flushall()
        store = RedisLimitStore(wire)
        await store.acquire([Debit("a", MINUTE), Debit("a", DAY), Debit("a", MONTH)])
        lives = [await client.pttl(key) for key in await client.keys("*")]
        assert len(lives) == 3
        assert all(0 < life <= 32 * 86_400_000 for life in lives)


async def test_a_window_is_raised_and_never_lowered(world: World) -> None:
    await world.take(Debit("a", DAY, 10))
    await world.store.floor([Debit("a", DAY, 600), Debit("b", DAY, 5), Debit("a", MINUTE, 90)])
    decision = await world.store.peek(
        [Debit("a", DAY, 0), Debit("b", DAY, 0), Debit("a", MINUTE, 0)]
    )
    assert [one.remaining for one in decision.standings] == [400, 995, 100]
    await world.store.floor([Debit("a", DAY, 20)])
    assert (await world.take(Debit("a", DAY, 400))).allowed
    await world.store.floor([Debit("a", DAY, 5_000)])
    refused = await world.take(Debit("a", DAY))
    assert (refused.allowed, refused.standings[0].remaining) == (False, 0)
    world.now += 86_400
    assert (await world.take(Debit("a", DAY, 1_000))).allowed


async def test_counters_are_forgotten_one_by_one(world: World) -> None:
    await world.take(Debit("a", DAY, 10), Debit("a", MINUTE, 10), Debit("b", DAY, 10))
    await world.store.forget([Debit("a", DAY), Debit("a", MINUTE), Debit("a", MONTH)])
    seen = await world.store.peek([Debit("a", DAY), Debit("a", MINUTE), Debit("b", DAY)])
    assert [one.remaining for one in seen.standings] == [1_000, 100, 990]
