"""The WebSocket protocol over a real socket, with a client that reads nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from speech_translator.api.socket_protocol import BoundedSocketProtocol

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Impatient(BoundedSocketProtocol):
    end_s = 0.2


@pytest.mark.parametrize("closes", [True, False])
async def test_who_reads_nothing_is_cut_off_once_its_session_is_over(*, closes: bool) -> None:
    over = asyncio.Event()

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while True:
                    await send({"type": "websocket.send", "bytes": bytes(1 << 20)})
        if closes:
            async with asyncio.timeout(20):  # though nothing can be written any more
                await send({"type": "websocket.close", "code": 1008, "reason": "slow_consumer"})
        over.set()

    config = uvicorn.Config(application, ws=Impatient, lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),
        "127.0.0.1",
        0,
    )
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.sendall(HANDSHAKE)
        async with asyncio.timeout(60):
            await over.wait()
            assert state.connections
            while state.connections:  # noqa: ASYNC110 # uvicorn's, without an event
                await asyncio.sleep(0.01)
    server.close()
