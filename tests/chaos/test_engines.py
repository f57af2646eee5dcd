"""Engine processes that die, hang or fill with poison, under load: nobody loses a request."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import psutil
import pytest

from tests.chaos.conftest import Pace, client_of, show
from tests.support.server import Server
from tests.support.traffic import MIXED, traffic


async def until_replaced(server: Server, gone: psutil.Process, count: int) -> None:
    """Return once there are as many engines as before without that one."""
    async with asyncio.timeout(60):
        while True:
            running = {process.pid for process in server.engine_processes()}
            if gone.pid not in running and len(running) >= count:
                return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_no_request_is_lost_with_an_engine(
    service: Server, pace: Pace, fault: signal.Signals
) -> None:
    count = len(service.engine_processes())
    async with traffic(client_of(service), MIXED) as load:
        await asyncio.sleep(pace.pause_s)
        for _ in range(pace.rounds):
            for process in service.engine_processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(fault)
                await until_replaced(service, process, count)
                await asyncio.sleep(pace.pause_s)
    show(f"engines, {fault.name}", load)
    assert load.bad() == []
    assert load.count()["refused"] == 0
    assert {one.kind for one in load.outcomes} == {"text", "texts", "recording"}
    await asyncio.to_thread(service.wait_ready)
