"""Limits that hold on when Redis does not: each replica goes by its own share for a while.

Fails open in part: while the shared counters are away, a replica counts alone and allows its share
of each limit, so that all together allow about the whole. Nobody is refused because Redis is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from speech_translator.errors import StoreUnavailable
from speech_translator.security.limit_store import LimitStore
from speech_translator.security.limits import Debit, Decision


@dataclass(frozen=True, slots=True)
class FallbackConfig:
    """How to do without the shared counters.

    Args:
        replicas: that share a limit: each allows so large a part of it.
        pause_s: seconds after a failure in which the shared store is not asked.
    """

    replicas: int = 1
    pause_s: float = 1.0


class ResilientLimitStore:
    """A shared store, and one of this process for when it is away. Never ``StoreUnavailable``.

    Args:
        shared: counts for all replicas.
        local: counts for this one.
        config: see there.
        on_change: told whether the shared store answers, each time that changes.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        shared: LimitStore,
        local: LimitStore,
        config: FallbackConfig | None = None,
        *,
        on_change: Callable[[bool], None] = lambda _shared: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._local = local
        self._config = config or FallbackConfig()
        self._on_change = on_change
        self._clock = clock
        self._resume_at = -math.inf
        self._up = True

    async def acquire(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``; ``exact`` is False when this replica decided alone."""
        return await self._decide(debits, lambda store, these: store.acquire(these))

    async def peek(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``; ``exact`` is False when this replica decided alone."""
        return await self._decide(debits, lambda store, these: store.peek(these))

    async def settle(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``; a correction while the shared store is away is made here alone."""
        if self._is_asked():
            try:
                await self._shared.settle(debits)
            except StoreUnavailable:
                self._lost()
            else:
                self._found()
                return
        await self._local.settle([self._shared_out(debit) for debit in debits])

    async def _decide(
        self,
        debits: Sequence[Debit],
        ask: Callable[[LimitStore, Sequence[Debit]], Awaitable[Decision]],
    ) -> Decision:
        if self._is_asked():
            try:
                decision = await ask(self._shared, debits)
            except StoreUnavailable:
                self._lost()
            else:
                self._found()
                return decision
        alone = await ask(self._local, [self._shared_out(debit) for debit in debits])
        standings = tuple(
            replace(standing, policy=debit.policy)
            for standing, debit in zip(alone.standings, debits, strict=True)
        )
        return Decision(standings, exact=False)

    def _shared_out(self, debit: Debit) -> Debit:
        """The debit under this replica's part of its limit.

        A cost that fits into the whole limit passes at least when nothing else was taken.
        """
        share = math.ceil(debit.policy.limit / self._config.replicas)
        limit = max(share, min(debit.cost, debit.policy.limit))
        return replace(debit, policy=replace(debit.policy, limit=limit))

    def _is_asked(self) -> bool:
        return self._clock() >= self._resume_at

    def _lost(self) -> None:
        self._resume_at = self._clock() + self._config.pause_s
        if self._up:
            self._up = False
            self._on_change(False)  # noqa: FBT003 - a callback's one argument

    def _found(self) -> None:
        if not self._up:
            self._up = True
            self._on_change(True)  # noqa: FBT003 - a callback's one argument
