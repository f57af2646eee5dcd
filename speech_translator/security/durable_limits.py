"""Windows that a restart does not empty: the counters are a cache of what a database knows.

A counter that has just begun is raised to what was used in its day or month before it is believed:
before the first debit of this process, which all others wait for, so that a burst at a start gets
no more than is left; and again where it turns out to be new (a Redis that came back empty, one that
was forgotten for want of room), where what runs at that moment may be let through. Fails open:
where the database does not answer then, the debit stands as it was judged, and the owner's next
one asks again. Limits decided alone, while Redis is away, stay as approximate as they are.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from speech_translator.errors import StoreUnavailable
from speech_translator.security.limit_store import LimitStore
from speech_translator.security.limits import Debit, Decision, Standing, Window

History = Callable[[Debit], Awaitable[int | None]]
"""Units of a window's debit that were used in its day or month, by the database; None where none
are kept for such a subject. Raises ``StoreUnavailable``."""

_MAX_UNKNOWN = 10_000
_MAX_BEGUN = 100_000


class DurableLimitStore:
    """See ``LimitStore``.

    Args:
        store: the counters.
        history: what they stand for.
        on_unknown: told each time that the database did not answer.
    """

    def __init__(
        self,
        store: LimitStore,
        history: History,
        *,
        on_unknown: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._history = history
        self._on_unknown = on_unknown
        self._unknown: OrderedDict[str, None] = OrderedDict()
        self._begun: OrderedDict[str, None] = OrderedDict()
        self._beginning: dict[str, asyncio.Task[None]] = {}

    async def acquire(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``."""
        new = self._new(debits)
        if new:
            await asyncio.gather(*(asyncio.shield(self._beginning_of(debit)) for debit in new))
        decision = await self._store.acquire(debits)
        fresh = [debit for debit in self._fresh(debits, decision) if debit not in new]
        if not fresh:
            return decision
        used = await self._used(fresh)
        if not used:
            return decision
        await self._store.settle([replace(debit, cost=-debit.cost) for debit in debits])
        await self._store.floor(used)
        return await self._store.acquire(debits)

    async def settle(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        await self._store.settle(debits)

    async def peek(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``; of counters that have not begun, what the database knows."""
        windows = [replace(debit, cost=0) for debit in debits if isinstance(debit.policy, Window)]
        decision = await self._store.peek(windows)
        used = await self._used(self._fresh(windows, decision))
        if used:
            await self._store.floor(used)
        return await self._store.peek(debits)

    async def floor(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        await self._store.floor(debits)

    async def forget(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        for debit in debits:
            self._begun.pop(debit.counter, None)
            self._unknown.pop(debit.counter, None)
        await self._store.forget(debits)

    def _new(self, debits: Sequence[Debit]) -> list[Debit]:
        """Those whose counters this process has not asked for yet."""
        return [
            debit
            for debit in debits
            if isinstance(debit.policy, Window) and debit.counter not in self._begun
        ]

    def _beginning_of(self, debit: Debit) -> asyncio.Task[None]:
        """Raises a counter. One for all that wait; it goes on when one of them gives up."""
        found = self._beginning.get(debit.counter)
        if found is None:
            found = asyncio.create_task(self._raise(replace(debit, cost=0)))
            self._beginning[debit.counter] = found
            found.add_done_callback(lambda _: self._beginning.pop(debit.counter))
        return found

    async def _raise(self, debit: Debit) -> None:
        used = await self._used(self._fresh([debit], await self._store.peek([debit])))
        if used:
            await self._store.floor(used)
        self._begun[debit.counter] = None
        if len(self._begun) > _MAX_BEGUN:
            self._begun.popitem(last=False)

    def _fresh(self, debits: Sequence[Debit], decision: Decision) -> list[Debit]:
        """Debits of windows in which nothing but they was counted, or that could not be asked."""
        if not decision.allowed or not decision.exact:
            return []
        return [
            debit
            for debit, standing in zip(debits, decision.standings, strict=True)
            if isinstance(debit.policy, Window)
            and (_taken(standing) <= debit.cost or debit.counter in self._unknown)
        ]

    async def _used(self, debits: Sequence[Debit]) -> list[Debit]:
        """The same debits with what was used before as their cost, where that is anything."""
        found = []
        for debit in debits:
            try:
                used = await self._history(debit)
            except StoreUnavailable:
                self._on_unknown()
                self._unknown[debit.counter] = None
                if len(self._unknown) > _MAX_UNKNOWN:
                    self._unknown.popitem(last=False)
                continue
            self._unknown.pop(debit.counter, None)
            if used:
                found.append(replace(debit, cost=used))
        return found


def _taken(standing: Standing) -> int:
    return standing.policy.limit - standing.remaining
