"""One engine at the broker: its queue, its replicas, and what becomes of a batch that fails.

**Suspects.** A process that dies takes its batches with it, and one of their inputs may be the
reason. So they do not simply go back into the queue: they are run again *exclusively*, nothing
else in the process, a batch of several in halves. An input that was there for two crashes, the
second time alone, is convicted: its caller is refused, and so is everyone who sends the same,
by digest. Everybody else is answered, only later. A SIGKILL from outside convicts nobody at once:
it takes one more crash.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import Call, EngineInfo, Result
from speech_translator.errors import (
    EngineTimeout,
    EngineUnavailable,
    ModelMissing,
    PoisonousInput,
    ShuttingDown,
    SpeechTranslatorError,
)
from speech_translator.scalability import wire
from speech_translator.scalability.batching import BatchingConfig, BatchQueue, Job
from speech_translator.scalability.engine_host import Exit, Host
from speech_translator.scalability.events import (
    BatchDone,
    BrokerEvent,
    EngineExited,
    EngineReady,
    EngineRestarting,
    Quarantined,
)

State = Literal["starting", "ready", "restarting", "failed", "missing"]

POISON_KEPT = 4096
"""Digests of convicted inputs that are remembered, per engine."""

POISON_TTL_S = 3600.0
"""Seconds that a conviction lasts: the next engine version may be able to take the input."""

_ALONE_STRIKES = 2
_FAILED_AFTER = 3
# One that has served before is believed in for longer: what ends it may come from outside.
_FAILED_AFTER_SERVING = 8
_POISON = "This input crashed its engine twice and is refused."
_HANG = "The engine did not answer this input in its time, twice."


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One engine as seen from outside.

    ``state`` is failed when it did not come up several times in a row (it is still tried again)
    and missing when its weights are not installed; ``message`` says why. ``info`` is kept through
    restarts.
    """

    state: State
    info: EngineInfo | None
    message: str
    queued: int
    in_flight: int
    restarts: int
    pids: tuple[int, ...]


@dataclass(slots=True, eq=False)
class _Batch:
    """Jobs in a process. ``alone`` says that nothing else is in there."""

    jobs: list[Job]
    alone: bool
    begun: float
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True, eq=False)
class _Seat:
    """A replica as the lane sees it."""

    host: Host
    info: EngineInfo | None = None
    batches: dict[int, _Batch] = field(default_factory=dict)
    overdue: int | None = None

    def free(self) -> int:
        """Batches that it can take now."""
        if self.info is None or any(batch.alone for batch in self.batches.values()):
            return 0
        return self.info.concurrency - len(self.batches)


class Lane:
    """Everything of one engine. All methods run on the event loop.

    Args:
        spec: how the engine is started.
        tell: the broker's listener.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        spec: EngineSpec,
        tell: Callable[[BrokerEvent], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spec = spec
        self.seats: list[_Seat] = []
        self.info: EngineInfo | None = None
        self.closed = False
        self.changed = asyncio.Event()
        self._tell = tell
        self._clock = clock
        self._queue = BatchQueue(BatchingConfig(limit=spec.queue_limit))
        self._suspects: deque[list[Job]] = deque()
        self._again: deque[list[Job]] = deque()
        self._numbers = itertools.count(1)
        self._poison: OrderedDict[bytes, tuple[float, type[SpeechTranslatorError]]] = OrderedDict()
        self._failures = 0
        self._restarts = 0
        self._missing = False
        self._message = ""

    def add(self, host: Host) -> None:
        """Take a replica in; its index is its place."""
        self.seats.append(_Seat(host))

    def status(self) -> EngineStatus:
        """How it is now."""
        return EngineStatus(
            state=self.state(),
            info=self.info,
            message=self._message,
            queued=self.queued(),
            in_flight=sum(len(b.jobs) for seat in self.seats for b in seat.batches.values()),
            restarts=self._restarts,
            pids=tuple(seat.host.pid for seat in self.seats if seat.host.pid is not None),
        )

    def state(self) -> State:
        """One word for it."""
        if any(seat.info for seat in self.seats):
            return "ready"
        if self._missing:
            return "missing"
        if self._failures >= (_FAILED_AFTER_SERVING if self.info else _FAILED_AFTER):
            return "failed"
        return "restarting" if self.info else "starting"

    def busy(self) -> bool:
        """Whether calls are under way that can still be answered."""
        return self.state() == "ready" and bool(self.queued() or self.status().in_flight)

    def queued(self) -> int:
        """Jobs that wait, suspects among them."""
        again = itertools.chain(self._suspects, self._again)
        return len(self._queue) + sum(len(jobs) for jobs in again)

    def refusal(self, call: Call) -> SpeechTranslatorError | None:
        """Why ``call`` cannot be taken, if it cannot."""
        if self.closed:
            return ShuttingDown("The service is shutting down.", retry_after=5.0)
        state = self.state()
        if state in {"failed", "missing"}:
            message = self._message or f"The engine {self.spec.name} does not start."
            return EngineUnavailable(message, retry_after=30.0)
        if self._poison:
            until, error = self._poison.get(digest_of(call), (0.0, PoisonousInput))
            if until > self._clock():
                return error(_POISON if error is PoisonousInput else _HANG)
        return None

    def full(self) -> bool:
        """Whether no more may wait."""
        return self.queued() >= self.spec.queue_limit

    def push(self, job: Job) -> None:
        """Queue a job and begin it if the engine is free."""
        self._queue.push(job)
        self.dispatch()

    def forget(self, job: Job) -> None:
        """A job's caller has its answer, or has gone."""
        self._queue.forget(job)

    def dispatch(self) -> None:
        """Give work to every replica that is free, the least busy one first."""
        while True:
            seat = max(self.seats, key=_Seat.free, default=None)
            if seat is None or seat.free() < 1:
                return
            jobs, alone = self._next(seat)
            if not jobs:
                return
            self._begin(seat, jobs, alone=alone)

    def _next(self, seat: _Seat) -> tuple[list[Job], bool]:
        """The next batch for a replica; suspects wait until one is empty, and hold the rest up."""
        suspects = _next_wanted(self._suspects)
        if suspects:
            idle = next((s for s in self.seats if s.info and not s.batches), None)
            if idle is seat:
                return suspects, True
            self._suspects.appendleft(suspects)
            if len(self.seats) == 1:
                return [], False
        return _next_wanted(self._again) or self._queue.take(), False

    def _begin(self, seat: _Seat, jobs: list[Job], *, alone: bool) -> None:
        number = next(self._numbers)
        batch = _Batch(jobs, alone, self._clock())
        seat.batches[number] = batch
        batch.timer = asyncio.get_running_loop().call_later(
            self.spec.call_timeout_s, self._overdue, seat, number
        )
        try:
            seat.host.send(number, [job.call for job in jobs])
        except (ValueError, TypeError, msgspec.EncodeError) as error:
            self._end(seat, number)
            self._failed_jobs(jobs, wire.error_of(wire.failure(number, error)))

    def _overdue(self, seat: _Seat, number: int) -> None:
        """The process holds a batch for too long: it hangs, and is killed."""
        if number in seat.batches and seat.overdue is None:
            seat.overdue = number
            seat.host.kill()

    def _end(self, seat: _Seat, number: int) -> _Batch | None:
        batch = seat.batches.pop(number, None)
        if batch and batch.timer:
            batch.timer.cancel()
        return batch

    # What replicas tell

    def on_ready(self, replica: Host, info: EngineInfo, seconds: float) -> None:
        """A replica has loaded."""
        self.info = info
        self.seats[replica.index].info = info
        self._queue.config = BatchingConfig(
            preferred=info.preferred_batch, limit=self.spec.queue_limit
        )
        self._failures = 0
        self._message = ""
        self._tell(EngineReady(self.spec.name, replica.index, seconds))
        self.changed.set()
        self.dispatch()

    def on_done(self, replica: Host, batch: int, results: Sequence[Result], seconds: float) -> None:
        """A batch was answered."""
        done = self._end(self.seats[replica.index], batch)
        if done is None:
            return
        for job, result in zip(done.jobs, results, strict=True):
            if not job.answer.done():
                job.answer.set_result(result)
        waited = max(done.begun - job.enqueued_at for job in done.jobs)
        self._tell(BatchDone(self.spec.name, len(done.jobs), waited, seconds))
        self.dispatch()

    def on_failed(self, replica: Host, batch: int, error: SpeechTranslatorError) -> None:
        """A batch raised: the one that is to blame is found by halves."""
        failed = self._end(self.seats[replica.index], batch)
        if failed is not None:
            self._failed_jobs(failed.jobs, error)
            self.dispatch()

    def _failed_jobs(self, jobs: list[Job], error: SpeechTranslatorError) -> None:
        if len(jobs) == 1:
            _fail(jobs[0], error)
        else:
            self._again.extend(_halves(jobs))

    def on_gone(self, replica: Host, gone: Exit) -> None:
        """A process is no more: what it held is suspect."""
        seat = self.seats[replica.index]
        held = {number: self._end(seat, number) for number in list(seat.batches)}
        overdue, seat.overdue = seat.overdue, None
        served, seat.info = seat.info is not None, None
        in_flight = sum(len(batch.jobs) for batch in held.values() if batch)
        self._tell(EngineExited(self.spec.name, replica.index, gone.reason, in_flight))
        if not served:
            self._failures += 1
            self._message = (
                gone.error.message if gone.error else f"It did not start ({gone.reason})."
            )
            self._missing = isinstance(gone.error, ModelMissing)
        for number, batch in held.items():
            if batch is None:
                continue
            if gone.reason == "hung" and number != overdue:
                self._again.append(batch.jobs)  # it only was beside the one that hung
            else:
                self._suspect(batch, gone)
        if self.state() in {"failed", "missing"}:
            self._give_up()
        self.changed.set()
        self.dispatch()

    def on_pause(self, replica: Host, seconds: float) -> None:
        """A replica will be started again."""
        self._restarts += 1
        self._tell(EngineRestarting(self.spec.name, replica.index, seconds))

    # What becomes of suspects

    def _suspect(self, batch: _Batch, gone: Exit) -> None:
        for job in batch.jobs:
            job.strikes += 1
        if len(batch.jobs) > 1:
            self._suspects.extend(_halves(batch.jobs))
        elif batch.alone and batch.jobs[0].strikes >= _ALONE_STRIKES + gone.killed:
            self._convict(batch.jobs[0], hung=gone.reason == "hung")
        else:
            self._suspects.append(batch.jobs)

    def _convict(self, job: Job, *, hung: bool) -> None:
        error: type[SpeechTranslatorError] = EngineTimeout if hung else PoisonousInput
        digest = digest_of(job.call)
        self._poison[digest] = (self._clock() + POISON_TTL_S, error)
        self._poison.move_to_end(digest)
        while len(self._poison) > POISON_KEPT:
            self._poison.popitem(last=False)
        self._tell(Quarantined(self.spec.name, digest.hex()))
        _fail(job, error(_HANG if hung else _POISON))

    def _give_up(self) -> None:
        """Nobody is left to answer: all that wait are told."""
        message = self._message or f"The engine {self.spec.name} does not start."
        self._fail_all(EngineUnavailable(message, retry_after=30.0))

    def close(self) -> None:
        """Refuse what still waits or runs."""
        self.closed = True
        self._fail_all(ShuttingDown("The service is shutting down.", retry_after=5.0))
        for seat in self.seats:
            for number in list(seat.batches):
                batch = self._end(seat, number)
                for job in batch.jobs if batch else ():
                    _fail(job, ShuttingDown("The service is shutting down.", retry_after=5.0))

    def _fail_all(self, error: SpeechTranslatorError) -> None:
        waiting = [*self._queue.drain(), *itertools.chain(*self._suspects, *self._again)]
        self._suspects.clear()
        self._again.clear()
        for job in waiting:
            _fail(job, error)


def digest_of(call: Call) -> bytes:
    """What a call is remembered by: BLAKE2b over its encoding, 16 bytes."""
    return hashlib.blake2b(wire.encode(wire.Run(0, [call])), digest_size=16).digest()


def _halves(jobs: list[Job]) -> tuple[list[Job], list[Job]]:
    middle = len(jobs) // 2
    return jobs[:middle], jobs[middle:]


def _next_wanted(groups: deque[list[Job]]) -> list[Job]:
    """The next group with anybody left who waits for it; empty when there is none."""
    while groups:
        jobs = [job for job in groups.popleft() if job.wanted()]
        if jobs:
            return jobs
    return []


def _fail(job: Job, error: SpeechTranslatorError) -> None:
    if not job.answer.done():
        # One each: an exception that is raised in many places gathers their tracebacks.
        copy = type(error)(error.message, **error.details)
        copy.__dict__.update(error.__dict__)
        job.answer.set_exception(copy)
