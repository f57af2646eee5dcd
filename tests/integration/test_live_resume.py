"""Live sessions over real services that are killed, and over sockets that are cut."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.support.resuming_client import ResumingClient
from tests.support.server import Server, start_server

SCRIPTED = ("-m", "tests.support.scripted_service")
START = {"source_language": "en", "target_languages": ["pt"], "partials": True}
SPEECH = np.full(12_800, 8_000, "<i2").tobytes()
PAUSE = bytes(2 * 16_000)


def check(client: ResumingClient, utterances: int) -> None:
    finals = client.told("final")
    assert len(finals) == utterances
    ids = [final["segment_id"] for final in finals]
    assert ids == sorted(set(ids))
    ends = [final["end"] for final in finals]
    assert all(a["end"] <= b["start"] for a, b in pairwise(finals))
    assert ends[-1] == pytest.approx(utterances * 1.8 - 1.0, abs=0.2)
    seqs = [event["seq"] for event in client.events]
    assert seqs == sorted(set(seqs))


@asynccontextmanager
async def cutting(server: Server, seconds: tuple[float, float]) -> AsyncIterator[str]:
    """A way to the server on which connections are cut after a while, without a word."""
    host, port = server.url.removeprefix("http://").split(":")
    chance = random.Random(5)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, downstream = await asyncio.open_connection(host, int(port))

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()

        both = [
            asyncio.create_task(copy(reader, downstream)),
            asyncio.create_task(copy(upstream, writer)),
        ]
        await asyncio.wait(both, timeout=chance.uniform(*seconds))
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        writer.transport.abort()
        downstream.transport.abort()

    relay = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{relay.sockets[0].getsockname()[1]}"
    finally:
        relay.close()


async def test_a_socket_that_is_cut_again_and_again_loses_and_doubles_nothing() -> None:
    utterances = 12
    with start_server(arguments=SCRIPTED) as server:
        async with cutting(server, (0.7, 2.5)) as address:
            client = ResumingClient(
                lambda: address, server.headers, (SPEECH + PAUSE) * utterances, START, pace=2.0
            )
            async with asyncio.timeout(90):
                await client.run()
            assert client.connections > 3
            assert client.done
            check(client, utterances)
        assert "Traceback" not in server.log()


async def test_a_service_that_is_killed_three_times_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    utterances, settings = 12, {"DATA_DIR": str(tmp_path)}
    addresses, headers = [""], {}
    client: ResumingClient | None = None
    running: asyncio.Task[None] | None = None
    for life in range(4):
        with start_server(settings, arguments=SCRIPTED, keyed=not headers) as server:
            headers = headers or dict(server.headers)
            addresses.append(server.socket_url)
            if client is None:
                client = ResumingClient(
                    lambda: addresses[-1],
                    headers,
                    (SPEECH + PAUSE) * utterances,
                    START,
                    pace=2.0,
                    waits=True,
                )
                running = asyncio.create_task(client.run())
            assert running
            if life == 3:
                async with asyncio.timeout(60):
                    await running
                break
            heard = len(client.told("final"))
            async with asyncio.timeout(30):
                while len(client.told("final")) < heard + 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            os.kill(server.process.pid, signal.SIGKILL)
            await asyncio.to_thread(server.process.wait)
    assert client
    assert client.connections == 4
    check(client, utterances)


async def test_a_token_is_good_once_and_for_its_owner() -> None:
    with start_server(arguments=SCRIPTED) as server:
        client = ResumingClient(lambda: server.socket_url, server.headers, SPEECH, START, pace=50)
        await client.run()
        assert client.done
        for token in (client.token, "nonsense"):
            again = ResumingClient(lambda: server.socket_url, server.headers, b"", {"type": "x"})
            again.token = token
            await again.run()
            assert again.refused == "resume_refused"


async def test_a_service_that_is_told_to_stop_hands_its_sessions_on(tmp_path: Path) -> None:
    """They end with 1012 where the sentence does, and go on at the next one by their token."""
    utterances, settings = 12, {"DATA_DIR": str(tmp_path)}
    address, headers = "", {}

    def client_of(server: Server) -> ResumingClient:
        pcm = (SPEECH + PAUSE) * utterances
        return ResumingClient(lambda: address, dict(server.headers), pcm, START, pace=2.0)

    with start_server(settings, arguments=SCRIPTED) as server:
        address, headers = server.socket_url, dict(server.headers)
        client = client_of(server)
        running = asyncio.create_task(client.run())
        async with asyncio.timeout(30):
            while len(client.told("final")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        os.kill(server.process.pid, signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 30) == 0
        assert client.socket is not None
        assert (client.socket.close_code, client.socket.close_reason) == (1012, "shutting_down")
        (done,) = client.told("done")
        assert done["reason"] == "shutting_down"
    with start_server(settings, arguments=SCRIPTED, keyed=False) as server:
        server.headers, address = headers, server.socket_url
        async with asyncio.timeout(60):
            await running
    assert (client.connections, client.refused) == (2, "")
    assert [event["resumed"] for event in client.told("ready")] == [False, True]
    finals = client.told("final")
    assert len({final["segment_id"] for final in finals}) == len(finals) >= utterances
    assert all(a["end"] <= b["start"] for a, b in pairwise(finals))
    assert finals[-1]["end"] == pytest.approx(utterances * 1.8 - 1.0, abs=0.2)
