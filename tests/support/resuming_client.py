"""A live client that comes back: it keeps what was not acknowledged, and goes on from there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

BYTES_PER_S = 32_000
PATH = "/translate/stream"


@dataclass
class ResumingClient:
    """One session over as many connections as it takes, in real time or faster.

    Args:
        address: gives the service's address for WebSockets, which may change.
        headers: with a key.
        pcm: all that is said, 16 kHz.
        start: the first message.
        pace: times as fast as speech.
        waits: nothing is said while there is no connection, however long that takes.
    """

    address: Callable[[], str]
    headers: dict[str, str]
    pcm: bytes
    start: dict[str, Any]
    pace: float = 1.0
    waits: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    token: str | None = None
    last_seq: int = 0
    done: bool = False
    refused: str = ""
    socket: ClientConnection | None = None
    _began: float = 0.0
    _said: int = 0

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Events of a type."""
        return [event for event in self.events if event["type"] == kind]

    async def run(self) -> None:
        """Until the session is done, or cannot be resumed."""
        self._began = time.monotonic()
        while not self.done and not self.refused:
            try:
                async with connect(
                    self.address() + PATH,
                    additional_headers=self.headers,
                    proxy=None,
                    ping_timeout=None,
                    open_timeout=5,
                ) as socket:
                    self.connections += 1
                    self.socket = socket
                    await self._converse(socket)
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError):
                await asyncio.sleep(0.1)

    async def _converse(self, socket: ClientConnection) -> None:
        first = self.start
        if self.token:
            first = {"type": "resume", "token": self.token, "last_seq": self.last_seq}
        await socket.send(json.dumps(first))
        speaking: asyncio.Task[None] | None = None
        try:
            async for message in socket:
                event = json.loads(message)
                self.events.append(event)
                self.last_seq = event["seq"]
                if event["type"] == "ready":
                    self.token = event["resume_token"]
                    speaking = asyncio.create_task(self._speak(socket, event["audio_s"]))
                elif event["type"] == "error" and event["fatal"]:
                    self.refused = event["code"]
                ended = event["type"] == "done" and event["reason"] != "shutting_down"
                self.done = self.done or ended  # a server that stops ends the connection alone
        finally:
            if speaking is not None:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)

    async def _speak(self, socket: ClientConnection, from_s: float) -> None:
        """What was said so far at once, the rest as it is said."""
        step = BYTES_PER_S // 10
        if self.waits:
            self._began = time.monotonic() - self._said / BYTES_PER_S / self.pace
        for at in range(round(from_s * 16_000) * 2, len(self.pcm), step):
            moment = self._began + (at + step) / BYTES_PER_S / self.pace
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            await socket.send(self.pcm[at : at + step])
            self._said = max(self._said, at + step)
        await socket.send('{"type": "end"}')
