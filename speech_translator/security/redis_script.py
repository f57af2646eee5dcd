"""A Lua script on Redis, for a request's path."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError, RedisError

from speech_translator.errors import StoreUnavailable
from speech_translator.security.redis_wire import Argument, RedisWire


class RedisScript:
    """Callable; one atomic step of Redis.

    Args:
        wire: to Redis; its owner closes it.
        source: in Lua.
    """

    def __init__(self, wire: RedisWire, source: str) -> None:
        self._wire = wire
        self._source = source
        # Not for secrecy: Redis knows scripts by it.
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """What the script answers.

        Raises:
            StoreUnavailable: Redis does not answer in its time, or refuses.
        """
        rest = (len(keys), *keys, *arguments)
        try:
            try:
                return await self._wire.ask(("EVALSHA", self._digest, *rest))
            except NoScriptError:  # it was not used since Redis began
                return await self._wire.ask(("EVAL", self._source, *rest))
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable("What replicas share in Redis cannot be reached.") from error
