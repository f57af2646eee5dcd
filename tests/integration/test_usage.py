"""Usage under real faults: a service that is killed, a database that goes and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from speech_translator.storage import Database, DatabaseConfig, UsageStore
from speech_translator.storage.usage import Totals
from tests.support.live_client import live_session, stream
from tests.support.postgres_server import PostgresServer, postgres_server
from tests.support.server import Server, start_server

SCRIPTED = ("-m", "tests.support.scripted_service")
BODY = {"source_language": "en", "target_language": "pt"}
ALL = {"first": "0000-00-00", "last": "9999-99-99"}


def translate(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/translate/text", json={"text": text, **BODY})


def texts(count: int, start: int = 0) -> list[str]:
    """Distinct texts of ten characters each."""
    return [f"text {number:05}" for number in range(start, start + count)]


def totals(url: str) -> Totals:
    async def read() -> Totals:
        database = Database(DatabaseConfig(url))
        try:
            return await UsageStore(database).totals(**ALL)
        finally:
            await database.close()

    return asyncio.run(read())


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def written(directory: Path) -> int:
    """Entries on disk."""
    return sum(file.read_bytes().count(b"\n") for file in (directory / "usage").glob("*.usage"))


def test_a_killed_service_loses_no_usage_that_was_on_disk_and_doubles_none(
    tmp_path: Path,
) -> None:
    settings = {"DATA_DIR": str(tmp_path)}
    url = f"sqlite:///{tmp_path}/speech-translator.db"
    with start_server(settings, arguments=SCRIPTED) as server:
        headers = dict(server.headers)
        with server.client() as client:
            for text in texts(20):
                assert translate(client, text).status_code == 200
            until(lambda: totals(url).requests == 20)
            for text in texts(15, 20):
                assert translate(client, text).status_code == 200
            until(lambda: written(tmp_path) + totals(url).requests - 20 >= 15)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
    with start_server(settings, arguments=SCRIPTED, keyed=False) as server:
        server.headers = headers
        until(lambda: totals(url).requests == 35)
        with server.client() as client:
            assert translate(client, "once more.").status_code == 200
            found = client.get("/usage").json()
            assert (found["month"]["requests"], found["month"]["characters"]) == (36, 360)
            remaining = {one["name"]: one["remaining"] for one in found["limits"]}
            assert remaining["characters-month"] == 500_000_000 - 360
            assert remaining["requests-day"] == 1_000_000 - 36
    assert totals(url) == Totals(36, 360, 0)


@pytest.fixture(scope="module")
def postgres():
    with postgres_server() as server:
        yield server


def test_a_database_that_goes_and_comes_back_costs_no_usage(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.create("usage")
    settings = {"DATA_DIR": str(tmp_path), "DATABASE_URL": url}
    with start_server(settings, arguments=SCRIPTED) as server, server.client() as client:
        for text in texts(10):
            assert translate(client, text).status_code == 200
        postgres.stop()
        for text in texts(30, 10):
            assert translate(client, text).status_code == 200
        unseen = {"X-API-Key": _key_nobody_has_seen(server)}
        assert translate_with(client, unseen).status_code in {401, 503}
        postgres.start()
        until(lambda: totals(url).requests == 40)
        assert client.get("/usage").json()["month"]["characters"] == 400
    assert totals(url) == Totals(40, 400, 0)


def translate_with(client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
    return client.post("/translate/text", json={"text": "Hello.", **BODY}, headers=headers)


def _key_nobody_has_seen(server: Server) -> str:
    from speech_translator.security.api_keys import generate

    return generate().text


LIVE = {"source_language": "en", "target_languages": ["pt"]}
SPEECH = np.full(16_000, 8000, "<i2").tobytes()
PAUSE = bytes(2 * 16_000)


async def test_a_live_session_ends_with_the_sound_of_the_month_and_no_other_begins(
    tmp_path: Path,
) -> None:
    tiers = tmp_path / "tiers.toml"
    tiers.write_text("[enterprise]\naudio_minutes_per_month = 1\n")
    settings = {"DATA_DIR": str(tmp_path), "TIERS_FILE": str(tiers)}
    with start_server(settings, arguments=SCRIPTED) as server, server.client() as client:
        first = await stream(server, (SPEECH + PAUSE) * 10, **LIVE)
        assert (first.close_code, first.close_reason) == (1000, "end")
        used = client.get("/usage").json()
        assert used["month"] == {"requests": 1, "characters": 0, "audio_seconds": 20.0}
        assert used["limits"][-1]["remaining"] == 40
        second = await stream(server, (SPEECH + PAUSE) * 30, **LIVE)
        assert (second.close_code, second.close_reason) == (1008, "limit_exceeded")
        assert len(second.told("final")) == 20  # all that was heard is told
        assert second.events[-1]["code"] == "limit_exceeded"
        assert second.events[-1]["fatal"]
        with pytest.raises(InvalidStatus) as refused:
            async with live_session(server, **LIVE):
                pass
        answer = refused.value.response
        assert answer.status_code == 429
        assert b'"policy":"audio-month"' in answer.body
        assert '"audio-month";r=0' in answer.headers["ratelimit"]
        assert client.get("/usage").json()["month"]["audio_seconds"] == pytest.approx(60, abs=0.2)


async def test_what_a_killed_session_heard_is_known(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/speech-translator.db"
    settings = {"DATA_DIR": str(tmp_path)}
    with start_server(settings, arguments=SCRIPTED) as server:
        async with live_session(server, **LIVE) as session:
            await session.send((SPEECH + PAUSE) * 7)
            await session.until(lambda self: len(self.told("final")) == 7)
            await asyncio.sleep(1)
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
    with start_server(settings, arguments=SCRIPTED, keyed=False):
        await asyncio.to_thread(until, lambda: totals(url).audio_ms >= 13_000)
    found = await asyncio.to_thread(totals, url)
    assert found.requests == 1
    assert found.audio_ms <= 14_000
