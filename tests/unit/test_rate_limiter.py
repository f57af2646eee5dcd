"""Requests at the door: what a tier allows, what is told, and that a wait as told gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_translator.security.limit_store import MemoryLimitStore
from speech_translator.security.limits import Decision, Rate, Standing, Window
from speech_translator.security.rate_limiter import (
    REFUSED,
    RateLimiter,
    exceeded,
    header_fields,
)
from speech_translator.security.tiers import TierName, load_tiers

NOON = 1_800_000_000 // 86_400 * 86_400 + 43_200


class World:
    """A limiter whose clock stands still."""

    def __init__(self) -> None:
        self.now = float(NOON)
        store = MemoryLimitStore(clock=lambda: round(self.now * 1e6))
        self.limiter = RateLimiter(store, load_tiers())

    async def passes(self, subject: str = "owner:ada", tier: TierName = TierName.FREE) -> bool:
        return (await self.limiter.admit(subject, tier)).allowed


@pytest.mark.parametrize(
    ("tier", "a_minute"), [("free", 10), ("basic", 50), ("pro", 200), ("enterprise", 1000)]
)
async def test_a_tier_allows_what_it_says_a_minute(tier: str, a_minute: int) -> None:
    world = World()
    answers = [await world.passes(tier=TierName(tier)) for _ in range(a_minute + 3)]
    assert answers == [True] * a_minute + [False] * 3
    assert await world.passes("owner:eve", TierName(tier))
    world.now += 60 / a_minute
    assert [await world.passes(tier=TierName(tier)) for _ in range(2)] == [True, False]


async def test_a_day_is_a_day_in_utc_and_what_was_refused_is_not_counted() -> None:
    world = World()
    taken = 0
    for _ in range(1_100):
        taken += await world.passes()
        taken += await world.passes()  # most are refused by the minute, and free
        world.now += 6
    assert taken == 1_000
    decision = await world.limiter.admit("owner:ada", TierName.FREE)
    assert [one.policy.name for one in decision.violated] == ["requests-day"]
    world.now += decision.retry_after_s or 0.0
    assert await world.passes()


async def test_a_request_that_is_given_back_can_be_made_again() -> None:
    world = World()
    assert [await world.passes() for _ in range(11)] == [True] * 10 + [False]
    left = await world.limiter.give_back("owner:ada", TierName.FREE)
    assert [standing.remaining for standing in left.standings] == [1, 991]
    assert [await world.passes() for _ in range(2)] == [True, False]


async def test_an_administrator_is_not_limited() -> None:
    world = World()
    decision = await world.limiter.admit("owner:root", TierName.ADMIN)
    assert decision.allowed
    assert header_fields(decision) == []


async def test_the_account_takes_nothing_of_the_work() -> None:
    world = World()
    for _ in range(50):
        assert (await world.limiter.admit("owner:ada", TierName.FREE, "account")).allowed
    assert (await world.limiter.admit("owner:ada", TierName.FREE)).standings[0].remaining == 9


async def test_refusals_are_counted_by_address() -> None:
    world = World()
    answers = [(await world.limiter.refuse("192.0.2.1")).allowed for _ in range(REFUSED.limit + 1)]
    assert answers == [True] * REFUSED.limit + [False]
    assert (await world.limiter.refuse("192.0.2.2")).allowed


@given(gaps=st.lists(st.floats(0.0, 20.0), max_size=60))
async def test_who_waits_as_told_gets_through(gaps: list[float]) -> None:
    world = World()
    for gap in gaps:
        world.now += gap
        decision = await world.limiter.admit("owner:ada", TierName.FREE)
        if not decision.allowed:
            error = exceeded(decision)
            assert error.retry_after is not None
            world.now += error.retry_after
            assert await world.passes()


def test_an_error_names_all_that_was_in_the_way() -> None:
    decision = Decision(
        (
            Standing(Rate("a", 5), 0, 60.0, 12.0),
            Standing(Window("b", 9), 3, 100.0),
            Standing(Window("c", 9), 0, 100.0, 100.0),
        )
    )
    error = exceeded(decision)
    assert error.retry_after == 100.0
    assert "a, c" in error.message
    assert error.details["violated"] == [
        {"policy": "a", "limit": 5, "remaining": 0, "retry_after": 12.0},
        {"policy": "c", "limit": 9, "remaining": 0, "retry_after": 100.0},
    ]


def test_what_never_passes_promises_no_time() -> None:
    error = exceeded(Decision((Standing(Rate("a", 5), 5, 0.0, None),)))
    assert error.retry_after is None
    assert "No wait helps" in error.message


def test_headers_tell_every_limit_and_the_tightest_one() -> None:
    decision = Decision(
        (Standing(Rate("minute", 10), 9, 5.2), Standing(Window("day", 1000), 100, 3600.0))
    )
    assert dict(header_fields(decision)) == {
        b"ratelimit-policy": b'"minute";q=10;w=60, "day";q=1000;w=86400',
        b"ratelimit": b'"minute";r=9;t=6, "day";r=100;t=3600',
        b"x-ratelimit-limit": b"1000",
        b"x-ratelimit-remaining": b"100",
        b"x-ratelimit-reset": b"3600",
    }
