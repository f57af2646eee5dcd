"""Redis that dies, hangs, forgets, refuses or grows slow, under load: nobody is refused for it."""

from __future__ import annotations

import asyncio
import signal
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import redis as redis_package

from tests.chaos.conftest import Pace, Start, client_of, show
from tests.support.redis_server import RedisServer, redis_server
from tests.support.relay import Relay, relayed
from tests.support.replicas import figure
from tests.support.server import Server
from tests.support.traffic import traffic

TEXT = (("text", "several"), ("text",), ("text",))
SPIN = "while true do end"


@dataclass
class World:
    """A service whose Redis is behind a network of our own."""

    server: Server
    redis: RedisServer
    link: Relay

    def shared(self) -> bool:
        """Whether limits are counted, and revocations heard, by Redis."""
        parts = ("limits", "revocations")
        return all(figure(self.server, "shared_store_up", part) == 1 for part in parts)


@pytest.fixture(scope="module")
def world(start: Start) -> Iterator[World]:
    with redis_server() as redis, relayed(f"unix://{redis.socket}") as link:
        environment = {
            "REDIS_URL": f"redis://{link.address}",
            "TRANSCRIBERS": "[]",
        }
        with start(environment) as server:
            yield World(server, redis, link)


@asynccontextmanager
async def killed(world: World) -> AsyncIterator[None]:
    world.redis.process.kill()
    world.redis.process.wait()
    try:
        yield
    finally:
        world.redis.restart()


@asynccontextmanager
async def stopped(world: World) -> AsyncIterator[None]:
    world.redis.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        world.redis.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def busy(world: World) -> AsyncIterator[None]:
    """A script of somebody else's that does not end: every command is answered ``-BUSY``."""

    def spin() -> None:
        with world.redis.connect() as client, pytest.raises(redis_package.ResponseError):
            client.eval(SPIN, 0)

    with world.redis.connect() as client:
        client.config_set("busy-reply-threshold", 50)
        spinning = asyncio.create_task(asyncio.to_thread(spin))
        try:
            yield
        finally:
            client.script_kill()
            await spinning


@asynccontextmanager
async def reset(world: World) -> AsyncIterator[None]:
    for _ in range(5):
        world.link.cut(reset=True)
        await asyncio.sleep(0.1)
    yield


@asynccontextmanager
async def slow(world: World) -> AsyncIterator[None]:
    world.link.delay_s = 2.0
    try:
        yield
    finally:
        world.link.delay_s = 0.0


async def until(condition: Callable[[], bool], seconds: float = 60) -> float:
    """Seconds until it holds."""
    begun = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    return time.monotonic() - begun


@pytest.mark.parametrize("fault", [killed, stopped, busy, reset, slow])
async def test_nobody_is_refused_whatever_redis_does(
    world: World, pace: Pace, fault: Callable[[World], Awaitable[None]]
) -> None:
    async with traffic(client_of(world.server), TEXT) as load:
        for _ in range(pace.rounds):
            await asyncio.sleep(pace.pause_s)
            begun = time.monotonic()
            async with fault(world):
                await asyncio.sleep(3 * pace.pause_s)
            ended = time.monotonic()
            recovered = await until(world.shared)
        await asyncio.sleep(pace.pause_s)
    during = [one.seconds for one in load.outcomes if begun <= one.begun < ended]
    before = [one.seconds for one in load.outcomes if one.begun < begun]
    show(
        f"redis, {fault.__name__}",
        load,
        recovered=round(recovered, 2),
        median=[round(statistics.median(part or [0.0]), 4) for part in (before, during)],
    )
    assert load.bad() == []
    assert load.count()["refused"] == 0
    assert during
