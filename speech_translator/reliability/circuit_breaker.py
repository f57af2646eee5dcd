"""A circuit breaker around a dependency, for async code and for threads.

The states are ``breaker_machine.py``'s; with ``sharing`` they are those of all processes together,
kept by Redis (``breaker_sharing.py``), and this process's own where Redis does not answer. Refused
calls cost microseconds: a breaker that is known to be open asks nobody. Fails closed: while it is
open nothing passes but its probes.

::

    breaker = CircuitBreaker("payments", BreakerConfig(open_s=10))
    await breaker.call(pay, order)      # or breaker.call_sync(pay, order)
    async with breaker.guard(): ...     # or with breaker.guard(): ...
    @breaker                            # either kind of function
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from speech_translator.errors import CircuitOpen, DeadlineExceeded, InvalidRequest, ShuttingDown
from speech_translator.reliability.breaker_machine import (
    BreakerConfig,
    BreakerState,
    Machine,
    Outcome,
    Permit,
    Reason,
    Refusal,
)
from speech_translator.reliability.deadlines import Clock

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A breaker went from one state to another, as this process saw it.

    ``retry_after_s`` is how long an open one will let nothing pass, 0 for other states.
    """

    name: str
    previous: BreakerState
    state: BreakerState
    reason: Reason
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A breaker as it is now.

    ``since`` is when the state began, in seconds since 1970; ``failures`` are those in a row;
    ``window_*`` count calls of the sliding window; ``probes`` are under way; ``retry_after_s`` is
    the wait until a call may pass, 0 where it may now.
    """

    name: str
    state: BreakerState
    since: float
    failures: int
    window_calls: int
    window_failures: int
    window_slow: int
    opens_total: int
    probes: int
    retry_after_s: float


Listener = Callable[[StateChange], None]


def speaks_against(error: Exception) -> bool:
    """The predicate by default: everything but what the caller did, or we ourselves.

    A ``DeadlineExceeded`` is the caller's patience: it counts only as a slow call, if it was one.
    """
    return not isinstance(error, (InvalidRequest, CircuitOpen, DeadlineExceeded, ShuttingDown))


class CircuitBreaker:
    """Guards one named dependency. Any thread and any task may use it.

    Args:
        name: of the dependency; callers who are refused read it.
        config: when it opens and closes.
        is_failure: whether an exception speaks against the dependency. What is no ``Exception``
            (a cancellation, an exit) never does and is not asked about.
        listener: told each change of state, on the thread that saw it; it must be quick. What it
            raises is logged.
        clock: monotonic seconds.
        wall_clock: seconds since 1970, for people.
    """

    def __init__(
        self,
        name: str,
        config: BreakerConfig | None = None,
        *,
        is_failure: Callable[[Exception], bool] = speaks_against,
        listener: Listener | None = None,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
    ) -> None:
        self.name = name
        self.config = config or BreakerConfig()
        self._is_failure = is_failure
        self._listener = listener
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._machine = Machine(self.config, since=clock())

    # What can be asked without any effect

    def is_open(self) -> bool:
        """Whether a call would be refused now."""
        return self._wait() is not None

    def retry_after(self) -> float:
        """Seconds until a call may pass; 0 where it may now."""
        return self._wait() or 0.0

    def snapshot(self) -> BreakerSnapshot:
        """How it is now."""
        with self._lock:
            now, machine = self._clock(), self._machine
            counts = machine.counts(now)
            return BreakerSnapshot(
                name=self.name,
                state=machine.state,
                since=self._wall_clock() - (now - machine.since),
                failures=machine.streak,
                window_calls=counts.calls,
                window_failures=counts.failures,
                window_slow=counts.slow,
                opens_total=machine.opens,
                probes=machine.probing(now),
                retry_after_s=machine.wait(now) or 0.0,
            )

    def _wait(self) -> float | None:
        if self._machine.state == "closed":
            return None
        with self._lock:
            return self._machine.wait(self._clock())

    # Calls

    async def call(
        self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The result of an async function, if a call may be made.

        Raises:
            CircuitOpen: none may; the function was not called.
        """
        async with self.guard():
            return await function(*args, **kwargs)

    def call_sync(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of a function, if a call may be made.

        Raises:
            CircuitOpen: none may; the function was not called.
        """
        with self.guard():
            return function(*args, **kwargs)

    def guard(self) -> Guarded:
        """A context for one call, sync or async, which is refused on entry with ``CircuitOpen``."""
        return Guarded(self)

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Decorate a function of either kind: each call of it is guarded."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
                async with self.guard():
                    return await function(*args, **kwargs)

            return cast("Callable[P, T]", guarded)

        @functools.wraps(function)
        def guarded_sync(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.guard():
                return function(*args, **kwargs)

        return guarded_sync

    # Its parts, for who cannot wrap the call: ask, make it, tell how it ended

    async def acquire(self) -> Permit:
        """Ask for one call, whose end must be told to ``settle``.

        Raises:
            CircuitOpen: none may be made.
        """
        return self.acquire_sync()

    async def settle(self, permit: Permit, outcome: Outcome, seconds: float) -> None:
        """A call has ended after ``seconds``."""
        self.settle_sync(permit, outcome, seconds)

    def acquire_sync(self) -> Permit:
        """See ``acquire``."""
        with self._lock:
            machine = self._machine
            if machine.state == "closed":
                return machine.acquire("", 0.0)  # type: ignore[return-value] # a permit, always
            answer = machine.acquire(uuid.uuid4().hex, self._clock())
        self._tell()
        if isinstance(answer, Refusal):
            raise self._refused(answer)
        return answer

    def settle_sync(self, permit: Permit, outcome: Outcome, seconds: float) -> None:
        """See ``settle``."""
        with self._lock:
            self._machine.settle(permit, outcome, slow=self._is_slow(seconds), now=self._clock())
        self._tell()

    def now(self) -> float:
        """Its clock."""
        return self._clock()

    def judge(self, error: BaseException | None) -> Outcome:
        """What the end of a call says: it raised ``error``, or nothing."""
        if error is None:
            return "success"
        if not isinstance(error, Exception):
            return "ignored"
        return "failure" if self._is_failure(error) else "ignored"

    # What operators and supervisors do

    async def reset(self) -> None:
        """Close it and forget what was counted."""
        self.reset_sync()

    def reset_sync(self) -> None:
        """See ``reset``."""
        with self._lock:
            self._machine.reset(self._clock())
        self._tell()

    async def trip(self) -> None:
        """Open it now: somebody knows that the dependency is down."""
        self.trip_sync()

    def trip_sync(self) -> None:
        """See ``trip``."""
        with self._lock:
            self._machine.trip(self._clock())
        self._tell()

    def _is_slow(self, seconds: float) -> bool:
        limit = self.config.slow_call_s
        return limit is not None and seconds >= limit

    def _refused(self, refusal: Refusal) -> CircuitOpen:
        return CircuitOpen(
            f"{self.name} failed lately and is left alone for a moment.",
            retry_after=round(refusal.retry_after_s, 3),
            dependency=self.name,
        )

    def _tell(self) -> None:
        """Tell the listener what has changed; not under the lock, since it may ask us."""
        changes = self._machine.changes
        while changes:
            try:
                change = changes.pop(0)
            except IndexError:  # another thread told it
                return
            if self._listener is None:
                continue
            told = StateChange(
                self.name, change.previous, change.state, change.reason, change.retry_after_s
            )
            try:
                self._listener(told)
            except Exception:
                logger.exception("A listener of the breaker %s failed", self.name)


class Guarded:
    """One call within a breaker; see ``CircuitBreaker.guard``."""

    __slots__ = ("_begun", "_breaker", "_permit")

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker

    def __enter__(self) -> Self:
        """Ask for the call."""
        self._permit = self._breaker.acquire_sync()
        self._begun = self._breaker.now()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Tell how it ended."""
        seconds = self._breaker.now() - self._begun
        self._breaker.settle_sync(self._permit, self._breaker.judge(error), seconds)

    async def __aenter__(self) -> Self:
        """Ask for the call."""
        self._permit = await self._breaker.acquire()
        self._begun = self._breaker.now()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Tell how it ended."""
        seconds = self._breaker.now() - self._begun
        await self._breaker.settle(self._permit, self._breaker.judge(error), seconds)
