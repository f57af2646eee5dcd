"""The states of a circuit breaker. Pure: time is passed in; no I/O, no lock.

After Nygard's *Release It!*: closed lets everything pass and counts, open refuses, half-open lets a
few probes pass and judges by them. Each state is a new generation, as in Sony's gobreaker, so that
calls that began in an earlier one are not counted. Probes hold leases that lapse: whoever dies with
one frees its place. ``breaker.lua`` takes the same steps within Redis.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from speech_translator.errors import ConfigurationError
from speech_translator.reliability.breaker_window import Counts, Outcome, Window

BreakerState = Literal["closed", "open", "half_open"]
Reason = Literal[
    "consecutive_failures",
    "failure_rate",
    "slow_calls",
    "tripped",
    "probing",
    "probe_failed",
    "probe_succeeded",
    "reset",
]
"""Why a state began. *tripped* is somebody's decision, such as a supervisor's over a crash loop."""


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """When a breaker opens, and how it closes again; times are seconds.

    Args:
        consecutive_failures: failures in a row that open it.
        failure_rate: share of failed calls in the window that opens it; None for none.
        window_s: length of the sliding window.
        minimum_calls: calls in the window below which no share says anything.
        slow_call_s: a call that takes so long is slow; None for none.
        slow_call_rate: share of slow calls in the window that opens it.
        open_s: how long nothing passes.
        probes: calls that may pass at the same time while it is half-open.
        probe_successes: probes that must succeed before it closes.
        probe_ttl_s: after which a probe that does not end frees its place; its outcome does not
            count any more, so it has to be longer than any call.

    Raises:
        ConfigurationError: a value makes no sense.
    """

    consecutive_failures: int = 5
    failure_rate: float | None = 0.5
    window_s: float = 30.0
    minimum_calls: int = 20
    slow_call_s: float | None = None
    slow_call_rate: float = 0.8
    open_s: float = 5.0
    probes: int = 1
    probe_successes: int = 1
    probe_ttl_s: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what could never open, or never close."""
        counts = (self.consecutive_failures, self.minimum_calls, self.probes, self.probe_successes)
        times = (self.window_s, self.open_s, self.probe_ttl_s, self.slow_call_s or 1.0)
        rates = (self.slow_call_rate, 1.0 if self.failure_rate is None else self.failure_rate)
        if min(counts) < 1 or min(times) <= 0 or not all(0 < rate <= 1 for rate in rates):
            raise ConfigurationError(
                "A circuit breaker needs counts of at least 1, times above 0 and rates up to 1."
            )


@dataclass(frozen=True, slots=True)
class Permit:
    """A call may be made; its outcome is told by it. ``lease`` is None where it is no probe."""

    generation: int
    lease: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """No call may be made for ``retry_after_s`` seconds."""

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Change:
    """A state ended and another began."""

    previous: BreakerState
    state: BreakerState
    reason: Reason
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Shared:
    """What processes share of a breaker, as of the step ``number``; times are seconds.

    ``granted`` answers an ``acquire``; ``wait_s`` is None where a call may be made.
    """

    number: int
    granted: bool
    state: BreakerState
    generation: int
    reason: Reason
    wait_s: float | None
    age_s: float
    streak: int
    opens: int
    counts: Counts


@dataclass(slots=True)
class Machine:
    """One breaker's state. ``now`` is in seconds of any clock that does not go back.

    ``changes`` gathers what happened, until somebody takes it out.
    """

    config: BreakerConfig
    state: BreakerState = "closed"
    generation: int = 0
    since: float = 0.0
    until: float = 0.0
    streak: int = 0
    opens: int = 0
    changes: list[Change] = field(default_factory=list)
    _probed: int = 0
    _adopted: int = -1
    _leases: dict[str, float] = field(default_factory=dict)
    _window: Window = field(init=False)

    def __post_init__(self) -> None:
        """Begin with an empty window."""
        self._window = Window(self.config.window_s)

    def acquire(self, lease: str, now: float) -> Permit | Refusal:
        """Ask for a call; ``lease`` names it in case it is a probe."""
        if self.state == "closed":
            return Permit(self.generation)
        wait = self.wait(now)
        if wait is not None:
            return Refusal(wait)
        if self.state == "open":
            self._enter("half_open", "probing", now)
        for lapsed in [held for held, end in self._leases.items() if end <= now]:
            del self._leases[lapsed]
        self._leases[lease] = now + self.config.probe_ttl_s
        return Permit(self.generation, lease)

    def settle(self, permit: Permit, outcome: Outcome, *, slow: bool, now: float) -> None:
        """A call has ended. Those that began in another state say nothing about this one."""
        if permit.generation != self.generation:
            return
        if self.state == "closed":
            self._count(outcome, slow=slow, now=now)
        elif permit.lease is not None and self._leases.pop(permit.lease, now) > now:
            self._judge(outcome, slow=slow, now=now)

    def wait(self, now: float) -> float | None:
        """Seconds until a call may be made; None where it may be now. Changes nothing."""
        if self.state == "closed":
            return None
        if self.state == "open":
            return self.until - now if now < self.until else None
        held = [end for end in self._leases.values() if end > now]
        if len(held) < self.config.probes:
            return None
        return min(min(held) - now, self.config.open_s)  # most probes end long before their lease

    def counts(self, now: float) -> Counts:
        """Calls in the window."""
        return self._window.counts(now)

    def probing(self, now: float) -> int:
        """Probes under way."""
        return sum(end > now for end in self._leases.values())

    def reset(self, now: float) -> None:
        """Close it and forget what was counted, calls under way included."""
        self._enter("closed", "reset", now)

    def trip(self, now: float) -> None:
        """Open it; one that is open stays so for its whole time from now on."""
        if self.state == "open":
            self.until = now + self.config.open_s
        else:
            self._enter("open", "tripped", now)

    def relent(self, now: float) -> None:
        """Let the next call be a probe, if it is open."""
        if self.state == "open":
            self.until = now

    def adopt(self, shared: Shared, lease: str, now: float) -> None:
        """Take over what processes share, unless something newer was. ``lease`` was asked for.

        Other processes' probes stay unknown here: who asks is told by what is shared.
        """
        if shared.number < self._adopted:
            return
        self._adopted = shared.number
        if shared.state != self.state:
            wait = (shared.wait_s or 0.0) if shared.state == "open" else 0.0
            self.changes.append(Change(self.state, shared.state, shared.reason, wait))
        if shared.generation != self.generation:
            self._leases.clear()
        if shared.state == "half_open" and shared.granted:
            self._leases[lease] = now + self.config.probe_ttl_s
        self.state, self.generation = shared.state, shared.generation
        self.since, self.until = now - shared.age_s, now + (shared.wait_s or 0.0)
        self.streak, self.opens = shared.streak, shared.opens
        self._window.replace(shared.counts, now)

    def release(self, lease: str) -> None:
        """A probe will not be made."""
        self._leases.pop(lease, None)

    def _count(self, outcome: Outcome, *, slow: bool, now: float) -> None:
        """A call while closed; only what speaks against the dependency can open it."""
        if outcome == "ignored" and not slow:
            return
        self._window.add(outcome, slow=slow, now=now)
        if outcome == "failure":
            self.streak += 1
        elif outcome == "success":
            self.streak = 0
        if outcome == "failure" or slow:
            reason = self._verdict(now)
            if reason is not None:
                self._enter("open", reason, now)

    def _verdict(self, now: float) -> Reason | None:
        config = self.config
        if self.streak >= config.consecutive_failures:
            return "consecutive_failures"
        counts = self._window.counts(now)
        if counts.calls < config.minimum_calls:
            return None
        rate = config.failure_rate
        if rate is not None and counts.failures / counts.calls >= rate:
            return "failure_rate"
        if counts.slow / counts.calls >= config.slow_call_rate:
            return "slow_calls"
        return None

    def _judge(self, outcome: Outcome, *, slow: bool, now: float) -> None:
        """A probe has ended; one that was slow did not find the dependency well."""
        if outcome == "failure" or slow:
            self._enter("open", "probe_failed", now)
        elif outcome == "success":
            self._probed += 1
            if self._probed >= self.config.probe_successes:
                self._enter("closed", "probe_succeeded", now)

    def _enter(self, state: BreakerState, reason: Reason, now: float) -> None:
        wait = self.config.open_s if state == "open" else 0.0
        if state == "open":
            self.opens += 1
            self.until = now + wait
        if state != self.state:
            self.changes.append(Change(self.state, state, reason, wait))
            self.since = now
        self.state = state
        self.generation += 1
        self.streak = self._probed = 0
        self._leases.clear()
        self._window.clear()
