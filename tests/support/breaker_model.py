"""What a breaker should do, written the slow way: it remembers every call that ever ended.

Written from the documentation of ``BreakerConfig``, not from the code that it judges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from speech_translator.reliability.breaker_machine import BreakerConfig
from speech_translator.reliability.breaker_window import BUCKETS, Outcome


@dataclass(frozen=True)
class Ended:
    at: float
    outcome: Outcome
    slow: bool


@dataclass
class Model:
    config: BreakerConfig
    now: float
    state: str = "closed"
    opened_at: float = -math.inf
    age: int = 0
    """States so far: a call belongs to the one that it began in."""
    opens: int = 0
    history: list[Ended] = field(default_factory=list)
    """Since the state began."""
    probes: dict[str, float] = field(default_factory=dict)
    """Leases by the time at which they were given."""

    def may(self) -> bool:
        if self.state == "closed":
            return True
        if self.state == "open":
            return self.now >= self.opened_at + self.config.open_s
        return len(self.alive()) < self.config.probes

    def alive(self) -> list[str]:
        return [
            lease
            for lease, given in self.probes.items()
            if self.now < given + self.config.probe_ttl_s
        ]

    def begin(self, lease: str) -> bool:
        """Whether a call may be made; notes it."""
        allowed = self.may()
        if allowed and self.state == "open":
            self._turn("half_open")
        if allowed and self.state == "half_open":
            self.probes[lease] = self.now
        return allowed

    def end(self, age: int, lease: str, outcome: Outcome, *, slow: bool) -> None:
        if age != self.age:
            return
        if self.state == "closed":
            self._ended_closed(Ended(self.now, outcome, slow))
        elif self.state == "half_open" and lease in self.probes:
            alive = lease in self.alive()
            del self.probes[lease]
            if alive:
                self._ended_probe(Ended(self.now, outcome, slow))

    def _ended_closed(self, ended: Ended) -> None:
        if ended.outcome == "ignored" and not ended.slow:
            return
        self.history.append(ended)
        if ended.outcome != "failure" and not ended.slow:
            return
        recent = self.recent()
        failed = sum(one.outcome == "failure" for one in recent)
        slow = sum(one.slow for one in recent)
        enough = len(recent) >= self.config.minimum_calls
        rate = self.config.failure_rate
        if (
            self.streak() >= self.config.consecutive_failures
            or (enough and rate is not None and failed / len(recent) >= rate)
            or (enough and slow / len(recent) >= self.config.slow_call_rate)
        ):
            self.open()

    def _ended_probe(self, ended: Ended) -> None:
        if ended.outcome == "failure" or ended.slow:
            self.open()
        elif ended.outcome == "success":
            self.history.append(ended)
            if len(self.history) >= self.config.probe_successes:
                self._turn("closed")

    def recent(self) -> list[Ended]:
        if self.state != "closed":
            return []
        step = self.config.window_s / BUCKETS
        oldest = self.now // step - BUCKETS
        return [one for one in self.history if one.at // step > oldest]

    def streak(self) -> int:
        if self.state != "closed":
            return 0
        count = 0
        for one in reversed(self.history):
            if one.outcome == "success":
                break
            count += one.outcome == "failure"
        return count

    def open(self) -> None:
        self.opens += 1
        self._turn("open")

    def trip(self) -> None:
        if self.state == "open":
            self.opened_at = self.now
        else:
            self.open()

    def relent(self) -> None:
        if self.state == "open":
            self.opened_at = -math.inf

    def reset(self) -> None:
        self._turn("closed")

    def _turn(self, state: str) -> None:
        self.state = state
        self.age += 1
        self.opened_at = self.now
        self.history.clear()
        self.probes.clear()
