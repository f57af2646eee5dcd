"""One engine at the broker: its queue, its replicas, and who of them works on what.

What becomes of calls whose batch fails is judged in ``trial.py``.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence

from speech_translator.engines.spec import EngineSpec
from speech_translator.engines.values import EngineInfo, Result
from speech_translator.errors import (
    EngineFailed,
    EngineTimeout,
    EngineUnavailable,
    Overloaded,
    ShuttingDown,
    SpeechTranslatorError,
)
from speech_translator.reliability import CircuitBreaker
from speech_translator.reliability.deadlines import Clock
from speech_translator.scalability.backlog import Backlog
from speech_translator.scalability.batching import BatchingConfig, Job
from speech_translator.scalability.engine_breaker import EngineBreaker
from speech_translator.scalability.engine_host import Exit, Host
from speech_translator.scalability.events import (
    BatchDone,
    BrokerEvent,
    CallRejected,
    EngineExited,
    EngineReady,
    EngineRestarting,
    EngineStarting,
)
from speech_translator.scalability.growth import Growth
from speech_translator.scalability.pace import MOST_RETRY_AFTER_S, Pace, batch_timeout
from speech_translator.scalability.seats import Batch, EngineStatus, RestartConfig, Seat, State
from speech_translator.scalability.trial import Trial, fail


class Lane:
    """Everything of one engine. All methods run on the event loop.

    Args:
        spec: how the engine is started.
        tell: the broker's listener.
        clock: monotonic seconds.
        restarts: how long to wait before a replica is started again.
        breaker: the engine's.
    """

    def __init__(
        self,
        spec: EngineSpec,
        tell: Callable[[BrokerEvent], None],
        clock: Clock,
        restarts: RestartConfig,
        breaker: CircuitBreaker,
    ) -> None:
        self.spec = spec
        self.seats: list[Seat] = []
        self.changed = asyncio.Event()
        self._tell = tell
        self._clock = clock
        self._restarts = restarts
        self._breaker = EngineBreaker(breaker, clock)
        self._info: EngineInfo | None = None
        self._backlog = Backlog(BatchingConfig.of(spec.task, 1))
        self._trial = Trial(spec.name, self._backlog, tell, clock)
        self._growth = Growth(spec, tell)
        self._numbers = itertools.count(1)
        self._called = False
        self._closed = False
        self._pace = Pace()
        self._message = ""

    # What the broker asks

    def add(self, host: Host) -> None:
        """Take a replica in; its index is its place."""
        self.seats.append(Seat(host))

    def status(self) -> EngineStatus:
        """How it is now."""
        return EngineStatus(
            state=self.state(),
            info=self._info,
            message=self._message,
            queued=len(self._backlog),
            in_flight=sum(seat.calls() for seat in self.seats),
            restarts=sum(seat.restarts for seat in self.seats),
            pids=tuple(seat.host.pid for seat in self.seats if seat.host.pid is not None),
        )

    def state(self) -> State:
        """One word for all replicas: that of the one that is best off."""
        if any(seat.info for seat in self.seats):
            return "ready"
        served = self._info is not None
        if any(self._restarts.believes(seat.failures, served=served) for seat in self.seats):
            return "restarting" if served else "starting"
        return "missing" if all(seat.missing for seat in self.seats) else "failed"

    def accept(self, job: Job) -> None:
        """Queue a job; it is begun at the end of this turn of the loop, with others that come.

        Raises:
            ShuttingDown, EngineUnavailable, CircuitOpen, PoisonousInput, EngineTimeout,
            Suspended, Overloaded: refused.
        """
        if self._closed:
            raise _shutting_down()
        if self.state() in {"failed", "missing"}:
            raise self._unavailable()
        self._breaker.check()
        suspect = self._trial.is_suspect(job)
        if self._full():
            self._make_room(job)
        if suspect:
            job.strikes = 1
            self._backlog.suspect(job)
        else:
            self._backlog.push(job)
        if not self._called:
            self._called = True
            asyncio.get_running_loop().call_soon(self._dispatch)

    def _full(self) -> bool:
        """Whether no more may wait; what has come in this turn of the loop is given out first."""
        if self._called and len(self._backlog) >= self.spec.queue_limit:
            self._dispatch()
        return len(self._backlog) >= self.spec.queue_limit

    def _make_room(self, job: Job) -> None:
        """Give up what comes behind ``job``: its caller is told to come back.

        Raises:
            Overloaded: nothing does.
        """
        places = sum(seat.info.concurrency for seat in self.seats if seat.info)
        wait = self._pace.until_room(len(self._backlog), places)
        refusal = Overloaded("Too much is waiting for this engine.", retry_after=wait)
        behind = self._backlog.gives_way(job)
        if behind is None:
            raise refusal
        self._backlog.forget(behind)
        if not behind.answer.done():
            fail(behind, refusal)
            self._tell(CallRejected(self.spec.name, refusal.code))

    def forget(self, job: Job) -> None:
        """A job's caller has gone: it leaves the queue; what runs is thrown away when it ends."""
        self._backlog.forget(job)

    def watch_growth(self) -> None:
        """See whether a replica has grown too much."""
        self._growth.look(self.seats)

    def refuse(self) -> None:
        """Take nothing new from now on."""
        self._closed = True

    def close(self) -> None:
        """Refuse what still waits or runs."""
        self._closed = True
        self._fail_waiting(_shutting_down)
        for seat in self.seats:
            for batch in seat.clear():
                for job in batch.jobs:
                    fail(job, _shutting_down())

    # Giving out work

    def _dispatch(self) -> None:
        """Give work to every replica that is free, the least busy one first.

        Where the breaker is open, what waits is told so.
        """
        self._called = False
        refusal = self._breaker.refusal()
        if refusal is not None:
            self._fail_waiting(lambda: refusal)
            return
        reserved = self._give_suspects()
        # Behind a probe they wait for what becomes of it.
        while self._backlog.has_batch() and not self._breaker.is_open():
            seat = self._freest(reserved)
            if seat is None:
                return
            jobs = self._backlog.next_batch()
            if self._breaker.tests():
                self._backlog.put_back(jobs[1:])
                jobs = jobs[:1]
            if jobs:
                self._begin(seat, jobs, alone=False)

    def _freest(self, reserved: Seat | None = None) -> Seat | None:
        """The replica with the most room, if any has some."""
        found, most = None, 0
        for seat in self.seats:
            free = seat.free()
            if free > most and seat is not reserved:
                found, most = seat, free
        return found

    def _give_suspects(self) -> Seat | None:
        """Put suspects into replicas that are idle; one that is to become idle for the next."""
        while self._backlog.has_suspect() and not self._breaker.is_open():
            seat = min(
                (seat for seat in self.seats if seat.free() > 0),
                key=lambda seat: len(seat.batches),
                default=None,
            )
            if seat is None or seat.batches:
                return seat
            self._begin(seat, [self._backlog.next_suspect()], alone=True)
        return None

    def _begin(self, seat: Seat, jobs: list[Job], *, alone: bool) -> None:
        number, permit = next(self._numbers), self._breaker.begin()
        try:
            seat.host.send(number, [job.call for job in jobs])
        except (SpeechTranslatorError, TypeError) as error:
            self._breaker.lost(permit, blamed=False)
            unsendable = EngineFailed("The call cannot be sent to the engine.")
            self._trial.refused(jobs, unsendable if isinstance(error, TypeError) else error)
            return
        waits = not seat.idle()
        seat.begin(number, Batch(jobs, alone, self._clock(), permit))
        if not waits:
            self._watch(seat, number)

    def _watch(self, seat: Seat, number: int) -> None:
        """From now on the process works on the batch, and may hang over it."""
        batch = seat.batches[number]
        seconds = batch_timeout(self.spec.call_timeout_s, len(batch.jobs))
        batch.timer = asyncio.get_running_loop().call_later(seconds, self._overdue, seat, number)

    def _ended(self, seat: Seat, number: int) -> Batch | None:
        """Take a batch out of a replica; the next that was sent ahead begins."""
        batch = seat.end(number)
        self._growth.ended(seat)
        ahead = seat.next_ahead()
        if batch is not None and ahead is not None:
            self._watch(seat, ahead)
        return batch

    def _overdue(self, seat: Seat, number: int) -> None:
        """The process holds a batch for too long: it hangs, and is killed."""
        batch = seat.batches.get(number)
        if batch is not None and not seat.host.kill():
            for job in batch.jobs:  # its thread stays taken for as long as it hangs
                fail(job, EngineTimeout("The engine did not answer in its time."))

    # What replicas tell

    def on_starting(self, replica: Host) -> None:
        """A replica runs and loads."""
        seat = self.seats[replica.index]
        seat.starts += 1
        self._tell(EngineStarting(self.spec.name, replica.index, replica.pid))

    def on_ready(self, replica: Host, info: EngineInfo, seconds: float) -> None:
        """A replica has loaded."""
        seat = self.seats[replica.index]
        seat.info, seat.missing, seat.since = info, False, self._clock()
        self._growth.loaded(seat)
        self._info = info
        self._backlog.configure(BatchingConfig.of(self.spec.task, info.preferred_batch))
        self._message = ""
        self._breaker.is_up()
        self._tell(EngineReady(self.spec.name, replica.index, seconds))
        self._change()

    def on_done(self, replica: Host, batch: int, results: Sequence[Result], seconds: float) -> None:
        """A batch was answered."""
        seat = self.seats[replica.index]
        done = self._ended(seat, batch)
        if done is None:
            return
        if len(results) != len(done.jobs):
            self._refused(done, EngineFailed("The engine did not answer every call."))
            return
        seat.failures = 0
        self._breaker.answered(done.permit, done.jobs, seconds)
        self._trial.answered(done.jobs, results)
        waited = max(done.begun - job.enqueued_at for job in done.jobs)
        self._pace.learn(len(done.jobs), seconds)
        seat.ahead = self._pace.is_short
        self._tell(BatchDone(self.spec.name, len(done.jobs), waited, seconds))
        self._dispatch()

    def on_failed(self, replica: Host, batch: int, error: SpeechTranslatorError) -> None:
        """A batch raised: the one that is to blame is found by halves."""
        seat = self.seats[replica.index]
        failed = self._ended(seat, batch)
        if failed is not None:
            seat.failures = 0
            self._trial.raised()
            self._refused(failed, error)

    def _refused(self, batch: Batch, error: SpeechTranslatorError) -> None:
        self._breaker.raised(batch.permit, batch.jobs, error, self._clock() - batch.begun)
        self._trial.refused(batch.jobs, error)
        self._dispatch()

    def on_gone(self, replica: Host, gone: Exit) -> float:
        """A process is no more: its calls are suspects. The pause before the next start."""
        seat = self.seats[replica.index]
        lost = seat.clear()
        if seat.info is not None and self._clock() - seat.since > self._restarts.healthy_after:
            seat.failures = 0
        seat.failures += gone.reason != "outgrown"
        served, seat.info = seat.info is not None, None
        in_flight = sum(len(batch.jobs) for batch in lost)
        self._tell(EngineExited(self.spec.name, replica.index, gone.reason, in_flight))
        if not served:
            seat.note_failed_start(gone, self._restarts)
            self._message = _why(self.spec.name, gone)
        for batch in lost:
            self._breaker.lost(batch.permit, blamed=self._trial.lost(seat, batch, gone))
        pause = self._restarts.pause(seat, gone)
        seat.restart_at = self._clock() + pause
        if self.state() in {"failed", "missing"}:
            self._fail_waiting(self._unavailable)
        if self.state() == "failed":
            self._breaker.does_not_stay_up()
        self._tell(EngineRestarting(self.spec.name, replica.index, pause))
        self._change()
        return pause

    def _change(self) -> None:
        self.changed.set()
        self._dispatch()

    def _fail_waiting(self, error: Callable[[], SpeechTranslatorError]) -> None:
        """Nobody is left to answer: all that wait are told."""
        for job in self._backlog.drain():
            fail(job, error())

    def _unavailable(self) -> EngineUnavailable:
        next_start = min((seat.restart_at for seat in self.seats), default=0.0)
        wait = min(max(1.0, next_start - self._clock()), MOST_RETRY_AFTER_S)
        message = self._message or f"The engine {self.spec.name} does not start."
        return EngineUnavailable(message, retry_after=round(wait, 1))


def _why(name: str, gone: Exit) -> str:
    if gone.error is not None:
        return gone.error.message
    return f"The engine {name} did not start ({gone.reason.replace('_', ' ')})."


def _shutting_down() -> ShuttingDown:
    return ShuttingDown("The service is shutting down.", retry_after=5.0)
