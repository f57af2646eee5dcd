"""What a lane tells its engine's breaker, and what it does when that is open."""

from __future__ import annotations

import pytest

from speech_translator.engines.spec import EngineSpec
from speech_translator.errors import (
    AnswerRejected,
    CircuitOpen,
    EngineFailed,
    EngineUnavailable,
    InvalidField,
    PoisonousInput,
    SpeechTranslatorError,
)
from speech_translator.scalability.engine_breaker import ANSWERED_LATELY_S, breaker_config
from tests.support.broker_lane import World, outcome

FAILED = EngineFailed("no")
AWAY = EngineUnavailable("cannot be reached")
OPEN_S = 2.0


async def fail(world: World, count: int, error: SpeechTranslatorError = FAILED, owner="ann"):
    for number in range(count):
        (answer,) = await world.asked(f"{owner} {number}", owner=owner)
        world.host.refuse(error)
        assert outcome(answer) is type(error)


async def serve(world: World, owner: str) -> None:
    await world.asked(f"for {owner}", owner=owner)
    world.host.answer()


async def opened() -> World:
    world = World()
    world.host.ready()
    await fail(world, 5)
    assert world.breaker.state == "open"
    return world


async def test_calls_that_fail_one_after_the_other_open_it_and_the_next_is_refused() -> None:
    world = await opened()
    world.now += 0.5
    with pytest.raises(CircuitOpen) as refused:
        world.ask("more")
    assert refused.value.retry_after == 1.5
    assert world.host.holds() == []


async def test_what_waits_is_refused_when_it_opens() -> None:
    world = World()
    world.host.ready()
    await fail(world, 4)
    first, second = await world.asked("first", "second")
    world.host.refuse(AWAY)
    assert outcome(first) is EngineUnavailable
    assert outcome(second) is CircuitOpen


async def test_what_waits_is_refused_when_somebody_else_opens_it() -> None:
    world = World()
    world.host.ready()
    first, second = await world.asked("first", "second")
    world.breaker.trip_sync()
    world.host.answer("first")
    assert outcome(first) == "pt:first"
    assert outcome(second) is CircuitOpen


async def test_a_probe_is_one_call_alone_and_the_others_wait_for_what_becomes_of_it() -> None:
    world = World()
    world.host.ready(concurrency=4, batch=8)
    await fail(world, 5)
    world.now += OPEN_S
    answers = await world.asked(*(str(number) for number in range(1000)))
    assert world.host.holds() == [["0"]]
    with pytest.raises(CircuitOpen):
        world.ask("one more, once the probe has begun")
    world.host.answer("0")
    assert world.breaker.state == "closed"
    assert world.host.holds()[:2] == [
        [str(number) for number in range(1, 8)],  # who was taken with the probe is next
        [str(number) for number in range(8, 16)],
    ]
    world.host.answer_all()
    assert all(isinstance(outcome(answer), str) for answer in answers)


async def test_a_probe_that_fails_sends_the_others_away() -> None:
    world = await opened()
    world.now += OPEN_S
    probe, other = await world.asked("probe", "other")
    world.host.refuse(AWAY)
    assert outcome(probe) is EngineUnavailable
    assert outcome(other) is CircuitOpen
    assert world.breaker.retry_after() == OPEN_S


async def test_suspects_are_not_run_by_a_breaker_that_is_open() -> None:
    world = World(replicas=2)
    for host in world.hosts:
        host.ready()
    await world.asked("a", "b")
    world.hosts[0].end()
    world.breaker.trip_sync()
    world.hosts[1].answer()
    world.hosts[0].again()
    await world.turn()
    assert world.hosts[0].holds() == []


@pytest.mark.parametrize("error", [InvalidField("x", field="y"), AnswerRejected("x")])
async def test_what_speaks_of_the_input_says_nothing(error: SpeechTranslatorError) -> None:
    world = World()
    world.host.ready()
    await fail(world, 50, error)
    assert world.breaker.snapshot().window_calls == 0


async def test_who_fails_while_others_are_answered_counts_once() -> None:
    world = World()
    world.host.ready()
    await serve(world, "bob")
    await fail(world, 50, owner="ann")
    assert world.breaker.snapshot().failures == 1
    await serve(world, "ann")  # and then a run of failures of theirs is a new one
    await fail(world, 50, owner="ann")
    assert world.breaker.snapshot().failures == 1


async def test_an_engine_that_fails_for_several_owners_is_left_alone() -> None:
    world = World()
    world.host.ready()
    await serve(world, "ann")
    for number in range(4):
        await fail(world, 2, owner=f"owner {number}")
    assert world.breaker.state == "closed"
    await fail(world, 1, owner="one more")
    assert world.breaker.state == "open"


async def test_a_server_that_is_away_counts_whoever_asked() -> None:
    world = World()
    world.host.ready()
    await serve(world, "bob")
    await fail(world, 5, AWAY, owner="ann")
    assert world.breaker.state == "open"


async def test_answers_of_others_speak_for_the_engine_for_a_while() -> None:
    world = World()
    world.host.ready()
    await serve(world, "bob")
    world.now += ANSWERED_LATELY_S
    await fail(world, 5, owner="ann")
    assert world.breaker.state == "open"


async def test_an_owner_who_was_answered_does_not_speak_for_the_engine_themselves() -> None:
    world = World()
    world.host.ready()
    await serve(world, "ann")
    await fail(world, 5, owner="ann")
    assert world.breaker.state == "open"


async def test_who_waits_behind_a_probe_waits_on_when_an_older_call_ends() -> None:
    world = World()
    world.host.ready(concurrency=2)
    (old,) = await world.asked("old")
    world.breaker.trip_sync()
    world.now += OPEN_S
    probe, waiting = await world.asked("probe", "waiting")
    world.host.refuse(AWAY, "old")
    assert (outcome(old), outcome(probe), outcome(waiting)) == (EngineUnavailable, None, None)
    world.host.answer("probe")
    world.host.answer("waiting")
    assert outcome(waiting) == "pt:waiting"


async def test_a_batch_of_several_calls_that_raises_says_nothing_by_itself() -> None:
    world = World()
    world.host.ready(batch=8)
    answers = await world.asked("a", "b", "c", "d")
    world.host.refuse(FAILED)
    assert world.breaker.snapshot().failures == 0
    while world.host.sent:
        world.host.refuse(FAILED, *world.host.holds()[0])
    assert {outcome(answer) for answer in answers} == {EngineFailed}
    assert world.breaker.snapshot().failures == 4


async def test_one_end_of_a_process_says_nothing_however_much_was_in_it() -> None:
    world = World()
    world.host.ready(concurrency=8)
    await world.asked(*"abcdefgh")
    world.host.end("killed")
    world.host.again(concurrency=8)
    assert world.breaker.snapshot().failures == 0
    world.host.answer_all()
    assert world.breaker.state == "closed"


async def test_inputs_that_end_their_process_do_not_open_it() -> None:
    world = World()
    world.host.ready()
    await serve(world, "bob")
    for number in range(8):
        (poison,) = await world.asked(f"poison {number}", owner=f"owner {number}")
        for _ in range(2):
            world.host.end()
            world.host.again()
        assert outcome(poison) is PoisonousInput
    assert world.breaker.snapshot().window_failures == 0
    assert world.breaker.state == "closed"


async def test_an_engine_that_ends_on_every_call_is_to_blame_itself() -> None:
    world = World()
    world.host.ready()
    for count in (1, 2, 3):
        (answer,) = await world.asked(str(count))
        for _ in range(2):
            world.host.end()
            world.host.again()
        assert outcome(answer) is EngineFailed
        assert world.breaker.snapshot().failures == count


async def test_a_crash_loop_opens_it_and_a_process_that_loads_lets_a_probe_pass() -> None:
    world = World()
    world.host.ready()
    for _ in range(8):
        assert world.breaker.state == "closed"
        world.host.end()
    assert world.breaker.snapshot().state == "open"
    world.host.again()
    (answer,) = await world.asked("probe")
    world.host.answer()
    assert outcome(answer) == "pt:probe"
    assert world.breaker.state == "closed"


async def test_failures_are_not_forgiven_because_a_replica_loads() -> None:
    world = await opened()
    world.host.again()
    assert world.breaker.is_open()


async def test_a_call_that_cannot_be_sent_frees_the_probes_place() -> None:
    world = await opened()
    world.now += OPEN_S
    world.host.unsendable["odd"] = TypeError()
    (answer,) = await world.asked("odd")
    assert outcome(answer) is EngineFailed
    assert world.breaker.state == "half_open"
    assert not world.breaker.is_open()


def test_slow_calls_speak_against_servers_elsewhere_alone() -> None:
    here = EngineSpec(name="x", task="translation", factory="a:b", options={"url": ""})
    there = EngineSpec(
        name="x", task="translation", factory="a:b", options={"url": "http://h"}, call_timeout_s=8
    )
    assert breaker_config(here).slow_call_s is None
    assert breaker_config(there).slow_call_s == 4.0
