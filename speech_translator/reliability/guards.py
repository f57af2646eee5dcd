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

    def retry_after(self) -> float:
        """Seconds until one may pass; 0 where it may now."""
        ...


class Retry(Protocol):
    """Repeats work that failed in a way that may pass."""

    async def call(
        self, work: Callable[[], Awaitable[T]], deadline: Deadline, *, idempotent: bool
    ) -> T:
        """The result of ``work``; raises what the last attempt raised."""
        ...


class NullBreaker:
    """Always closed."""

    def is_open(self) -> bool:
        """Never."""
        return False

    def retry_after(self) -> float:
        """None."""
        return 0.0


class NullRetry:
    """One attempt."""

    async def call(
        self, work: Callable[[], Awaitable[T]], deadline: Deadline, *, idempotent: bool
    ) -> T:
        """Run ``work`` once, if the deadline has not passed."""
        del idempotent  # once harms nobody
        deadline.check()
        return await work()
