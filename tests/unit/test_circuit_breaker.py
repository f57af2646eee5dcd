"""The breaker's faces: what opens it, what passes, what is told; by a clock that is set."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from speech_translator.errors import (
    CircuitOpen,
    ConfigurationError,
    DeadlineExceeded,
    EngineFailed,
    InvalidField,
    NotFound,
)
from speech_translator.problems import retry_after_of, status_of
from speech_translator.reliability import (
    BreakerConfig,
    CircuitBreaker,
    CircuitBreakerRegistry,
    StateChange,
)
from speech_translator.reliability.breaker_machine import Machine, Shared
from speech_translator.reliability.breaker_window import Counts
from tests.support.breakers import CONFIG, Bench, Clock


def test_failures_in_a_row_open_it_and_a_success_between_begins_anew() -> None:
    bench = Bench()
    bench.end("failure", "failure", "success", "failure", "failure")
    assert bench.state == "closed"
    bench.end("failure")
    assert bench.state == "open"
    assert bench.told == [
        StateChange("payments", "closed", "open", "consecutive_failures", CONFIG.open_s)
    ]


def test_a_share_of_failures_opens_it_once_there_are_enough_calls() -> None:
    bench = Bench()
    bench.end("failure", "success", "success", "failure", "failure")
    assert bench.state == "closed"  # 3 of 5, and 6 are needed to say anything
    bench.end("success")
    assert bench.state == "closed"  # what went well opens nothing
    bench.end("failure")
    assert bench.state == "open"
    assert bench.told[0].reason == "failure_rate"


def test_what_left_the_window_does_not_count() -> None:
    bench = Bench()
    bench.end("failure", "success", "failure", "failure", "success")
    bench.clock.now += CONFIG.window_s
    bench.end("failure", "success", "success", "success", "success", "failure")
    assert bench.state == "closed"
    assert bench.breaker.snapshot().window_calls == 6


def test_slow_calls_open_it_though_they_succeed() -> None:
    bench = Bench()
    bench.end(*["success"] * 6, seconds=1.9)
    assert bench.state == "closed"
    bench.clock.now += CONFIG.window_s
    bench.end("success", "success")
    bench.end(*["success"] * 5, seconds=2.0)
    assert bench.state == "closed"  # 5 of 7
    bench.end("success", seconds=2.0)
    assert bench.told[0].reason == "slow_calls"


def test_an_open_breaker_refuses_with_the_time_until_its_next_probe() -> None:
    bench = Bench().opened()
    bench.clock.now += 1.5
    called = []
    with pytest.raises(CircuitOpen) as refused:
        bench.breaker.call_sync(called.append, 1)
    assert called == []
    assert refused.value.code == "circuit_open"
    assert refused.value.details == {"dependency": "payments"}
    assert refused.value.retry_after == 3.5
    assert (status_of(refused.value), retry_after_of(refused.value)) == (503, 4)
    assert bench.breaker.is_open()
    assert bench.breaker.retry_after() == 3.5
    bench.clock.now += 3.4999
    with pytest.raises(CircuitOpen) as refused:
        bench.breaker.acquire_sync()
    assert retry_after_of(refused.value) == 1


def test_a_probe_that_succeeds_closes_it() -> None:
    bench = Bench().half_open()
    assert not bench.breaker.is_open()  # asking begins nothing
    assert bench.state == "open"
    probe = bench.breaker.acquire_sync()
    assert bench.state == "half_open"
    assert bench.breaker.is_open()
    with pytest.raises(CircuitOpen):
        bench.breaker.acquire_sync()
    bench.breaker.settle_sync(probe, "success", 0.1)
    assert [change.state for change in bench.told] == ["open", "half_open", "closed"]
    assert [change.reason for change in bench.told[1:]] == ["probing", "probe_succeeded"]
    assert bench.breaker.snapshot().failures == 0


@pytest.mark.parametrize(("outcome", "seconds"), [("failure", 0.1), ("success", 2.0)])
def test_a_probe_that_fails_or_is_slow_opens_it_again(outcome, seconds: float) -> None:
    bench = Bench().half_open()
    bench.end(outcome, seconds=seconds)
    assert bench.told[-1] == StateChange("payments", "half_open", "open", "probe_failed", 5.0)
    assert bench.breaker.retry_after() == 5.0
    assert bench.breaker.snapshot().opens_total == 2


def test_as_many_probes_pass_at_once_as_may_and_as_many_must_succeed_as_said() -> None:
    bench = Bench(replace(CONFIG, probes=2, probe_successes=3)).half_open()
    first, second = bench.breaker.acquire_sync(), bench.breaker.acquire_sync()
    with pytest.raises(CircuitOpen):
        bench.breaker.acquire_sync()
    bench.breaker.settle_sync(first, "success", 0.1)
    bench.breaker.settle_sync(second, "success", 0.1)
    assert bench.state == "half_open"
    bench.end("success")
    assert bench.state == "closed"


def test_a_probe_that_never_ends_frees_its_place_and_counts_no_more() -> None:
    bench = Bench().half_open()
    dead = bench.breaker.acquire_sync()
    bench.clock.now += CONFIG.probe_ttl_s - 0.5
    with pytest.raises(CircuitOpen) as refused:
        bench.breaker.acquire_sync()
    assert refused.value.retry_after == 0.5
    bench.clock.now += 0.5
    alive = bench.breaker.acquire_sync()
    bench.breaker.settle_sync(dead, "failure", 30.0)
    assert bench.state == "half_open"
    bench.breaker.settle_sync(alive, "success", 0.1)
    assert bench.state == "closed"


def test_a_call_that_began_in_another_state_says_nothing_about_this_one() -> None:
    bench = Bench()
    late = [bench.breaker.acquire_sync() for _ in range(3)]
    bench.half_open()
    probe = bench.breaker.acquire_sync()
    for permit in late:
        bench.breaker.settle_sync(permit, "failure", 0.1)
    assert bench.state == "half_open"
    bench.breaker.settle_sync(probe, "success", 0.1)
    bench.breaker.settle_sync(late[0], "failure", 0.1)
    assert bench.breaker.snapshot().failures == 0


def test_an_ignored_end_frees_a_probes_place_and_changes_nothing() -> None:
    bench = Bench().half_open()
    bench.end("ignored", "ignored")
    assert bench.state == "half_open"
    bench.end("success")
    assert bench.state == "closed"
    bench.end("failure", "ignored", "failure", "ignored")
    assert bench.breaker.snapshot().failures == 2
    assert bench.breaker.snapshot().window_calls == 2


def test_a_deadline_counts_only_where_the_call_was_slow() -> None:
    bench = Bench()
    breaker = bench.breaker

    def give_up(seconds: float) -> None:
        bench.clock.now += seconds
        raise DeadlineExceeded("too late")

    for seconds in [0.01] * 20 + [2.0] * 5:
        with pytest.raises(DeadlineExceeded):
            breaker.call_sync(give_up, seconds)
    assert bench.breaker.snapshot().window_calls == 5
    bench.clock.now -= 2.0
    with pytest.raises(DeadlineExceeded):
        breaker.call_sync(give_up, 2.0)
    assert bench.told[0].reason == "slow_calls"


def test_what_the_caller_did_is_no_failure_of_the_dependency() -> None:
    bench = Bench()

    def refuse() -> None:
        raise InvalidField("no such field", field="x")

    for _ in range(10):
        with pytest.raises(InvalidField):
            bench.breaker.call_sync(refuse)
    assert bench.breaker.snapshot().window_calls == 0


def test_a_predicate_says_what_a_failure_is() -> None:
    breaker = CircuitBreaker("db", CONFIG, is_failure=lambda error: isinstance(error, OSError))

    def fail(error: Exception) -> None:
        raise error

    for error in (ValueError(), EngineFailed("x"), OSError()):
        with pytest.raises(type(error)):
            breaker.call_sync(fail, error)
    assert breaker.snapshot().failures == 1


async def test_a_cancelled_call_is_no_failure_and_frees_its_place() -> None:
    bench = Bench().half_open()
    probe = asyncio.create_task(bench.breaker.call(asyncio.Event().wait))
    await asyncio.sleep(0)
    assert bench.breaker.snapshot().probes == 1
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert bench.breaker.snapshot().probes == 0
    assert bench.state == "half_open"


async def test_exactly_one_of_a_thousand_calls_is_the_probe() -> None:
    bench = Bench().half_open()
    passed, hold = [], asyncio.Event()

    async def work(number: int) -> int:
        passed.append(number)
        await hold.wait()
        return number

    async def let_go() -> None:
        await asyncio.sleep(0)
        hold.set()

    calls = [bench.breaker.call(work, number) for number in range(1000)]
    outcomes = await asyncio.gather(*calls, let_go(), return_exceptions=True)
    assert len(passed) == 1
    assert sum(isinstance(outcome, CircuitOpen) for outcome in outcomes) == 999


@pytest.fixture
def hectic() -> Iterator[None]:
    """Threads that take turns within any few lines."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hectic")
def test_exactly_one_of_many_threads_is_the_probe() -> None:
    for _ in range(200):
        bench, passed, together = Bench().half_open(), [], threading.Barrier(8)

        def ask(bench: Bench = bench, passed: list[int] = passed, together=together) -> None:
            together.wait()
            with contextlib.suppress(CircuitOpen):
                bench.breaker.acquire_sync()
                passed.append(1)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(passed) == 1


@pytest.mark.usefixtures("hectic")
def test_threads_lose_no_outcome() -> None:
    bench = Bench(replace(CONFIG, consecutive_failures=10**9, failure_rate=None))
    threads = [threading.Thread(target=bench.end, args=["failure"] * 500) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.breaker.snapshot().window_calls == 2000
    assert bench.breaker.snapshot().failures == 2000


async def test_decorator_and_contexts_guard_both_kinds_of_functions() -> None:
    bench = Bench()

    @bench.breaker
    def double(number: int) -> int:
        """Twice as much."""
        return 2 * number

    @bench.breaker
    async def triple(number: int) -> int:
        return 3 * number

    assert (double(2), await triple(2)) == (4, 6)
    assert double.__doc__ == "Twice as much."
    with bench.breaker.guard():
        pass
    async with bench.breaker.guard():
        pass
    assert bench.breaker.snapshot().window_calls == 4
    bench.opened()
    for _ in range(2):
        with pytest.raises(CircuitOpen):
            double(2)
        with pytest.raises(CircuitOpen):
            await triple(2)
        with pytest.raises(CircuitOpen):
            async with bench.breaker.guard():
                raise AssertionError


async def test_a_reset_closes_it_and_calls_under_way_count_no_more() -> None:
    bench = Bench().half_open()
    probe = bench.breaker.acquire_sync()
    await bench.breaker.reset()
    assert bench.told[-1].reason == "reset"
    bench.breaker.settle_sync(probe, "failure", 0.1)
    assert bench.breaker.snapshot().failures == 0
    await bench.breaker.reset()
    assert len(bench.told) == 3  # it was closed already: nobody has to know


async def test_a_trip_opens_it_and_another_one_keeps_it_open() -> None:
    bench = Bench()
    await bench.breaker.trip()
    assert bench.told == [StateChange("payments", "closed", "open", "tripped", 5.0)]
    bench.clock.now += 4.0
    await bench.breaker.trip()
    assert bench.breaker.retry_after() == 5.0
    assert len(bench.told) == 1


def test_a_snapshot_says_since_when() -> None:
    bench = Bench()
    bench.clock.now += 7.0
    assert bench.breaker.snapshot().since == 5e8 + 1000.0
    bench.opened()
    bench.clock.now += 7.0
    assert bench.breaker.snapshot().since == 5e8 + 1007.0


def test_a_listener_that_fails_harms_nobody_and_may_ask(caplog: pytest.LogCaptureFixture) -> None:
    seen = []

    def listen(change: StateChange) -> None:
        seen.append(breaker.snapshot().state)
        raise ValueError(change)

    breaker = CircuitBreaker("db", CONFIG, listener=listen, clock=Clock())
    for _ in range(3):
        breaker.settle_sync(breaker.acquire_sync(), "failure", 0.1)
    assert seen == ["open"]
    assert "A listener of the breaker db failed" in caplog.text


def test_an_answer_that_comes_late_does_not_undo_a_newer_one() -> None:
    machine = Machine(CONFIG)
    newer = Shared(
        number=1,
        granted=False,
        state="open",
        generation=1,
        reason="tripped",
        wait_s=5.0,
        age_s=0.0,
        streak=0,
        opens=1,
        counts=Counts(),
    )
    machine.adopt(newer, "", 1000.0)
    machine.adopt(replace(newer, number=0, state="closed", generation=0), "", 1000.0)
    assert machine.state == "open"


@pytest.mark.parametrize(
    "wrong",
    [{"probes": 0}, {"open_s": 0}, {"failure_rate": 1.5}, {"slow_call_s": -1}, {"window_s": 0}],
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(ConfigurationError):
        BreakerConfig(**wrong)


async def test_a_registry_makes_one_breaker_a_name_and_tells_of_all() -> None:
    registry, told = CircuitBreakerRegistry(CONFIG, clock=Clock()), []
    registry.subscribe(told.append)
    db = registry.get("db")
    hub = registry.get("hub", BreakerConfig(consecutive_failures=1))
    assert registry.get("db") is db
    assert registry.get("hub") is hub
    assert [breaker.name for breaker in registry.breakers()] == ["db", "hub"]
    with pytest.raises(ConfigurationError):
        registry.get("db", BreakerConfig())
    await hub.trip()
    await db.trip()
    assert [change.name for change in told] == ["hub", "db"]
    assert await registry.reset("db") == ["db"]
    assert (hub.is_open(), db.is_open()) == (True, False)
    assert await registry.reset() == ["db", "hub"]
    assert not hub.is_open()
    with pytest.raises(NotFound):
        await registry.reset("other")
