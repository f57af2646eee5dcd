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
    listed = "".join([f"{len(part)}:{part}" for part in parts])
    return hashlib.blake2b(listed.encode("utf-8", "surrogatepass"), digest_size=16).digest()


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


class _LeaderLeft(Exception):  # an event between callers, not an error
    """The caller that did the work is gone, and with it the work."""


class SingleFlight(Generic[T]):
    """Equal work under way is done once, and every caller gets the answer.

    The first caller does the work in its own task, which costs nothing when nobody joins. When it
    is cancelled, or its deadline passes, one of the others begins anew: nobody is harmed by
    another caller's end.
    """

    def __init__(self) -> None:
        self._flights: dict[bytes, asyncio.Future[T]] = {}
        self.joined = 0

    async def run(self, key: bytes, work: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """The result of ``work``, or of equal work that is already under way.

        Raises:
            DeadlineExceeded: this caller's own deadline passed.
        """
        while (flight := self._flights.get(key)) is not None:
            self.joined += 1
            try:
                async with asyncio.timeout(deadline.remaining()):
                    return await asyncio.shield(flight)
            except _LeaderLeft:
                continue
            except TimeoutError:
                raise DeadlineExceeded(
                    "The request's deadline passed before the answer was there."
                ) from None
        return await self._lead(key, work)

    async def _lead(self, key: bytes, work: Callable[[], Awaitable[T]]) -> T:
        flight: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._flights[key] = flight
        try:
            result = await work()
        except (asyncio.CancelledError, DeadlineExceeded):
            flight.set_exception(_LeaderLeft())
            raise
        except BaseException as error:
            flight.set_exception(error)
            raise
        else:
            flight.set_result(result)
            return result
        finally:
            del self._flights[key]
            flight.exception()  # fetched, so that asyncio does not report one that nobody joined
