"""The broker over real processes that crash, hang, grow and get killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Priority, Result, TranslateCall
from speech_translator.errors import (
    DeadlineExceeded,
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    InvalidText,
    Overloaded,
    PoisonousInput,
    ShuttingDown,
)
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.broker import Broker, RestartConfig
from speech_translator.scalability.events import BatchDone, BrokerEvent, Quarantined

ROOT = Path(__file__).parents[2]


class Harness:
    def __init__(self, broker: Broker, events: list[BrokerEvent]) -> None:
        self.broker = broker
        self.events = events

    async def ask(self, text: str, *, seconds: float = 30, engine: str = "echo") -> Result:
        return await self.broker.submit(
            engine,
            TranslateCall(text, "en", "pt"),
            priority=Priority.INTERACTIVE,
            deadline=Deadline.after(seconds),
        )

    def pid(self) -> int:
        return self.broker.status()["echo"].pids[0]

    async def pid_or_none(self) -> int | None:
        pids = self.broker.status()["echo"].pids
        return pids[0] if pids else None


@asynccontextmanager
async def running(
    *, inline: bool = False, ready: bool = True, limits: dict[str, object] | None = None, **options
) -> AsyncIterator[Harness]:
    spec = EngineSpec(
        name="echo",
        task="translation",
        factory="tests.support.engines:load",
        options=options,
        environment={"PYTHONPATH": str(ROOT)},
        **(limits or {}),  # type: ignore[arg-type]
    )
    events: list[BrokerEvent] = []
    broker = Broker(
        [spec], listener=events.append, inline=inline, restarts=RestartConfig(first=0.02)
    )
    await broker.start()
    try:
        if ready:
            await broker.wait_ready("echo", 30)
        yield Harness(broker, events)
    finally:
        await broker.stop(0.5)


@pytest.mark.parametrize("inline", [False, True])
class TestEveryHost:
    async def test_answers_in_order(self, inline: bool) -> None:
        async with running(inline=inline, concurrency=2, batch=4) as harness:
            texts = [f"text {i}" for i in range(50)]
            answers = await asyncio.gather(*map(harness.ask, texts))
            assert answers == [f"pt:{text}" for text in texts]
            sizes = [event.size for event in harness.events if isinstance(event, BatchDone)]
            assert sum(sizes) == 50
            assert max(sizes) <= 4

    async def test_only_the_failing_item_of_a_batch_fails(self, inline: bool) -> None:
        async with running(inline=inline, batch=16, seconds=0.01) as harness:
            texts = [f"t{i}" for i in range(16)]
            texts[3], texts[11] = "RAISE", "REFUSE"
            answers = await asyncio.gather(*map(harness.ask, texts), return_exceptions=True)
            assert type(answers[3]) is EngineFailed
            assert "RAISE" not in answers[3].message
            assert type(answers[11]) is InvalidText
            assert answers[11].details == {"limit": 3}
            rest = [answer for i, answer in enumerate(answers) if i not in (3, 11)]
            assert rest == [f"pt:t{i}" for i in range(16) if i not in (3, 11)]

    async def test_missing_weights_are_said_at_once(self, inline: bool) -> None:
        async with running(inline=inline, ready=False, missing=True) as harness:
            with pytest.raises(EngineUnavailable, match="pip install weights"):
                await harness.broker.wait_ready("echo", 30)
            with pytest.raises(EngineUnavailable, match="pip install weights"):
                await harness.ask("hello")
            assert harness.broker.status()["echo"].state == "missing"

    async def test_a_full_queue_refuses(self, inline: bool) -> None:
        limits = {"queue_limit": 3}
        async with running(inline=inline, seconds=0.2, limits=limits) as harness:
            asked = [asyncio.ensure_future(harness.ask(f"t{i}")) for i in range(6)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, Overloaded)]
            assert len(refused) == 2  # one runs, three wait
            assert refused[0].retry_after

    async def test_late_and_cancelled_work_never_reaches_the_engine(
        self, inline: bool, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        async with running(inline=inline, seconds=0.3, log=str(log)) as harness:
            first = asyncio.ensure_future(harness.ask("first"))
            late = asyncio.ensure_future(harness.ask("late", seconds=0.05))
            cancelled = asyncio.ensure_future(harness.ask("cancelled"))
            last = asyncio.ensure_future(harness.ask("last"))
            await asyncio.sleep(0.02)
            cancelled.cancel()
            with pytest.raises(DeadlineExceeded):
                await late
            assert await asyncio.gather(first, last) == ["pt:first", "pt:last"]
            assert log.read_text().split() == ["first", "last"]

    async def test_stopping_answers_what_runs_and_refuses_the_rest(self, inline: bool) -> None:
        async with running(inline=inline, seconds=0.1) as harness:
            running_now = asyncio.ensure_future(harness.ask("now"))
            await asyncio.sleep(0.02)
            stopping = asyncio.ensure_future(harness.broker.stop(5))
            await asyncio.sleep(0)
            with pytest.raises(ShuttingDown):
                await harness.ask("later")
            assert await running_now == "pt:now"
            await stopping


async def test_a_crashing_sentence_fails_alone_and_is_remembered() -> None:
    async with running(batch=16, seconds=0.01) as harness:
        texts = [f"t{i}" for i in range(16)]
        texts[5] = "CRASH"
        answers = await asyncio.gather(*map(harness.ask, texts), return_exceptions=True)
        assert type(answers.pop(5)) is PoisonousInput
        assert answers == [f"pt:t{i}" for i in range(16) if i != 5]
        assert sum(isinstance(event, Quarantined) for event in harness.events) == 1
        restarts = harness.broker.status()["echo"].restarts
        with pytest.raises(PoisonousInput):
            await harness.ask("CRASH")
        assert harness.broker.status()["echo"].restarts == restarts
        assert await harness.ask("fine") == "pt:fine"


async def test_a_segfault_beside_others_harms_nobody_else() -> None:
    async with running(concurrency=4, seconds=0.02) as harness:
        texts = [f"t{i}" for i in range(12)]
        texts[2] = "SEGFAULT"
        answers = await asyncio.gather(*map(harness.ask, texts), return_exceptions=True)
        assert type(answers.pop(2)) is PoisonousInput
        assert answers == [f"pt:t{i}" for i in range(12) if i != 2]


async def test_an_input_that_hangs_is_ended_and_remembered() -> None:
    async with running(concurrency=2, limits={"call_timeout_s": 0.4}) as harness:
        others = [harness.ask(f"t{i}") for i in range(8)]
        answers = await asyncio.gather(harness.ask("HANG"), *others, return_exceptions=True)
        assert type(answers[0]) is EngineTimeout
        assert answers[1:] == [f"pt:t{i}" for i in range(8)]
        with pytest.raises(EngineTimeout):
            await harness.ask("HANG")


@pytest.mark.parametrize("replicas", [1, 2])
async def test_sigkill_under_load_loses_nothing(replicas: int) -> None:
    limits = {"replicas": replicas}
    async with running(concurrency=2, batch=2, seconds=0.005, limits=limits) as harness:
        stop = time.monotonic() + 4
        answered = 0

        async def client(number: int) -> None:
            nonlocal answered
            while time.monotonic() < stop:
                text = f"client {number} request {answered}"
                assert await harness.ask(text) == f"pt:{text}"
                answered += 1

        async def killer() -> None:
            while time.monotonic() < stop:
                await asyncio.sleep(0.8)
                for pid in harness.broker.status()["echo"].pids[:1]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

        await asyncio.gather(killer(), *(client(number) for number in range(16)))
        assert answered > 50
        assert harness.broker.status()["echo"].restarts >= 2


async def test_a_stopped_process_is_replaced() -> None:
    async with running(seconds=0.01, limits={"call_timeout_s": 0.5}) as harness:
        assert await harness.ask("before") == "pt:before"
        os.kill(harness.pid(), signal.SIGSTOP)
        assert await harness.ask("during") == "pt:during"


async def test_a_process_that_grows_past_its_bound_fails_that_call_alone() -> None:
    async with running(limits={"memory_limit_mb": 1024}) as harness:
        with pytest.raises(EngineFailed):
            await harness.ask("GROW")
        assert await harness.ask("after") == "pt:after"


@pytest.mark.parametrize("fault", ["broken", "dies"])
async def test_an_engine_that_never_loads_fails_its_callers_and_is_tried_again(fault: str) -> None:
    async with running(ready=False, **{fault: True}) as harness:
        with pytest.raises(EngineUnavailable):
            await harness.ask("hello", seconds=20)
        assert harness.broker.status()["echo"].restarts >= 1


async def test_a_load_that_takes_too_long_is_ended() -> None:
    limits = {"load_timeout_s": 0.3}
    async with running(ready=False, load_seconds=60, limits=limits) as harness:
        with pytest.raises(EngineUnavailable):
            await harness.ask("hello", seconds=20)


async def test_calls_wait_while_an_engine_loads_but_not_past_their_deadline() -> None:
    async with running(ready=False, load_seconds=0.7) as harness:
        with pytest.raises(DeadlineExceeded):
            await harness.ask("hasty", seconds=0.1)
        assert await harness.ask("patient") == "pt:patient"


async def test_nothing_is_left_behind() -> None:
    async with running(limits={"replicas": 2}, seconds=5) as harness:
        processes = [psutil.Process(pid) for pid in harness.broker.status()["echo"].pids]
        assert len(processes) == 2
        asked = asyncio.ensure_future(harness.ask("long"))
        await asyncio.sleep(0.05)
    with pytest.raises(ShuttingDown):
        await asked
    assert not any(process.is_running() for process in processes)
    assert len(asyncio.all_tasks()) == 1


async def test_an_engine_that_is_not_there_is_said() -> None:
    async with running() as harness:
        with pytest.raises(EngineUnavailable):
            await harness.ask("hello", engine="other")
