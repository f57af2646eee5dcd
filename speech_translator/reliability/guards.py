"""Places where reliability guards stand around a call, and null objects that do nothing.

A breaker says whether a dependency is worth trying; a retry repeats idempotent work inside its
deadline. Code that calls a dependency always has both, so that switching them on changes no code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from speech_translator.reliability.deadlines import Deadline

T = TypeVar("T")


class Breaker(Protocol):
    """Guards one named dependency."""

    def is_open(self) -> bool:
        """Whether calls would be refused now. Asking changes nothing."""
        ...


class Retry(Protocol):
    """Repeats work that failed in a way that may pass."""

    async def call(self, work: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """The result of ``work``; raises what the last attempt raised."""
        ...


class NullBreaker:
    """Always closed."""

    def is_open(self) -> bool:
        """Never."""
        return False


class NullRetry:
    """One attempt."""

    async def call(self, work: Callable[[], Awaitable[T]], deadline: Deadline) -> T:
        """Run ``work`` once, if the deadline has not passed."""
        deadline.check()
        return await work()
