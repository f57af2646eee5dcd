"""Which waiting calls go to an engine together. Pure: no I/O, no clock of its own.

Calls wait in one queue a priority and group; the oldest call of the most urgent priority is always
served next, together with others that may share its batch. A batch is never waited for: when an
engine is free and something waits, it goes. Fair shares between owners will choose within a
priority; the seam for that is ``BatchQueue.take``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from speech_translator.engines.values import Call, Priority, Result
from speech_translator.reliability.deadlines import Deadline


@dataclass(slots=True, eq=False)
class Job:
    """One call on its way. ``strikes`` counts the crashes that it was in the process for."""

    call: Call
    priority: Priority
    deadline: Deadline
    answer: asyncio.Future[Result]
    enqueued_at: float
    number: int = 0
    strikes: int = 0
    waiting: bool = False

    def wanted(self) -> bool:
        """Whether somebody still waits and the deadline has not passed."""
        return not self.answer.done() and not self.deadline.expired()


@dataclass(frozen=True, slots=True)
class BatchingConfig:
    """Sizes of batches.

    ``preferred`` is the engine's own figure; ``live`` bounds batches that hold live work, since
    the first answer of a batch waits for all of it. ``limit`` bounds the queue.
    """

    preferred: int = 1
    live: int = 2
    limit: int = 2048


@dataclass(slots=True)
class BatchQueue:
    """Waiting jobs of one engine."""

    config: BatchingConfig
    _queues: dict[tuple[Priority, object], deque[Job]] = field(default_factory=dict)
    _numbers: int = 0
    _dead: int = 0

    def __len__(self) -> int:
        """Jobs that still wait; those given up by their callers do not count."""
        return sum(map(len, self._queues.values())) - self._dead

    def full(self) -> bool:
        """Whether the bound is reached."""
        return len(self) >= self.config.limit

    def push(self, job: Job) -> None:
        """Add a job at the end of its line."""
        self._numbers += 1
        job.number = self._numbers
        job.waiting = True
        self._queues.setdefault((job.priority, job.call.group()), deque()).append(job)

    def forget(self, job: Job) -> None:
        """A job's caller has gone. Its place is free at once, its memory a little later."""
        if job.waiting:
            self._dead += 1
            if self._dead > self.config.limit:
                self._purge()

    def take(self) -> list[Job]:
        """The next batch, all of one group; empty when nothing is wanted any more."""
        while True:
            line = self._next_line()
            if line is None:
                return []
            (priority, _), jobs = line
            size = self.config.preferred
            if priority is Priority.LIVE:
                size = min(size, self.config.live)
            batch = list(self._wanted(jobs, size))
            if batch:
                return batch

    def drain(self) -> list[Job]:
        """Take out everything."""
        jobs = [job for line in self._queues.values() for job in line]
        self._queues.clear()
        self._dead = 0
        for job in jobs:
            job.waiting = False
        return jobs

    def _next_line(self) -> tuple[tuple[Priority, object], deque[Job]] | None:
        for line in [line for line, jobs in self._queues.items() if not jobs]:
            del self._queues[line]
        if not self._queues:
            return None
        return min(self._queues.items(), key=lambda line: (line[0][0], line[1][0].number))

    def _wanted(self, jobs: deque[Job], size: int) -> Iterator[Job]:
        taken = 0
        while jobs and taken < size:
            job = jobs.popleft()
            job.waiting = False
            if job.answer.done():
                self._dead -= 1
            elif not job.deadline.expired():
                taken += 1
                yield job

    def _purge(self) -> None:
        for line, jobs in self._queues.items():
            self._queues[line] = deque(job for job in jobs if not job.answer.done())
        self._dead = 0
