"""What holds whether engines run in processes of their own or in threads of the broker's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from speech_translator.errors import (
    ConfigurationError,
    DeadlineExceeded,
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    InvalidText,
    Overloaded,
    ShuttingDown,
)
from speech_translator.scalability.broker import Broker, RestartConfig
from speech_translator.scalability.events import (
    BatchDone,
    BrokerEvent,
    CallRejected,
    EngineExited,
    EngineReady,
    EngineStarting,
)
from tests.support.broker_harness import running, spec


@pytest.fixture(params=[False, True], ids=["process", "inline"])
def inline(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_every_call_gets_its_own_answer(inline: bool) -> None:
    async with running(inline=inline, concurrency=2, batch=4) as harness:
        texts = [f"text {i}" for i in range(50)]
        assert await harness.ask_all(*texts) == [f"pt:{text}" for text in texts]
        sizes = [event.size for event in harness.told(BatchDone)]  # type: ignore[union-attr]
        assert sum(sizes) == 50
        assert 1 < max(sizes) <= 4
        kinds = [type(event) for event in harness.events[:2]]
        assert kinds == [EngineStarting, EngineReady]


async def test_only_the_failing_item_of_a_batch_fails(inline: bool) -> None:
    async with running(inline=inline, batch=16) as harness:
        texts = [f"t{i}" for i in range(16)]
        texts[3], texts[11] = "RAISE", "REFUSE"
        answers = await harness.ask_all(*texts)
        failed, refused = answers[3], answers[11]
        assert isinstance(failed, EngineFailed)
        assert "RAISE" not in failed.message
        assert isinstance(refused, InvalidText)
        assert refused.details == {"limit": 3}
        rest = [answer for i, answer in enumerate(answers) if i not in (3, 11)]
        assert rest == [f"pt:t{i}" for i in range(16) if i not in (3, 11)]
        assert not harness.told(EngineExited)


async def test_missing_weights_are_said_at_once(inline: bool) -> None:
    async with running(inline=inline, ready=False, missing=True) as harness:
        with pytest.raises(EngineUnavailable, match="pip install weights"):
            await harness.broker.wait_ready("echo", 30)
        with pytest.raises(EngineUnavailable, match="pip install weights"):
            await harness.ask("hello")
        assert harness.status().state == "missing"
        await harness.broker.wait_ready()  # nothing is still starting
        assert harness.events[-1] == CallRejected("echo", "engine_unavailable")


async def test_an_engine_that_does_not_load_is_tried_again_and_again(inline: bool) -> None:
    restarts = RestartConfig(first=0.001, last=0.01, tries=2)
    async with running(inline=inline, ready=False, restarts=restarts, broken=True) as harness:
        with pytest.raises(EngineUnavailable):
            await harness.ask("hello")
        await harness.until("failed", restarts=2)


async def test_a_full_queue_refuses(inline: bool) -> None:
    async with running(inline=inline, seconds=0.1, limits={"queue_limit": 3}) as harness:
        answers = await harness.ask_all(*(f"t{i}" for i in range(6)))
        refused = [answer for answer in answers if isinstance(answer, Overloaded)]
        assert len(refused) == 2  # one runs, three wait
        assert refused[0].retry_after
        assert harness.told(CallRejected) == [CallRejected("echo", "overloaded")] * 2


async def test_late_and_cancelled_work_never_reaches_the_engine(
    inline: bool, tmp_path: Path
) -> None:
    log, held = tmp_path / "log", tmp_path / "held"
    held.touch()
    async with running(inline=inline, held_while=str(held), log=str(log)) as harness:
        first = asyncio.ensure_future(harness.ask("first"))
        late = asyncio.ensure_future(harness.ask("late", seconds=0.3))
        cancelled = asyncio.ensure_future(harness.ask("cancelled"))
        last = asyncio.ensure_future(harness.ask("last"))
        await asyncio.sleep(0.02)
        assert harness.status().queued == 3
        cancelled.cancel()
        with pytest.raises(DeadlineExceeded):
            await late
        assert harness.status().queued == 1
        held.unlink()
        assert await asyncio.gather(first, last) == ["pt:first", "pt:last"]
        assert log.read_text().split() == ["first", "last"]


async def test_what_is_too_late_already_is_refused_at_the_door(inline: bool) -> None:
    async with running(inline=inline) as harness:
        with pytest.raises(DeadlineExceeded):
            await harness.ask("late", seconds=0)
        assert harness.events[-1] == CallRejected("echo", "deadline_exceeded")
        assert await harness.ask("endless", seconds=float("inf")) == "pt:endless"


async def test_the_result_of_cancelled_work_is_thrown_away(inline: bool) -> None:
    async with running(inline=inline, seconds=0.1) as harness:
        cancelled = asyncio.ensure_future(harness.ask("cancelled"))
        await asyncio.sleep(0.02)
        cancelled.cancel()
        assert await harness.ask("next") == "pt:next"
        assert harness.status().in_flight == harness.status().queued == 0


async def test_a_deadline_ends_the_wait_for_work_that_runs(inline: bool) -> None:
    async with running(inline=inline, seconds=0.3) as harness:
        with pytest.raises(DeadlineExceeded):
            await harness.ask("runs", seconds=0.05)
        assert await harness.ask("next") == "pt:next"


async def test_stopping_answers_what_runs_and_refuses_the_rest(inline: bool) -> None:
    async with running(inline=inline, seconds=0.1) as harness:
        running_now = asyncio.ensure_future(harness.ask("now"))
        await asyncio.sleep(0.02)
        stopping = asyncio.ensure_future(harness.broker.stop(5))
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown):
            await harness.ask("later")
        assert await running_now == "pt:now"
        await stopping


async def test_what_does_not_end_in_its_grace_is_refused(inline: bool) -> None:
    async with running(inline=inline, seconds=0.5) as harness:
        asked = [asyncio.ensure_future(harness.ask(text)) for text in ("runs", "waits")]
        await asyncio.sleep(0.02)
        await harness.broker.stop(0)
        for one in asked:
            with pytest.raises(ShuttingDown):
                await one
    assert len(asyncio.all_tasks()) == 1


async def test_a_listener_that_fails_harms_nobody(
    inline: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_event: BrokerEvent) -> None:
        raise ValueError("listener")

    async with running(inline=inline) as harness:
        harness.broker._listener = fail
        assert await harness.ask("hello") == "pt:hello"
    assert "A listener failed on BatchDone" in caplog.text


async def test_an_engine_that_is_not_there_is_said(inline: bool) -> None:
    async with running(inline=inline) as harness:
        with pytest.raises(EngineUnavailable):
            await harness.ask("hello", engine="other")
        with pytest.raises(EngineUnavailable):
            await harness.broker.wait_ready("other")


async def test_waiting_for_an_engine_has_an_end(inline: bool) -> None:
    async with running(inline=inline, ready=False, load_seconds=0.5) as harness:
        with pytest.raises(EngineUnavailable):
            await harness.broker.wait_ready(timeout_s=0.01)


def test_two_engines_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        Broker([spec(), spec()])


async def test_in_threads_a_call_that_hangs_is_given_up() -> None:
    async with running(inline=True, concurrency=2, limits={"call_timeout_s": 0.05}) as harness:
        with pytest.raises(EngineTimeout):
            await harness.ask("SLOW")
        assert await harness.ask("next") == "pt:next"
