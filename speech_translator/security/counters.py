"""The arithmetic of limits on one counter; pure. ``counters.lua`` is the same for Redis.

A counter is a pair of numbers. A rate's first is the virtual schedule: the microsecond since 1970
at which all that was taken is refilled; its second is 0. A window's first is what was taken, its
second the number of the day or month in which that was.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from speech_translator.security.limits import Debit, Policy, Rate, Span, Standing

Counter = tuple[float, int]

MICROSECONDS = 1_000_000
_SLACK_US = 1.0
"""Microseconds by which a schedule may be exceeded: sums of fractions are not exact."""

_DAY_US = 86_400 * MICROSECONDS


def window_of(now_us: int, span: Span) -> tuple[int, int]:
    """The number of the window, which grows with time, and the microsecond at which it ends.

    A day's number counts from 1970-01-01; a month's is ``12 * year + month - 1``.
    """
    day = now_us // _DAY_US
    return (day, (day + 1) * _DAY_US) if span == "day" else _month_of(day)


@lru_cache(maxsize=64)
def _month_of(day: int) -> tuple[int, int]:
    """The month that a day lies in, counted from 1970-01-01, as ``window_of`` tells it."""
    date = datetime.fromtimestamp(day * _DAY_US // MICROSECONDS, UTC)
    number = 12 * date.year + date.month - 1
    end = datetime((number + 1) // 12, (number + 1) % 12 + 1, 1, tzinfo=UTC)
    return number, int(end.timestamp()) * MICROSECONDS


def wait_for(debit: Debit, counter: Counter | None, now_us: int) -> float | None:
    """Seconds until the debit passes: 0 when it does now, None when it is above its limit."""
    policy, cost = debit.policy, debit.cost
    if cost > policy.limit:
        return None
    if isinstance(policy, Rate):
        period_us = policy.period_s * MICROSECONDS
        schedule = max(counter[0] if counter else 0.0, now_us)
        over_us = schedule + cost * period_us / policy.limit - now_us - period_us
        return over_us / MICROSECONDS if over_us > _SLACK_US else 0.0
    if _taken(policy, counter, now_us) + cost <= policy.limit:
        return 0.0
    return (window_of(now_us, policy.span)[1] - now_us) / MICROSECONDS


def after(debit: Debit, counter: Counter | None, now_us: int) -> Counter:
    """The counter with the debit's cost taken, or given back where that is negative."""
    policy, cost = debit.policy, debit.cost
    if isinstance(policy, Rate):
        schedule = max(counter[0] if counter else 0.0, now_us)
        if policy.limit == 0:
            return schedule, 0
        return schedule + cost * policy.period_s * MICROSECONDS / policy.limit, 0
    number = window_of(now_us, policy.span)[0]
    # A clock that runs ahead of this one may have begun the next window already.
    return max(0, _taken(policy, counter, now_us) + cost), max(number, counter[1] if counter else 0)


def raised(debit: Debit, counter: Counter | None, now_us: int) -> Counter:
    """A window's counter, at the debit's cost where it was below."""
    assert not isinstance(debit.policy, Rate)  # noqa: S101 - for the type checker
    number = window_of(now_us, debit.policy.span)[0]
    taken = max(_taken(debit.policy, counter, now_us), debit.cost)
    return taken, max(number, counter[1] if counter else 0)


def standing_of(
    policy: Policy, counter: Counter | None, now_us: int, wait_s: float | None
) -> Standing:
    """What is left under a policy, beside the wait for a debit that was asked for."""
    if isinstance(policy, Rate):
        period_us = policy.period_s * MICROSECONDS
        owed_us = max(0.0, (counter[0] if counter else 0.0) - now_us)
        left = (period_us - owed_us + _SLACK_US) * policy.limit / period_us
        return Standing(policy, max(0, int(left)), owed_us / MICROSECONDS, wait_s)
    left = policy.limit - _taken(policy, counter, now_us)
    end_us = window_of(now_us, policy.span)[1]
    return Standing(policy, max(0, int(left)), (end_us - now_us) / MICROSECONDS, wait_s)


def is_over(policy: Policy, counter: Counter, now_us: int) -> bool:
    """Whether the counter says no more than none would."""
    if isinstance(policy, Rate):
        return counter[0] <= now_us
    return counter[1] < window_of(now_us, policy.span)[0]


def _taken(policy: Policy, counter: Counter | None, now_us: int) -> float:
    assert not isinstance(policy, Rate)  # noqa: S101 - for the type checker
    if counter is None or counter[1] < window_of(now_us, policy.span)[0]:
        return 0
    return counter[0]
