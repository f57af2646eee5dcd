"""Clients that are slow, silent or many, beside one that works: they hold nobody up."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from urllib.parse import urlsplit

import pytest

from tests.chaos.conftest import Pace, Start, client_of, show
from tests.support.server import Server
from tests.support.traffic import traffic

IDLE = 10_000
FORM = (
    b"POST /transcribe/audio HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n%s\r\n--b\r\n"
)


async def connect(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = urlsplit(server.url)
    return await asyncio.open_connection(address.hostname, address.port)


async def end_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server hangs up."""
    with contextlib.suppress(ConnectionError):
        return await reader.read()
    return b""


async def drip(server: Server, head: bytes) -> bytes:
    """One byte of ``head`` every tenth of a second, and then nothing for ever."""
    reader, writer = await connect(server)
    ended = asyncio.create_task(end_of(reader))
    with contextlib.suppress(ConnectionError):
        for byte in head:
            writer.write(bytes([byte]))
            await writer.drain()
            done, _ = await asyncio.wait({ended}, timeout=0.1)
            if done:
                break
    answer = await ended
    writer.close()
    return answer


async def stall(server: Server) -> bytes:
    """An upload that stops in its middle."""
    reader, writer = await connect(server)
    key = f"X-API-Key: {server.headers['X-API-Key']}\r\n".encode()
    writer.write(FORM % key)
    answer = await end_of(reader)
    writer.close()
    return answer


async def half_open(server: Server) -> bytes:
    """A connection of which one direction is closed before anything was asked."""
    reader, writer = await connect(server)
    writer.write_eof()
    answer = await end_of(reader)
    writer.close()
    return answer


async def test_clients_that_never_finish_are_cut_off_and_hold_nobody_up(
    start: Start, pace: Pace
) -> None:
    settings = {"HEADER_TIMEOUT_S": "2", "BODY_TIMEOUT_S": "2", "TRANSCRIBERS": '["whisper"]'}
    head = b"GET /languages HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"a" * 10_000
    with start(settings) as server:
        async with traffic(client_of(server), (("text",), ("text",))) as load:
            for _ in range(pace.rounds):
                async with asyncio.timeout(60):
                    answers = await asyncio.gather(
                        *(drip(server, head) for _ in range(30)),
                        *(stall(server) for _ in range(30)),
                        *(half_open(server) for _ in range(30)),
                    )
                assert not any(answer.startswith(b"HTTP/1.1 2") for answer in answers)
                assert all(b" 408 " in answer[:14] for answer in answers[30:60])
            await asyncio.sleep(pace.pause_s)
        show("slow clients", load)
        assert load.bad() == []
        assert load.count()["refused"] == 0


async def test_idle_connections_hold_nobody_up(start: Start, pace: Pace) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(IDLE, hard - 1000)
    opened: list[asyncio.StreamWriter] = []
    try:
        with start({"TRANSCRIBERS": "[]"}) as server:
            async with traffic(client_of(server), (("text",), ("text",))) as load:
                for _ in range(count):
                    with contextlib.suppress(ConnectionError):
                        opened.append((await connect(server))[1])
                assert len(opened) > count // 2
                await asyncio.sleep(2 * pace.pause_s)
            show("idle connections", load, opened=len(opened))
            assert load.bad() == []
            assert load.count()["refused"] == 0
            for writer in opened:
                writer.transport.abort()
            async with server.async_client() as client:
                assert (await client.get("/health/live")).status_code == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_there_is_room_for_ten_thousand() -> None:
    """Where this fails, the system allows this process fewer files than the test above opens."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= IDLE + 1000


pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
