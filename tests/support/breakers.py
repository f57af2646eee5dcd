"""A breaker whose time is set by a test, and what it told."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech_translator.reliability import BreakerConfig, CircuitBreaker, StateChange
from speech_translator.reliability.breaker_window import Outcome

CONFIG = BreakerConfig(
    consecutive_failures=3,
    failure_rate=0.5,
    window_s=10.0,
    minimum_calls=6,
    slow_call_s=2.0,
    slow_call_rate=0.75,
    open_s=5.0,
    probe_ttl_s=30.0,
)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """One breaker in memory."""

    config: BreakerConfig = CONFIG
    clock: Clock = field(default_factory=Clock)
    told: list[StateChange] = field(default_factory=list)
    breaker: CircuitBreaker = field(init=False)

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(
            "payments",
            self.config,
            listener=self.told.append,
            clock=self.clock,
            wall_clock=lambda: 5e8 + self.clock.now,
        )

    @property
    def state(self) -> str:
        return self.breaker.snapshot().state

    def end(self, *outcomes: Outcome, seconds: float = 0.1) -> None:
        """Calls that are begun and ended, one after the other."""
        for outcome in outcomes:
            self.breaker.settle_sync(self.breaker.acquire_sync(), outcome, seconds)

    def opened(self) -> Bench:
        self.end(*["failure"] * self.config.consecutive_failures)
        assert self.state == "open"
        return self

    def half_open(self) -> Bench:
        """Open, and its time is over: the next call is a probe."""
        self.opened()
        self.clock.now += self.config.open_s
        return self
