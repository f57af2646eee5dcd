"""A client of ``WS /translate/stream`` for tests and benchmarks, written from ``docs/LIVE.md``."""

from __future__ import annotations

import asyncio
import json
import time
import wave
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.server import Server

PATH = "/translate/stream"


@dataclass
class LiveSession:
    """One session as its client sees it: ``events`` in order, ``received_at`` for each."""

    socket: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    received_at: list[float] = field(default_factory=list)
    close_code: int | None = None
    close_reason: str = ""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Events of one type."""
        return [event for event in self.events if event["type"] == kind]

    @property
    def text(self) -> str:
        """All finals."""
        return " ".join(final["text"] for final in self.told("final"))

    def translation(self, language: str) -> str:
        """The finals in another language."""
        return " ".join(final["translations"].get(language, "") for final in self.told("final"))

    async def start(self, **message: Any) -> None:
        """Describe the session."""
        await self.socket.send(json.dumps(message))

    async def send(
        self, pcm: bytes, *, bytes_per_s: int = 32_000, frame_s: float = 0.1, pace: float = 0.0
    ) -> None:
        """Send audio in frames.

        Args:
            pcm: what to send.
            bytes_per_s: of the format; 16 kHz PCM by default.
            frame_s: length of a frame in seconds.
            pace: times as fast as speech; as fast as it is taken when 0.
        """
        size = max(1, int(bytes_per_s * frame_s)) & ~1 or 1
        began = time.monotonic()
        for count, start in enumerate(range(0, len(pcm), size), start=1):
            await self.socket.send(pcm[start : start + size])
            if pace:
                await asyncio.sleep(max(0.0, began + count * frame_s / pace - time.monotonic()))

    async def end(self) -> None:
        """Say that no more audio comes."""
        await self.socket.send('{"type": "end"}')

    async def until(
        self, condition: Callable[[LiveSession], object], timeout_s: float = 60
    ) -> None:
        """Wait for events until ``condition`` holds; also returns when the socket is closed."""
        async with asyncio.timeout(timeout_s):
            while not condition(self) and self.close_code is None:
                self._arrived.clear()
                await self._arrived.wait()

    async def until_closed(self, timeout_s: float = 60) -> None:
        """Wait until the server has closed the socket."""
        await self.until(lambda _: False, timeout_s)

    async def listen(self) -> None:
        """Collect events until the socket is closed."""
        try:
            async for message in self.socket:
                event = json.loads(message)
                self.events.append(event)
                self.received_at.append(time.monotonic())
                self._arrived.set()
        except ConnectionClosed:
            pass
        self.close_code = self.socket.close_code or 1006
        self.close_reason = self.socket.close_reason or ""
        self._arrived.set()


@asynccontextmanager
async def live_session(
    server: Server, *, headers: Mapping[str, str] | None = None, path: str = PATH, **message: Any
) -> AsyncIterator[LiveSession]:
    """An open session.

    Args:
        server: the service, whose key is sent.
        headers: further headers of the handshake, or others.
        path: of a socket with another protocol.
        message: fields of the first message; none is sent when there are none.
    """
    async with connect(
        server.socket_url + path,
        additional_headers={**server.headers, **(headers or {})},
        proxy=None,
        max_size=2**20,
        ping_timeout=None,  # pongs wait behind audio that is not read yet
    ) as socket:
        session = LiveSession(socket)
        listening = asyncio.create_task(session.listen())
        try:
            if message:
                await session.start(**message)
            yield session
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def stream(
    server: Server,
    pcm: bytes,
    *,
    pace: float = 0.0,
    frame_s: float = 0.1,
    bytes_per_s: int = 32_000,
    **message: Any,
) -> LiveSession:
    """A whole session: the first message, all audio, the end, and everything that came back."""
    async with live_session(server, **message) as session:
        try:
            await session.send(pcm, pace=pace, frame_s=frame_s, bytes_per_s=bytes_per_s)
            await session.end()
        except ConnectionClosed:
            pass
        await session.until_closed(120)
    return session


def read_pcm(path: Path) -> tuple[bytes, int]:
    """Samples (16-bit, mono) and rate of a WAV file."""
    with wave.open(str(path)) as file:
        if (file.getnchannels(), file.getsampwidth()) != (1, 2):
            raise ValueError("not 16-bit mono")
        return file.readframes(file.getnframes()), file.getframerate()
