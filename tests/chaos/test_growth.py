"""An engine that leaks, under load: it is replaced again and again, and nobody loses a request."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.chaos.conftest import Pace
from tests.support.server import Server, start_server

CAP_MB = 120
LANGUAGES = {"source_language": "en", "target_language": "pt"}


@pytest.fixture
def leaking(unlimited: Path) -> Iterator[Server]:
    """A service whose engine keeps 32 MiB of every text that says so."""
    settings = {
        "TIERS_FILE": str(unlimited),
        "ENGINE_MEMORY_GROWTH_MB": str(CAP_MB),
        "ENGINE_OPTIONS": json.dumps({"seconds": 0.005}),
    }
    with start_server(settings, arguments=("-m", "tests.support.engine_service")) as running:
        yield running


async def outgrown(http: httpx.AsyncClient) -> int:
    """How often a process was replaced for what it had added."""
    line = 'speech_translator_engine_events_total{engine="echo",event="engine_outgrown"} '
    _, found, rest = (await http.get("/metrics")).text.partition(line)
    return int(float(rest.split(maxsplit=1)[0])) if found else 0


async def test_an_engine_that_leaks_is_replaced_and_loses_nothing(
    leaking: Server, pace: Pace
) -> None:
    asked: list[str] = []
    wrong: list[tuple[int, str]] = []
    over = asyncio.Event()

    async def client(number: int) -> None:
        async with leaking.async_client() as http:
            for count in itertools.count():
                text = f"LEAK {count}" if number == 0 else f"text {number} {count}"
                asked.append(text)
                answer = await http.post("/translate/text", json={**LANGUAGES, "text": text})
                if answer.status_code != 200 or answer.json()["translation"] != f"pt:{text}":
                    wrong.append((answer.status_code, answer.text))
                if over.is_set():
                    return
                await asyncio.sleep(0.2 if number == 0 else 0)

    clients = [asyncio.create_task(client(number)) for number in range(6)]
    async with leaking.async_client() as http, asyncio.timeout(120 * pace.rounds):
        while await outgrown(http) < 1 + pace.rounds:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
        over.set()
        await asyncio.gather(*clients)
        replaced = await outgrown(http)
    sys.stdout.write(f"\ngrowth: {len(asked)} requests, {replaced} processes outgrown\n")
    assert wrong == []
    exits = [line for line in leaking.log().splitlines() if '"event":"engine_exited"' in line]
    assert len(exits) >= 1 + pace.rounds
    assert {(json.loads(line)["reason"], json.loads(line)["in_flight"]) for line in exits} == {
        ("outgrown", 0)
    }
