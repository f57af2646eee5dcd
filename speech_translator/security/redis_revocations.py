"""Revocations over Redis' publish and subscribe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from speech_translator.security import api_keys
from speech_translator.security.fallback import (
    DoneAlone,
    Listener,
    SharedBack,
    SharedLost,
    ignore,
    reason_of,
)
from speech_translator.security.patience import Patience
from speech_translator.security.redis_client import ANSWER_S
from speech_translator.security.revocations import (
    Change,
    ChangesMissed,
    Hear,
    KeyChanged,
    TokenClosed,
)

_KEY, _TOKEN, _ALL = "key:", "token", "all"
_FAULTS = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """How a connection is kept; times are seconds.

    Args:
        channel: on which replicas tell.
        check_s: of silence, after which Redis is asked whether it is still there; it has as long
            again to answer.
        first_wait_s: before the first try to connect again; each wait is twice the one before.
        longest_wait_s: between two tries.
    """

    channel: str = "speech-translator:revocations"
    check_s: float = 1.0
    first_wait_s: float = 0.05
    longest_wait_s: float = 1.0


class RedisRevocations:
    """See ``Revocations``.

    Args:
        client: its owner closes it.
        config: see there.
        listener: told when the connection is lost and back, and of what could not be told.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        client: Redis,
        config: ListenConfig | None = None,
        *,
        listener: Listener = ignore,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._config = config or ListenConfig()
        self._listener = listener
        self._sleep = sleep
        self._up = True

    async def tell(self, change: Change) -> None:
        """See ``Revocations``."""
        try:
            async with Patience(ANSWER_S):
                await self._client.publish(self._config.channel, encode(change))
        except _FAULTS:
            self._listener(DoneAlone("revocations"))

    async def listen(self, hear: Hear) -> None:
        """See ``Revocations``. Connects again for as long as it takes."""
        wait = self._config.first_wait_s
        while True:
            try:
                async with self._client.pubsub() as subscription:
                    await subscription.subscribe(self._config.channel)
                    async for change in _changes(subscription, self._config.check_s):
                        wait = self._config.first_wait_s
                        self._found()
                        hear(change)
            except _FAULTS as error:
                self._lost(error)
            await self._sleep(wait)
            wait = min(2 * wait, self._config.longest_wait_s)

    def _lost(self, error: Exception) -> None:
        if self._up:
            self._up = False
            self._listener(SharedLost("revocations", reason_of(error)))

    def _found(self) -> None:
        if not self._up:
            self._up = True
            self._listener(SharedBack("revocations"))


async def _changes(subscription: PubSub, check_s: float) -> AsyncIterator[Change]:
    """What is told, from the beginning of the subscription to the loss of its connection."""
    asked = False
    while True:
        message: dict[str, Any] | None = await subscription.get_message(timeout=check_s)
        if message is None:
            if asked:
                raise TimeoutError("Redis does not answer.")
            await subscription.ping()
            asked = True
            continue
        asked = False
        if message["type"] == "subscribe":
            yield ChangesMissed()  # before this, nothing was heard
        elif message["type"] == "message":
            yield decode(message["data"])


def encode(change: Change) -> str:
    """A change as it is sent."""
    if isinstance(change, KeyChanged):
        return _KEY + change.key_id
    return _TOKEN if isinstance(change, TokenClosed) else _ALL


def decode(data: bytes) -> Change:
    """What was sent; a newer replica's word that this one does not know may mean anything."""
    text = data.decode(errors="replace")
    if text == _TOKEN:
        return TokenClosed()
    key_id = text.removeprefix(_KEY)
    if text.startswith(_KEY) and api_keys.is_id(key_id):
        return KeyChanged(key_id)
    return ChangesMissed()
