"""A replica that grows too much gets nothing more, and is replaced once it is idle."""

from __future__ import annotations

import os

import pytest

from speech_translator.scalability.events import EngineExited, EngineOutgrown, EngineRestarting
from speech_translator.scalability.growth import Growth, private_bytes
from tests.support.broker_lane import World, outcome

MIB = 1024 * 1024


class Growing(World):
    """Replicas whose memory a test sets, in MiB."""

    def __init__(self, replicas=1, allowed_mb=100):
        super().__init__(replicas, memory_growth_mb=allowed_mb)
        self.used = {}
        self.lane._growth = Growth(
            self.lane.spec, self.events.append, lambda pid: self.used[pid] * MIB
        )
        for host in self.hosts:
            host.pid = 100 + host.index
            self.used[host.pid] = 500
            host.ready()


@pytest.fixture
async def world():
    return Growing()


async def test_an_idle_one_goes_at_once_and_starts_again_without_a_pause(world):
    world.used[100] = 600
    world.lane.watch_growth()
    assert not world.host.retired  # 100 MiB are allowed
    world.used[100] = 601
    world.lane.watch_growth()
    assert world.host.retired
    assert world.told(EngineOutgrown) == [EngineOutgrown("echo", 0, 101)]
    assert world.host.end("outgrown") == 0.0
    assert world.lane.state() == "restarting"
    assert world.told(EngineExited) == [EngineExited("echo", 0, "outgrown", 0)]
    assert world.told(EngineRestarting) == [EngineRestarting("echo", 0, 0.0)]


async def test_work_that_runs_is_finished_first_and_what_waits_waits(world):
    first, second = await world.asked("one", "two")
    world.used[100] = 700
    world.lane.watch_growth()
    world.lane.watch_growth()
    assert len(world.told(EngineOutgrown)) == 1
    assert not world.host.retired
    world.host.answer("one")
    assert outcome(first) == "pt:one"
    assert world.host.retired
    assert world.host.order == [["one"]]
    world.host.end("outgrown")
    world.host.retired = False
    world.used[100] = 650
    world.host.again()
    assert world.host.order == [["one"], ["two"]]
    world.host.answer("two")
    assert outcome(second) == "pt:two"
    world.used[100] = 740  # it may grow as much as the one before, from what it had at first
    world.lane.watch_growth()
    assert not world.host.retired


async def test_it_is_no_failure_however_often(world):
    for _ in range(20):
        world.used[100] += 101
        world.lane.watch_growth()
        assert world.host.end("outgrown") == 0.0
        world.host.again()
    assert world.lane.seats[0].failures == 0
    assert world.lane.state() == "ready"
    assert world.breaker.state == "closed"


async def test_replicas_go_one_after_the_other():
    world = Growing(replicas=2)
    one, other = world.hosts
    world.used = {100: 700, 101: 700}
    world.lane.watch_growth()
    world.lane.watch_growth()
    assert (one.retired, other.retired) == (True, False)
    (answer,) = await world.asked("meanwhile")
    other.answer("meanwhile")
    assert outcome(answer) == "pt:meanwhile"
    one.end("outgrown")
    world.lane.watch_growth()
    assert not other.retired  # the first one still loads
    world.used[100] = 500
    one.again()
    world.lane.watch_growth()
    assert other.retired


async def test_no_cap_is_none():
    world = Growing(allowed_mb=0)
    world.used[100] = 100_000
    world.lane.watch_growth()
    assert not world.host.retired


def test_memory_is_read_as_the_system_tells_it():
    assert 0 < private_bytes(os.getpid()) < 1 << 40
    assert private_bytes(1 << 30) is None
