import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import DeadlineExceeded
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.cache_manager import MemoryCache, SingleFlight, cache_key

LATER = Deadline(60.0, lambda: 0.0)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_different_parts_give_different_keys(one: list[str], other: list[str]) -> None:
    assert (cache_key(*one) == cache_key(*other)) == (one == other)


def test_an_entry_expires() -> None:
    now = 0.0
    cache: MemoryCache[str] = MemoryCache(max_bytes=10_000, ttl_s=10, clock=lambda: now)
    cache.put(b"k", "v", 1)
    now = 9.9
    assert cache.get(b"k") == "v"
    now = 10.0
    assert cache.get(b"k") is None
    assert cache.statistics.bytes == 0


def test_what_was_used_least_recently_goes_first() -> None:
    cache: MemoryCache[str] = MemoryCache(max_bytes=3 * 300, ttl_s=10, clock=lambda: 0.0)
    for key in (b"a", b"b", b"c"):
        cache.put(key, "v", 100)
    cache.get(b"a")
    cache.put(b"d", "v", 100)
    assert [cache.get(key) for key in (b"a", b"b", b"c", b"d")] == ["v", None, "v", "v"]
    assert cache.statistics.evictions == 1


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 900)), max_size=60),
    st.integers(0, 3000),
)
def test_the_bound_in_bytes_holds(puts: list[tuple[int, int]], bound: int) -> None:
    cache: MemoryCache[int] = MemoryCache(max_bytes=bound, ttl_s=10, clock=lambda: 0.0)
    for key, size in puts:
        cache.put(bytes([key]), size, size)
        assert 0 <= cache.statistics.bytes <= bound
    assert cache.clear() <= 10
    assert cache.statistics.bytes == cache.statistics.entries == 0


class Work:
    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> str:
        self.begun += 1
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "done"


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_equal_work_is_done_once() -> None:
    flights: SingleFlight[str] = SingleFlight()
    work = Work()
    callers = [asyncio.ensure_future(flights.run(b"k", work, LATER)) for _ in range(5)]
    await settle()
    work.gate.set()
    assert await asyncio.gather(*callers) == ["done"] * 5
    assert work.begun == 1
    assert flights.joined == 4


async def test_a_cancelled_leader_does_not_cancel_its_followers() -> None:
    flights: SingleFlight[str] = SingleFlight()
    work = Work()
    leader, *followers = (asyncio.ensure_future(flights.run(b"k", work, LATER)) for _ in range(4))
    await settle()
    leader.cancel()
    await settle()
    work.gate.set()
    assert await asyncio.gather(*followers) == ["done"] * 3
    assert (work.begun, work.cancelled) == (2, 1)  # one of them began anew, for all


async def test_a_cancelled_follower_harms_nobody() -> None:
    flights: SingleFlight[str] = SingleFlight()
    work = Work()
    leader, follower = (asyncio.ensure_future(flights.run(b"k", work, LATER)) for _ in range(2))
    await settle()
    follower.cancel()
    await settle()
    work.gate.set()
    assert await leader == "done"
    assert (work.begun, work.cancelled) == (1, 0)


async def test_work_that_nobody_waits_for_is_cancelled_and_not_joined() -> None:
    flights: SingleFlight[str] = SingleFlight()
    work = Work()
    only = asyncio.ensure_future(flights.run(b"k", work, LATER))
    await settle()
    only.cancel()
    await settle()
    assert work.cancelled == 1
    work.gate.set()
    assert await flights.run(b"k", work, LATER) == "done"
    assert work.begun == 2


async def test_a_caller_stops_waiting_at_its_own_deadline() -> None:
    flights: SingleFlight[str] = SingleFlight()
    work = Work()
    patient = asyncio.ensure_future(flights.run(b"k", work, LATER))
    await settle()
    with pytest.raises(DeadlineExceeded):
        await flights.run(b"k", work, Deadline(0.0, lambda: 1.0))
    work.gate.set()
    assert await patient == "done"


async def test_a_leaders_short_deadline_does_not_fail_a_patient_follower() -> None:
    flights: SingleFlight[str] = SingleFlight()
    attempts = 0
    gate = asyncio.Event()

    async def work() -> str:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            await gate.wait()
            raise DeadlineExceeded("the leader's")
        return "second"

    leader = asyncio.ensure_future(flights.run(b"k", work, LATER))
    follower = asyncio.ensure_future(flights.run(b"k", work, LATER))
    await settle()
    gate.set()
    with pytest.raises(DeadlineExceeded):
        await leader
    assert await follower == "second"


async def test_an_error_reaches_every_waiter_and_the_next_call_begins_anew() -> None:
    flights: SingleFlight[str] = SingleFlight()
    begun = 0

    async def work() -> str:
        nonlocal begun
        begun += 1
        await asyncio.sleep(0)
        raise ValueError

    results = await asyncio.gather(
        *(flights.run(b"k", work, LATER) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(result, ValueError) for result in results)
    assert begun == 1
    with pytest.raises(ValueError):  # noqa: PT011 - the error itself is what matters
        await flights.run(b"k", work, LATER)
    assert begun == 2
