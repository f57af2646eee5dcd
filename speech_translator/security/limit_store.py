"""Where limits are counted: the contract, and a store within one process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

from speech_translator.security.counters import (
    Counter,
    after,
    is_over,
    raised,
    standing_of,
    wait_for,
)
from speech_translator.security.limits import Debit, Decision, Policy, Window

MAX_COUNTERS = 200_000
"""Counters in memory; with more, those that were used least recently are forgotten."""


class LimitStore(Protocol):
    """Counters behind limits.

    Each method is one atomic step over all its debits, in which a counter may occur once. All
    raise ``StoreUnavailable`` when the counters cannot be reached in time.
    """

    async def acquire(self, debits: Sequence[Debit]) -> Decision:
        """Take all debits, or none where one of them is above its limit."""
        ...

    async def settle(self, debits: Sequence[Debit]) -> None:
        """Correct what was taken: positive costs are added, negative ones given back.

        Never refused. A window never falls below 0, and what a window that is over counted is
        not given back to the next.
        """
        ...

    async def peek(self, debits: Sequence[Debit]) -> Decision:
        """What ``acquire`` would answer, with standings as they are: nothing is taken."""
        ...

    async def floor(self, debits: Sequence[Debit]) -> None:
        """Raise windows to the debits' costs where they counted less; rates stay as they are.

        For a store that has forgotten what a database still knows.
        """
        ...

    async def forget(self, debits: Sequence[Debit]) -> None:
        """Drop the debits' counters, as if nothing had ever been taken of them."""
        ...


def unix_microseconds() -> int:
    """Microseconds since 1970."""
    return time.time_ns() // 1000


class MemoryLimitStore:
    """Counters of one process, bounded: the least recently used may be forgotten.

    Args:
        clock: microseconds since 1970.
        max_counters: bound of its memory, about 400 bytes each.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int] = unix_microseconds,
        max_counters: int = MAX_COUNTERS,
    ) -> None:
        self._clock = clock
        self._max_counters = max_counters
        self._counters: OrderedDict[str, tuple[Policy, Counter]] = OrderedDict()

    def __len__(self) -> int:
        """Counters that are held."""
        return len(self._counters)

    async def acquire(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``."""
        return self._decide(debits, take=True)

    async def settle(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        now = self._clock()
        for debit in debits:
            self._keep(debit, after(debit, self._counter(debit), now), now)

    async def peek(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``."""
        return self._decide(debits, take=False)

    async def floor(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        now = self._clock()
        for debit in debits:
            if isinstance(debit.policy, Window):
                self._keep(debit, raised(debit, self._counter(debit), now), now)

    async def forget(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        for debit in debits:
            self._counters.pop(debit.counter, None)

    def _decide(self, debits: Sequence[Debit], *, take: bool) -> Decision:
        now = self._clock()
        counters = [self._counter(debit) for debit in debits]
        asked = list(zip(debits, counters, strict=True))
        waits = [wait_for(debit, counter, now) for debit, counter in asked]
        if take and all(wait == 0.0 for wait in waits):
            counters = [
                self._keep(debit, after(debit, counter, now), now) for debit, counter in asked
            ]
        return Decision(
            tuple(
                standing_of(debit.policy, counter, now, wait)
                for debit, counter, wait in zip(debits, counters, waits, strict=True)
            )
        )

    def _counter(self, debit: Debit) -> Counter | None:
        kept = self._counters.get(debit.counter)
        return kept[1] if kept else None

    def _keep(self, debit: Debit, counter: Counter, now: int) -> Counter:
        name = debit.counter
        new = name not in self._counters
        self._counters[name] = (debit.policy, counter)
        if new:
            self._make_room(now)
        else:
            self._counters.move_to_end(name)
        return counter

    def _make_room(self, now: int) -> None:
        """Two out for one in, so that what is over does not gather."""
        for name, (policy, oldest) in list(islice(self._counters.items(), 2)):
            if len(self._counters) > self._max_counters or is_over(policy, oldest, now):
                del self._counters[name]
