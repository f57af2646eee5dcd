"""A database that is locked, gone and back, under load: known keys work on, usage is complete."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from speech_translator.security.api_keys import generate
from tests.chaos.conftest import Pace, Start, client_of, show
from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.server import Server
from tests.support.traffic import traffic

TEXT = (("text",), ("text",))
Fault = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


async def usage(server: Server) -> tuple[int, int]:
    """Requests and characters that are billed."""
    async with server.async_client() as client:
        month = (await client.get("/usage")).json()["month"]
    return month["requests"], month["characters"]


async def under_load(server: Server, pace: Pace, fault: Fault, name: str) -> None:
    """The load goes on through the fault; afterwards every request is billed once."""
    unseen = {"X-API-Key": generate().text}
    async with traffic(client_of(server), TEXT) as load:
        for _ in range(pace.rounds):
            await asyncio.sleep(pace.pause_s)
            async with fault():
                await asyncio.sleep(2 * pace.pause_s)
                async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
                    asked = {"text": "a", "source_language": "en", "target_language": "pt"}
                    answer = await client.post(
                        "/translate/text", json=asked, headers=unseen, timeout=30
                    )
                assert answer.status_code in {401, 503}, "a key that nobody has seen is not let in"
        await asyncio.sleep(pace.pause_s)
    show(f"database, {name}", load)
    assert load.bad() == []
    assert load.count()["refused"] == 0
    expected = (len(load.outcomes), len(load.outcomes) * len("The number of the house is 1000."))
    until = time.monotonic() + 30
    while (found := await usage(server)) != expected:
        assert time.monotonic() < until, (found, expected)
        await asyncio.sleep(0.2)


async def test_a_database_that_goes_and_comes_back(
    start: Start, postgres: PostgresServer, pace: Pace, tmp_path: Path
) -> None:
    @asynccontextmanager
    async def gone() -> AsyncIterator[None]:
        await asyncio.to_thread(postgres.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(postgres.start)

    settings = {"DATABASE_URL": postgres.create("chaos"), "TRANSCRIBERS": "[]"}
    with start({**settings, "DATA_DIR": str(tmp_path)}) as server:
        await under_load(server, pace, gone, "gone")


async def test_a_file_that_somebody_else_has_locked(
    start: Start, pace: Pace, tmp_path: Path
) -> None:
    @asynccontextmanager
    async def locked() -> AsyncIterator[None]:
        other = sqlite3.connect(tmp_path / "speech-translator.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
        other.close()

    with start({"DATA_DIR": str(tmp_path), "TRANSCRIBERS": "[]"}) as server:
        await under_load(server, pace, locked, "locked")
