"""Which engine is asked, by which guards: open breakers, retries, and the fall along the chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import TranslateCall
from speech_translator.errors import (
    AnswerRejected,
    CircuitOpen,
    DeadlineExceeded,
    EngineFailed,
    EngineUnavailable,
    ShuttingDown,
    SpeechTranslatorError,
)
from speech_translator.reliability import BreakerConfig, CircuitBreakerRegistry, Deadline
from speech_translator.scalability.engine_access import ATTEMPT_SHARE, EngineAccess
from speech_translator.scalability.engine_guards import engine_guards
from speech_translator.scalability.events import (
    BrokerEvent,
    CallRetried,
    FellBack,
    RetryWithheld,
)
from speech_translator.scalability.results import RequestContext
from tests.support.breakers import Clock
from tests.support.scripted_broker import ScriptedBroker, translator

CHAIN = ("first", "second", "third")


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100):
        yield


class World:
    """Three engines, the first two of them on servers elsewhere."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[BrokerEvent] = []
        self.engines = {name: translator(name, "en-pt", mark=name) for name in CHAIN}
        self.registry = CircuitBreakerRegistry(BreakerConfig(open_s=4.0), clock=self.clock)
        specs = [
            EngineSpec(
                name=name,
                task="translation",
                factory="a:b",
                options={"url": "" if name == "third" else "http://h"},
            )
            for name in CHAIN
        ]
        guards = engine_guards(specs, self.registry, self.told.append)
        self.broker = ScriptedBroker(*self.engines.values())
        self.access = EngineAccess(self.broker, guards)
        self.given: list[float] = []

    def fails(self, name: str, *errors: SpeechTranslatorError) -> None:
        """The engine raises these, and then works."""
        left, works = list(errors), self.engines[name].answer

        def answer(call):
            if left:
                raise left.pop(0)
            return works(call)

        self.engines[name].answer = answer

    def asked(self) -> list[int]:
        return [len(engine.calls) for engine in self.engines.values()]

    async def ask(self, seconds: float = 10.0) -> tuple[str, int]:
        context = RequestContext(Deadline.after(seconds, clock=self.clock))

        async def work(name: str, attempt: RequestContext) -> str:
            self.given.append(attempt.deadline.remaining())
            result = await self.access.call(name, TranslateCall("Hi", "en", "pt"), attempt)
            assert isinstance(result, str)
            return result

        return await self.access.first_answer(CHAIN, lambda name: [name], context, work)


async def test_the_first_engine_answers_within_its_share() -> None:
    world = World()
    assert await world.ask() == ("first:Hi", 0)
    assert world.given == [10 * ATTEMPT_SHARE]
    assert world.told == []


async def test_an_engine_whose_breaker_is_open_is_not_asked() -> None:
    world = World()
    world.registry.get("first").trip_sync()
    assert await world.ask() == ("second:Hi", 1)
    assert world.asked() == [0, 1, 0]
    assert world.told == [FellBack("first", "circuit_open")]


async def test_the_only_one_left_has_all_of_the_time() -> None:
    world = World()
    world.registry.get("second").trip_sync()
    world.registry.get("third").trip_sync()
    await world.ask()
    assert world.given == [10.0]


async def test_where_all_are_open_the_first_probe_says_when_to_come_back() -> None:
    world = World()
    for name in CHAIN:
        world.registry.get(name).trip_sync()
        world.clock.now += 1.0
    with pytest.raises(CircuitOpen) as refused:
        await world.ask()
    assert refused.value.retry_after == 1.0
    assert world.asked() == [0, 0, 0]


async def test_a_servers_failure_is_tried_once_more_and_then_left_to_the_next() -> None:
    world = World()
    world.fails("first", EngineFailed("500"))
    assert await world.ask() == ("first:Hi", 0)
    assert [type(event) for event in world.told] == [CallRetried]
    world.fails("first", EngineFailed("500"), EngineFailed("500"))
    assert await world.ask() == ("second:Hi", 1)
    assert world.told[2:] == [
        RetryWithheld("first", "attempts"),
        FellBack("first", "engine_failed"),
    ]


@pytest.mark.parametrize("error", [AnswerRejected("x"), EngineUnavailable("x")])
async def test_what_asking_again_does_not_mend_goes_to_the_next_at_once(error) -> None:
    world = World()
    world.fails("first", error)
    assert await world.ask() == ("second:Hi", 1)
    assert world.asked() == [1, 1, 0]


async def test_an_engine_on_this_machine_is_not_asked_the_same_again() -> None:
    world = World()
    for name in CHAIN:
        world.fails(name, *[EngineFailed("x")] * 2)
    with pytest.raises(EngineFailed):
        await world.ask()
    assert world.asked() == [2, 2, 1]
    fallen = [event.engine for event in world.told if isinstance(event, FellBack)]
    assert fallen == ["first", "second"]


async def test_a_breaker_that_opened_by_the_failure_has_no_retry() -> None:
    world = World()

    def trip(_call):
        world.registry.get("first").trip_sync()
        raise EngineFailed("x")

    world.engines["first"].answer = trip
    assert await world.ask() == ("second:Hi", 1)
    assert RetryWithheld("first", "breaker_open") in world.told


async def test_a_share_that_runs_out_falls_to_the_next_and_a_deadline_does_not() -> None:
    world = World()
    world.engines["first"].hangs = True
    assert await world.ask() == ("second:Hi", 1)
    assert world.told == [FellBack("first", "engine_timeout")]
    for engine in world.engines.values():
        engine.hangs = True
    with pytest.raises(DeadlineExceeded):
        await world.ask()


async def test_a_service_that_ends_tries_nobody_else() -> None:
    world = World()
    world.fails("first", ShuttingDown("bye"))
    with pytest.raises(ShuttingDown):
        await world.ask()
    assert world.asked() == [1, 0, 0]
