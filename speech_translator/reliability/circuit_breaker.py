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

import asyncio
import functools
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from speech_translator.errors import CircuitOpen, DeadlineExceeded, InvalidRequest, ShuttingDown
from speech_translator.reliability.breaker_core import (
    Act,
    BreakerCore,
    BreakerSnapshot,
    End,
    Listener,
    StateChange,
)
from speech_translator.reliability.breaker_machine import BreakerConfig, BreakerState, Permit
from speech_translator.reliability.breaker_sharing import Sharing, Step
from speech_translator.reliability.breaker_window import Outcome
from speech_translator.reliability.deadlines import Clock

__all__ = ["BreakerSnapshot", "CircuitBreaker", "Listener", "StateChange", "speaks_against"]

P = ParamSpec("P")
T = TypeVar("T")


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
        sharing: with which other processes; None for none.
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
        sharing: Sharing | None = None,
        listener: Listener | None = None,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
    ) -> None:
        self.name = name
        self.config = config or BreakerConfig()
        self._is_failure = is_failure
        self._core = BreakerCore(
            name,
            self.config,
            sharing=sharing,
            listener=listener,
            clock=clock,
            wall_clock=wall_clock,
        )
        self._later: set[asyncio.Task[None]] = set()

    # What can be asked without any effect

    @property
    def state(self) -> BreakerState:
        """Where it is, as far as this process knows."""
        return self._core.state

    def is_open(self) -> bool:
        """Whether a call would be refused now, as far as this process knows."""
        return self._core.wait() is not None

    def retry_after(self) -> float:
        """Seconds until a call may pass; 0 where it may now."""
        return self._core.wait() or 0.0

    def refusal(self) -> CircuitOpen | None:
        """What a caller would be told now; None where a call may pass."""
        wait = self._core.wait()
        return None if wait is None else self._core.refused(wait)

    def snapshot(self) -> BreakerSnapshot:
        """How it is now, as far as this process knows."""
        return self._core.snapshot()

    def now(self) -> float:
        """Its clock."""
        return self._core.clock()

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
        step, sharing = self._core.begin_acquire(), self._core.sharing
        if isinstance(step, Permit) or sharing is None:
            return cast("Permit", step)
        try:
            shared = await sharing.run(step)
        except asyncio.CancelledError:
            given_up = self._core.given_up(step)  # perhaps it is a probe by now
            if given_up is not None:
                self._do_later(self._told(given_up))
            raise
        return self._core.end_acquire(step, shared)

    def acquire_sync(self) -> Permit:
        """See ``acquire``."""
        step, sharing = self._core.begin_acquire(), self._core.sharing
        if isinstance(step, Permit) or sharing is None:
            return cast("Permit", step)
        return self._core.end_acquire(step, sharing.run_sync(step))

    async def settle(self, permit: Permit, outcome: Outcome, seconds: float) -> None:
        """A call has ended after ``seconds``."""
        end = End(permit, outcome, self._is_slow(seconds))
        step = self._core.begin_settle(end)
        if step is None:
            return
        if outcome == "ignored":  # nobody waits for that, least of all who was cancelled
            self._do_later(self._settled(end, step))
        else:
            await self._settled(end, step)

    def settle_sync(self, permit: Permit, outcome: Outcome, seconds: float) -> None:
        """See ``settle``."""
        end = End(permit, outcome, self._is_slow(seconds))
        step = self._core.begin_settle(end)
        if step is not None and self._core.sharing is not None:
            self._core.end_settle(end, step, self._core.sharing.run_sync(step))

    def judge(self, error: BaseException | None) -> Outcome:
        """What the end of a call says: it raised ``error``, or nothing."""
        if error is None:
            return "success"
        if not isinstance(error, Exception):
            return "ignored"
        return "failure" if self._is_failure(error) else "ignored"

    # What operators and supervisors do

    async def reset(self) -> None:
        """Close it and forget what was counted; calls under way do not count any more."""
        await self._act("reset")

    def reset_sync(self) -> None:
        """See ``reset``."""
        self._act_sync("reset")

    async def trip(self) -> None:
        """Open it now: somebody knows that the dependency is down."""
        await self._act("trip")

    def trip_sync(self) -> None:
        """See ``trip``."""
        self._act_sync("trip")

    async def relent(self) -> None:
        """Let the next call be a probe, if it is open: somebody knows that it is worth a try."""
        await self._act("relent")

    def relent_sync(self) -> None:
        """See ``relent``."""
        self._act_sync("relent")

    async def _act(self, act: Act) -> None:
        step = self._core.begin_act(act)
        if step is not None and self._core.sharing is not None:
            self._core.end_act(act, step, await self._core.sharing.run(step))

    def _act_sync(self, act: Act) -> None:
        step = self._core.begin_act(act)
        if step is not None and self._core.sharing is not None:
            self._core.end_act(act, step, self._core.sharing.run_sync(step))

    async def _settled(self, end: End, step: Step) -> None:
        if self._core.sharing is not None:
            self._core.end_settle(end, step, await self._core.sharing.run(step))

    async def _told(self, step: Step) -> None:
        if self._core.sharing is not None:
            await self._core.sharing.run(step)

    def _do_later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._later.add(task)  # the loop itself holds it only weakly
        task.add_done_callback(self._later.discard)

    def _is_slow(self, seconds: float) -> bool:
        limit = self.config.slow_call_s
        return limit is not None and seconds >= limit


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
