"""A WebSocket client of an ASGI application, without a wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit


class Socket:
    """One connection: ``status`` is 101 once it is open; ``events`` are what came, as JSON."""

    def __init__(self) -> None:
        self.status = 0
        self.subprotocol: str | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.events: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self.close_reason = ""
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._changed = asyncio.Event()
        self._to_server.put_nowait({"type": "websocket.connect"})

    def say(self, *messages: str | bytes) -> None:
        """Send messages."""
        for message in messages:
            kind = "bytes" if isinstance(message, bytes) else "text"
            self._to_server.put_nowait({"type": "websocket.receive", kind: message})

    def leave(self) -> None:
        """Be gone."""
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1006})

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Events of one type."""
        return [event for event in self.events if event["type"] == kind]

    async def until(self, condition: Any) -> None:
        """Wait for what ``condition`` tells of this."""
        async with asyncio.timeout(60):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    async def receive(self) -> dict[str, Any]:
        """ASGI's."""
        return await self._to_server.get()

    async def send(self, message: Mapping[str, Any]) -> None:
        """ASGI's."""
        match message["type"]:
            case "websocket.accept":
                self.status, self.subprotocol = 101, message.get("subprotocol")
            case "websocket.send":
                self.events.append(json.loads(message["text"]))
            case "websocket.close":
                self.close_code = message.get("code", 1000)
                self.close_reason = message.get("reason") or ""
            case "websocket.http.response.start":
                self.status = message["status"]
                self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            case "websocket.http.response.body":
                self.body += message.get("body", b"")
        self._changed.set()


@asynccontextmanager
async def connected(
    app: Any,
    address: str,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] = (),
) -> AsyncIterator[Socket]:
    """A connection that is open, or refused; over when the block is."""
    parts = urlsplit(address)
    sent = {"host": "localhost:8000", **(headers or {})}
    scope = {
        "type": "websocket",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 5),
        "server": ("localhost", 8000),
        "scheme": "ws",
        "root_path": "",
        "subprotocols": list(subprotocols),
        "extensions": {"websocket.http.response": {}},
        "state": {},
    }
    socket = Socket()
    serving = asyncio.create_task(app(scope, socket.receive, socket.send))
    try:
        await socket.until(lambda found: found.status or found.close_code is not None)
        yield socket
        socket.leave()
        async with asyncio.timeout(60):
            await serving
    finally:
        serving.cancel()
