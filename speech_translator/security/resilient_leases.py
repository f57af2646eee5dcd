"""Leases that are to be had when Redis is not: each replica goes by its own share for a while.

Fails open in part, as limits do (``resilient_limits.py``). What runs here is known here all the
time, so that it counts against the share, and it is told to a Redis that comes back empty.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from speech_translator.errors import StoreUnavailable
from speech_translator.security.fallback import Fallback, FallbackConfig, Listener, ignore
from speech_translator.security.leases import LeaseStore


class ResilientLeaseStore:
    """A shared store, and one of this process beside it. Never ``StoreUnavailable``.

    Args:
        shared: leases of all replicas.
        local: leases of this one.
        config: see there.
        listener: told when the shared store is lost and back, and of each lease given alone.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        shared: LeaseStore,
        local: LeaseStore,
        config: FallbackConfig | None = None,
        *,
        listener: Listener = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._local = local
        self._config = config or FallbackConfig()
        self._fallback = Fallback(
            "live_sessions",
            lambda: shared.release("", ""),
            self._config,
            listener=listener,
            clock=clock,
        )

    async def acquire(self, subject: str, lease: str, limit: int) -> bool:
        """See ``LeaseStore``."""
        try:
            given = await self._fallback.ask(self._shared.acquire, subject, lease, limit)
        except StoreUnavailable:
            self._fallback.done_alone()
            return await self._local.acquire(subject, lease, self._config.share(limit))
        if given:
            await self._local.renew(subject, lease)
        return given

    async def renew(self, subject: str, lease: str) -> None:
        """See ``LeaseStore``."""
        await self._local.renew(subject, lease)
        with suppress(StoreUnavailable):
            await self._fallback.ask(self._shared.renew, subject, lease)

    async def release(self, subject: str, lease: str) -> None:
        """See ``LeaseStore``; a lease that Redis cannot be told of lapses there."""
        await self._local.release(subject, lease)
        with suppress(StoreUnavailable):
            await self._fallback.ask(self._shared.release, subject, lease)
