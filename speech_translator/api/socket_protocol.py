"""uvicorn's WebSocket protocol with an end for clients that do not read.

Without it uvicorn waits for room in the socket before it sends a close frame, and for the client to
have read everything before it lets go of the connection: who reads nothing would hold it for ever.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent


class BoundedSocketProtocol(WebSocketsSansIOProtocol):
    """Sends a close at once, behind what the client has not read, and cuts the line in the end.

    ``end_s`` counts from the application's end of the session; it covers the closing handshake,
    for which uvicorn waits 10 s.
    """

    end_s: ClassVar[float] = 15.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._end_timer: asyncio.TimerHandle | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """Send, as soon as the client has read enough; a close without waiting."""
        if message["type"] == "websocket.close":
            self.writable.set()
        await super().send(message)

    async def run_asgi(self) -> None:
        """Serve the connection, and see to its end."""
        await super().run_asgi()
        if not self.disconnected:
            self._end_timer = self.loop.call_later(self.end_s, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer with the connection."""
        if self._end_timer is not None:
            self._end_timer.cancel()
        super().connection_lost(exc)
