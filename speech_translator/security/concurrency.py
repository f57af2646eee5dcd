"""How much of something an owner may have running at the same time, such as live sessions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from speech_translator.errors import LimitExceeded, StoreUnavailable
from speech_translator.security.leases import LIFE_S, LeaseStore

RENEW_S = LIFE_S / 3
"""Seconds between renewals: two may fail before a lease lapses."""


class ConcurrencyLimiter:
    """Gives leases for as long as something runs.

    Args:
        store: the leases.
        policy: what callers are told that the limit is called.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        store: LeaseStore,
        policy: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._policy = policy
        self._sleep = sleep

    @asynccontextmanager
    async def hold(self, subject: str, limit: int | None) -> AsyncIterator[None]:
        """A lease as long as the block runs; renewed meanwhile, ended however the block ends.

        Args:
            subject: whose allowance it is, such as ``owner:ada``.
            limit: how many that one may have at the same time; None for any number.

        Raises:
            LimitExceeded: they have as many. No wait is named: nobody knows when one ends.
            StoreUnavailable: the leases cannot be reached.
        """
        if limit is None:
            yield
            return
        lease = secrets.token_hex(8)
        if not await self._store.acquire(subject, lease, limit):
            raise self._exceeded(limit)
        # A renewal is never cut off: what Redis does of it could outlive the release.
        step = asyncio.Lock()
        renewing = asyncio.create_task(self._renew(subject, lease, step))
        try:
            yield
        finally:
            async with step:
                renewing.cancel()
                with suppress(StoreUnavailable):  # it lapses by itself
                    await self._store.release(subject, lease)

    async def _renew(self, subject: str, lease: str, step: asyncio.Lock) -> None:
        while True:
            await self._sleep(RENEW_S)
            async with step:
                with suppress(StoreUnavailable):
                    await self._store.renew(subject, lease)

    def _exceeded(self, limit: int) -> LimitExceeded:
        violated = {"policy": self._policy, "limit": limit, "remaining": 0, "retry_after": None}
        return LimitExceeded(
            f"A limit is used up: {self._policy}. End one of them first.", violated=[violated]
        )
