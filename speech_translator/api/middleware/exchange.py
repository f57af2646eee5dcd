"""One connection's answer on its way out, and what its log line says: sizes, status, and who."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from speech_translator.errors import SpeechTranslatorError
from speech_translator.problems import problem_response
from speech_translator.security.answer_headers import headers_of, with_headers
from speech_translator.security.guard import ANONYMOUS, Caller

HEAD_ONLY = "speech_translator.head_only"
"""Key of a request's scope: nobody reads the body of its answer."""

_LAST = (b"connection", b"close")
_SWITCHED = 101


class Exchange:
    """A request and its answer."""

    __slots__ = ("_draining", "_receive", "_send", "bytes_in", "bytes_out", "state", "status")

    def __init__(
        self, receive: Receive, send: Send, state: dict[str, Any], draining: Callable[[], bool]
    ) -> None:
        self._receive = receive
        self._send = send
        self._draining = draining
        self.state = state
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0

    async def receive(self) -> Message:
        """Take a message in, and count it."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on, with our headers on the first."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            headers.extend(headers_of(self.state))
            if self._draining():
                headers.append(_LAST)
        elif message["type"] == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
        await self._send(message)

    async def fail(self, scope: Scope, error: SpeechTranslatorError) -> None:
        """Answer with a problem document."""
        response = problem_response(error, self.state["request_id"])
        await response(scope, self._receive, self.send)


class SocketExchange:
    """A WebSocket, from its handshake to its end; ``close_code`` is None where it never opened."""

    __slots__ = ("_receive", "_send", "bytes_in", "bytes_out", "close_code", "state", "status")

    def __init__(self, receive: Receive, send: Send, state: dict[str, Any]) -> None:
        self._receive = receive
        self._send = with_headers(send, state)
        self.state = state
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.close_code: int | None = None

    async def receive(self) -> Message:
        """Take a message in, and count it."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self.bytes_in += _size(message)
        elif message["type"] == "websocket.disconnect" and self.status == _SWITCHED:
            self.close_code = self.close_code or message.get("code")
        return message

    async def send(self, message: Message) -> None:
        """Pass a message on, and count it."""
        kind = message["type"]
        if kind == "websocket.send":
            self.bytes_out += _size(message)
        elif kind == "websocket.accept":
            self.status = _SWITCHED
        elif kind == "websocket.http.response.start":
            self.status = message["status"]
        elif kind == "websocket.close":
            if self.status:
                self.close_code = message.get("code", 1000)
            self.status = self.status or 403  # what a server makes of it before the socket opens
        await self._send(message)


def _size(message: Message) -> int:
    data = message.get("bytes")
    return len(data) if data is not None else len(message.get("text") or "")


def who(state: dict[str, Any]) -> dict[str, str]:
    """Whose request it was, and by which key, for its log line."""
    caller: Caller | None = state.get("caller")
    if caller is None:
        return {"owner": ANONYMOUS, "key_id": ""}
    return {"owner": caller.owner, "key_id": caller.principal.key_id}
