"""uvicorn's HTTP protocol with bounds on the head of a request, which no middleware can see.

Without them a client that sends half a header holds its connection for ever (slowloris), and one
that never ends its header fills the memory.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


ABORT = "speech_translator.abort"
"""ASGI extension: ``call`` cuts the connection, whatever waits to be sent over it."""


class HeadTooLargeError(Exception):
    """Raised inside the parser, which turns it into its own error and a 400."""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes connections whose request head takes too long or grows too large.

    ``head_timeout_s`` counts from the connection, or from the first byte of a further request on
    it, to the end of the head; and for what is left of a body after its answer. Between requests
    uvicorn's keep-alive timer counts.
    """

    head_timeout_s: ClassVar[float] = 10.0
    max_head_bytes: ClassVar[int] = 64 * 1024
    max_head_fields: ClassVar[int] = 100

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_open = True
        self._body_open = False
        self._head_received = 0
        self._head_parsed = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count: a client that connects must say something."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer with the connection."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and look at what the head has become."""
        if self._head_open:
            self._arm()
            self._head_received += len(data)
        super().data_received(data)
        if self.transport.get_protocol() is not self:  # it is a WebSocket's now
            self._disarm()
        elif self._head_open and self._head_received > self.max_head_bytes:
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to count a new head."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"call": self.transport.abort}}
        self._head_parsed = 0
        self._arm()

    def on_url(self, url: bytes) -> None:
        """Count the target's bytes."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a field's bytes; trailers after a chunked body count on."""
        self._count(len(name) + len(value))
        if len(self.headers) >= self.max_head_fields:
            raise HeadTooLargeError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop counting: what follows is the body, which the application reads at a pace."""
        self._head_open = False
        self._body_open = True
        self._head_received = 0
        self._disarm()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect another head; nothing counts before its first byte."""
        super().on_message_complete()
        self._head_open = True
        self._body_open = False
        self._disarm()
        if self.cycle is not None and self.cycle.response_complete:
            self._arm()  # answered before its end came: uvicorn's keep-alive timer is off

    def on_response_complete(self) -> None:
        """Give a body that was refused half-way as long to end as a head has."""
        super().on_response_complete()
        if self._body_open:
            self._arm()

    def _count(self, size: int) -> None:
        self._head_parsed += size
        if self._head_parsed > self.max_head_bytes:
            raise HeadTooLargeError

    def _arm(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout_s, self._give_up)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._arm()  # an earlier request on this connection is still being answered
        elif not self.transport.is_closing():
            self.transport.close()


def bounded(head_timeout_s: float) -> type[BoundedHttpProtocol]:
    """The protocol with a timeout of its own; uvicorn takes a class, not an object."""
    return type(
        "ConfiguredHttpProtocol", (BoundedHttpProtocol,), {"head_timeout_s": head_timeout_s}
    )
