"""How long the batches of one engine take, and may take. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

SHORT_BATCH_S = 0.05
"""Batches below this are sent ahead, up to as many as run side by side. Otherwise a thread of the
engine would idle for the round trip after each, which on a busy machine is a tenth of its time;
the price is that urgent work waits for one more of them."""

MOST_RETRY_AFTER_S = 60.0
"""Longest wait that a caller who is refused is told."""

_SMOOTHING = 0.1


def batch_timeout(call_timeout_s: float, size: int) -> float:
    """Seconds that a batch of ``size`` gets: less than in proportion, since batches gain."""
    return call_timeout_s * (1 + math.log2(size) / 4)


@dataclass(slots=True)
class Pace:
    """Seconds that a batch, and a call, took lately."""

    batch_s: float = SHORT_BATCH_S
    call_s: float = 0.0

    @property
    def is_short(self) -> bool:
        """Whether batches are so short that the next one is sent ahead."""
        return self.batch_s < SHORT_BATCH_S

    def learn(self, size: int, seconds: float) -> None:
        """A batch of ``size`` calls took so long."""
        self.call_s += _SMOOTHING * (seconds / size - self.call_s)
        self.batch_s += _SMOOTHING * (seconds - self.batch_s)

    def until_room(self, waiting: int, places: int) -> float:
        """Seconds until about half of the calls that wait are done."""
        wait = waiting / 2 * self.call_s / max(1, places)
        return round(min(max(1.0, wait), MOST_RETRY_AFTER_S), 1)
