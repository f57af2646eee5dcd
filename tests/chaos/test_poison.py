"""One tenant whose texts crash, hang or fill the engine, ten a second: others see no error."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.conftest import Pace, client_of, show
from tests.support.server import Server, start_server
from tests.support.traffic import traffic

A_SECOND = 10


async def poison(server: Server, mark: str, done: asyncio.Event) -> Counter[int]:
    """What the tenant is told, by status."""
    key = await asyncio.to_thread(server.make_key, "poisoner")
    statuses: Counter[int] = Counter()
    running: set[asyncio.Task[None]] = set()

    async with server.async_client(headers={"X-API-Key": key}) as client:

        async def one(number: int) -> None:
            text = f"{mark} {number}"
            body = {"text": text, "source_language": "en", "target_language": "pt"}
            statuses[(await client.post("/translate/text", json=body)).status_code] += 1

        for number in itertools.count():
            if done.is_set():
                break
            running.add(asyncio.create_task(one(number)))
            await asyncio.sleep(1 / A_SECOND)
        await asyncio.gather(*running)
    return statuses


@pytest.mark.parametrize("mark", ["CRASH", "HANG", "GROW", "RAISE"])
async def test_others_see_no_error_beside_poison(unlimited: Path, pace: Pace, mark: str) -> None:
    environment = {
        "TIERS_FILE": str(unlimited),
        "ENGINE_CALL_TIMEOUT_S": "2",
        "ENGINE_MEMORY_LIMIT_MB": "512",
        "REQUEST_TIMEOUT_S": "30",
    }
    arguments = ("-m", "tests.support.fragile_service")
    with start_server(environment, arguments=arguments) as server:
        done = asyncio.Event()
        async with traffic(client_of(server), (("text",), ("text",), ("text",))) as load:
            poisoning = asyncio.create_task(poison(server, mark, done))
            await asyncio.sleep(5 * pace.pause_s * pace.rounds)
            done.set()
            statuses = await poisoning
        slowest = max(one.seconds for one in load.outcomes)
        show(f"poison, {mark}", load, told=dict(statuses), slowest=round(slowest, 2))
        assert load.bad() == []
        assert load.count()["refused"] == 0
        assert statuses.total() > 0
        assert not statuses[200]
