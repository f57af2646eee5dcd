"""How long a request may still take. Every wait in the service is bounded by one of these."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from speech_translator.errors import DeadlineExceeded

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in monotonic time, in seconds of ``clock``."""

    at: float
    clock: Clock = field(default=time.monotonic, repr=False, compare=False)

    @classmethod
    def after(cls, seconds: float, *, clock: Clock = time.monotonic) -> Deadline:
        """The deadline ``seconds`` from now."""
        return cls(clock() + seconds, clock)

    def remaining(self) -> float:
        """Seconds left; never below 0."""
        return max(0.0, self.at - self.clock())

    def expired(self) -> bool:
        """Whether nothing is left."""
        return self.clock() >= self.at

    def check(self) -> None:
        """Raise ``DeadlineExceeded`` when nothing is left: work that is too late is not begun."""
        if self.expired():
            raise DeadlineExceeded("The request's deadline has passed.")
