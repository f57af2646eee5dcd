"""Errors of our tree as another application's sockets tell them."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from speech_translator.errors import Forbidden, Overloaded, SpeechTranslatorError
from speech_translator.problems import on_error


async def early(_socket: WebSocket) -> None:
    raise Forbidden("Not with this key.")


async def late(socket: WebSocket) -> None:
    await socket.accept()
    raise Overloaded("Too much.")


async def closed(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close(1000)
    raise Overloaded("Too much.")


APP = Starlette(
    routes=[WebSocketRoute(f"/{end.__name__}", end) for end in (early, late, closed)],
    exception_handlers={SpeechTranslatorError: on_error},
)


def test_a_socket_is_refused_as_any_request_is() -> None:
    client = TestClient(APP)
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect("/early"):
        pass
    assert refused.value.status_code == 403
    assert refused.value.headers["content-type"] == "application/problem+json"
    assert refused.value.json()["code"] == "forbidden"


@pytest.mark.parametrize(("path", "code"), [("/late", 1013), ("/closed", 1000)])
def test_a_socket_that_is_open_is_closed_once_and_says_why(path: str, code: int) -> None:
    with TestClient(APP).websocket_connect(path) as socket:
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_text()
        assert (end.value.code, end.value.reason) == (code, "overloaded" if code > 1000 else "")


async def sent_by(path: str, **failing: Exception) -> list[dict[str, Any]]:
    """What the application sends to a server that knows no answers to handshakes."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] in failing:
            raise failing[message["type"]]

    scope = {"type": "websocket", "path": path, "headers": [], "subprotocols": []}
    await APP(scope, receive, send)
    return sent


async def test_a_server_without_answers_to_handshakes_is_told_to_close() -> None:
    assert await sent_by("/early") == [
        {"type": "websocket.close", "code": 1008, "reason": "forbidden"}
    ]


async def test_a_client_that_has_left_is_no_error() -> None:
    *_, last = await sent_by("/late", **{"websocket.close": OSError("gone")})
    assert last["type"] == "websocket.close"
