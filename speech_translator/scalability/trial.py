"""What becomes of the calls of a batch, whichever way it ends: answered, tried again, or to blame.

A batch that raises is run again in halves until the call that is to blame stands alone. A process
that dies or hangs makes suspects of its calls (``suspects.py``), which are run again one by one
with nothing else in the process. So a fault costs others time, never their answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from speech_translator.engines.values import Result
from speech_translator.errors import (
    EngineFailed,
    EngineTimeout,
    PoisonousInput,
    SpeechTranslatorError,
    Suspended,
)
from speech_translator.reliability.deadlines import Clock
from speech_translator.scalability.backlog import Backlog
from speech_translator.scalability.batching import Job
from speech_translator.scalability.engine_host import Exit
from speech_translator.scalability.events import BrokerEvent, OwnerSuspended, Quarantined
from speech_translator.scalability.offenders import Offenders
from speech_translator.scalability.seats import Batch, Seat
from speech_translator.scalability.suspects import Docket, End, guilty

_MOST_CONVICTIONS = 8
"""Inputs that are convicted one after the other without any answer in between. When yet another
one ends the process, it is the engine that is broken."""

_ENDS: dict[str, End] = {"hung": "hung", "killed": "killed"}  # every other end is a crash


class Trial:
    """The calls of one engine, once they were run.

    Args:
        engine: its name.
        backlog: where what is run again waits.
        tell: the broker's listener.
        clock: monotonic seconds.
    """

    def __init__(
        self, engine: str, backlog: Backlog, tell: Callable[[BrokerEvent], None], clock: Clock
    ) -> None:
        self._engine = engine
        self._backlog = backlog
        self._tell = tell
        self._docket = Docket(clock)
        self._offenders = Offenders(clock)
        self._works = False
        self._convictions = 0  # since the last answer

    def is_suspect(self, job: Job) -> bool:
        """Whether a new call was in a process that ended, so that it has to run alone.

        Raises:
            PoisonousInput, EngineTimeout: it was convicted.
            Suspended: too many of its owner's were.
        """
        wait = self._offenders.wait(job.owner)
        if wait:
            raise _suspended(wait)
        standing = self._docket.standing(job.call)
        if standing is not None and standing != "suspect":
            raise _convicted(hangs=standing == "hangs")
        return standing is not None

    def answered(self, jobs: Sequence[Job], results: Sequence[Result]) -> None:
        """A batch was answered, one result for each job."""
        self._works, self._convictions = True, 0
        for job, result in zip(jobs, results, strict=True):
            self._absolve(job)
            if not job.answer.done():
                job.answer.set_result(result)

    def raised(self) -> None:
        """The engine raised over a batch: an answer of its own kind."""
        self._works, self._convictions = True, 0

    def refused(self, jobs: list[Job], error: SpeechTranslatorError) -> None:
        """There is no answer to a batch: which of it is to blame is found by halves."""
        if len(jobs) == 1:
            self._absolve(jobs[0])
            fail(jobs[0], error)
        else:
            self._backlog.halve(jobs)

    def lost(self, seat: Seat, batch: Batch, gone: Exit) -> bool:
        """A process ended with a batch in it; whether the engine itself is to blame."""
        blamed = False
        end = _ENDS.get(gone.reason, "crashed")
        for job in batch.jobs:
            if not guilty(job, end, alone=batch.alone):
                self._docket.suspect(job.call)
                if job.wanted():
                    self._backlog.suspect(job)
            elif not self._works or self._convictions >= _MOST_CONVICTIONS:
                # An engine that answers nothing is broken itself: no input is to blame, and
                # another engine of the chain may answer.
                blamed = True
                fail(job, EngineFailed("The engine ends on every call."))
            else:
                seat.failures = 1  # it was the input: the engine is as good as before
                self._convict(job, hangs=end == "hung")
        return blamed

    def _convict(self, job: Job, *, hangs: bool) -> None:
        self._convictions += 1
        digest = self._docket.convict(job.call, "hangs" if hangs else "crashes")
        self._tell(Quarantined(self._engine, digest.hex()))
        fail(job, _convicted(hangs=hangs))
        wait = self._offenders.convicted(job.owner)
        if wait:
            self._tell(OwnerSuspended(self._engine, job.owner, wait))
            for other in self._backlog.of(job.owner):
                fail(other, _suspended(wait))

    def _absolve(self, job: Job) -> None:
        if job.strikes:
            self._docket.clear(job.call)


def _convicted(*, hangs: bool) -> SpeechTranslatorError:
    if hangs:
        return EngineTimeout("The engine did not answer this input in its time, twice.")
    return PoisonousInput("This input crashed its engine twice and is refused.")


def _suspended(wait: float) -> Suspended:
    return Suspended(
        "Too many of your inputs crashed this engine; it takes none of yours for a while.",
        retry_after=round(wait, 1),
    )


def fail(job: Job, error: SpeechTranslatorError) -> None:
    """Tell whoever waits for a job that there is no answer, if anybody does."""
    if not job.answer.done():
        job.answer.set_exception(error)
