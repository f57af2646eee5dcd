"""The broker over real processes that crash, hang, grow and get killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from math import inf

import numpy as np
import psutil
import pytest
import uvloop

from speech_translator.engines.values import DetectSpeechCall, Priority, SpeechProbabilities
from speech_translator.errors import (
    DeadlineExceeded,
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    PoisonousInput,
    ShuttingDown,
)
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.broker import Broker
from speech_translator.scalability.events import EngineExited, EngineOutgrown, Quarantined
from tests.support.broker_harness import running, spec


async def test_a_crashing_sentence_fails_alone_and_is_remembered() -> None:
    async with running(batch=16) as harness:
        texts = [f"t{i}" for i in range(16)]
        texts[5] = "CRASH"
        answers = await harness.ask_all(*texts)
        assert isinstance(answers.pop(5), PoisonousInput)
        assert answers == [f"pt:t{i}" for i in range(16) if i != 5]
        assert len(harness.told(Quarantined)) == 1
        assert len(harness.told(EngineExited)) == 2
        with pytest.raises(PoisonousInput):
            await harness.ask("CRASH")
        assert len(harness.told(EngineExited)) == 2
        assert await harness.ask("fine") == "pt:fine"


async def test_a_segfault_beside_others_harms_nobody_else() -> None:
    async with running(concurrency=4, seconds=0.02) as harness:
        texts = [f"t{i}" for i in range(12)]
        texts[2] = "SEGFAULT"
        answers = await harness.ask_all(*texts)
        assert isinstance(answers.pop(2), PoisonousInput)
        assert answers == [f"pt:t{i}" for i in range(12) if i != 2]


async def test_an_input_that_hangs_is_ended_and_remembered() -> None:
    async with running(concurrency=2, limits={"call_timeout_s": 1}) as harness:
        answers = await harness.ask_all("HANG", *(f"t{i}" for i in range(8)))
        assert isinstance(answers[0], EngineTimeout)
        assert answers[1:] == [f"pt:t{i}" for i in range(8)]
        assert {event.reason for event in harness.told(EngineExited)} == {"hung"}  # type: ignore[union-attr]
        with pytest.raises(EngineTimeout):
            await harness.ask("HANG")


@pytest.mark.parametrize("replicas", [1, 2])
async def test_sigkill_under_load_loses_nothing(replicas: int) -> None:
    limits: dict[str, object] = {"replicas": replicas}
    async with running(concurrency=2, batch=3, seconds=0.005, limits=limits) as harness:
        stop = time.monotonic() + 4
        answered = 0

        def over() -> bool:
            enough = answered > 20 and harness.status().restarts >= 3
            return enough and time.monotonic() >= stop

        async def client(number: int) -> None:
            nonlocal answered
            while not over():
                text = f"client {number} request {answered}"
                assert await harness.ask(text) == f"pt:{text}"
                answered += 1

        async def killer() -> None:
            chance = random.Random(replicas)
            while not over():
                await harness.until("ready")
                await asyncio.sleep(chance.uniform(0, 0.2))
                for pid in harness.status().pids[:1]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        async with asyncio.timeout(120):
            await asyncio.gather(killer(), *(client(number) for number in range(16)))
        assert not harness.told(Quarantined)


async def test_a_stopped_process_is_replaced() -> None:
    async with running(limits={"call_timeout_s": 0.5}) as harness:
        assert await harness.ask("before") == "pt:before"
        os.kill(harness.status().pids[0], signal.SIGSTOP)
        assert await harness.ask("during") == "pt:during"


async def test_a_process_that_grows_past_its_bound_fails_that_call_alone() -> None:
    async with running(limits={"memory_limit_mb": 1024}) as harness:
        with pytest.raises(EngineFailed):
            await harness.ask("GROW")
        assert await harness.ask("after") == "pt:after"
        assert not harness.told(EngineExited)


async def test_an_engine_that_dies_while_it_loads_fails_its_callers() -> None:
    async with running(ready=False, dies=True) as harness:
        with pytest.raises(EngineUnavailable):
            await harness.ask("hello")
        assert harness.status().restarts >= 1


async def test_a_load_that_takes_too_long_is_ended() -> None:
    limits: dict[str, object] = {"load_timeout_s": 0.2}
    async with running(ready=False, load_seconds=60, limits=limits) as harness:
        with pytest.raises(EngineUnavailable, match="load timeout"):
            await harness.ask("hello")


async def test_calls_wait_while_an_engine_loads_but_not_past_their_deadline() -> None:
    async with running(ready=False, load_seconds=0.7) as harness:
        with pytest.raises(DeadlineExceeded):
            await harness.ask("hasty", seconds=0.1)
        assert await harness.ask("patient") == "pt:patient"


async def test_a_process_that_cannot_be_started_is_no_end_of_the_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    async with running(ready=False) as harness:
        with pytest.raises(EngineUnavailable, match="not started"):
            await harness.ask("hello")
        monkeypatch.undo()
        await harness.until("ready")
        assert await harness.ask("hello") == "pt:hello"


async def test_nothing_is_left_behind() -> None:
    process = psutil.Process()
    descriptors, threads = process.num_fds(), process.num_threads()
    async with running(limits={"replicas": 2}) as harness:
        await harness.until("ready")
        children = [psutil.Process(pid) for pid in harness.status().pids]
        assert len(children) == 2
        asked = asyncio.ensure_future(harness.ask("HANG"))
        await asyncio.sleep(0.05)
    with pytest.raises(ShuttingDown):
        await asked
    assert not any(child.is_running() for child in children)
    assert len(asyncio.all_tasks()) == 1
    assert process.num_fds() == descriptors
    assert process.num_threads() == threads


async def test_stopping_while_engines_load_leaves_nothing_behind() -> None:
    async with running(ready=False, load_seconds=60, limits={"replicas": 2}) as harness:
        children = [psutil.Process(pid) for pid in harness.status().pids]
        assert len(children) == 2
    assert not any(child.is_running() for child in children)


async def large_batches_cross() -> None:
    """Clips of many sizes there and back; they are changed in place on the way."""
    broker = Broker([spec(factory="load_detector")])
    await broker.start()
    try:
        await broker.wait_ready("echo", 60)
        sizes = [0, 512, 16_000, 16_384, 480_000, 480_000, 480_000, 2_000_000]
        clips = [np.linspace(-1, 1, size, dtype=np.float32) for size in sizes]
        calls = [DetectSpeechCall(clip, bytes([i])) for i, clip in enumerate(clips)]
        results = await asyncio.gather(
            *(
                broker.submit("echo", call, priority=Priority.BULK, deadline=Deadline.after(inf))
                for call in calls
            )
        )
    finally:
        await broker.stop()
    for number, (clip, result) in enumerate(zip(clips, results, strict=True)):
        assert isinstance(result, SpeechProbabilities)
        assert result.state == bytes([number])
        assert np.array_equal(result.probabilities, clip)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_megabytes_of_samples_cross_whole_on_every_loop(run: object) -> None:
    run(large_batches_cross())  # type: ignore[operator]


async def test_a_process_that_grows_is_replaced_and_loses_no_work():
    limits = {"memory_growth_mb": 80, "memory_limit_mb": 2048}
    async with running(limits=limits, seconds=0.02) as harness:
        before = harness.status().pids
        calls = [f"LEAK {number}" if number % 20 == 0 else f"w{number}" for number in range(200)]
        answers = await harness.ask_all(*calls)
        assert answers == [f"pt:{text}" for text in calls]
        await harness.until("ready", restarts=1)
        assert harness.status().pids != before
        outgrown = harness.told(EngineOutgrown)
        assert outgrown
        assert all(event.grown_mb > 80 for event in outgrown)
        exits = harness.told(EngineExited)
        assert {(event.reason, event.in_flight) for event in exits} == {("outgrown", 0)}
        assert await harness.ask("after") == "pt:after"
