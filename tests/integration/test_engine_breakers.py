"""Breakers of engines over real processes and a real server: they open, let one call try, close."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from speech_translator.errors import CircuitOpen, EngineFailed, EngineUnavailable, PoisonousInput
from speech_translator.languages import Language
from speech_translator.reliability import CircuitBreakerRegistry, StateChange
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.results import RequestContext, Translation
from speech_translator.services import Services, open_services
from speech_translator.settings import Settings
from tests.support.broker_harness import Harness, running
from tests.support.openai_server import KEY, error, model, openai_server

EN, PT = Language.parse("en"), Language.parse("pt")


def watched() -> tuple[CircuitBreakerRegistry, list[StateChange]]:
    registry, told = CircuitBreakerRegistry(), []
    registry.subscribe(told.append)
    return registry, told


async def opened(harness: Harness) -> None:
    for number in range(5):
        with pytest.raises(EngineFailed):
            await harness.ask(f"RAISE {number}")


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 # processes tell nobody
            await asyncio.sleep(0.01)


async def test_of_a_thousand_calls_an_engine_that_failed_gets_one(tmp_path: Path) -> None:
    registry, told = watched()
    log = tmp_path / "batches"
    async with running(breakers=registry, batch=8, concurrency=4, log=str(log)) as harness:
        await opened(harness)
        refused = await harness.ask_all(*map(str, range(1000)))
        assert {type(answer) for answer in refused} == {CircuitOpen}
        assert len(log.read_text().splitlines()) == 5
        await until(lambda: not registry.get("echo").is_open())
        answers = await harness.ask_all("SLOW probe", *map(str, range(999)))
        begun = log.read_text().splitlines()[5:]
        assert begun[0] == "SLOW probe"
        assert answers == ["pt:SLOW probe", *(f"pt:{number}" for number in range(999))]
        assert [change.state for change in told] == ["open", "half_open", "closed"]


async def test_a_probe_whose_process_is_killed_does_not_wedge_it() -> None:
    registry, _ = watched()
    async with running(breakers=registry) as harness:
        await opened(harness)
        await until(lambda: not registry.get("echo").is_open())
        probe = asyncio.create_task(harness.ask("SLOW probe"))
        await until(lambda: harness.status().in_flight == 1)
        (pid,) = harness.status().pids
        os.kill(pid, signal.SIGKILL)
        assert await probe == "pt:SLOW probe"  # it ran again, alone, once the process was back
        assert registry.get("echo").state == "closed"


async def test_a_crash_loop_opens_it_and_its_end_closes_it() -> None:
    registry, told = watched()
    async with running(breakers=registry) as harness:
        async with asyncio.timeout(60):
            while not told:
                for pid in harness.status().pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.005)
        assert told == [StateChange("echo", "closed", "open", "tripped", 2.0)]
        with pytest.raises((EngineUnavailable, CircuitOpen)):
            await harness.ask("too early")
        await harness.until("ready")
        assert await harness.ask("probe") == "pt:probe"
        assert told[-1].state == "closed"


async def test_one_owners_poison_opens_it_for_nobody() -> None:
    registry, told = watched()
    async with running(breakers=registry, concurrency=2, batch=4) as harness:
        poison = [harness.ask(f"CRASH {number}") for number in range(6)]
        poison += [harness.ask(f"RAISE {number}") for number in range(6)]
        others = [harness.ask(str(number), owner="other") for number in range(40)]
        answers = await asyncio.gather(*poison, *others, return_exceptions=True)
        assert {type(answer) for answer in answers[:12]} == {PoisonousInput, EngineFailed}
        assert answers[12:] == [f"pt:{number}" for number in range(40)]
        assert told == []


async def ask(services: Services, text: str) -> Translation:
    context = RequestContext(Deadline.after(60), use_cache=False)
    (answer,) = await services.translator.translate([text], source=EN, target=PT, context=context)
    return answer


async def test_a_server_that_fails_is_left_alone_while_the_next_engine_answers() -> None:
    with openai_server() as server:
        settings = Settings(
            translators=("openai", "bergamot"),
            openai_url=server.url,
            openai_api_key=KEY,
            openai_translation_model="a-model",
        )
        server.handlers["chat/completions"] = lambda _request: error(500, "broken")
        async with open_services(settings, tasks=["translation"], decode=False) as services:
            breaker = services.breakers.get("openai")
            for name in ("openai", "bergamot"):
                await services.broker.wait_ready(name)
            for number in range(8):
                answer = await ask(services, f"The train number {number} is late.")
                assert (answer.engine, answer.degraded) == ("bergamot", True)
            assert breaker.state == "open"
            asked = len(server.requests)
            assert asked < 8 * 2  # some were asked twice, and the last ones not at all
            assert (await ask(services, "The bus is late.")).engine == "bergamot"
            assert len(server.requests) == asked
            server.handlers["chat/completions"] = model
            await until(lambda: not breaker.is_open())
            answer = await ask(services, "The boat is late.")
            assert (answer.engine, answer.degraded) == ("openai", False)
            assert breaker.state == "closed"
