"""How many calls of the last seconds failed or were slow. Pure: time is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["success", "failure", "ignored"]
"""How a call ended. *ignored* tells nothing of the dependency: cancelled, or the caller's fault."""

BUCKETS = 10
"""Parts of the sliding window; it moves by one of them at a time."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls in the sliding window."""

    calls: int = 0
    failures: int = 0
    slow: int = 0


@dataclass(slots=True)
class _Bucket:
    slot: int = -1
    calls: int = 0
    failures: int = 0
    slow: int = 0


class Window:
    """Counts of the last seconds, in ``BUCKETS`` parts."""

    def __init__(self, seconds: float) -> None:
        self._bucket_s = seconds / BUCKETS
        self._buckets = [_Bucket() for _ in range(BUCKETS)]

    def add(self, outcome: Outcome, *, slow: bool, now: float) -> None:
        """Count a call."""
        slot = int(now // self._bucket_s)
        bucket = self._buckets[slot % BUCKETS]
        if bucket.slot != slot:
            bucket.slot, bucket.calls, bucket.failures, bucket.slow = slot, 0, 0, 0
        bucket.calls += 1
        bucket.failures += outcome == "failure"
        bucket.slow += slow

    def counts(self, now: float) -> Counts:
        """What is in it."""
        oldest = int(now // self._bucket_s) - BUCKETS
        live = [bucket for bucket in self._buckets if bucket.slot > oldest]
        return Counts(
            sum(bucket.calls for bucket in live),
            sum(bucket.failures for bucket in live),
            sum(bucket.slow for bucket in live),
        )

    def replace(self, counts: Counts, now: float) -> None:
        """Take over what others counted."""
        self.clear()
        slot = int(now // self._bucket_s)
        bucket = self._buckets[slot % BUCKETS]
        bucket.slot, bucket.calls = slot, counts.calls
        bucket.failures, bucket.slow = counts.failures, counts.slow

    def clear(self) -> None:
        """Forget all."""
        for bucket in self._buckets:
            bucket.slot = -1
