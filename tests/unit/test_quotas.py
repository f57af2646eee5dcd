"""Amounts: reserved, settled, given back; never more than a tier has, never below nothing."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import LimitExceeded, StoreUnavailable
from speech_translator.security.durable_limits import DurableLimitStore
from speech_translator.security.guard import Caller
from speech_translator.security.limit_store import MemoryLimitStore
from speech_translator.security.limits import Debit, Window
from speech_translator.security.quotas import (
    AUDIO_MONTH,
    CHARACTERS_MINUTE,
    CHARACTERS_MONTH,
    Meter,
)
from speech_translator.security.scopes import USUAL_SCOPES, Principal
from speech_translator.security.tiers import Tier, TierName
from speech_translator.security.usage_segments import UsageEntry

END_OF_MONTH_MS = 1_796_083_200_000  # 2026-12-01T00:00Z
TIER = Tier(
    TierName.FREE,
    characters_per_minute=100,
    characters_per_month=1_000,
    audio_minutes_per_month=1,
)


class World:
    """A meter whose clock stands still."""

    def __init__(self, tier: Tier = TIER) -> None:
        self.now_ms = END_OF_MONTH_MS - 7 * 86_400_000
        self.entries: list[UsageEntry] = []
        self.store = MemoryLimitStore(clock=lambda: self.now_ms * 1000)
        self.meter = Meter(self.store, self, clock=lambda: self.now_ms)
        who = Principal("ada", "k1", TierName.FREE, USUAL_SCOPES)
        self.caller = Caller(who, "owner:ada", tier)

    def record(self, entry: UsageEntry) -> None:
        self.entries.append(entry)

    async def left(self) -> dict[str, int]:
        decision = await self.meter.standing(self.caller)
        return {one.policy.name: one.remaining for one in decision.standings}


async def test_what_was_not_used_is_given_back_and_the_rest_written_down() -> None:
    world = World()
    held = await world.meter.reserve(world.caller, "translate", characters=60)
    assert (await world.left())[CHARACTERS_MONTH] == 940
    await held.settle(characters=25)
    await held.settle(characters=60)
    await held.cancel()
    assert await world.left() == {CHARACTERS_MINUTE: 75, CHARACTERS_MONTH: 975, AUDIO_MONTH: 60}
    (entry,) = world.entries
    assert entry == UsageEntry("2026-11-24", "ada", "k1", "translate", 1, 25, 0)


@pytest.mark.parametrize("used", [0, 25, 60, 90, 200])
async def test_what_is_left_is_told_after_the_work_as_the_counters_have_it(used: int) -> None:
    world = World()
    held = await world.meter.reserve(world.caller, "translate", characters=60)
    await held.settle(characters=used)
    told = {one.policy: one for one in held.decision.standings}
    known = {one.policy: one for one in (await world.meter.standing(world.caller)).standings}
    assert len(told) == 2
    for policy, standing in told.items():
        assert standing.remaining == known[policy].remaining
        assert standing.reset_after_s == pytest.approx(known[policy].reset_after_s)


async def test_more_than_was_reserved_is_taken_afterwards() -> None:
    world = World()
    held = await world.meter.reserve(world.caller, "transcribe", audio_s=10.2)
    assert (await world.left())[AUDIO_MONTH] == 49
    await held.settle(characters=70)
    assert await world.left() == {CHARACTERS_MINUTE: 30, CHARACTERS_MONTH: 930, AUDIO_MONTH: 49}
    assert (world.entries[0].characters, world.entries[0].audio_ms) == (70, 10_200)


@pytest.mark.parametrize("fault", [ValueError, asyncio.CancelledError])
async def test_work_that_fails_or_is_cancelled_costs_nothing(fault: type[BaseException]) -> None:
    world = World()
    before = await world.left()
    with pytest.raises(fault):
        async with await world.meter.reserve(world.caller, "translate", characters=60):
            raise fault
    assert await world.left() == before
    assert world.entries == []


async def test_a_block_that_ends_is_settled_in_full() -> None:
    world = World()
    async with await world.meter.reserve(world.caller, "translate", characters=60):
        pass
    assert world.entries[0].characters == 60


async def test_all_limits_are_taken_or_none() -> None:
    world = World(replace(TIER, characters_per_month=50))
    with pytest.raises(LimitExceeded) as refused:
        await world.meter.reserve(world.caller, "translate", characters=60)
    assert refused.value.retry_after is None
    assert [one["policy"] for one in refused.value.details["violated"]] == [CHARACTERS_MONTH]  # type: ignore[attr-defined]
    assert (await world.left())[CHARACTERS_MINUTE] == 100


async def test_who_waits_as_told_gets_through() -> None:
    world = World()
    await world.meter.reserve(world.caller, "translate", characters=80)
    with pytest.raises(LimitExceeded) as refused:
        await world.meter.reserve(world.caller, "translate", characters=50)
    wait = refused.value.retry_after
    assert wait == pytest.approx(18.0)
    assert wait is not None
    world.now_ms += math.ceil(wait * 1000)
    await world.meter.reserve(world.caller, "translate", characters=50)


async def test_a_month_that_is_over_gives_nothing_back_to_the_next() -> None:
    world = World()
    held = await world.meter.reserve(world.caller, "translate", characters=90)
    world.now_ms = END_OF_MONTH_MS + 60_000
    await world.meter.reserve(world.caller, "translate", characters=10)
    await held.cancel()
    assert (await world.left())[CHARACTERS_MONTH] == 990


async def test_an_administrator_is_not_limited_and_written_down() -> None:
    world = World(Tier(TierName.ADMIN))
    async with await world.meter.reserve(world.caller, "translate", characters=10**9):
        pass
    assert world.entries[0].characters == 10**9


ENDS = st.sampled_from(["settle", "cancel", "keep"])
steps = st.lists(
    st.tuples(
        st.integers(1, 120), st.integers(0, 150), st.sampled_from(["settle", "cancel", "keep"])
    ),
    max_size=40,
)


@given(steps)
async def test_the_counter_is_what_is_reserved_and_used(
    script: list[tuple[int, int, str]],
) -> None:
    world = World(replace(TIER, characters_per_minute=None))
    used = reserved = 0
    for asked, found, end in script:
        try:
            held = await world.meter.reserve(world.caller, "translate", characters=asked)
        except LimitExceeded:
            assert used + reserved + asked > 1_000
            continue
        assert used + reserved + asked <= 1_000 or used > 1_000
        if end == "settle":
            await held.settle(characters=found)
            used += found
        elif end == "cancel":
            await held.cancel()
        else:
            reserved += asked
        assert (await world.left())[CHARACTERS_MONTH] == max(0, 1_000 - used - reserved)
    assert sum(entry.characters for entry in world.entries) == used


# Counters that forget


class Past:
    """What the database knows of an owner."""

    def __init__(self, used: int | None) -> None:
        self.used = used
        self.away = False
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self, debit: Debit) -> int | None:
        self.asked += 1
        await asyncio.sleep(0)
        await self.answers.wait()
        if self.away:
            raise StoreUnavailable("away")
        return self.used


MONTH = Window("characters-month", 100, "month")


@pytest.mark.parametrize(
    ("used", "cost", "allowed", "left"),
    [
        (0, 10, True, 90),
        (None, 10, True, 90),
        (50, 10, True, 40),
        (95, 10, False, 5),
        (300, 1, False, 0),
    ],
)
async def test_a_new_counter_begins_with_what_the_database_knows(
    used: int | None, cost: int, allowed: bool, left: int
) -> None:
    past = Past(used)
    store = DurableLimitStore(MemoryLimitStore(), past)
    decision = await store.acquire([Debit("owner:ada", MONTH, cost)])
    assert (decision.allowed, decision.standings[0].remaining) == (allowed, left)
    await store.acquire([Debit("owner:ada", MONTH, 1)])
    assert past.asked <= 2 if used else past.asked == 1


async def test_without_the_database_nobody_is_refused_and_the_next_debit_asks_again() -> None:
    past, told = Past(95), []
    store = DurableLimitStore(MemoryLimitStore(), past, on_unknown=lambda: told.append(1))
    past.away = True
    for _ in range(3):
        assert (await store.acquire([Debit("owner:ada", MONTH, 2)])).allowed
    assert len(told) == 3
    past.away = False
    assert (await store.acquire([Debit("owner:ada", MONTH, 5)])).allowed
    assert not (await store.acquire([Debit("owner:ada", MONTH, 1)])).allowed


async def test_what_is_left_is_told_of_a_counter_that_has_not_begun() -> None:
    store = DurableLimitStore(MemoryLimitStore(), Past(60))
    peeked = await store.peek([Debit("owner:ada", MONTH, 0)])
    assert peeked.standings[0].remaining == 40


async def test_a_burst_at_the_start_gets_what_is_left_and_no_more() -> None:
    counters, past = MemoryLimitStore(), Past(40)
    replicas = [DurableLimitStore(counters, past) for _ in range(2)]
    debits = [Debit("owner:ada", MONTH, 1)]
    decisions = await asyncio.gather(*(replicas[n % 2].acquire(debits) for n in range(300)))
    assert sum(decision.allowed for decision in decisions) == 60
    assert past.asked == 2


async def test_one_that_gives_up_while_the_database_is_asked_spoils_it_for_no_other() -> None:
    past = Past(40)
    store = DurableLimitStore(MemoryLimitStore(), past)
    past.answers.clear()
    debits = [Debit("owner:ada", MONTH, 60)]
    first, second = (asyncio.create_task(store.acquire(debits)) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    past.answers.set()
    assert (await second).allowed
    assert not (await store.acquire([Debit("owner:ada", MONTH, 1)])).allowed
    assert first.cancelled()
    assert past.asked == 1


async def test_counters_that_were_forgotten_are_raised_again() -> None:
    counters, past = MemoryLimitStore(), Past(0)
    store = DurableLimitStore(counters, past)
    assert (await store.acquire([Debit("owner:ada", MONTH, 70)])).allowed
    past.used = 70
    counters._counters.clear()
    assert not (await store.acquire([Debit("owner:ada", MONTH, 31)])).allowed
    assert (await store.acquire([Debit("owner:ada", MONTH, 30)])).allowed
