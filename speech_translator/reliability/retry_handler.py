"""Repeats work that failed in a way that may pass: rarely, a little later, and never in vain.

Pauses grow exponentially with full jitter (Brooker, *Exponential Backoff and Jitter*), or are what
the failure asks for (``Retry-After``). A budget keeps retries below a share of the traffic, as
Finagle's does, so that a dependency that fails is not asked more often for it. Nothing is repeated
that is not idempotent, whose deadline would pass in the pause, or whose breaker is open. The loop
is stamina's; it is loaded with the first failure, since tenacity beneath it is slow to import.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from speech_translator.errors import (
    CircuitOpen,
    ConfigurationError,
    DeadlineExceeded,
    ShuttingDown,
    Unavailable,
)
from speech_translator.reliability.deadlines import Deadline
from speech_translator.reliability.guards import Breaker, NullBreaker

T = TypeVar("T")

GaveUp = Literal["attempts", "budget", "deadline", "breaker_open", "retry_after"]
"""Why something that may pass was not repeated. *retry_after*: it asked for too long a pause."""


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How work is repeated; times are seconds.

    Args:
        attempts: at most, the first one included.
        first_pause_s: longest first pause; each is drawn from 0 to that, and that doubles.
        longest_pause_s: where the doubling ends.
        longest_retry_after_s: a failure that asks for a longer pause is not repeated.
        budget_share: retries there may be for each call.
        budget_burst: retries that may be saved up, and that there are at the start.

    Raises:
        ConfigurationError: a value makes no sense.
    """

    attempts: int = 3
    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0
    longest_retry_after_s: float = 5.0
    budget_share: float = 0.1
    budget_burst: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what could not be meant."""
        if self.attempts < 1 or min(self.first_pause_s, self.longest_pause_s) < 0:
            raise ConfigurationError("Retries need at least 1 attempt and no pause below 0.")
        if not 0 <= self.budget_share <= 1 or self.budget_burst < 0:
            raise ConfigurationError("The budget of retries is a share from 0 to 1 of the calls.")


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """Work failed for the ``attempt``-th time and is repeated after ``pause_s`` seconds.

    ``error`` is the error's type: its words are nobody's business.
    """

    name: str
    attempt: int
    pause_s: float
    error: str


@dataclass(frozen=True, slots=True)
class RetryGivenUp:
    """Work failed in a way that may pass, and is not repeated; ``attempt`` was the last one."""

    name: str
    attempt: int
    reason: GaveUp
    error: str


RetryEvent = RetryScheduled | RetryGivenUp


def _ignore(_event: RetryEvent) -> None:
    """The listener for those who do not listen."""


def may_pass(error: Exception) -> bool:
    """The predicate by default: what is unavailable for a while, and connections that broke."""
    if isinstance(error, (CircuitOpen, DeadlineExceeded, ShuttingDown)):
        return False
    return isinstance(error, (Unavailable, ConnectionError, TimeoutError))


class RetryBudget:
    """A token bucket: each call puts a share of a retry in, each retry takes a whole one out.

    Args:
        share: put in by a call.
        burst: what it holds at most, and at first.
    """

    def __init__(self, share: float, burst: float) -> None:
        self._share = share
        self._burst = burst
        self._held = burst
        self._lock = threading.Lock()

    def earn(self) -> None:
        """A call was made."""
        with self._lock:
            self._held = min(self._burst, self._held + self._share)

    def spend(self) -> bool:
        """Take a retry out, if there is one."""
        with self._lock:
            affordable = self._held >= 1
            self._held -= affordable
            return affordable


class RetryHandler:
    """Repeats work on one dependency. Any thread and any task may use it.

    Args:
        name: of the dependency.
        config: how often and how soon.
        is_retryable: whether an error may pass. What is no ``Exception`` is never repeated.
        breaker: of the dependency; none by default.
        listener: told of every retry, and of those that were not made; it must be quick.
        jitter: from 0 to 1.
    """

    def __init__(
        self,
        name: str,
        config: RetryConfig | None = None,
        *,
        is_retryable: Callable[[Exception], bool] = may_pass,
        breaker: Breaker | None = None,
        listener: Callable[[RetryEvent], None] = _ignore,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.config = config or RetryConfig()
        self._is_retryable = is_retryable
        self._breaker = breaker or NullBreaker()
        self._listener = listener
        self._jitter = jitter
        self._budget = RetryBudget(self.config.budget_share, self.config.budget_burst)

    async def call(
        self, work: Callable[[], Awaitable[T]], deadline: Deadline, *, idempotent: bool
    ) -> T:
        """The result of ``work``, which may run several times where it is ``idempotent``.

        Raises:
            DeadlineExceeded: the deadline has passed before it was begun.
        """
        deadline.check()
        self._budget.earn()
        try:
            return await work()
        except Exception as error:
            if not idempotent:
                raise
            first = error
        attempts = self._attempts(deadline)
        async for attempt in attempts.loop():
            with attempt:
                attempts.check(first)
                deadline.check()
                return await work()
        raise first

    def call_sync(self, work: Callable[[], T], deadline: Deadline, *, idempotent: bool) -> T:
        """See ``call``; for threads."""
        deadline.check()
        self._budget.earn()
        try:
            return work()
        except Exception as error:
            if not idempotent:
                raise
            first = error
        attempts = self._attempts(deadline)
        for attempt in attempts.loop():
            with attempt:
                attempts.check(first)
                deadline.check()
                return work()
        raise first

    def _attempts(self, deadline: Deadline) -> _Attempts:
        return _Attempts(lambda error, made: self._decide(error, made, deadline), self._breaker)

    def _decide(self, error: Exception, made: int, deadline: Deadline) -> bool | float:
        """Seconds to wait after ``made`` attempts, or False for no more."""
        if not isinstance(error, Exception) or not self._is_retryable(error):
            return False
        kind = type(error).__name__
        pause = self._pause(error, made, deadline)
        if isinstance(pause, str):
            self._listener(RetryGivenUp(self.name, made, pause, kind))
            return False
        self._listener(RetryScheduled(self.name, made, pause, kind))
        return pause

    def _pause(self, error: Exception, made: int, deadline: Deadline) -> float | GaveUp:
        """Seconds to wait, taken out of the budget; or why there is no retry."""
        config = self.config
        asked: float = getattr(error, "retry_after", None) or 0.0
        ceiling = min(config.longest_pause_s, config.first_pause_s * 2.0 ** min(made - 1, 30))
        # Those who were told to come back at one moment do not all come at it.
        pause = asked + self._jitter() * (config.first_pause_s if asked else ceiling)
        if made >= config.attempts:
            return "attempts"
        if self._breaker.is_open():
            return "breaker_open"
        if asked > config.longest_retry_after_s:
            return "retry_after"
        if pause >= deadline.remaining():
            return "deadline"
        return pause if self._budget.spend() else "budget"


class _Attempts:
    """stamina's hook for one call: after each failure, how long to wait, or False for no more."""

    def __init__(self, decide: Callable[[Exception, int], bool | float], breaker: Breaker) -> None:
        self._decide = decide
        self._breaker = breaker
        self._error: Exception | None = None
        self._made = 0

    def __call__(self, error: Exception) -> bool | float:
        self._made += 1
        self._error = error
        return self._decide(error, self._made)

    def check(self, first: Exception) -> None:
        """Before an attempt: raise ``first``, which was made already, or what failed last."""
        if self._error is None:
            raise first
        if self._breaker.is_open():
            self._made -= 1  # this one is not made
            raise self._error

    def loop(self) -> Any:
        """Contexts of attempts, for ``for`` and ``async for``; what ends it is this hook alone."""
        import stamina  # noqa: PLC0415 # see the module

        return stamina.retry_context(self, attempts=None, timeout=None)
