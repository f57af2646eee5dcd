"""Two services behind NGINX, of which one is killed or restarted under load: nobody notices.

NGINX passes a request on where nobody listens, where a connection breaks before an answer, and on a
503, which says that nothing was done. What breaks in the middle of an answer the client sends
again, under the same ``Idempotency-Key``.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chaos.conftest import Pace, Start, show
from tests.support.nginx import nginx
from tests.support.ports import free_port
from tests.support.redis_server import redis_server
from tests.support.server import Server
from tests.support.traffic import Client, Traffic, traffic

CLIENTS = (("text", "several"), ("text",), ("several", "text"))


@dataclass
class Pair:
    """Two services on fixed ports, which can be started again, and NGINX before them."""

    begin: Start
    environment: dict[str, str]
    ports: tuple[int, int]
    url: str = ""
    key: str = ""
    servers: list[Server] = field(default_factory=list)
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self, index: int) -> None:
        """Start one of them (again)."""
        environment = {**self.environment, "PORT": str(self.ports[index])}
        server = self.stack.enter_context(self.begin(environment))
        self.servers[index : index + 1] = [server]

    def client(self) -> Client:
        """How load reaches them: by a key of its own, of which nothing was billed before."""
        self.key = self.servers[0].make_key(f"tests-{uuid.uuid4().hex}")
        return Client(self.url, {"X-API-Key": self.key}, attempts=4)


@pytest.fixture(scope="module")
def pair(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder: Path = tmp_path_factory.mktemp("pair")
    with redis_server() as redis, contextlib.ExitStack() as stack:
        environment = {
            "DATA_DIR": str(folder),
            "REDIS_URL": f"unix://{redis.socket}",
            "REPLICAS": "2",
            "TRANSCRIBERS": "[]",
            "TRUSTED_HOSTS": '["127.0.0.1"]',
        }
        made = Pair(start, environment, (free_port(), free_port()), stack=stack)
        for index in range(2):
            made.start(index)
        with nginx(made.ports) as made.url:
            yield made


async def usage(pair: Pair) -> int:
    """Requests that are billed."""
    async with pair.servers[0].async_client(headers={"X-API-Key": pair.key}) as client:
        return int((await client.get("/usage")).json()["month"]["requests"])


async def until_billed(pair: Pair, load: Traffic) -> None:
    """Usage comes to what was asked for: nothing twice, though it may have been sent twice."""
    until = time.monotonic() + 30
    while (found := await usage(pair)) != len(load.outcomes):
        assert time.monotonic() < until, (found, len(load.outcomes))
        await asyncio.sleep(0.2)


async def test_a_replica_that_is_killed_costs_no_request(pair: Pair, pace: Pace) -> None:
    async with traffic(pair.client(), CLIENTS) as load:
        for number in range(pace.rounds):
            await asyncio.sleep(pace.pause_s)
            index = number % 2
            pair.servers[index].process.kill()
            pair.servers[index].process.wait()
            await asyncio.sleep(pace.pause_s)
            await asyncio.to_thread(pair.start, index)
        await asyncio.sleep(2 * pace.pause_s)
    show("replica killed", load)
    assert load.bad() == []
    assert load.count()["refused"] == 0


async def test_a_rolling_restart_costs_no_request_and_doubles_none(pair: Pair, pace: Pace) -> None:
    async with traffic(pair.client(), CLIENTS) as load:
        for _ in range(pace.rounds):
            for index in range(2):
                await asyncio.sleep(pace.pause_s)
                pair.servers[index].process.send_signal(signal.SIGTERM)
                status = await asyncio.to_thread(pair.servers[index].process.wait, 40)
                assert status == 0
                await asyncio.to_thread(pair.start, index)
        await asyncio.sleep(2 * pace.pause_s)
    show("rolling restart", load)
    assert load.bad() == []
    assert load.count()["refused"] == 0
    await until_billed(pair, load)
