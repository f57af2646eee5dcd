"""Work that nobody waits for any more is not begun: over HTTP, with a real engine process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import Server, start_server

PROGRAM = ("-m", "tests.support.engine_service")
LANGUAGES = {"source_language": "en", "target_language": "pt"}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "batches"


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """While this is there, a call that was begun does not end."""
    file = tmp_path / "held"
    file.touch()
    return file


@pytest.fixture
def service(log: Path, held: Path) -> Iterator[Server]:
    """One call at a time."""
    options = json.dumps({"held_while": str(held), "log": str(log)})
    settings = {"ENGINE_OPTIONS": options, "HEALTH_ENGINE_IDLE_S": "0"}
    with start_server(settings, arguments=PROGRAM) as running:
        yield running


def batches(log: Path) -> list[str]:
    """What reached the engine."""
    return log.read_text().splitlines()


def post(client: httpx.AsyncClient, text: str, **headers: str) -> asyncio.Task[httpx.Response]:
    body = {"text": text, **LANGUAGES}
    return asyncio.create_task(client.post("/translate/text", json=body, headers=headers))


async def until(client: httpx.AsyncClient, *, queued: int, in_flight: int = 1) -> None:
    wanted = {("queued", queued), ("in_flight", in_flight)}
    async with asyncio.timeout(20):
        while True:
            engine = (await client.get("/health")).json()["engines"]["echo"]
            if {(name, engine[name]) for name, _ in wanted} == wanted:
                return
            await asyncio.sleep(0.01)


async def test_a_client_that_leaves_takes_its_queued_work_along(
    service: Server, log: Path, held: Path
) -> None:
    async with service.async_client() as client:
        first = post(client, "first one")
        await until(client, queued=0)
        async with service.async_client() as leaving:
            victim = post(leaving, "nobody waits for this")
            await until(client, queued=1)
            victim.cancel()
            await asyncio.wait([victim])
        await until(client, queued=0)
        last = post(client, "last one")
        await asyncio.to_thread(held.unlink)
        assert (await first).json()["translation"] == "pt:first one"
        assert (await last).json()["translation"] == "pt:last one"
    assert batches(log) == ["first one", "last one"]


async def test_work_that_is_too_late_is_not_begun(service: Server, log: Path, held: Path) -> None:
    async with service.async_client() as client:
        first = post(client, "first one")
        await until(client, queued=0)
        late = post(client, "too late", **{"X-Request-Timeout": "0.3"})
        answer = await late
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        assert first.done() is False
        last = post(client, "last one")
        await asyncio.to_thread(held.unlink)
        assert (await first).status_code == (await last).status_code == 200
        over = await post(client, "it is over", **{"X-Request-Timeout": "0.000001"})
        assert (over.status_code, over.json()["code"]) == (504, "deadline_exceeded")
        assert (await client.get("/health")).json()["engines"]["echo"]["in_flight"] == 0
    assert batches(log) == ["first one", "last one"]


async def test_a_deadline_reaches_the_call_that_runs(service: Server, held: Path) -> None:
    async with service.async_client() as client:
        answer = await post(client, "half way", **{"X-Request-Timeout": "2"})
        assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
        await until(client, queued=0, in_flight=1)  # it cannot be called back
        await asyncio.to_thread(held.unlink)
        assert (await post(client, "next one")).json()["translation"] == "pt:next one"
