"""Breakers that several processes share, over a real Redis that is killed, stopped, restarted."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from speech_translator.errors import CircuitOpen, ConfigurationError
from speech_translator.reliability import CircuitBreaker, Sharing
from speech_translator.reliability.breaker_sharing import SCRIPT
from speech_translator.security.redis_client import RedisConfig, redis_client
from speech_translator.security.redis_script import RedisScript
from speech_translator.security.redis_wire import RedisWire
from tests.support.breaker_process import CONFIG, CallingProcess
from tests.support.breakers import CONFIG as SLOW_CONFIG
from tests.support.breakers import Clock
from tests.support.redis_server import RedisServer, redis_server


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
def processes(server: RedisServer) -> Iterator[list[CallingProcess]]:
    started = [CallingProcess.start(server.socket) for _ in range(4)]
    try:
        for process in started:
            assert process.hear_line() == "ready\n"
        yield started
    finally:
        for process in started:
            process.end()


def storm(processes: list[CallingProcess], count: int) -> list[tuple[int, int, str]]:
    for process in processes:
        process.tell("storm", count)
    return [process.hear() for process in processes]


def test_exactly_one_of_a_thousand_calls_of_four_processes_is_the_probe(
    processes: list[CallingProcess],
) -> None:
    processes[0].tell("fail", CONFIG.consecutive_failures)
    assert processes[0].hear()[2] == "open"
    assert sum(passed for passed, *_ in storm(processes[1:], 10)) == 0  # they never saw a failure
    time.sleep(CONFIG.open_s)
    answers = storm(processes, 250)
    assert sum(passed for passed, *_ in answers) == 1
    assert sum(refused for _, refused, _ in answers) == 999
    for process in processes:
        process.tell("release")
    assert "closed" in [process.hear()[2] for process in processes]
    assert [passed for passed, *_ in storm(processes, 10)] == [10] * 4


def test_a_prober_that_is_killed_frees_its_place(processes: list[CallingProcess]) -> None:
    processes[0].tell("fail", CONFIG.consecutive_failures)
    assert processes[0].hear()[2] == "open"
    time.sleep(CONFIG.open_s)
    processes[0].tell("storm", 1)
    assert processes[0].hear()[0] == 1
    processes[0].process.send_signal(signal.SIGKILL)
    processes[0].process.wait()
    begun = time.monotonic()
    passed = 0
    while not passed:
        assert time.monotonic() - begun < 10 * CONFIG.probe_ttl_s
        time.sleep(0.02)
        passed = sum(passed for passed, *_ in storm(processes[1:], 40))
    assert passed == 1
    for process in processes[1:]:
        process.tell("release")
    assert "closed" in [process.hear()[2] for process in processes[1:]]


@dataclass
class Shared:
    """A breaker over the service's own way to Redis; the looks at it go by a clock that is set."""

    sharing: Sharing
    clock: Clock = field(default_factory=Clock)
    told: list[str | None] = field(default_factory=list)

    async def end(self, breaker: CircuitBreaker, *outcomes) -> None:
        for outcome in outcomes:
            await breaker.settle(await breaker.acquire(), outcome, 0.1)


@pytest.fixture
async def shared(server: RedisServer):
    config = RedisConfig(f"unix://{server.socket}")
    async with redis_client(config) as client, RedisWire(client) as wire:
        made = Shared(Sharing(RedisScript(wire, SCRIPT)))
        made.sharing.listener = made.told.append
        made.sharing.clock = made.clock
        yield made


async def test_a_lost_redis_refuses_nobody_and_the_breaker_goes_on_in_memory(
    server: RedisServer, shared: Shared
) -> None:
    breaker = CircuitBreaker("payments", SLOW_CONFIG, sharing=shared.sharing, clock=shared.clock)
    await shared.end(breaker, "failure", "failure")
    late = await breaker.acquire()
    server.process.kill()
    server.process.wait()
    await breaker.settle(late, "failure", 0.1)
    assert breaker.is_open()  # two failures that Redis counted, and one without it
    assert len(shared.told) == 1
    shared.clock.now += SLOW_CONFIG.open_s
    probe = await breaker.acquire()
    with pytest.raises(CircuitOpen):
        await breaker.acquire()
    await breaker.settle(probe, "success", 0.1)
    assert breaker.snapshot().state == "closed"


async def test_a_redis_that_is_back_is_found_and_has_the_last_word(
    server: RedisServer, shared: Shared
) -> None:
    breaker = CircuitBreaker("payments", SLOW_CONFIG, sharing=shared.sharing, clock=shared.clock)
    server.process.kill()
    server.process.wait()
    await shared.end(breaker, "success")
    assert len(shared.told) == 1
    server.restart()
    await shared.end(breaker, "failure", "failure")
    assert shared.told[1:] == []  # it is not looked for yet
    shared.clock.now += 1.0
    await shared.end(breaker, "success")
    assert shared.told[1:] == [None]
    assert breaker.snapshot().window_calls == 1


async def test_a_stopped_redis_is_waited_for_once(server: RedisServer, shared: Shared) -> None:
    breaker = CircuitBreaker("payments", SLOW_CONFIG, sharing=shared.sharing, clock=shared.clock)
    await shared.end(breaker, "success")
    server.process.send_signal(signal.SIGSTOP)
    asked = []
    script = shared.sharing.script
    assert script

    def counted(keys, args):
        asked.append(args[0])
        return script(keys, args)

    shared.sharing.script = counted
    await shared.end(breaker, *["success"] * 50)
    assert asked == ["acquire"]
    server.process.send_signal(signal.SIGCONT)


async def test_an_answer_that_nobody_understands_is_as_good_as_none() -> None:
    async def strange(_keys, _args):
        return ["?"]

    sharing = Sharing(strange)
    breaker = CircuitBreaker("payments", SLOW_CONFIG, sharing=sharing, clock=Clock())
    assert await breaker.call(strange, 0, 0) == ["?"]
    with pytest.raises(ConfigurationError):
        CircuitBreaker("mail", sharing=Sharing()).acquire_sync()


async def test_it_is_logged_when_redis_is_lost_and_back(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[object] = [OSError("what nobody is to read"), ["1", "closed"]]

    async def asked(_keys, _args):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [1, "closed", 0, "reset", -1, 0, 0, 0, 0, 0, 0]

    clock = Clock()
    breaker = CircuitBreaker("payments", sharing=Sharing(asked, clock=clock), clock=clock)
    with caplog.at_level("INFO"):
        await breaker.acquire()
        clock.now += 1.0
        await breaker.acquire()
    assert [record.getMessage() for record in caplog.records] == [
        "Circuit breakers are not shared for a while: OSError",
        "Circuit breakers are shared again",
    ]


async def test_looks_for_a_lost_redis_become_rare() -> None:
    clock, asked = Clock(), []

    async def lost(_keys, args):
        asked.append(clock.now - 1000.0)
        raise OSError

    sharing = Sharing(lost, clock=clock)
    breaker = CircuitBreaker("payments", SLOW_CONFIG, sharing=sharing, clock=clock)
    for _ in range(120):
        await breaker.acquire()
        clock.now += 0.5
    assert asked == [0.0, 1.0, 3.0, 7.0, 15.0, 30.0, 45.0]
