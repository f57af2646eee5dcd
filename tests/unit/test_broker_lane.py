"""What one engine's lane decides, over replicas that a test plays."""

from __future__ import annotations

from typing import Any

import pytest

from speech_translator.engines.values import Priority
from speech_translator.errors import (
    ConfigurationError,
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    InvalidText,
    ModelMissing,
    Overloaded,
    PoisonousInput,
    ShuttingDown,
    Suspended,
)
from speech_translator.scalability.events import (
    BatchDone,
    CallRejected,
    EngineExited,
    EngineRestarting,
    OwnerSuspended,
    Quarantined,
)
from speech_translator.scalability.offenders import FIRST_S, TOO_MANY
from speech_translator.scalability.pace import SHORT_BATCH_S, batch_timeout
from speech_translator.scalability.suspects import KILLS_ALONE
from tests.support.broker_lane import World, outcome

# Giving out work


async def test_what_comes_in_one_turn_of_the_loop_shares_a_batch() -> None:
    world = World()
    world.host.ready(batch=4)
    answers = await world.asked("a", "b", "c", "d", "e")
    assert world.host.holds() == [["a", "b", "c", "d"]]
    world.host.answer()
    assert world.host.holds() == [["e"]]
    assert [outcome(answer) for answer in answers] == ["pt:a", "pt:b", "pt:c", "pt:d", None]


async def test_a_replica_gets_no_more_batches_than_it_runs_side_by_side() -> None:
    world = World()
    world.host.ready(concurrency=2)
    await world.asked("a", "b", "c")
    assert world.host.holds() == [["a"], ["b"]]
    world.host.answer("b")
    assert world.host.holds() == [["a"], ["c"]]


async def test_short_batches_are_sent_ahead_and_long_ones_are_not() -> None:
    world = World()
    world.host.ready(concurrency=2)
    world.host.seconds = SHORT_BATCH_S / 10
    await world.asked("a", "b", "c", "d", "e", "f")
    assert world.host.holds() == [["a"], ["b"]]  # nothing is known yet
    world.host.answer("a")
    assert world.host.holds() == [["b"], ["c"], ["d"], ["e"]]
    world.host.seconds = 1.0
    world.host.answer("b")
    assert world.host.holds() == [["c"], ["d"], ["e"]]
    world.host.answer("c")
    world.host.answer("d")
    assert world.host.holds() == [["e"], ["f"]]


async def test_work_goes_to_the_least_busy_replica() -> None:
    world = World(replicas=2)
    for host in world.hosts:
        host.ready(concurrency=2)
    await world.asked("a")
    await world.asked("b")
    await world.asked("c")
    assert sorted(len(host.sent) for host in world.hosts) == [1, 2]


async def test_calls_wait_for_an_engine_that_loads() -> None:
    world = World()
    (answer,) = await world.asked("early")
    assert world.lane.status().state == "starting"
    world.host.ready()
    world.host.answer()
    assert outcome(answer) == "pt:early"
    assert world.lane.status().state == "ready"


async def test_the_longest_wait_of_a_batch_is_told() -> None:
    world = World()
    world.ask("a")
    world.now += 3
    world.ask("b")
    world.now += 1
    world.host.ready(batch=2)
    world.host.answer()
    assert world.told(BatchDone) == [BatchDone("echo", 2, 4.0, 0.1)]


async def test_an_engine_that_claims_no_concurrency_runs_one_at_a_time() -> None:
    world = World()
    world.host.ready(concurrency=0, batch=0)
    await world.asked("a", "b")
    assert world.host.holds() == [["a"]]


async def test_a_late_answer_to_what_is_no_longer_there_is_ignored() -> None:
    world = World()
    world.host.ready()
    world.lane.on_done(world.host, 77, ["x"], 0.1)
    world.lane.on_failed(world.host, 77, EngineFailed("x"))
    assert not world.events[2:]


async def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    world = World(queue_limit=3)
    world.host.ready()
    world.ask("runs", "a", "b", "c")
    with pytest.raises(Overloaded) as refused:
        world.ask("d")
    assert refused.value.retry_after == 1.0
    assert world.host.holds() == [["runs"]]
    assert world.lane.status().queued == 3


@pytest.mark.parametrize(
    ("waiting", "comes"),
    [
        ({"priority": Priority.BULK}, {}),
        ({"priority": Priority.INTERACTIVE, "weight": 8}, {"priority": Priority.LIVE}),
        ({"weight": 1, "owner": "free"}, {"weight": 4, "owner": "pro"}),
        ({"owner": "flood"}, {"owner": "ada"}),
    ],
)
async def test_in_a_full_queue_what_comes_behind_gives_way(
    waiting: dict[str, Any], comes: dict[str, Any]
) -> None:
    world = World(queue_limit=3)
    world.host.ready()
    runs, first, second, newest = await world.asked("runs", "a", "b", "c", **waiting)
    (taken,) = world.ask("d", **comes)
    assert isinstance(newest.exception(), Overloaded)
    assert not any(answer.done() for answer in (runs, first, second, taken))
    assert world.told(CallRejected) == [CallRejected("echo", "overloaded")]
    assert world.lane.status().queued == 3


@pytest.mark.parametrize(
    ("waiting", "comes"),
    [
        ({}, {"priority": Priority.BULK, "weight": 8}),
        ({"weight": 4, "owner": "pro"}, {"weight": 1, "owner": "free"}),
        ({"owner": "flood"}, {"owner": "flood"}),
    ],
)
async def test_in_a_full_queue_what_comes_behind_is_refused(
    waiting: dict[str, Any], comes: dict[str, Any]
) -> None:
    world = World(queue_limit=3)
    world.host.ready()
    answers = await world.asked("runs", "a", "b", "c", **waiting)
    with pytest.raises(Overloaded):
        world.ask("d", **comes)
    assert not any(answer.done() for answer in answers)


async def test_a_flood_leaves_everybody_as_much_room() -> None:
    world = World(queue_limit=9)
    world.host.ready()
    flood = await world.asked("runs", *map(str, range(9)), owner="flood")
    others = [world.ask(f"{owner} {n}", owner=owner) for n in range(3) for owner in ("ada", "bo")]
    assert (
        sum(isinstance(answer.done() and answer.exception(), Overloaded) for answer in flood) == 6
    )
    assert not any(answer.done() for (answer,) in others)
    with pytest.raises(Overloaded):
        world.ask("one more", owner="ada")


async def test_who_leaves_makes_room() -> None:
    world = World(queue_limit=1)
    (answer,) = await world.asked("a")
    answer.cancel()
    world.lane.forget(next(iter(world.lane._backlog._queue._lines[Priority.INTERACTIVE])))
    world.ask("b")
    assert world.lane.status().queued == 1


# Batches that raise


async def test_only_the_call_that_is_to_blame_fails() -> None:
    world = World()
    world.host.ready(batch=4)
    answers = await world.asked("a", "bad", "c", "d")
    error = EngineFailed("bad")
    world.host.refuse(error, "a", "bad", "c", "d")
    world.host.refuse(error, "a", "bad")
    world.host.answer("c", "d")
    world.host.answer("a")
    world.host.refuse(error, "bad")
    assert [outcome(answer) for answer in answers] == ["pt:a", EngineFailed, "pt:c", "pt:d"]


async def test_who_gave_up_is_not_run_again() -> None:
    world = World()
    world.host.ready(batch=4)
    answers = await world.asked("a", "bad", "c", "d")
    answers[2].cancel()
    answers[3].cancel()
    world.host.refuse(EngineFailed("bad"))
    world.host.answer_all()
    assert world.host.order == [["a", "bad", "c", "d"], ["a", "bad"]]


@pytest.mark.parametrize(
    ("error", "expected"), [(InvalidText("no"), InvalidText), (TypeError("no"), EngineFailed)]
)
async def test_a_call_that_cannot_be_sent_fails_alone(error: Exception, expected: type) -> None:
    world = World()
    world.host.unsendable["bad"] = error
    world.host.ready(batch=4)
    answers = await world.asked("a", "bad", "c", "d")
    world.host.answer_all()
    assert [outcome(answer) for answer in answers] == ["pt:a", expected, "pt:c", "pt:d"]
    assert world.lane.status().in_flight == 0


async def test_an_engine_that_leaves_calls_out_fails_them_one_by_one() -> None:
    world = World()
    world.host.ready(batch=2)
    answers = await world.asked("a", "b")
    (number,) = world.host.sent
    world.host.sent.clear()
    world.lane.on_done(world.host, number, ["only one"], 0.1)
    world.host.answer_all()
    assert [outcome(answer) for answer in answers] == ["pt:a", "pt:b"]


# Processes that end


async def served(replicas: int = 1, **options: int) -> World:
    """A world whose engine has answered before."""
    world = World(replicas=replicas)
    for host in world.hosts:
        host.ready(**options)
    await world.asked(*(f"warm {host.index}" for host in world.hosts))
    for host in world.hosts:
        host.answer_all()
        host.order.clear()
    return world


async def test_the_guilty_one_of_a_batch_is_found_by_its_second_crash() -> None:
    world = await served(batch=4)
    answers = await world.asked("a", "bad", "c", "d")
    later = await world.asked("later")
    world.host.end()
    world.host.again(batch=4)
    assert world.host.holds() == [["a"]]  # alone, although more would fit
    world.host.answer("a")
    assert world.host.holds() == [["bad"]]
    world.host.end()
    world.host.again(batch=4)
    world.host.answer("c")
    world.host.answer("d")
    world.host.answer("later")
    assert [outcome(a) for a in answers] == ["pt:a", PoisonousInput, "pt:c", "pt:d"]
    assert outcome(later[0]) == "pt:later"
    assert len(world.told(EngineExited)) == 2
    assert len(world.told(Quarantined)) == 1
    with pytest.raises(PoisonousInput):
        world.ask("bad")


async def test_nothing_runs_beside_a_suspect() -> None:
    world = await served(concurrency=4)
    await world.asked("a", "b")
    world.host.end()
    await world.asked("other")
    world.host.again(concurrency=4)
    assert world.host.holds() == [["a"]]
    world.host.answer("a")
    assert world.host.holds() == [["b"]]
    world.host.answer("b")
    assert world.host.holds() == [["other"]]


async def test_the_other_replica_goes_on_and_is_cleared_only_if_it_must_help() -> None:
    world = await served(replicas=2, concurrency=2)
    first, second = world.hosts
    await world.asked("a", "b", "c", "d")
    lost, kept = first.holds(), second.holds()
    first.end()  # and does not come back
    await world.asked("e", "f")
    assert second.holds() == kept  # full
    second.answer(*kept[0])
    assert second.holds() == kept[1:]  # nothing new: it is to become idle
    second.answer(*kept[1])
    assert second.holds() == lost[:1]
    second.answer(*lost[0])
    second.answer(*lost[1])
    assert second.holds() == [["e"], ["f"]]


async def test_two_idle_replicas_share_the_suspects() -> None:
    world = await served(replicas=2, batch=2)
    first, second = world.hosts
    await world.asked("a", "b")
    holder, idle = (first, second) if first.sent else (second, first)
    holder.end()
    assert idle.holds() == [["a"]]  # at once
    holder.again(batch=2)
    assert sorted(first.holds() + second.holds()) == [["a"], ["b"]]


async def test_a_suspect_whose_caller_left_is_remembered() -> None:
    world = await served(concurrency=2)
    answers = await world.asked("bad", "good")
    for answer in answers:
        answer.cancel()
    world.host.end()
    world.host.again(concurrency=2)
    assert world.host.holds() == []
    again = await world.asked("bad", "good")
    assert world.host.holds() == [["bad"]]
    world.host.end()
    world.host.again(concurrency=2)
    world.host.answer("good")
    assert [outcome(answer) for answer in again] == [PoisonousInput, "pt:good"]
    await world.asked("good", "other")
    assert world.host.holds() == [["good"], ["other"]]  # no suspect any more


async def test_a_suspect_that_nobody_waits_for_any_more_is_not_run() -> None:
    world = await served(batch=3)
    answers = await world.asked("a", "b", "c")
    world.host.end()
    answers[0].cancel()
    world.host.again(batch=3)
    assert world.host.holds() == [["b"]]
    world.now += 100  # past every deadline
    world.host.answer("b")
    assert world.host.holds() == []
    assert world.lane.status().queued == 0


async def test_a_suspect_is_judged_although_its_caller_has_gone() -> None:
    world = await served()
    (answer,) = await world.asked("bad")
    world.host.end()
    world.host.again()
    answer.cancel()
    world.host.end()
    with pytest.raises(PoisonousInput):
        world.ask("bad")


async def test_a_hang_is_a_timeout_and_is_remembered() -> None:
    world = await served()
    (answer,) = await world.asked("slow")
    world.host.end("hung")
    world.host.again()
    world.host.end("hung")
    assert outcome(answer) is EngineTimeout
    with pytest.raises(EngineTimeout):
        world.ask("slow")


async def test_kills_from_outside_cost_nobody_an_answer() -> None:
    world = await served(concurrency=2)
    answers = await world.asked("a", "b")
    for _ in range(KILLS_ALONE - 1):
        world.host.end("killed")
        world.host.again(concurrency=2)
    world.host.answer_all()
    assert [outcome(answer) for answer in answers] == ["pt:a", "pt:b"]
    assert not world.told(Quarantined)


async def test_an_engine_that_never_answered_blames_no_input() -> None:
    world = World()
    world.host.ready()
    answers = await world.asked("a", "b")
    for _ in range(3):
        world.host.end()
        world.host.again()
    assert outcome(answers[0]) is EngineFailed
    assert not world.told(Quarantined)


async def test_a_conviction_does_not_make_the_engine_look_bad() -> None:
    world = await served()
    for number in range(20):
        answers = await world.asked(f"bad {number}", owner=f"owner {number}")
        world.host.end()
        world.host.again()
        pause = world.host.end()
        world.host.again()
        assert outcome(answers[0]) is PoisonousInput
        assert pause == 1.0
        await world.asked(f"good {number}")
        world.host.answer()
    assert world.lane.status().state == "ready"


async def convicted(world: World, text: str, owner: str) -> object:
    """What becomes of an input that ends the process twice."""
    (answer,) = await world.asked(text, owner=owner)
    for _ in range(2):
        world.host.end()
        world.host.again()
    return outcome(answer)


async def test_who_ends_the_process_again_and_again_is_left_out_and_others_are_not() -> None:
    world = await served()
    for number in range(TOO_MANY):
        assert await convicted(world, f"bad {number}", "eve") is PoisonousInput
    with pytest.raises(Suspended) as refused:
        world.ask("bad again", owner="eve")
    assert refused.value.retry_after == FIRST_S
    assert world.told(OwnerSuspended) == [OwnerSuspended("echo", "eve", FIRST_S)]
    answers = await world.asked("good", owner="ada")
    world.host.answer()
    assert outcome(answers[0]) == "pt:good"
    world.now += FIRST_S
    assert await convicted(world, "worse", "eve") is PoisonousInput
    with pytest.raises(Suspended) as refused:
        world.ask("still bad", owner="eve")
    assert refused.value.retry_after == 2 * FIRST_S


async def test_what_waits_of_who_is_left_out_is_not_begun() -> None:
    world = await served()
    for number in range(TOO_MANY - 1):
        await convicted(world, f"bad {number}", "eve")
    bad, late = await world.asked("bad", "late", owner="eve")
    world.host.end()
    world.host.again()
    other, suspect = await world.asked("other", owner="ada"), world.ask("suspect", owner="eve")
    world.host.end()
    world.host.again()
    assert [outcome(answer) for answer in (bad, late, *suspect)] == [
        PoisonousInput,
        Suspended,
        Suspended,
    ]
    world.host.answer()
    assert outcome(other[0]) == "pt:other"


async def test_an_engine_that_ends_on_everything_stops_blaming_its_inputs() -> None:
    world = await served()
    outcomes = []
    for number in range(10):
        answers = await world.asked(f"innocent {number}", owner=f"owner {number}")
        world.host.end()
        world.host.again()
        world.host.end()
        world.host.again()
        outcomes.append(outcome(answers[0]))
    assert outcomes == [PoisonousInput] * 8 + [EngineFailed] * 2


async def test_a_batch_that_takes_too_long_ends_its_process() -> None:
    world = World(call_timeout_s=0.0)
    world.host.ready()
    await world.asked("slow")
    await world.turn()
    assert world.host.killed


async def test_a_batch_that_is_answered_needs_no_watch() -> None:
    world = World()
    world.host.ready()
    await world.asked("a")
    (batch,) = world.lane.seats[0].batches.values()
    assert not batch.timer.cancelled()
    world.host.answer()
    assert batch.timer.cancelled()


async def test_what_is_sent_ahead_is_watched_from_when_it_is_begun() -> None:
    world = World()
    world.host.ready()
    world.host.seconds = SHORT_BATCH_S / 10
    await world.asked("a", "b")
    world.host.answer("a")
    await world.asked("c", "d")
    batches = world.lane.seats[0].batches

    def watched() -> list[bool]:
        return [batch.timer is not None for batch in batches.values()]

    assert world.host.holds() == [["b"], ["c"]]
    assert watched() == [True, False]
    world.host.refuse(EngineFailed("no"), "b")
    assert world.host.holds() == [["c"], ["d"]]
    assert watched() == [True, False]
    world.host.answer("c")
    assert watched() == [True]


async def test_where_nothing_can_be_killed_the_caller_is_told() -> None:
    world = World(call_timeout_s=0.0)
    world.host.killable = False
    world.host.ready()
    first, second = await world.asked("slow", "next")
    await world.turn()
    assert outcome(first) is EngineTimeout
    assert outcome(second) is None  # its thread is still taken
    assert world.host.holds() == [["slow"]]


def test_a_batch_gets_more_time_than_a_call_and_less_than_its_calls() -> None:
    times = [batch_timeout(10.0, size) for size in (1, 2, 16, 64)]
    assert times == [10.0, 12.5, 20.0, 25.0]


# Starts that fail


async def test_pauses_double_and_an_engine_that_does_not_come_up_has_failed() -> None:
    world = World()
    (answer,) = await world.asked("a")
    assert [world.host.end("load_timeout") for _ in range(3)] == [1.0, 2.0, 4.0]
    assert world.lane.status().state == "starting"
    assert outcome(answer) is None
    assert [world.host.end("load_timeout") for _ in range(3)] == [8.0, 16.0, 16.0]
    status = world.lane.status()
    assert status.state == "failed"
    assert "load timeout" in status.message
    error = answer.exception()
    assert isinstance(error, EngineUnavailable)
    assert error.retry_after == 8.0
    with pytest.raises(EngineUnavailable) as refused:
        world.ask("b")
    assert refused.value.retry_after == 16.0
    assert world.told(EngineRestarting)[-1] == EngineRestarting("echo", 0, 16.0)


async def test_an_engine_that_comes_back_is_used_again() -> None:
    world = World()
    for _ in range(5):
        world.host.end()
    world.host.again()
    (answer,) = await world.asked("a")
    world.host.answer()
    assert outcome(answer) == "pt:a"
    assert world.lane.status().message == ""
    assert world.host.end() == 1.0  # it answered: pauses begin anew


async def test_an_engine_that_served_is_believed_in_for_longer() -> None:
    world = await served()
    for _ in range(7):
        world.host.end("load_failed", EngineFailed("no"))
    assert world.lane.status().state == "restarting"
    world.host.end("load_failed", EngineFailed("no"))
    assert world.lane.status().state == "failed"


async def test_a_long_healthy_life_begins_anew() -> None:
    world = World()
    assert [world.host.end() for _ in range(3)] == [1.0, 2.0, 4.0]
    world.host.again()
    world.now += 101
    assert world.host.end() == 1.0


async def test_missing_weights_are_missing_until_they_are_there() -> None:
    world = World()
    (answer,) = await world.asked("a")
    pause = world.host.end("load_failed", ModelMissing("pip install weights"))
    assert pause == 60.0
    assert world.lane.status().state == "missing"
    assert world.lane.status().message == "pip install weights"
    assert outcome(answer) is EngineUnavailable
    world.host.again()
    assert world.lane.status().state == "ready"


async def test_what_an_operator_must_mend_has_failed_at_once_even_after_serving() -> None:
    world = await served()
    world.host.end()
    world.host.end("load_failed", ConfigurationError("the disk is full"))
    assert world.lane.status().state == "failed"
    assert world.lane.status().message == "the disk is full"


async def test_one_replica_that_works_is_enough() -> None:
    world = World(replicas=2)
    for _ in range(9):
        world.hosts[0].end()
    assert world.lane.status().state == "starting"
    world.hosts[1].ready()
    (answer,) = await world.asked("a")
    world.hosts[1].answer()
    assert outcome(answer) == "pt:a"


async def test_restarts_are_counted() -> None:
    world = World()
    for _ in range(3):
        world.lane.on_starting(world.host)
    assert world.lane.status().restarts == 2


# Closing


async def test_closing_refuses_what_waits_what_runs_and_what_comes() -> None:
    world = World()
    world.host.ready()
    answers = await world.asked("runs", "waits", priority=Priority.BULK)
    world.lane.close()
    assert [outcome(answer) for answer in answers] == [ShuttingDown, ShuttingDown]
    with pytest.raises(ShuttingDown):
        world.ask("comes")
