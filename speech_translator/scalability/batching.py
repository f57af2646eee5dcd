"""Which waiting calls go to an engine together. Pure: no I/O, no clock but the deadlines' own.

Of the most urgent priority the owner who is furthest behind their share is served next
(``fair_line.py``), with their oldest call. Others of its priority and group go with it when they
are about as large: a batch takes as long as its largest item. Nothing waits for a batch to fill:
when an engine is free and something waits, it goes.

Where no more may wait, the least urgent gives way to what is more urgent, then the owner of the
lower tier, then whoever has most waiting: a flood fills the queue for nobody else.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice

from speech_translator.engines.values import Call, Priority, Result, Task
from speech_translator.reliability.deadlines import Deadline
from speech_translator.scalability.fair_line import FairLine

LIVE_RECOGNITION_BATCH = 2
"""Live clips in one batch: the first answer of a batch waits for all of it."""

_LOOKED_AT = 8
"""Calls looked at for each place in a batch: bounds the work of forming it."""

_MOST_RATIO = 2.0
_FLOORS: dict[Task, float] = {"recognition": 8.0, "translation": 48.0, "synthesis": 48.0}
"""Below this size calls are alike: Whisper's shortest window, a short sentence."""


@dataclass(slots=True, eq=False)
class Job:
    """One call on its way.

    ``strikes`` counts the ends of processes that it was in, ``kills`` those among them that came
    from outside while it was alone.
    """

    call: Call
    priority: Priority
    deadline: Deadline
    answer: asyncio.Future[Result]
    enqueued_at: float
    owner: str = ""
    weight: int = 1
    strikes: int = 0
    kills: int = 0
    waiting: bool = False
    group: object = None
    size: float = 0.0

    def wanted(self) -> bool:
        """Whether somebody still waits and the deadline has not passed."""
        return not self.answer.done() and not self.deadline.expired()


@dataclass(frozen=True, slots=True)
class BatchingConfig:
    """Sizes of batches.

    ``preferred`` is the engine's own figure, ``live`` bounds batches of live work. Items of a
    batch are within twice the size of its first, or all below ``floor``.
    """

    preferred: int = 1
    live: int = 1
    floor: float = 0.0

    @classmethod
    def of(cls, task: Task, preferred: int) -> BatchingConfig:
        """What fits an engine for ``task`` that prefers batches of ``preferred``."""
        live = min(preferred, LIVE_RECOGNITION_BATCH) if task == "recognition" else preferred
        return cls(preferred, live, _FLOORS.get(task, 0.0))

    def alike(self, one: float, other: float) -> bool:
        """Whether calls of these sizes may share a batch."""
        small, large = min(one, other), max(one, other)
        return large <= max(self.floor, _MOST_RATIO * small)


Line = OrderedDict[Job, None]


@dataclass(slots=True)
class BatchQueue:
    """Waiting jobs of one engine.

    Every job is in the line of its priority and in that of its group, so that joining, leaving and
    being next cost the same however many wait.
    """

    config: BatchingConfig
    _lines: dict[Priority, FairLine[Job]] = field(
        default_factory=lambda: {priority: FairLine() for priority in Priority}
    )
    _groups: dict[tuple[Priority, object], Line] = field(default_factory=dict)
    _count: int = 0

    def __len__(self) -> int:
        """Jobs that wait."""
        return self._count

    def push(self, job: Job) -> None:
        """Add a job at the end of its line."""
        job.group, job.size = job.call.group(), job.call.size()
        job.waiting = True
        self._count += 1
        self._lines[job.priority].add(job)
        key = (job.priority, job.group)
        line = self._groups.get(key)
        if line is None:
            line = self._groups[key] = OrderedDict()
        line[job] = None

    def forget(self, job: Job) -> None:
        """A job's caller has its answer, or has gone."""
        if job.waiting:
            self._remove(job)

    def take(self) -> list[Job]:
        """The next batch, all of one priority and group; empty when nothing is wanted any more."""
        while (head := self._next()) is not None:
            key = (head.priority, head.group)
            wanted = head.wanted()
            self._remove(head, served=wanted)
            if wanted:
                return [head, *self._company(head, self._groups.get(key))]
        return []

    def gives_way(self, job: Job) -> Job | None:
        """The job that is to be given up, so that there is room for ``job``; it stays until then.

        None where nothing that waits comes behind it.
        """
        for priority, line in reversed(self._lines.items()):
            if priority < job.priority:
                return None
            found = line.expendable()
            if found is None:
                continue
            if priority > job.priority or found.weight < job.weight:
                return found
            fairer = line.length(found.owner) > line.length(job.owner) + 1
            return found if found.weight == job.weight and fairer else None
        return None

    def of(self, owner: str) -> list[Job]:
        """Jobs of an owner that wait."""
        return [job for line in self._lines.values() for job in line.of(owner)]

    def drain(self) -> list[Job]:
        """Take out everything, the most urgent first."""
        jobs = [job for line in self._lines.values() for job in line]
        for job in jobs:
            self._remove(job)
        return jobs

    def _next(self) -> Job | None:
        """Whose turn it is."""
        for line in self._lines.values():
            if line:
                return line.next()
        return None

    def _company(self, head: Job, line: Line | None) -> list[Job]:
        """Jobs that go with ``head``: of all owners alike first, and the nearest in size."""
        live = head.priority is Priority.LIVE
        places = (self.config.live if live else self.config.preferred) - 1
        if places < 1 or not line:
            return []
        looked_at = _LOOKED_AT * places
        fair = self._lines[head.priority].beside(head, looked_at)
        first = {job: None for job in fair if job.group == head.group}
        seen = list(dict.fromkeys([*first, *islice(line, looked_at)]))
        for job in [job for job in seen if not job.wanted()]:
            self._remove(job)
        alike = [job for job in seen if job.waiting and self.config.alike(head.size, job.size)]

        def nearness(job: Job) -> tuple[bool, float]:
            return job not in first, abs(job.size - head.size)

        for job in nsmallest(places, alike, key=nearness):
            self._remove(job, served=True, in_turn=False)
        return [job for job in alike if not job.waiting]

    def _remove(self, job: Job, *, served: bool = False, in_turn: bool = True) -> None:
        job.waiting = False
        self._count -= 1
        line_of_all = self._lines[job.priority]
        if served:
            line_of_all.serve(job, in_turn=in_turn)
        else:
            line_of_all.remove(job)
        key = (job.priority, job.group)
        line = self._groups[key]
        del line[job]
        if not line:
            del self._groups[key]
