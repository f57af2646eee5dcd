"""A client of a live session that comes back by itself: what ``docs/LIVE.md`` asks of one.

It keeps the sound that was not acknowledged. When its connection breaks it resumes the session from
there; when the session cannot be resumed it begins another one behind what was final, and the times
of the captions go on. Finals are told once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol

from speech_translator import errors
from speech_translator.errors import SpeechTranslatorError, Unavailable

BYTES_PER_S = 32_000
"""Of 16 kHz, mono, 16-bit PCM: what is sent."""

PATIENCE_S = 120.0
"""Seconds for which a lost service is looked for: as long as it keeps a session."""

KEPT_S = 120.0
"""Seconds of sound that may wait for their acknowledgement; then the source is not read."""

_FRAME_BYTES = BYTES_PER_S // 10
_KEEP_ALIVE_S = 15.0
_WAITS_S = (0.5, 1.0, 2.0, 5.0)
_KEEP_ALIVE = '{"type": "keep_alive"}'
_END = '{"type": "end"}'
_SUPERSEDED = 4001
_POLICY = 1008

Event = Mapping[str, Any]


class LineLost(Exception):
    """The connection is closed, or could not be had; ``code`` is that of the close frame."""

    def __init__(self, reason: str = "", code: int = 1006) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Line(Protocol):
    """One connection to a service."""

    async def send(self, message: str | bytes) -> None:
        """Send a message. Raises ``LineLost``."""
        ...

    async def receive(self) -> str | bytes:
        """The next message. Raises ``LineLost``."""
        ...


OpenLine = Callable[[], AbstractAsyncContextManager[Line]]
"""Opens a connection; raises ``LineLost`` where another try may help, or the error if not."""


class KeptSound:
    """The sound from the last acknowledgement on; places are bytes of the whole talk."""

    def __init__(self) -> None:
        self._data = bytearray()
        self.start = 0

    @property
    def end(self) -> int:
        """Where the next sound goes."""
        return self.start + len(self._data)

    def append(self, data: bytes) -> None:
        """Sound came."""
        self._data += data

    def forget(self, place: int) -> None:
        """What stands before ``place`` is no longer needed."""
        gone = max(0, min(place, self.end) - self.start)
        del self._data[:gone]
        self.start += gone

    def read(self, place: int, size: int) -> bytes:
        """Sound from ``place`` on; none when it has not come yet."""
        begin = place - self.start
        return bytes(self._data[begin : begin + size])


class LiveClient:
    """One talk, over as many connections as it takes.

    Args:
        open_line: see there.
        start: the first message of a session.
        listener: gets partials, finals, warnings and errors about segments, with the times of the
            talk, and ``{"type": "reconnecting"}`` when the connection is lost.
        clock: monotonic seconds.
        sleep: waits.
    """

    def __init__(
        self,
        open_line: OpenLine,
        start: Mapping[str, Any],
        listener: Callable[[Event], Awaitable[None]],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._open_line = open_line
        self._start = start
        self._listener = listener
        self._clock = clock
        self._sleep = sleep
        self._kept = KeptSound()
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._over = self._done = False
        self._failure: Exception | None = None
        self._offset = 0
        self._settled = 0
        self._token: str | None = None
        self._last_seq = 0
        self._met = False
        self._lost_at: float | None = None
        self._tries = 0
        self._hearing: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Hear no more; what was said is finished."""
        if self._hearing is not None:
            self._hearing.cancel()

    async def run(self, sound: AsyncIterator[bytes]) -> None:
        """Send ``sound`` (16 kHz PCM), until everything that was said in it is final.

        Raises:
            SpeechTranslatorError: the service refuses it, or was not to be had for too long; or the
                source failed, after what came of it was finished.
        """
        self._hearing = asyncio.create_task(self._hear(sound))
        try:
            while not self._done:
                try:
                    async with self._open_line() as line:
                        await self._converse(line)
                except LineLost as lost:
                    await self._come_back(lost)
        finally:
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    async def _hear(self, sound: AsyncIterator[bytes]) -> None:
        try:
            async for data in sound:
                self._kept.append(data)
                self._news.set()
                while self._kept.end - self._kept.start > KEPT_S * BYTES_PER_S:
                    self._room.clear()
                    await self._room.wait()
        except Exception as error:  # noqa: BLE001 - raised by ``run`` once all is said
            self._failure = error
        finally:
            self._over = True
            self._news.set()

    async def _come_back(self, lost: LineLost) -> None:
        """Wait for the next try, if there should be one."""
        if lost.code == _SUPERSEDED:
            raise SpeechTranslatorError("The session goes on over another connection.")
        if lost.code == _POLICY and lost.reason != errors.SlowConsumer.code:
            raise error_of(lost.reason, "The service has ended the session.")
        now = self._clock()
        if self._lost_at is None:
            self._lost_at = now
            await self._listener({"type": "reconnecting"})
        if not self._met:
            raise Unavailable(f"The service cannot be reached. {lost.reason}".strip())
        if now - self._lost_at > PATIENCE_S:
            raise Unavailable("The connection was lost, and not to be had again.")
        await self._sleep(_WAITS_S[min(self._tries, len(_WAITS_S) - 1)])
        self._tries += 1

    async def _converse(self, line: Line) -> None:
        """Serve one connection; returns when the session is over, or another one has to begin."""
        first = dict(self._start)
        if self._token is not None:
            first = {"type": "resume", "token": self._token, "last_seq": self._last_seq}
        else:
            self._begin_anew()
        await line.send(json.dumps(first))
        speaking: asyncio.Task[None] | None = None
        try:
            while True:
                event = json.loads(await line.receive())
                if event["type"] == "ready":
                    self._ready(event)
                    speaking = asyncio.create_task(self._speak(line, event["audio_s"]))
                elif await self._obey(event):
                    return
                self._last_seq = event["seq"]
        finally:
            if speaking is not None:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)

    def _begin_anew(self) -> None:
        """The next session begins behind what is final."""
        self._token, self._last_seq = None, 0
        self._offset = self._settled
        self._kept.forget(self._settled)

    def _ready(self, event: Event) -> None:
        self._met, self._lost_at, self._tries = True, None, 0
        self._token = event["resume_token"]

    async def _obey(self, event: Event) -> bool:
        """Take an event; True when this session is over."""
        kind = event["type"]
        if kind == "done":
            self._done = event["reason"] == "end"
            if event["reason"] in {"idle_timeout", "session_too_long"}:
                self._token = None
            return self._done or self._token is None
        if kind == "error" and event["fatal"]:
            if event["code"] == errors.ResumeRefused.code:
                self._token = None
                return True
            error = error_of(event["code"], event["message"], event["details"])
            if isinstance(error, Unavailable) and self._met:
                raise LineLost(error.message)
            raise error
        if kind == "ack":
            self._settle(event["audio_s"])
        else:
            await self._listener(self._placed(event))
            if kind == "final":
                self._settled = max(self._settled, self._offset + _place(event["end"]))
        return False

    def _settle(self, audio_s: float) -> None:
        self._settled = max(self._settled, self._offset + _place(audio_s))
        self._kept.forget(self._offset + _place(audio_s))
        self._room.set()

    def _placed(self, event: Event) -> Event:
        """An event with the times of the talk."""
        offset_s = self._offset / BYTES_PER_S
        times = {name: event[name] + offset_s for name in ("start", "end") if name in event}
        return {**event, **times}

    async def _speak(self, line: Line, from_s: float) -> None:
        """Send what is there and what comes, then the end."""
        place = self._offset + _place(from_s)
        with suppress(LineLost):  # whoever receives is told, too
            while True:
                piece = self._kept.read(place, _FRAME_BYTES)
                if piece:
                    await line.send(piece)
                    place += len(piece)
                elif self._over:
                    await line.send(_END)
                    return
                else:
                    await self._wait(line)

    async def _wait(self, line: Line) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(_KEEP_ALIVE_S):
                await self._news.wait()
        except TimeoutError:
            await line.send(_KEEP_ALIVE)


def error_of(code: str, message: str, details: Mapping[str, Any] | None = None) -> Exception:
    """The error that a service told by its code; of a code that is not known, the root."""
    known: list[type[SpeechTranslatorError]] = [SpeechTranslatorError]
    for kind in known:
        known += kind.__subclasses__()
    kind = next((kind for kind in known if kind.code == code), SpeechTranslatorError)
    error = kind(message)
    error.details = dict(details or {})
    return error


def _place(seconds: float) -> int:
    return round(seconds * BYTES_PER_S / 2) * 2
