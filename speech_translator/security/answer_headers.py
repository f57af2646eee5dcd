"""What every answer says of its request: the id it was given, and what is left of its limits.

Pure ASGI, for HTTP and for WebSocket handshakes::

    app.add_middleware(AnswerHeaders)
"""

from __future__ import annotations

import secrets
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from speech_translator.security.rate_limiter import header_fields

_REQUEST_ID = b"x-request-id"
_STARTS = frozenset(
    {"http.response.start", "websocket.accept", "websocket.http.response.start"},
)


class AnswerHeaders:
    """Gives each request an id, which errors name, and adds ``X-Request-ID`` and the limits.

    The limits are those that ``Guard.admit`` left in the connection's state; see
    ``rate_limiter.header_fields``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "lifespan":
            send = with_headers(send, identified(scope))
        await self._app(scope, receive, send)


def identified(scope: Scope) -> dict[str, Any]:
    """The state of a connection, which has an id from then on: the server's, never the client's."""
    state: dict[str, Any] = scope.setdefault("state", {})
    state.setdefault("request_id", secrets.token_hex(12))
    return state


def headers_of(state: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """What is to be said of a connection with that state."""
    limits = state.get("limits")
    found = [] if limits is None else header_fields(limits)
    return [(_REQUEST_ID, state["request_id"].encode()), *found]


def with_headers(send: Send, state: dict[str, Any]) -> Send:
    """Add them to the answer, unless an application within did."""

    async def forward(message: Message) -> None:
        if message["type"] in _STARTS:
            headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
            if all(name.lower() != _REQUEST_ID for name, _ in headers):
                message["headers"] = [*headers, *headers_of(state)]
        await send(message)

    return forward
