"""The sound of live sessions: taken in steps, written down as it is heard, the rest given back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.errors import LimitExceeded
from speech_translator.security.audio_tab import STEP_S, AudioTab
from speech_translator.security.guard import Caller
from speech_translator.security.limit_store import MemoryLimitStore
from speech_translator.security.limits import Debit, Decision
from speech_translator.security.quotas import AUDIO_MONTH, Meter
from speech_translator.security.scopes import USUAL_SCOPES, Principal
from speech_translator.security.tiers import Tier, TierName
from speech_translator.security.usage_segments import UsageEntry

NOON = 1_796_040_000_000  # 2026-11-30T12:00Z


class World:
    """A tier with a minute of sound a month, and a clock that stands still."""

    def __init__(self, store: MemoryLimitStore | None = None) -> None:
        self.entries: list[UsageEntry] = []
        if store is None:
            store = MemoryLimitStore(clock=lambda: NOON * 1000)
        self.meter = Meter(store, self, clock=lambda: NOON)
        who = Principal("ada", "k1", TierName.FREE, USUAL_SCOPES)
        tier = Tier(TierName.FREE, characters_per_month=100, audio_minutes_per_month=1)
        self.caller = Caller(who, "owner:ada", tier)

    def record(self, entry: UsageEntry) -> None:
        self.entries.append(entry)

    def tab(self) -> AudioTab:
        return AudioTab(self.meter, self.caller)

    @property
    def heard_s(self) -> float:
        return sum(entry.audio_ms for entry in self.entries) / 1000

    async def left(self) -> int:
        decision = await self.meter.standing(self.caller)
        return next(one.remaining for one in decision.standings if one.policy.name == AUDIO_MONTH)


async def test_a_step_is_taken_ahead_and_what_was_not_heard_comes_back() -> None:
    world = World()
    async with world.tab() as tab:
        assert [one.policy.name for one in tab.decision.standings] == [AUDIO_MONTH]
        assert await world.left() == 60 - STEP_S
        for _ in range(123):
            await tab.take(0.1)
        assert await world.left() == 60 - 2 * STEP_S
    assert await world.left() == 60 - 13
    assert world.heard_s == pytest.approx(12.3)


async def test_what_is_heard_is_written_down_within_a_second_and_is_one_request() -> None:
    world = World()
    async with world.tab() as tab:
        for tenths in range(1, 200):
            await tab.take(0.1)
            assert world.heard_s > tenths / 10 - 1.05
    assert sum(entry.requests for entry in world.entries) == 1
    assert {entry.operation for entry in world.entries} == {"stream"}


async def test_a_session_in_which_nothing_is_heard_costs_nothing() -> None:
    world = World()
    async with world.tab():
        pass
    assert await world.left() == 60
    assert world.entries == []


async def test_the_last_seconds_can_be_had_and_no_more() -> None:
    world = World()
    async with world.tab() as before:
        await before.take(5.0)
    tab = world.tab()
    await tab.open()
    for _ in range(550):
        await tab.take(0.1)
    with pytest.raises(LimitExceeded, match="audio-month"):
        await tab.take(0.1)
    await tab.close()
    await tab.close()
    assert await world.left() == 0
    assert world.heard_s == pytest.approx(60)
    with pytest.raises(LimitExceeded):
        await world.tab().open()


async def test_sessions_side_by_side_share_the_limit() -> None:
    world = World()
    tabs = [world.tab() for _ in range(3)]
    for tab in tabs:
        await tab.open()
    ended = 0
    for _ in range(400):
        for tab in list(tabs):
            try:
                await tab.take(0.1)
            except LimitExceeded:
                await tab.close()
                tabs.remove(tab)
                ended += 1
    assert ended == 3
    assert 57 <= world.heard_s <= 60
    assert await world.left() == 0


class Slow(MemoryLimitStore):
    """Answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: NOON * 1000)
        self.answers = asyncio.Event()
        self.answers.set()

    async def acquire(self, debits: Sequence[Debit]) -> Decision:
        decision = await super().acquire(debits)
        await self.answers.wait()
        return decision


async def test_a_session_that_is_cut_off_before_it_begins_leaves_nothing_taken() -> None:
    store = Slow()
    world = World(store)
    store.answers.clear()
    opening = asyncio.create_task(world.tab().open())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await world.left() == 50
    opening.cancel()
    await asyncio.sleep(0)
    store.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert await world.left() == 60


async def test_a_session_that_ends_while_it_asks_leaves_nothing_taken() -> None:
    store = Slow()
    world = World(store)
    tab = world.tab()
    await tab.open()
    store.answers.clear()
    asking = asyncio.create_task(tab.take(15.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await world.left() == 40
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    closing = asyncio.create_task(tab.close())
    store.answers.set()
    await asyncio.wait({closing})
    assert not closing.cancelled()
    assert closing.exception() is None
    assert await world.left() == 60
    assert world.entries == []


@given(st.lists(st.lists(st.floats(0.001, 20), max_size=12), max_size=6))
async def test_the_counter_is_what_was_heard_in_begun_seconds(sessions: list[list[float]]) -> None:
    world = World()
    counted = 0.0
    for pieces in sessions:
        heard = 0.0
        tab = world.tab()
        try:
            await tab.open()
            for piece in pieces:
                await tab.take(piece)
                heard += piece
        except LimitExceeded:
            pass
        await tab.close()
        counted += heard
        assert world.heard_s == pytest.approx(counted, abs=0.05)
        left = await world.left()
        assert 60 - counted - len(sessions) - 1 <= left <= 60 - counted + 0.1
