"""Limits that hold on when Redis does not: each replica goes by its own share for a while.

Fails open in part: while the shared counters are away, a replica counts alone and allows its share
of each limit, so that all together allow about the whole. Nobody is refused because Redis is.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from speech_translator.errors import StoreUnavailable
from speech_translator.security.fallback import Fallback, FallbackConfig, Listener, ignore
from speech_translator.security.limit_store import LimitStore
from speech_translator.security.limits import Debit, Decision


class ResilientLimitStore:
    """A shared store, and one of this process for when it is away. Never ``StoreUnavailable``.

    Args:
        shared: counts for all replicas.
        local: counts for this one.
        config: see there.
        listener: told when the shared store is lost and back, and of each decision made alone.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        shared: LimitStore,
        local: LimitStore,
        config: FallbackConfig | None = None,
        *,
        listener: Listener = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._local = local
        self._config = config or FallbackConfig()
        self._fallback = Fallback(
            "limits", lambda: shared.peek(()), self._config, listener=listener, clock=clock
        )

    async def acquire(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``; ``exact`` is False when this replica decided alone."""
        try:
            return await self._fallback.ask(self._shared.acquire, debits)
        except StoreUnavailable:
            return await self._alone(self._local.acquire, debits)

    async def peek(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``; ``exact`` is False when this replica decided alone."""
        try:
            return await self._fallback.ask(self._shared.peek, debits)
        except StoreUnavailable:
            return await self._alone(self._local.peek, debits)

    async def settle(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``; a correction while the shared store is away is made here alone."""
        try:
            await self._fallback.ask(self._shared.settle, debits)
        except StoreUnavailable:
            self._fallback.done_alone()
            await self._local.settle([self._shared_out(debit) for debit in debits])

    async def floor(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``; while the shared store is away nothing is raised here."""
        with suppress(StoreUnavailable):
            await self._fallback.ask(self._shared.floor, debits)

    async def forget(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``; what the shared store has ends by itself while that is away."""
        await self._local.forget(debits)
        with suppress(StoreUnavailable):
            await self._fallback.ask(self._shared.forget, debits)

    async def _alone(
        self, ask: Callable[[Sequence[Debit]], Awaitable[Decision]], debits: Sequence[Debit]
    ) -> Decision:
        """What this replica's own counters say."""
        self._fallback.done_alone()
        alone = await ask([self._shared_out(debit) for debit in debits])
        standings = tuple(
            replace(standing, policy=debit.policy)
            for standing, debit in zip(alone.standings, debits, strict=True)
        )
        return Decision(standings, exact=False)

    def _shared_out(self, debit: Debit) -> Debit:
        """The debit under this replica's part of its limit.

        A cost that fits into the whole limit passes at least when nothing else was taken.
        """
        share = self._config.share(debit.policy.limit)
        limit = max(share, min(debit.cost, debit.policy.limit))
        return replace(debit, policy=replace(debit.policy, limit=limit))
