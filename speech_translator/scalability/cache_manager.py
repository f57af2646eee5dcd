"""Results kept in this process, and one computation for equal requests under way.

Keys are BLAKE2 digests, so that texts are not kept as keys. Entries are content-addressed: they
need a time to live and a bound in bytes, never an invalidation. The cache fails open: a result
that does not fit is simply not kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from speech_translator.errors import DeadlineExceeded
from speech_translator.reliability.deadlines import Clock, Deadline

T = TypeVar("T")

_ENTRY_OVERHEAD = 200  # bytes of dict entry, key and bookkeeping, so that many small ones count


def cache_key(*parts: str) -> bytes:
    """A 16-byte BLAKE2b digest over parts, length-prefixed so that no two lists collide."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.digest()


@dataclass(slots=True)
class CacheStatistics:
    """Counts since the start, and what is held now."""

    hits: int = 0
    misses: int = 0
    joined: int = 0
    evictions: int = 0
    entries: int = 0
    bytes: int = 0


class MemoryCache(Generic[T]):
    """Least-recently-used cache bounded by bytes and age.

    Args:
        max_bytes: bound on the sizes that ``put`` is told; 0 keeps nothing.
        ttl_s: seconds until an entry expires.
        clock: monotonic seconds.
    """

    def __init__(self, *, max_bytes: int, ttl_s: float, clock: Clock = time.monotonic) -> None:
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, int, T]] = OrderedDict()
        self.statistics = CacheStatistics()

    def get(self, key: bytes) -> T | None:
        """The value, or None when it is absent or expired."""
        entry = self._entries.get(key)
        if entry is not None and entry[0] <= self._clock():
            self._drop(key)
            entry = None
        if entry is None:
            self.statistics.misses += 1
            return None
        self._entries.move_to_end(key)
        self.statistics.hits += 1
        return entry[2]

    def put(self, key: bytes, value: T, size: int) -> None:
        """Keep ``value`` of ``size`` bytes, evicting what was used least recently."""
        size += _ENTRY_OVERHEAD
        if size > self._max_bytes:
            return
        if key in self._entries:
            self._drop(key)
        self._entries[key] = (self._clock() + self._ttl_s, size, value)
        self.statistics.bytes += size
        while self.statistics.bytes > self._max_bytes:
            self._drop(next(iter(self._entries)))
            self.statistics.evictions += 1
        self.statistics.entries = len(self._entries)

    def clear(self) -> int:
        """Forget everything; the number of entries forgotten."""
        forgotten = len(self._entries)
        self._entries.clear()
        self.statistics.entries = self.statistics.bytes = 0
        return forgotten

    def _drop(self, key: bytes) -> None:
        _, size, _ = self._entries.pop(key)
        self.statistics.bytes -= size
        self.statistics.entries = len(self._entries)


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiters: int = 0


class SingleFlight(Generic[T]):
    """Equal work under way is done once, and every caller gets the answer.

    A caller that is cancelled leaves the others unharmed, whoever came first; the work itself is
    cancelled only when nobody waits for it any more. A caller whose deadline is later than that
    of the one who began is not failed by the earlier deadline: it begins anew.
    """

    def __init__(self) -> None:
        self._flights: dict[bytes, _Flight[T]] = {}
        self.joined = 0

    async def run(self, key: bytes, work: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """The result of ``work``, or of equal work that is already under way."""
        while True:
            flight = self._flights.get(key)
            joined = flight is not None
            if flight is None:
                flight = self._begin(key, work)
            else:
                self.joined += 1
            try:
                return await self._wait(key, flight, deadline)
            except DeadlineExceeded:
                if not joined or deadline.expired():
                    raise

    def _begin(self, key: bytes, work: Callable[[], Awaitable[T]]) -> _Flight[T]:
        async def fly() -> T:
            return await work()

        flight = _Flight(asyncio.ensure_future(fly()))
        self._flights[key] = flight

        def land(_: asyncio.Task[T]) -> None:
            if self._flights.get(key) is flight:
                del self._flights[key]
            if not flight.task.cancelled():
                flight.task.exception()  # fetched, so that asyncio does not report it as lost

        flight.task.add_done_callback(land)
        return flight

    async def _wait(self, key: bytes, flight: _Flight[T], deadline: Deadline) -> T:
        flight.waiters += 1
        try:
            done, _ = await asyncio.wait({flight.task}, timeout=deadline.remaining())
        finally:
            flight.waiters -= 1
            if not flight.waiters and not flight.task.done():
                if self._flights.get(key) is flight:
                    del self._flights[key]  # nobody may join what is about to be cancelled
                flight.task.cancel()
        if not done:
            raise DeadlineExceeded("The request's deadline passed before the answer was there.")
        return flight.task.result()
