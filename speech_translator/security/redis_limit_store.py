"""Limits counted by Redis, for all replicas together, by Redis' clock.

A script of our own, because several limits (requests and characters, of a key and of its owner)
are debited in one step or not at all; ``throttled-py`` and ``limits`` know one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from speech_translator.security.counters import MICROSECONDS, standing_of
from speech_translator.security.limits import Debit, Decision, Rate, Window
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.redis_wire import Argument, RedisWire

SCRIPT = Path(__file__).with_name("counters.lua").read_text(encoding="utf-8")

_Mode = Literal["acquire", "settle", "peek", "floor"]


class RedisLimitStore:
    """See ``LimitStore``. Counters go by themselves once they say nothing any more.

    Args:
        wire: to Redis; its owner closes it.
        prefix: before the name of every counter.
        script: the Lua source.
    """

    def __init__(
        self, wire: RedisWire, *, prefix: str = "speech-translator:limit:", script: str = SCRIPT
    ) -> None:
        self._prefix = prefix
        self._script = RedisScript(wire, script)

    async def acquire(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``."""
        return await self._run("acquire", debits)

    async def settle(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        await self._run("settle", debits)

    async def peek(self, debits: Sequence[Debit]) -> Decision:
        """See ``LimitStore``."""
        return await self._run("peek", debits)

    async def floor(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        windows = [debit for debit in debits if isinstance(debit.policy, Window)]
        if windows:
            await self._run("floor", windows)

    async def forget(self, debits: Sequence[Debit]) -> None:
        """See ``LimitStore``."""
        await self._script([self._prefix + debit.counter for debit in debits], ["forget"])

    async def _run(self, mode: _Mode, debits: Sequence[Debit]) -> Decision:
        keys: list[str] = []
        arguments: list[Argument] = [mode]
        for debit in debits:
            policy = debit.policy
            keys.append(self._prefix + debit.counter)
            if isinstance(policy, Rate):
                period_us = policy.period_s * MICROSECONDS
                arguments += ("rate", policy.limit, period_us, debit.cost)
            else:
                arguments += (policy.span, policy.limit, 0, debit.cost)
        answer = iter(await self._script(keys, arguments))
        now_us = int(next(answer))
        standings = []
        for debit in debits:
            counter, wait_us = (float(next(answer)), int(next(answer))), float(next(answer))
            wait_s = None if wait_us < 0 else wait_us / MICROSECONDS
            standings.append(standing_of(debit.policy, counter, now_us, wait_s))
        return Decision(tuple(standings))
