"""A real Redis that is stopped, killed and started again under the limits."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Iterator

import pytest
import uvloop

from speech_translator.errors import StoreUnavailable
from speech_translator.security.fallback import (
    DoneAlone,
    FallbackConfig,
    SharedBack,
    SharedEvent,
    SharedLost,
)
from speech_translator.security.limit_store import MemoryLimitStore
from speech_translator.security.limits import Debit, Window
from speech_translator.security.redis_limit_store import RedisLimitStore
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.resilient_limits import ResilientLimitStore
from tests.support.redis_server import RedisServer, redis_server

SLOW_SCRIPT = "for i = 1, 2000000 do end return 7"
DAY = Window("day", 100)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


async def until_shared(store: ResilientLimitStore) -> None:
    async with asyncio.timeout(30):
        while not (await store.peek([Debit("a", DAY)])).exact:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_answer_that_came_while_the_loop_was_busy_is_no_loss(
    server: RedisServer, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def ask() -> None:
        async with server.wire(timeout_s=1.0) as wire:
            script = RedisScript(wire, SLOW_SCRIPT)
            assert await script([], []) == 7
            asking = asyncio.create_task(script([], []))
            await asyncio.sleep(0.005)  # it is asked
            time.sleep(2.0)  # noqa: ASYNC251 - the loop is busy, and the answer comes meanwhile
            assert await asking == 7
            server.process.send_signal(signal.SIGSTOP)
            with pytest.raises(StoreUnavailable):
                await script([], [])
            server.process.send_signal(signal.SIGCONT)
            assert await script([], []) == 7

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(ask())


@pytest.mark.parametrize("fault", [signal.SIGSTOP, signal.SIGKILL])
async def test_nobody_is_refused_because_redis_is_gone(
    server: RedisServer, fault: signal.Signals
) -> None:
    told: list[SharedEvent] = []
    async with server.wire(timeout_s=1.0) as wire:
        store = ResilientLimitStore(
            RedisLimitStore(wire),
            MemoryLimitStore(),
            FallbackConfig(replicas=2, pause_s=0.05),
            listener=told.append,
        )
        assert (await store.acquire([Debit("a", DAY, 60)])).exact
        server.process.send_signal(fault)
        decisions = await asyncio.gather(*(store.acquire([Debit("a", DAY)]) for _ in range(80)))
        assert not any(decision.exact for decision in decisions)
        assert sum(decision.allowed for decision in decisions) == 50
        if fault is signal.SIGKILL:
            server.process.wait()
            server.restart()
        else:
            server.process.send_signal(signal.SIGCONT)
        await until_shared(store)
        left = (await store.peek([Debit("a", DAY)])).standings[0].remaining
        changes = [event for event in told if not isinstance(event, DoneAlone)]
        assert [type(event) for event in changes] == [SharedLost, SharedBack]
        if fault is signal.SIGSTOP:
            # What was sent to it before it was given up may have been counted since.
            assert left <= 40
        else:
            assert left == 100  # it keeps nothing on disk here
