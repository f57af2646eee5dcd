"""How a service and what it depends on are: looked at in the background, told from memory.

Each check runs by itself, at its own pace and within its own time, and leaves a result behind. Who
asks how the service is hears at once what was found last, so that a dependency that hangs holds up
its own check alone. A result that nobody renewed in time counts as failed: a checker that hangs
must not go on saying that all is well.

It fails closed: what raises, or does not answer, has failed. ``machine_checks.py`` has checks of
memory, disk, processor and clock; Kubernetes' probes and the health+json draft
(draft-inadarei-api-health-check) are where the three levels come from.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

from speech_translator.errors import SpeechTranslatorError

Level = Literal["unknown", "ok", "warning", "failed"]
"""*unknown* is what was not looked at yet, or is not there to be looked at: it counts for nothing.
*warning* works, but needs somebody soon."""

Criticality = Literal["critical", "important", "informational"]
"""What a failure means: the service is unhealthy, it is degraded, or it is only shown."""

OverallStatus = Literal["healthy", "degraded", "unhealthy"]

logger = logging.getLogger(__name__)

_END_S = 1.0
"""Seconds that looks under way get to end when the monitor does."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; ``detail`` is for operators: figures, no secrets and no user's data."""

    level: Level = "ok"
    detail: str = ""


Probe = Callable[[], Awaitable[Finding]]
"""One look. What it raises is a failure."""


@dataclass(frozen=True, slots=True)
class Check:
    """What is looked at, and how.

    Args:
        name: unique among the checks of a monitor.
        probe: one look; ``in_thread`` makes one of a function that blocks.
        criticality: what a failure means.
        period_s: seconds between the end of one look and the next.
        timeout_s: seconds that one look may take.
        delay_s: seconds until the first look, which need not disturb a start.
        tries: looks in a row that must fail before it counts as failed; until then it warns.
    """

    name: str
    probe: Probe
    criticality: Criticality = "important"
    period_s: float = 15.0
    timeout_s: float = 5.0
    delay_s: float = 0.0
    tries: int = 1

    @property
    def stale_after_s(self) -> float:
        """Seconds after which a result has outlived its time: two looks should have come."""
        return 2 * (self.period_s + self.timeout_s)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What is known of one check. Times are seconds of the monitor's clock.

    ``since`` is when ``level`` last changed, ``last_ok`` when it was last ok; ``duration_s`` is of
    the last look, ``failures`` are those in a row.
    """

    name: str
    criticality: Criticality
    since: float
    level: Level = "unknown"
    detail: str = "not looked at yet"
    checked_at: float | None = None
    last_ok: float | None = None
    duration_s: float = 0.0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class LevelChange:
    """A check found another level than before."""

    check: str
    before: Level
    after: Level
    detail: str


Listener = Callable[[LevelChange], None]


def _ignore(_change: LevelChange) -> None:
    """The listener for those who do not listen."""


def overall_status(results: Iterable[CheckResult]) -> OverallStatus:
    """The worst that any check means for the service."""
    overall: OverallStatus = "healthy"
    for result in results:
        if result.criticality == "informational":
            continue
        if result.level == "failed" and result.criticality == "critical":
            return "unhealthy"
        if result.level in {"failed", "warning"}:
            overall = "degraded"
    return overall


class HealthMonitor:
    """Runs checks for as long as its block does, and tells what they found.

    ::

        async with HealthMonitor([Check("database", ping)]) as health:
            health.overall_status()

    Args:
        checks: what is looked at.
        listener: told each change of a level, on the event loop; what it raises is logged.
        clock: monotonic seconds.
        sleep: waits between two looks.
        jitter: from 0 to 1; spreads the looks of many checks and many processes.

    Raises:
        ValueError: two checks have one name.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        *,
        listener: Listener = _ignore,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._clock = clock
        now = clock()
        self._watched: Mapping[str, _Watched] = {
            check.name: _Watched(check, CheckResult(check.name, check.criticality, since=now))
            for check in checks
        }
        if len(self._watched) < len(checks):
            raise ValueError("Two checks have one name.")
        self._listener = listener
        self._sleep = sleep
        self._jitter = jitter
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Begin: every check looks at once or after its delay, side by side."""
        self._tasks = [asyncio.create_task(self._watch(one)) for one in self._watched.values()]
        return self

    async def __aexit__(self, *_error: object) -> None:
        """End all looks. One that cannot be ended, a thread that hangs, is left behind."""
        looks = [one.looking for one in self._watched.values() if one.looking is not None]
        ending = [task for task in (*self._tasks, *looks) if not task.done()]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending, timeout=_END_S)
        self._tasks = []

    def results(self) -> list[CheckResult]:
        """What is known now, in the order of the checks; never waits."""
        now = self._clock()
        return [_judged(one, now) for one in self._watched.values()]

    def overall_status(self) -> OverallStatus:
        """The worst that any check means for the service now; never waits."""
        return overall_status(self.results())

    async def look(self, name: str) -> CheckResult:
        """Look now, whatever the pace; at most ``timeout_s``.

        Raises:
            KeyError: there is no such check.
        """
        one = self._watched[name]
        begun = self._clock()
        finding = await _found(one)
        self._note(one, finding, begun)
        return one.result

    async def _watch(self, one: _Watched) -> None:
        if one.check.delay_s:
            await self._sleep(one.check.delay_s)
        while True:
            await self.look(one.check.name)
            await self._sleep(one.check.period_s * (0.9 + 0.2 * self._jitter()))

    def _note(self, one: _Watched, finding: Finding, begun: float) -> None:
        before, now = one.result, self._clock()
        level = finding.level
        failures = before.failures + 1 if level == "failed" else 0
        if level == "failed" and failures < one.check.tries:
            level = "warning"
        one.result = replace(
            before,
            since=before.since if level == before.level else now,
            level=level,
            detail=finding.detail,
            checked_at=now,
            last_ok=now if level == "ok" else before.last_ok,
            duration_s=now - begun,
            failures=failures,
        )
        if level != before.level:
            self._tell(LevelChange(before.name, before.level, level, finding.detail))

    def _tell(self, change: LevelChange) -> None:
        try:
            self._listener(change)
        except Exception:
            logger.exception("A listener failed on a change of %s", change.check)


@dataclass(slots=True, eq=False)
class _Watched:
    """A check, what is known of it, and its last look, which is under way, done or ``hangs``."""

    check: Check
    result: CheckResult
    looking: asyncio.Task[Finding] | None = None
    hangs: bool = False


def _judged(one: _Watched, now: float) -> CheckResult:
    """The result, unless it has outlived its time."""
    result = one.result
    begun = result.since + one.check.delay_s
    renewed = begun if result.checked_at is None else result.checked_at
    age = now - renewed
    if age <= one.check.stale_after_s:
        return result
    return replace(
        result,
        level="failed",
        since=result.since if result.level == "failed" else renewed,
        detail=f"not looked at for {age:.0f} s",
    )


async def _found(one: _Watched) -> Finding:
    """One look, within its time; one that is under way is shared, and none begun beside it."""
    looking = one.looking
    if looking is None or looking.done():
        looking = one.looking = asyncio.create_task(_look(one.check.probe))
        one.hangs = False
    elif one.hangs:
        return Finding("failed", "the last look at it still hangs")
    await asyncio.wait({looking}, timeout=one.check.timeout_s)
    if looking.done() and not looking.cancelled():
        return looking.result()
    one.hangs = True
    looking.cancel()  # it may not listen: nobody waits for it
    return Finding("failed", f"no answer within {one.check.timeout_s:g} s")


async def _look(probe: Probe) -> Finding:
    """What a probe finds; what it raises by its kind, since messages may hold addresses."""
    try:
        return await probe()
    except SpeechTranslatorError as error:
        return Finding("failed", error.message)  # those are for everybody
    except Exception as error:  # noqa: BLE001 # whatever it is, the dependency is not well
        return Finding("failed", type(error).__name__)


class in_thread:  # noqa: N801 - used as a function
    """A probe of a function that blocks, such as one that asks a disk.

    It runs in a thread of its own, one at a time, which keeps no process from its end: a disk that
    hangs must take nothing else with it. The loop's own threads do both.
    """

    def __init__(self, function: Callable[[], Finding]) -> None:
        self._function = function
        self._thread: threading.Thread | None = None

    async def __call__(self) -> Finding:
        """Run the function, unless it still hangs."""
        if self._thread is not None and self._thread.is_alive():
            return Finding("failed", "the last look at it still hangs")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Finding] = loop.create_future()

        def settle(finding: Finding | None, error: Exception | None) -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            elif finding is not None:
                answer.set_result(finding)

        def work() -> None:
            found: tuple[Finding | None, Exception | None]
            try:
                found = self._function(), None
            except Exception as error:  # noqa: BLE001 # raised where it is waited for
                found = None, error
            try:
                loop.call_soon_threadsafe(settle, *found)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

        self._thread = threading.Thread(target=work, name="health check", daemon=True)
        self._thread.start()
        return await answer
