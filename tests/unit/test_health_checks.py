"""The monitor of checks: what it remembers, what it believes, and for how long."""

from __future__ import annotations

import asyncio
import threading

import pytest

from speech_translator.errors import StoreUnavailable
from speech_translator.reliability.health_checks import (
    Check,
    CheckResult,
    Finding,
    HealthMonitor,
    in_thread,
    overall_status,
)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Dependency:
    """Answers what a test puts here."""

    def __init__(self, answer=None):
        self.answer = answer or Finding()
        self.looks = 0

    async def __call__(self):
        self.looks += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def hanging():
    await asyncio.Event().wait()


def monitor(*checks, **options):
    return HealthMonitor(checks, **{"clock": Clock(), **options})


async def test_what_was_found_is_remembered_with_its_times():
    clock, database = Clock(), Dependency(Finding("ok", "3 ms"))
    health = monitor(Check("database", database, timeout_s=5), clock=clock)
    clock.now += 2
    await health.look("database")
    clock.now += 3
    (result,) = health.results()
    assert (result.level, result.detail) == ("ok", "3 ms")
    assert (result.checked_at, result.since, result.last_ok) == (1002, 1002, 1002)
    database.answer = Finding("failed", "refused")
    await health.look("database")
    clock.now += 1
    await health.look("database")
    (result,) = health.results()
    assert (result.level, result.detail, result.failures) == ("failed", "refused", 2)
    assert (result.checked_at, result.since, result.last_ok) == (1006, 1005, 1002)
    assert database.looks == 3  # asking how it is looks at nothing


async def test_how_long_a_look_took_is_told():
    clock = Clock()

    async def slow():
        clock.now += 0.25
        return Finding()

    health = monitor(Check("slow", slow), clock=clock)
    assert (await health.look("slow")).duration_s == 0.25


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (OSError("no route to db.internal:5432"), "OSError"),
        (StoreUnavailable("The database does not answer."), "The database does not answer."),
    ],
)
async def test_what_raises_has_failed_and_tells_no_address(error, detail):
    health = monitor(Check("database", Dependency(error)))
    result = await health.look("database")
    assert (result.level, result.detail) == ("failed", detail)


async def test_what_does_not_answer_has_failed_and_is_not_asked_twice_at_once():
    asked = []

    async def stubborn():
        asked.append(1)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(asked) > 1:
                    raise

    health = monitor(Check("disk", stubborn, timeout_s=0))
    assert (await health.look("disk")).detail == "no answer within 0 s"
    assert (await health.look("disk")).detail == "the last look at it still hangs"
    assert asked == [1]
    asked.append(2)
    async with health:
        pass  # it ends what still hangs


async def test_two_who_look_at_once_share_one_look():
    gate, database = asyncio.Event(), Dependency()

    async def slow():
        await gate.wait()
        return await database()

    health = monitor(Check("database", slow))
    both = asyncio.gather(health.look("database"), health.look("database"))
    await asyncio.sleep(0)
    gate.set()
    assert [result.level for result in await both] == ["ok", "ok"]
    assert database.looks == 1


async def test_one_that_hangs_holds_up_nobody_else():
    pauses: asyncio.Queue[None] = asyncio.Queue()

    async def sleep(_seconds):
        pauses.put_nowait(None)
        await asyncio.Event().wait()

    good = Dependency()
    checks = Check("bad", hanging, timeout_s=3600), Check("good", good)
    async with monitor(*checks, sleep=sleep) as health:
        await pauses.get()
        assert [result.level for result in health.results()] == ["unknown", "ok"]


async def test_each_looks_at_its_own_pace_with_jitter():
    slept, gate = [], asyncio.Semaphore(0)

    async def sleep(seconds):
        slept.append(seconds)
        gate.release()
        if len(slept) >= 4:
            await asyncio.Event().wait()

    one = Dependency()
    checks = [Check("one", one, period_s=10)]
    async with monitor(*checks, sleep=sleep, jitter=lambda: 0.5):
        for _ in range(4):
            await gate.acquire()
    assert slept == [10.0] * 4
    assert one.looks == 4


async def test_a_result_that_nobody_renews_counts_as_failed():
    clock = Clock()
    health = monitor(Check("one", Dependency(), "critical", period_s=10, timeout_s=5), clock=clock)
    assert health.overall_status() == "healthy"  # it may be looked at any moment
    await health.look("one")
    clock.now += 30
    assert health.overall_status() == "healthy"
    clock.now += 1
    (result,) = health.results()
    assert (result.level, result.detail) == ("failed", "not looked at for 31 s")
    assert health.overall_status() == "unhealthy"
    await health.look("one")
    assert health.overall_status() == "healthy"


async def test_one_that_was_never_looked_at_fails_in_the_end():
    clock = Clock()
    health = monitor(Check("one", Dependency(), period_s=10, timeout_s=5), clock=clock)
    clock.now += 31
    assert health.results()[0].level == "failed"


async def test_a_check_may_take_several_failures_to_count():
    database = Dependency(OSError())
    health = monitor(Check("database", database, tries=3))
    levels = [(await health.look("database")).level for _ in range(4)]
    assert levels == ["warning", "warning", "failed", "failed"]
    database.answer = Finding()
    assert (await health.look("database")).level == "ok"
    database.answer = OSError()
    assert (await health.look("database")).level == "warning"


async def test_changes_are_told_once_and_a_listener_that_fails_harms_nothing(caplog):
    told = []

    def listen(change):
        told.append((change.check, change.before, change.after))
        raise RuntimeError

    database = Dependency()
    health = monitor(Check("database", database), listener=listen)
    for answer in (Finding(), Finding(), OSError(), OSError(), Finding()):
        database.answer = answer
        await health.look("database")
    assert told == [
        ("database", "unknown", "ok"),
        ("database", "ok", "failed"),
        ("database", "failed", "ok"),
    ]
    assert "A listener failed" in caplog.text


@pytest.mark.parametrize(
    ("found", "overall"),
    [
        ([], "healthy"),
        ([("critical", "ok"), ("important", "unknown")], "healthy"),
        ([("critical", "warning")], "degraded"),
        ([("important", "failed")], "degraded"),
        ([("important", "failed"), ("critical", "failed")], "unhealthy"),
        ([("informational", "failed"), ("informational", "warning")], "healthy"),
        ([("critical", "unknown")], "healthy"),
    ],
)
def test_the_worst_decides_by_how_critical_it_is(found, overall):
    results = [
        CheckResult(str(number), criticality, since=0.0, level=level)
        for number, (criticality, level) in enumerate(found)
    ]
    assert overall_status(results) == overall


async def test_two_checks_of_one_name_are_refused():
    with pytest.raises(ValueError, match="one name"):
        monitor(Check("one", Dependency()), Check("one", Dependency()))


async def test_a_function_that_blocks_runs_beside_the_loop():
    probe = in_thread(lambda: Finding("warning", threading.current_thread().name))
    assert await probe() == Finding("warning", "health check")


async def test_what_a_function_raises_is_a_failure():
    def broken():
        raise PermissionError

    health = monitor(Check("disk", in_thread(broken)))
    assert (await health.look("disk")).detail == "PermissionError"


async def test_a_function_that_hangs_gets_no_second_thread():
    release, entered = threading.Event(), []

    def hang():
        entered.append(1)
        release.wait(30)
        return Finding()

    probe = in_thread(hang)
    health = monitor(Check("disk", probe, timeout_s=0))
    assert (await health.look("disk")).level == "failed"
    await asyncio.sleep(0)  # the look was given up; its thread is still there
    assert (await health.look("disk")).detail == "the last look at it still hangs"
    assert entered == [1]
    release.set()
    assert probe._thread is not None
    probe._thread.join(10)
    assert await probe() == Finding()
