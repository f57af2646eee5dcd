"""One breaker between its states and its faces. Sans-I/O.

Where Redis has to be asked, it hands out a step, and is told the answer by whoever sent it. It
guards ``breaker_machine.Machine`` by a lock, since threads use it too, and tells what changed.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from speech_translator.errors import CircuitOpen
from speech_translator.reliability.breaker_machine import (
    BreakerConfig,
    BreakerState,
    Machine,
    Permit,
    Reason,
    Refusal,
    Shared,
)
from speech_translator.reliability.breaker_sharing import Sharing, Step
from speech_translator.reliability.breaker_window import Outcome
from speech_translator.reliability.deadlines import Clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A breaker went from one state to another, as this process saw it.

    ``retry_after_s`` is how long an open one will let nothing pass, 0 for other states.
    """

    name: str
    previous: BreakerState
    state: BreakerState
    reason: Reason
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """A breaker as it is now.

    ``since`` is when the state began, in seconds since 1970; ``failures`` are those in a row;
    ``window_*`` count calls of the sliding window; ``probes`` are under way here;
    ``retry_after_s`` is the wait until a call may pass, 0 where it may now.
    """

    name: str
    state: BreakerState
    since: float
    failures: int
    window_calls: int
    window_failures: int
    window_slow: int
    opens_total: int
    probes: int
    retry_after_s: float


Listener = Callable[[StateChange], None]
Act = Literal["reset", "trip", "relent"]


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended that was let through by ``permit``."""

    permit: Permit
    outcome: Outcome
    slow: bool

    @property
    def says_something(self) -> bool:
        """Whether anybody has to know of it."""
        return self.outcome != "ignored" or self.slow or self.permit.lease is not None


class BreakerCore:
    """See ``CircuitBreaker`` for the arguments."""

    def __init__(
        self,
        name: str,
        config: BreakerConfig,
        *,
        sharing: Sharing | None = None,
        listener: Listener | None = None,
        clock: Clock = time.monotonic,
        wall_clock: Clock = time.time,
    ) -> None:
        self.name = name
        self.config = config
        self.sharing = sharing
        self.clock = clock
        self._listener = listener
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._machine = Machine(config, since=clock())

    def wait(self) -> float | None:
        """Seconds until a call may pass, as far as this process knows; None where it may now."""
        if self._machine.state == "closed":
            return None
        with self._lock:
            return self._machine.wait(self.clock())

    @property
    def state(self) -> BreakerState:
        """Where it is, as far as this process knows."""
        return self._machine.state

    def refused(self, wait_s: float) -> CircuitOpen:
        """What a caller is told who has to wait."""
        return CircuitOpen(
            f"{self.name} failed lately and is left alone for a moment.",
            retry_after=round(wait_s, 3),
            dependency=self.name,
        )

    def snapshot(self) -> BreakerSnapshot:
        """How it is now, as far as this process knows."""
        with self._lock:
            now, machine = self.clock(), self._machine
            counts = machine.counts(now)
            return BreakerSnapshot(
                name=self.name,
                state=machine.state,
                since=self._wall_clock() - (now - machine.since),
                failures=machine.streak,
                window_calls=counts.calls,
                window_failures=counts.failures,
                window_slow=counts.slow,
                opens_total=machine.opens,
                probes=machine.probing(now),
                retry_after_s=machine.wait(now) or 0.0,
            )

    def begin_acquire(self) -> Permit | Step:
        """Ask for a call: the permit, or what to ask Redis.

        One that is known to be open asks nobody.

        Raises:
            CircuitOpen: no call may be made.
        """
        sharing, machine = self.sharing, self._machine
        with self._lock:
            if sharing is None and machine.state == "closed":
                return Permit(machine.generation)
            now = self.clock()
            wait = machine.wait(now) if machine.state == "open" else None
            if wait is None and sharing is not None and sharing.ready():
                return sharing.step(self.name, self.config, "acquire", lease=uuid.uuid4().hex)
            answer = machine.acquire(uuid.uuid4().hex, now) if wait is None else Refusal(wait)
        return self._answered(answer)

    def end_acquire(self, step: Step, shared: Shared | None) -> Permit:
        """What Redis answered to ``step``; None where it did not.

        Raises:
            CircuitOpen: no call may be made.
        """
        answer: Permit | Refusal
        with self._lock:
            now, machine = self.clock(), self._machine
            if shared is None:
                answer = machine.acquire(step.lease, now)
            else:
                machine.adopt(shared, step.lease, now)
                lease = step.lease if shared.state == "half_open" else None
                answer = Permit(shared.generation, lease)
                if not shared.granted:
                    answer = Refusal(shared.wait_s or 0.0)
        return self._answered(answer)

    def given_up(self, step: Step) -> Step | None:
        """Whoever sent an ``acquire`` will not hear its answer: what to tell Redis."""
        if self.sharing is None:
            return None
        return self.sharing.step(self.name, self.config, "release", lease=step.lease)

    def begin_settle(self, end: End) -> Step | None:
        """A call has ended: what to tell Redis, if it is to be told."""
        sharing = self.sharing
        if sharing is not None and end.says_something and sharing.ready():
            return sharing.step(
                self.name, self.config, "settle", end.permit, end.outcome, slow=end.slow
            )
        with self._lock:
            self._machine.settle(end.permit, end.outcome, slow=end.slow, now=self.clock())
        self._tell()
        return None

    def end_settle(self, end: End, step: Step, shared: Shared | None) -> None:
        """What Redis answered to ``step``; None where it did not."""
        with self._lock:
            now, machine = self.clock(), self._machine
            if shared is None:
                machine.settle(end.permit, end.outcome, slow=end.slow, now=now)
            else:
                machine.release(step.lease)
                machine.adopt(shared, step.lease, now)
        self._tell()

    def begin_act(self, act: Act) -> Step | None:
        """Reset or trip it, or relent: what to tell Redis, if it is to be told."""
        if self.sharing is not None and self.sharing.ready():
            return self.sharing.step(self.name, self.config, act)
        self._act(act)
        return None

    def end_act(self, act: Act, step: Step, shared: Shared | None) -> None:
        """What Redis answered to ``step``; None where it did not."""
        if shared is None:
            self._act(act)
            return
        with self._lock:
            self._machine.adopt(shared, step.lease, self.clock())
        self._tell()

    def _act(self, act: Act) -> None:
        with self._lock:
            getattr(self._machine, act)(self.clock())
        self._tell()

    def _answered(self, answer: Permit | Refusal) -> Permit:
        self._tell()
        if isinstance(answer, Permit):
            return answer
        raise self.refused(answer.retry_after_s)

    def _tell(self) -> None:
        """Tell the listener what has changed; not under the lock, since it may ask us."""
        changes = self._machine.changes
        while changes:
            with self._lock:
                change = changes.pop(0) if changes else None
            if change is None or self._listener is None:
                continue
            told = StateChange(
                self.name, change.previous, change.state, change.reason, change.retry_after_s
            )
            try:
                self._listener(told)
            except Exception:
                logger.exception("A listener of the breaker %s failed", self.name)
