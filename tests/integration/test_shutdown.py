"""The service stops: what is under way ends well, what is new is refused, and a second word counts.

The real server over scripted engines, ended by real signals.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from speech_translator.security.usage_segments import SUFFIX
from tests.support.live_client import live_session
from tests.support.server import Server, start_server

TEXT = {"source_language": "en", "target_language": "pt"}
SPEECH = np.full(16_000, 8000, "<i2").tobytes()
SIGNALS = [signal.SIGTERM, signal.SIGINT]


@contextmanager
def service(grace_s: float) -> Iterator[Server]:
    settings = {"SHUTDOWN_GRACE_S": str(grace_s)}
    with start_server(settings, arguments=("-m", "tests.support.scripted_service")) as running:
        yield running


async def begin(server: Server, text: str) -> asyncio.Task[httpx.Response]:
    """A request that is under way: ``short`` takes three seconds, ``slow`` a minute."""

    async def post() -> httpx.Response:
        async with server.async_client() as client:
            return await client.post("/translate/text", json={**TEXT, "text": text})

    request = asyncio.create_task(post())
    async with asyncio.timeout(30), server.async_client() as client:
        figure = "speech_translator_http_requests_in_flight 2.0"
        while figure not in (await client.get("/metrics")).text:  # noqa: ASYNC110 # another process
            await asyncio.sleep(0.02)
    return request


async def ended(server: Server, seconds: float) -> int:
    """Its exit status, within ``seconds``."""
    return await asyncio.to_thread(server.process.wait, seconds)


@pytest.mark.parametrize("number", SIGNALS)
async def test_requests_are_finished_while_probes_are_answered_and_the_rest_refused(
    number: int,
) -> None:
    with service(60) as server:
        request = await begin(server, "short")
        server.process.send_signal(number)
        async with server.async_client() as client:
            await until_draining(client)
            assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/metrics")).status_code == 200
            refused = await client.post("/translate/text", json={**TEXT, "text": "Hello"})
        assert (refused.status_code, refused.json()["code"]) == (503, "draining")
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["connection"] == "close"
        with pytest.raises(InvalidStatus) as denied:
            async with live_session(server):
                pass
        assert json.loads(denied.value.response.body)["code"] == "draining"
        answer = await request
        assert answer.json()["translation"] == "pt:short"
        assert answer.headers["connection"] == "close"
        assert await ended(server, 40) == 0
        with pytest.raises(httpx.TransportError):
            await httpx.AsyncClient(trust_env=False).get(server.url)
        assert "Traceback" not in server.log()


async def until_draining(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while (await client.get("/health/ready")).json()["status"] != "draining":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_idle_service_stops_at_once() -> None:
    with service(60) as server, server.client() as client:
        client.get("/health")  # a connection that is kept
        server.process.send_signal(signal.SIGTERM)
        assert await ended(server, 40) == 0


async def test_one_grace_period_is_for_everything() -> None:
    """A live session and a request that both outlive it, side by side."""
    with service(6) as server:
        request = await begin(server, "slow")
        async with live_session(server, source_language="de") as session:
            await session.until(lambda each: each.told("ready"))
            await session.send(bytes(96_000) + SPEECH + bytes(32_000))
            await session.until(lambda each: each.told("ack"))
            server.process.send_signal(signal.SIGTERM)
            ending = asyncio.create_task(ended(server, 11.5))  # two of them would be 12
            await session.until_closed()
            assert session.close_code == 1012
            assert session.told("warning")[0]["code"] == "draining"
        answer = await request
        assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
        assert await ending == 0
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_second_signal_ends_it_at_once(number: int) -> None:
    with service(60) as server:
        request = await begin(server, "slow")
        server.process.send_signal(number)
        async with server.async_client() as client:
            await until_draining(client)
        await asyncio.sleep(0.4)
        assert server.process.poll() is None
        server.process.send_signal(number)
        assert await ended(server, 40) == -number
        with pytest.raises(httpx.TransportError):
            await request


async def test_the_same_signal_twice_in_a_moment_is_one() -> None:
    with service(60) as server:
        request = await begin(server, "short")
        for _ in range(2):
            server.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.05)
        assert (await request).json()["translation"] == "pt:short"
        assert await ended(server, 40) == 0


# With the broker and an engine process behind it


@contextmanager
def engine_service(grace_s: float, data: Path, **options: object) -> Iterator[Server]:
    settings = {
        "SHUTDOWN_GRACE_S": str(grace_s),
        "DATA_DIR": str(data),
        "ENGINE_OPTIONS": json.dumps(options),
        "HEALTH_ENGINE_IDLE_S": "0",
    }
    ready = "load_seconds" not in options
    program = ("-m", "tests.support.engine_service")
    with start_server(settings, arguments=program, ready=ready) as running:
        yield running


async def test_what_waits_for_an_engine_is_done_and_all_usage_is_written_down(
    tmp_path: Path,
) -> None:
    texts = ["one", "two", "three"]
    held = tmp_path / "held"
    held.touch()
    with engine_service(60, tmp_path, held_while=str(held)) as server:
        requests = [await begin(server, "zero")]
        async with server.async_client() as client:
            requests += [
                asyncio.create_task(client.post("/translate/text", json={**TEXT, "text": text}))
                for text in texts
            ]
            async with asyncio.timeout(20):
                while (await engine_of(client))["queued"] < len(texts):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            await until_draining(client)
            held.unlink()
            answers = [(await request).json()["translation"] for request in requests]
        assert answers == ["pt:zero", *(f"pt:{text}" for text in texts)]
        assert await ended(server, 40) == 0
    with sqlite3.connect(tmp_path / "speech-translator.db") as database:
        found = database.execute("select sum(requests), sum(characters) from usage").fetchone()
    database.close()
    assert found == (4, len("zeroonetwothree"))
    assert segments(tmp_path) == []


def segments(data: Path) -> list[Path]:
    """What of the usage journal the database does not know yet."""
    return [*data.glob(f"usage/*{SUFFIX}")]


async def engine_of(client: httpx.AsyncClient) -> dict[str, int]:
    engines: dict[str, dict[str, int]] = (await client.get("/health")).json()["engines"]
    return engines["echo"]


async def test_an_engine_that_hangs_gets_no_grace_of_its_own(tmp_path: Path) -> None:
    with engine_service(6, tmp_path) as server:
        request = await begin(server, "HANG")
        server.process.send_signal(signal.SIGTERM)
        ending = asyncio.create_task(ended(server, 11.5))  # two of them would be 12
        answer = await request
        assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
        assert await ending == 0
        assert "Traceback" not in server.log()


async def test_a_service_that_still_loads_stops_at_once(tmp_path: Path) -> None:
    with engine_service(60, tmp_path, load_seconds=50) as server:
        async with server.async_client() as client:
            answer = await client.get("/health/ready")
            assert (answer.status_code, answer.json()["status"]) == (503, "loading")
        server.process.send_signal(signal.SIGTERM)
        assert await ended(server, 40) == 0
        assert "Traceback" not in server.log()
