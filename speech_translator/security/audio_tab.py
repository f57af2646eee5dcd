"""Sound of a live session: taken a little ahead while it comes, written down as it is heard.

Nobody knows beforehand how long a session gets. So its sound is reserved in small steps; what is
left of the last one is given back at the end. It is written down every second: of a process that is
killed in the middle of a session, what was heard is known all the same.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from speech_translator.errors import LimitExceeded, SpeechTranslatorError
from speech_translator.security.guard import Caller
from speech_translator.security.limits import Decision
from speech_translator.security.quotas import Amount, Meter, Reservation

STEP_S = 10
"""Seconds of sound that are taken at once; where fewer are left, one by one."""

_WRITTEN_S = 1.0


class AudioTab:
    """The sound of one session, from ``open`` to ``close``; also a context manager.

    Args:
        meter: takes it from what the caller may have.
        caller: whose session it is.
    """

    def __init__(self, meter: Meter, caller: Caller) -> None:
        self._meter = meter
        self._caller = caller
        self._taking: asyncio.Task[Reservation] | None = None
        self._reserved: Reservation | None = None
        self._left_s = 0.0
        self._unwritten_s = 0.0
        self._requests = 1  # the session is one, counted with its first sound
        self.decision = Decision(())

    async def open(self) -> None:
        """Take the first step; ``decision`` says what is left.

        Raises:
            LimitExceeded: there is no sound left to be heard.
            StoreUnavailable: the counters cannot be reached.
        """
        try:
            await self._take(1)
        except asyncio.CancelledError:
            await self.close()  # nobody else will
            raise
        assert self._reserved is not None  # noqa: S101 - just taken
        self.decision = self._reserved.decision

    async def take(self, seconds: float) -> None:
        """Take sound that is about to be heard.

        Raises:
            LimitExceeded: so much is not left; none of it is taken, or counts.
            StoreUnavailable: the counters cannot be reached.
        """
        if seconds > self._left_s:
            await self._take(seconds - self._left_s)
        self._left_s -= seconds
        self._unwritten_s += seconds
        if self._unwritten_s >= _WRITTEN_S:
            self._write_down()

    async def close(self) -> None:
        """Give back what was taken and not heard. A second time does nothing."""
        if self._taking is not None:  # the session ended while it was asked for
            with suppress(SpeechTranslatorError):
                await (await self._taking).cancel()
            self._taking = None
        if self._unwritten_s:
            self._write_down()
        reserved, self._reserved = self._reserved, None
        if reserved is not None and self._left_s >= 1:
            amount = Amount(audio_s=self._left_s // 1)
            await self._meter.adjust(self._caller, amount, Amount(), reserved.reserved_at)
        self._left_s = 0.0

    async def __aenter__(self) -> Self:
        """Open it."""
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it, whatever the session came to."""
        await self.close()

    async def _take(self, needed_s: float) -> None:
        """Have ``needed_s`` more to hear: a step of it, or no more than needed near the end."""
        needed = Amount(audio_s=needed_s).whole_seconds
        try:
            await self._reserve(max(STEP_S, needed))
        except LimitExceeded:
            if needed >= STEP_S:
                raise
            await self._reserve(needed)

    async def _reserve(self, seconds: int) -> None:
        # Not cancelled with the session, which would leave open whether it was taken.
        asked = self._meter.reserve(self._caller, "stream", audio_s=seconds)
        self._taking = asyncio.create_task(asked)
        try:
            self._reserved = await asyncio.shield(self._taking)
        except SpeechTranslatorError:
            self._taking = None
            raise
        self._taking = None
        self._left_s += seconds

    def _write_down(self) -> None:
        used = Amount(audio_s=self._unwritten_s)
        self._meter.write_down(self._caller, "stream", used, requests=self._requests)
        self._unwritten_s, self._requests = 0.0, 0
