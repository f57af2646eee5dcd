"""One value of a store, believed for a while and asked for once by all who need it then.

No kept library does this with an outage in mind: a value that is a little old is better than none
for a time, and after that it is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from speech_translator.errors import StoreUnavailable

T = TypeVar("T")


class Refreshed(Generic[T]):
    """The value; times are seconds.

    Args:
        fetch: asks the store.
        fresh_s: how long an answer is believed.
        outage_s: how long it is believed when the store does not answer.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[T]],
        *,
        fresh_s: float,
        outage_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._fresh_s = fresh_s
        self._outage_s = outage_s
        self._clock = clock
        self._kept: tuple[T, float] | None = None
        self._under_way: asyncio.Task[T] | None = None

    async def get(self, max_age_s: float | None = None) -> T:
        """The value, not older than ``max_age_s`` or what it is believed for.

        Raises:
            StoreUnavailable: the store does not answer, and has not for too long.
        """
        now = self._clock()
        age = self._fresh_s if max_age_s is None else max_age_s
        if self._kept is not None and now - self._kept[1] < age:
            return self._kept[0]
        try:
            if self._under_way is None:
                self._under_way = asyncio.create_task(self._ask())
                self._under_way.add_done_callback(self._asked)
            return await asyncio.shield(self._under_way)  # others may wait for it, too
        except StoreUnavailable:
            if self._kept is not None and now - self._kept[1] < self._outage_s:
                return self._kept[0]
            raise

    def forget(self) -> None:
        """The value has changed; who asks next is answered by the store."""
        self._kept = None
        self._under_way = None  # what it will say may be older than the change

    async def _ask(self) -> T:
        me = asyncio.current_task()
        value = await self._fetch()
        if self._under_way is me:
            self._kept = (value, self._clock())
        return value

    def _asked(self, task: asyncio.Task[T]) -> None:
        if self._under_way is task:
            self._under_way = None
        if not task.cancelled():
            task.exception()  # everybody who waited for it may have left
