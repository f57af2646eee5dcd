"""What the replicas of a service share, in Redis, or in memory where there is but one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from speech_translator.security.fallback import FallbackConfig, Listener, ignore
from speech_translator.security.leases import LeaseStore, MemoryLeaseStore
from speech_translator.security.limit_store import LimitStore, MemoryLimitStore
from speech_translator.security.resilient_leases import ResilientLeaseStore
from speech_translator.security.resilient_limits import ResilientLimitStore
from speech_translator.security.revocations import NoRevocations, Revocations

if TYPE_CHECKING:
    from speech_translator.security.redis_client import RedisConfig


async def _nothing() -> None:
    """What there is to close in memory."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Counters of limits, leases of live sessions, and the word of revocations.

    As a context it is looked for at the start, where it need not answer, and closed at the end.
    """

    limits: LimitStore
    leases: LeaseStore
    revocations: Revocations
    close: Callable[[], Awaitable[None]] = _nothing

    async def __aenter__(self) -> Self:
        """Find out whether the shared store answers, before somebody waits for it."""
        await self.limits.peek(())
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close what was opened."""
        await self.close()


def shared_in_memory() -> Shared:
    """What one process needs."""
    return Shared(MemoryLimitStore(), MemoryLeaseStore(), NoRevocations())


def shared_in_redis(
    redis: RedisConfig, fallback: FallbackConfig, *, listener: Listener = ignore
) -> Shared:
    """What several replicas need; each goes on alone while Redis is away.

    Args:
        redis: where it is.
        fallback: how to do without it.
        listener: told when it is lost and back, and of what was decided alone.

    Raises:
        ConfigurationError: the address is none.
    """
    # Redis' client costs 20 MiB, which a single process need not spend.
    from speech_translator.security.redis_client import redis_client  # noqa: PLC0415
    from speech_translator.security.redis_lease_store import RedisLeaseStore  # noqa: PLC0415
    from speech_translator.security.redis_limit_store import RedisLimitStore  # noqa: PLC0415
    from speech_translator.security.redis_revocations import RedisRevocations  # noqa: PLC0415
    from speech_translator.security.redis_wire import RedisWire  # noqa: PLC0415

    client = redis_client(redis)
    wire = RedisWire(client)

    async def close() -> None:
        await wire.aclose()
        await client.aclose()

    return Shared(
        ResilientLimitStore(RedisLimitStore(wire), MemoryLimitStore(), fallback, listener=listener),
        ResilientLeaseStore(RedisLeaseStore(wire), MemoryLeaseStore(), fallback, listener=listener),
        RedisRevocations(client, listener=listener),
        close,
    )
