"""Leases kept by Redis, for all replicas together, by Redis' clock."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from speech_translator.security.leases import LIFE_S
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.redis_wire import RedisWire

SCRIPT = Path(__file__).with_name("leases.lua").read_text(encoding="utf-8")

_Mode = Literal["acquire", "renew", "release"]


class RedisLeaseStore:
    """See ``LeaseStore``. A subject without leases takes no memory.

    Args:
        wire: to Redis; its owner closes it.
        life_s: seconds for which a lease lasts.
        prefix: before the name of every subject.
        script: the Lua source.
    """

    def __init__(
        self,
        wire: RedisWire,
        *,
        life_s: float = LIFE_S,
        prefix: str = "speech-translator:lease:",
        script: str = SCRIPT,
    ) -> None:
        self._life_ms = int(life_s * 1000)
        self._prefix = prefix
        self._script = RedisScript(wire, script)

    async def acquire(self, subject: str, lease: str, limit: int) -> bool:
        """See ``LeaseStore``."""
        return await self._run("acquire", subject, lease, limit)

    async def renew(self, subject: str, lease: str) -> None:
        """See ``LeaseStore``."""
        await self._run("renew", subject, lease)

    async def release(self, subject: str, lease: str) -> None:
        """See ``LeaseStore``."""
        await self._run("release", subject, lease)

    async def _run(self, mode: _Mode, subject: str, lease: str, limit: int = 0) -> bool:
        arguments = (mode, lease, self._life_ms, limit)
        return bool(await self._script([self._prefix + subject], arguments))
