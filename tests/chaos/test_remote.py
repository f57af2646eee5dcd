"""A remote engine that fails in every way, under load: the next engine answers, and says so."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator

import pytest

from tests.chaos.conftest import Pace, Start, client_of, show
from tests.support.openai_server import (
    KEY,
    Answer,
    OpenAiServer,
    Request,
    chat,
    error,
    model,
    openai_server,
)
from tests.support.server import Server
from tests.support.traffic import Traffic, traffic

FAULTS = {
    "500": lambda _: error(500, "Internal error"),
    "429": lambda _: error(429, "Slow down", retry_after="1"),
    "garbage": lambda _: Answer(b"<html>\xff\x00 not what you wanted", content_type="text/html"),
    "lies": lambda _: chat("I am sorry, I cannot help with that."),
    "half": lambda request: Answer(model(request).content(), cut_after=40),
    "nothing": lambda request: Answer(model(request).content(), drip_s=5.0),
}


@pytest.fixture(scope="module")
def remote() -> Iterator[OpenAiServer]:
    with openai_server() as server:
        server.handlers["chat/completions"] = faithful
        yield server


def faithful(request: Request) -> Answer:
    """Translates as the embedded engine would: numbers stay."""
    (number,) = re.findall(r"house is (\d+)", request.json()["messages"][1]["content"])
    return chat(f"O número da casa é {number}.")


@pytest.fixture(scope="module")
def service(start: Start, remote: OpenAiServer) -> Iterator[Server]:
    settings = {
        "TRANSLATORS": '["openai", "bergamot"]',
        "TRANSCRIBERS": "[]",
        "OPENAI_URL": remote.url,
        "OPENAI_API_KEY": KEY,
        "OPENAI_TRANSLATION_MODEL": "a-model",
        "ENGINE_CALL_TIMEOUT_S": "3",
    }
    with start(settings) as server:
        yield server


async def until_right(load: Traffic, since: float) -> None:
    """Return once the remote engine answers what was asked ``since`` then."""
    async with asyncio.timeout(60):
        while not load.count(since)["right"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("name", FAULTS)
async def test_the_next_engine_answers_while_the_remote_one_fails(
    service: Server, remote: OpenAiServer, pace: Pace, name: str
) -> None:
    async with traffic(client_of(service), (("text",), ("text",), ("text",))) as load:
        for _ in range(pace.rounds):
            await asyncio.sleep(pace.pause_s)
            remote.handlers["chat/completions"] = FAULTS[name]
            await asyncio.sleep(3 * pace.pause_s)
            remote.handlers["chat/completions"] = faithful
            await until_right(load, time.monotonic())
    show(f"remote, {name}", load)
    assert load.bad() == []
    assert load.count()["refused"] == 0
    assert load.count()["degraded"] > 0
