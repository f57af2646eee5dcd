"""Revocations between replicas over a real Redis that is stopped, killed and started again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis

from speech_translator.security.fallback import DoneAlone, SharedBack, SharedEvent, SharedLost
from speech_translator.security.redis_client import RedisConfig, redis_client
from speech_translator.security.redis_revocations import ListenConfig, RedisRevocations, decode
from speech_translator.security.revocations import Change, ChangesMissed, KeyChanged, TokenClosed
from tests.support.redis_server import RedisServer, redis_server

KEY = KeyChanged("Abcdefgh1234")


class Replica:
    """One that listens."""

    def __init__(self, client: Redis) -> None:
        self.events: list[SharedEvent] = []
        self.heard: asyncio.Queue[Change] = asyncio.Queue()
        self.revocations = RedisRevocations(
            client, ListenConfig(check_s=0.2), listener=self.events.append
        )
        self.listening = asyncio.create_task(self.revocations.listen(self.heard.put_nowait))

    async def next(self) -> Change:
        async with asyncio.timeout(30):
            return await self.heard.get()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
async def replicas(server: RedisServer) -> AsyncIterator[list[Replica]]:
    config = RedisConfig(f"unix://{server.socket}", timeout_s=0.2)
    async with redis_client(config) as one, redis_client(config) as other:
        made = [Replica(one), Replica(other)]
        for replica in made:
            assert await replica.next() == ChangesMissed()
        yield made
        for replica in made:
            replica.listening.cancel()
        await asyncio.wait([replica.listening for replica in made])


async def test_every_replica_hears_what_one_tells(replicas: list[Replica]) -> None:
    for change in (KEY, TokenClosed(), ChangesMissed()):
        await replicas[0].revocations.tell(change)
        assert [await replica.next() for replica in replicas] == [change, change]
    assert [replica.events for replica in replicas] == [[], []]


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
async def test_who_may_have_missed_something_is_told_so(
    server: RedisServer, replicas: list[Replica], fault: signal.Signals
) -> None:
    teller, listener = replicas
    server.process.send_signal(fault)
    await teller.revocations.tell(KEY)
    assert DoneAlone("revocations") in teller.events
    async with asyncio.timeout(30):
        while not listener.events:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    if fault is signal.SIGKILL:
        server.process.wait()
        server.restart()
    else:
        server.process.send_signal(signal.SIGCONT)
    assert await listener.next() == ChangesMissed()
    assert [type(event) for event in listener.events] == [SharedLost, SharedBack]
    while await teller.next() != ChangesMissed():
        pass
    await teller.revocations.tell(TokenClosed())
    assert await listener.next() == TokenClosed()


async def test_it_begins_when_redis_comes_after_it(server: RedisServer) -> None:
    server.process.kill()
    server.process.wait()
    async with redis_client(RedisConfig(f"unix://{server.socket}", timeout_s=0.2)) as client:
        replica = Replica(client)
        async with asyncio.timeout(30):
            while not replica.events:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        server.restart()
        assert await replica.next() == ChangesMissed()
        replica.listening.cancel()
        await asyncio.wait([replica.listening])


@pytest.mark.parametrize("data", [b"", b"all", b"key:", b"key:../..", b"tokens", b"\xff", b"new:1"])
def test_what_is_not_understood_may_mean_anything(data: bytes) -> None:
    assert decode(data) == ChangesMissed()
