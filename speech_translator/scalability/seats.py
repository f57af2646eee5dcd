"""A replica as its lane sees it, and how long to wait before it is started again. Pure."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from speech_translator.engines.values import EngineInfo
from speech_translator.errors import ConfigurationError, ModelMissing
from speech_translator.reliability.breaker_machine import Permit
from speech_translator.scalability.batching import Job
from speech_translator.scalability.engine_host import Exit, Host

State = Literal["starting", "ready", "restarting", "failed", "missing"]


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One engine as seen from outside.

    ``state`` is *failed* when it did not come up several times in a row (it is still tried again)
    and *missing* when its weights are not installed; ``message`` says why. ``info`` is kept
    through restarts.
    """

    state: State
    info: EngineInfo | None
    message: str
    queued: int
    in_flight: int
    restarts: int
    pids: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Batch:
    """Jobs in a process. ``alone`` says that nothing else is put in there.

    ``permit`` is the breaker's; ``timer`` runs while the process works on it, and not while it
    waits there behind others.
    """

    jobs: list[Job]
    alone: bool
    begun: float
    permit: Permit
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class Seat:
    """One replica. ``info`` is None while it cannot be called.

    ``alone`` says that it holds a suspect and nothing else may join, ``ahead`` that it may hold as
    many batches again as it runs side by side. ``failures`` counts ends in a
    row without an answer in between that nobody's input was convicted for. ``since`` and
    ``restart_at`` are times of the lane's clock. ``outgrown`` says that it is replaced once it is
    idle; ``loaded_bytes`` is what it needed when it had loaded, None where that is not known.
    """

    host: Host
    info: EngineInfo | None = None
    batches: dict[int, Batch] = field(default_factory=dict)
    alone: bool = False
    ahead: bool = False
    starts: int = 0
    failures: int = 0
    missing: bool = False
    since: float = 0.0
    restart_at: float = 0.0
    outgrown: bool = False
    loaded_bytes: int | None = None

    @property
    def restarts(self) -> int:
        """Starts after the first one."""
        return max(0, self.starts - 1)

    def free(self) -> int:
        """Batches that it can take now."""
        if self.info is None or self.alone or self.outgrown:
            return 0
        side_by_side = max(1, self.info.concurrency)
        return (2 * side_by_side if self.ahead else side_by_side) - len(self.batches)

    def idle(self) -> bool:
        """Whether it would work on one more batch at once."""
        at_work = sum(batch.timer is not None for batch in self.batches.values())
        return self.info is not None and at_work < max(1, self.info.concurrency)

    def next_ahead(self) -> int | None:
        """The batch that it now begins with, of those that were sent ahead."""
        waiting = (number for number, batch in self.batches.items() if batch.timer is None)
        return next(waiting, None)

    def calls(self) -> int:
        """Calls that it works on."""
        return sum(len(batch.jobs) for batch in self.batches.values())

    def begin(self, number: int, batch: Batch) -> None:
        """A batch was sent to it."""
        self.batches[number] = batch
        self.alone = batch.alone

    def end(self, number: int) -> Batch | None:
        """Take a batch out; None when it is not there any more."""
        batch = self.batches.pop(number, None)
        if batch is not None:
            if batch.timer is not None:
                batch.timer.cancel()
            self.alone = False
        return batch

    def clear(self) -> list[Batch]:
        """Take all batches out."""
        found = [self.end(number) for number in list(self.batches)]
        return [batch for batch in found if batch is not None]

    def note_failed_start(self, gone: Exit, restarts: RestartConfig) -> None:
        """It did not load. What only an operator can mend is not tried again soon."""
        self.missing = isinstance(gone.error, ModelMissing)
        if isinstance(gone.error, ConfigurationError):
            self.failures = max(self.failures, restarts.tries, restarts.tries_after_serving)


@dataclass(frozen=True, slots=True)
class RestartConfig:
    """When a replica is started again; times are seconds.

    Pauses double from ``first`` to ``last``, with jitter so that replicas spread; an answer, or
    ``healthy_after`` without a fault, begins anew. After ``tries`` failures in a row the engine
    counts as failed (``tries_after_serving`` when it was ready before: what ends it may come from
    outside) and is still tried again. What an operator must mend is tried every ``mend`` seconds.
    """

    first: float = 0.1
    last: float = 30.0
    healthy_after: float = 30.0
    tries: int = 4
    tries_after_serving: int = 8
    mend: float = 60.0
    jitter: Callable[[], float] = random.random

    def believes(self, failures: int, *, served: bool) -> bool:
        """Whether it is worth waiting for an engine after so many failures."""
        return failures < (self.tries_after_serving if served else self.tries)

    def pause(self, seat: Seat, gone: Exit) -> float:
        """Seconds until the next start."""
        if gone.reason == "outgrown":
            return 0.0
        if isinstance(gone.error, ConfigurationError):
            return self.mend
        doubled = self.first * 2.0 ** min(seat.failures - 1, 20)
        return min(self.last, doubled) * (0.5 + self.jitter() / 2)
