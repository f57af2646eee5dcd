"""How many of something may run at the same time: leases that end by themselves.

Whoever runs holds a lease and renews it; one whose process was killed lapses. Nothing that runs is
ever broken off: a renewal is not refused, even where others took the place in the meantime.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

LIFE_S = 30.0
"""Seconds for which a lease lasts that is not renewed."""


class LeaseStore(Protocol):
    """Leases of each subject. Each method is one atomic step.

    All raise ``StoreUnavailable`` when the store cannot be reached in time.
    """

    async def acquire(self, subject: str, lease: str, limit: int) -> bool:
        """Begin a lease where fewer than ``limit`` run; whether it was. Again, it is a renewal."""
        ...

    async def renew(self, subject: str, lease: str) -> None:
        """Let it last on; one that is not known, having lapsed or been lost, begins anew."""
        ...

    async def release(self, subject: str, lease: str) -> None:
        """End it; one that is not known is no error."""
        ...


class MemoryLeaseStore:
    """Leases of one process. It holds no more than run, and those that lapsed until they are met.

    Args:
        life_s: seconds for which a lease lasts.
        clock: monotonic seconds.
    """

    def __init__(
        self, *, life_s: float = LIFE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._life_s = life_s
        self._clock = clock
        self._ends: dict[str, dict[str, float]] = {}

    def __len__(self) -> int:
        """Leases that are held."""
        return sum(map(len, self._ends.values()))

    async def acquire(self, subject: str, lease: str, limit: int) -> bool:
        """See ``LeaseStore``."""
        running = self._running(subject)
        if lease not in running and len(running) >= limit:
            return False
        await self.renew(subject, lease)
        return True

    async def renew(self, subject: str, lease: str) -> None:
        """See ``LeaseStore``."""
        self._ends[subject] = {**self._running(subject), lease: self._clock() + self._life_s}

    async def release(self, subject: str, lease: str) -> None:
        """See ``LeaseStore``."""
        running = self._running(subject)
        running.pop(lease, None)
        if not running:
            self._ends.pop(subject, None)

    def _running(self, subject: str) -> dict[str, float]:
        """A subject's leases, without those that lapsed."""
        held, now = self._ends.get(subject, {}), self._clock()
        for lease in [lease for lease, end in held.items() if end <= now]:
            del held[lease]
        return held
