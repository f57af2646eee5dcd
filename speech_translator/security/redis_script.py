"""A Lua script on Redis, for a request's path.

redis-py's own call of a script packs it in Python and passes through its retries and telemetry,
which is a quarter of what a decision about limits costs. This one takes a connection of the same
pool, packs in C, and sends once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from speech_translator.errors import StoreUnavailable
from speech_translator.security.patience import Patience
from speech_translator.security.redis_client import ANSWER_S

Argument = str | int | float


class RedisScript:
    """Callable; one atomic step of Redis.

    Args:
        client: gives the connections; its owner closes it.
        source: in Lua.
        timeout_s: seconds in which it must have answered.
    """

    def __init__(self, client: Redis, source: str, *, timeout_s: float = ANSWER_S) -> None:
        self._timeout_s = timeout_s
        self._pool = client.connection_pool
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
            async with Patience(self._timeout_s):
                try:
                    return await self._sent("EVALSHA", self._digest, *rest)
                except NoScriptError:  # it was not used since Redis began
                    return await self._sent("EVAL", self._source, *rest)
        except (RedisError, OSError, TimeoutError) as error:
            raise StoreUnavailable("What replicas share in Redis cannot be reached.") from error

    async def _sent(self, *command: Argument) -> Any:
        # The connection ends itself where an answer is late or not waited for.
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            packed = hiredis.pack_command(command)  # type: ignore[arg-type] # any number of them
            await connection.send_packed_command([packed], check_health=False)
            return await connection.read_response()
        finally:
            await self._pool.release(connection)
