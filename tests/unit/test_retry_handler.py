"""Retries: how often, how soon, and where not at all. In stamina's test mode, no pause lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import stamina

from speech_translator.errors import (
    CircuitOpen,
    ConfigurationError,
    DeadlineExceeded,
    EngineFailed,
    InvalidField,
    ShuttingDown,
    StoreUnavailable,
    Unavailable,
)
from speech_translator.reliability import BreakerConfig, CircuitBreaker, Deadline
from speech_translator.reliability.retry_handler import (
    RetryBudget,
    RetryConfig,
    RetryEvent,
    RetryGivenUp,
    RetryHandler,
    RetryScheduled,
)
from tests.support.breakers import Clock

CONFIG = RetryConfig(attempts=4, first_pause_s=0.1, longest_pause_s=0.3, longest_retry_after_s=5.0)


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=100):
        yield


@dataclass
class Bench:
    """A handler, work that fails as often as is said, and what was told."""

    config: RetryConfig = CONFIG
    breaker: CircuitBreaker | None = None
    jitter: Callable[[], float] = lambda: 1.0
    clock: Clock = field(default_factory=Clock)
    told: list[RetryEvent] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.handler = RetryHandler(
            "payments",
            self.config,
            breaker=self.breaker,
            listener=self.told.append,
            jitter=self.jitter,
        )

    def in_the_pause(self, happens: Callable[[], None]) -> None:
        """Something that happens whenever a retry is scheduled."""

        def listen(event: RetryEvent) -> None:
            self.told.append(event)
            if isinstance(event, RetryScheduled):
                happens()

        self.handler._listener = listen

    def work(self, *errors: Exception) -> Callable[[], str]:
        left = list(errors)

        def run() -> str:
            self.runs += 1
            if left:
                raise left.pop(0)
            return "done"

        return run

    def call(self, work: Callable[[], str], seconds: float = 60, *, idempotent: bool = True) -> str:
        deadline = Deadline.after(seconds, clock=self.clock)
        return self.handler.call_sync(work, deadline, idempotent=idempotent)

    def reasons(self) -> list[str]:
        return [event.reason for event in self.told if isinstance(event, RetryGivenUp)]

    def pauses(self) -> list[float]:
        return [event.pause_s for event in self.told if isinstance(event, RetryScheduled)]


def failures(count: int) -> list[Exception]:
    return [EngineFailed("no") for _ in range(count)]


def test_what_may_pass_is_repeated_after_pauses_that_double_as_far_as_they_may() -> None:
    bench = Bench()
    assert bench.call(bench.work(*failures(3))) == "done"
    assert bench.pauses() == [0.1, 0.2, 0.3]
    assert bench.told[0] == RetryScheduled("payments", 1, 0.1, "EngineFailed")


def test_the_pauses_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    stamina.set_testing(False)
    bench = Bench()
    bench.call(bench.work(*failures(3)))
    assert slept == bench.pauses() == [0.1, 0.2, 0.3]


def test_jitter_is_full() -> None:
    bench = Bench(jitter=lambda: 0.0)
    bench.call(bench.work(*failures(3)))
    assert bench.pauses() == [0.0, 0.0, 0.0]


def test_the_last_attempts_error_is_raised() -> None:
    bench, last = Bench(), EngineFailed("last")
    with pytest.raises(EngineFailed) as raised:
        bench.call(bench.work(*failures(3), last))
    assert raised.value is last
    assert bench.runs == 4
    assert bench.reasons() == ["attempts"]


@pytest.mark.parametrize(
    "error",
    [
        InvalidField("x", field="y"),
        DeadlineExceeded("x"),
        CircuitOpen("x"),
        ShuttingDown("x"),
        ValueError("x"),
    ],
)
def test_what_will_not_pass_is_not_repeated(error: Exception) -> None:
    bench = Bench()
    with pytest.raises(type(error)):
        bench.call(bench.work(error))
    assert bench.runs == 1
    assert bench.told == []


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError(), StoreUnavailable("x")])
def test_connections_and_stores_may_pass(error: Exception) -> None:
    bench = Bench()
    assert bench.call(bench.work(error)) == "done"


def test_work_that_is_not_idempotent_runs_once() -> None:
    bench = Bench()
    with pytest.raises(EngineFailed):
        bench.call(bench.work(*failures(1)), idempotent=False)
    assert bench.runs == 1


def test_a_wait_that_is_asked_for_is_honoured_and_spread() -> None:
    bench = Bench(jitter=lambda: 0.5)
    bench.call(bench.work(Unavailable("busy", retry_after=3.0)))
    assert bench.pauses() == [3.05]


def test_a_wait_that_is_too_long_is_left_to_the_caller() -> None:
    bench = Bench()
    with pytest.raises(Unavailable):
        bench.call(bench.work(Unavailable("busy", retry_after=5.5)))
    assert bench.reasons() == ["retry_after"]


def test_nothing_is_repeated_that_would_begin_after_the_deadline() -> None:
    bench = Bench()

    def slow() -> str:
        bench.clock.now += 0.45
        return bench.work(*failures(1))()

    with pytest.raises(EngineFailed):
        bench.call(slow, seconds=1.0)
    assert bench.runs == 2
    assert bench.pauses() == [0.1]
    assert bench.reasons() == ["deadline"]  # 0.1 s are left, and 0.2 s would be waited


def test_nothing_is_begun_after_the_deadline() -> None:
    bench = Bench()
    with pytest.raises(DeadlineExceeded):
        bench.call(bench.work(), seconds=0)
    assert bench.runs == 0


def test_an_open_breaker_is_not_asked_again() -> None:
    breaker = CircuitBreaker("payments", BreakerConfig(consecutive_failures=2))
    bench = Bench(breaker=breaker)
    work = bench.work(*failures(4))
    with pytest.raises(EngineFailed):
        bench.call(lambda: breaker.call_sync(work))
    assert bench.runs == 2
    assert bench.reasons() == ["breaker_open"]


def test_a_breaker_that_opens_in_the_pause_ends_it() -> None:
    breaker = CircuitBreaker("payments")
    bench = Bench(breaker=breaker)
    bench.in_the_pause(breaker.trip_sync)
    with pytest.raises(EngineFailed):
        bench.call(bench.work(*failures(2)))
    assert bench.runs == 1
    assert bench.told[1:] == [RetryGivenUp("payments", 1, "breaker_open", "EngineFailed")]


async def test_a_deadline_that_passes_in_a_pause_that_took_too_long_ends_it() -> None:
    bench = Bench()

    def oversleep() -> None:
        bench.clock.now += 60

    bench.in_the_pause(oversleep)
    run = bench.work(*failures(4))

    async def work() -> str:
        return run()

    with pytest.raises(DeadlineExceeded):
        bench.call(run)
    with pytest.raises(DeadlineExceeded):
        await bench.handler.call(work, Deadline.after(60, clock=bench.clock), idempotent=True)
    assert bench.runs == 2


def test_retries_never_exceed_their_share_of_the_calls() -> None:
    bench = Bench(RetryConfig(attempts=4, budget_share=0.1, budget_burst=5))
    for _ in range(200):
        with pytest.raises(EngineFailed):
            bench.call(bench.work(*failures(9)))
    assert 200 + 5 + 15 <= bench.runs <= 200 + 5 + 20  # a tenth, and what was saved up
    assert set(bench.reasons()) == {"attempts", "budget"}


def test_a_budget_fills_up_again_and_no_further() -> None:
    budget = RetryBudget(share=0.5, burst=2)
    assert [budget.spend() for _ in range(3)] == [True, True, False]
    budget.earn()
    assert not budget.spend()
    budget.earn()
    assert budget.spend()
    for _ in range(100):
        budget.earn()
    assert [budget.spend() for _ in range(3)] == [True, True, False]


async def test_async_work_has_the_same() -> None:
    bench = Bench()
    run = bench.work(*failures(2), InvalidField("x", field="y"))

    async def work() -> str:
        await asyncio.sleep(0)
        return run()

    with pytest.raises(InvalidField):
        await bench.handler.call(work, Deadline.after(60), idempotent=True)
    assert bench.runs == 3
    assert await bench.handler.call(work, Deadline.after(60), idempotent=True) == "done"
    with pytest.raises(DeadlineExceeded):
        await bench.handler.call(work, Deadline.after(0), idempotent=True)
    once = bench.work(*failures(1))

    async def unrepeatable() -> str:
        return once()

    with pytest.raises(EngineFailed):
        await bench.handler.call(unrepeatable, Deadline.after(60), idempotent=False)


@pytest.mark.parametrize("tries", [1, 2])
async def test_a_cancelled_attempt_is_not_repeated(tries: int) -> None:
    bench = Bench()
    bench.handler._is_retryable = lambda _error: True
    run, begun = bench.work(*failures(tries - 1)), []

    async def work() -> None:
        begun.append(1)
        run()
        await asyncio.Event().wait()

    task = asyncio.create_task(bench.handler.call(work, Deadline.after(60), idempotent=True))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(begun) == tries


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"first_pause_s": -1}, {"budget_share": 2}, {"budget_burst": -1}]
)
def test_a_configuration_that_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(ConfigurationError):
        RetryConfig(**wrong)
