"""What waits for one engine: new calls, halves of batches that raised, and suspects. Pure."""

from __future__ import annotations

from collections import deque

from speech_translator.scalability.batching import BatchingConfig, BatchQueue, Job


class Backlog:
    """Everything that is to be run, in the order in which it is.

    Halves go before new calls: their callers have waited for one run already. Suspects are asked
    for apart, since they need a process to themselves.

    Args:
        config: sizes of batches of new calls.
    """

    def __init__(self, config: BatchingConfig) -> None:
        self._queue = BatchQueue(config)
        self._halves: deque[list[Job]] = deque()
        self._suspects: deque[Job] = deque()

    def __len__(self) -> int:
        """Jobs that wait, in whichever way."""
        return len(self._queue) + len(self._suspects) + sum(map(len, self._halves))

    def configure(self, config: BatchingConfig) -> None:
        """The engine has said what it prefers."""
        self._queue.config = config

    def push(self, job: Job) -> None:
        """A new call."""
        self._queue.push(job)

    def forget(self, job: Job) -> None:
        """A call's caller has gone. Suspects and halves are looked at when it is their turn."""
        self._queue.forget(job)

    def gives_way(self, job: Job) -> Job | None:
        """As ``BatchQueue.gives_way``: what has been begun once is not given up."""
        return self._queue.gives_way(job)

    def of(self, owner: str) -> list[Job]:
        """Everything of an owner that waits."""
        apart = [*self._suspects, *(job for half in self._halves for job in half)]
        return [*(job for job in apart if job.owner == owner), *self._queue.of(owner)]

    def halve(self, jobs: list[Job]) -> None:
        """A batch raised: run each half by itself."""
        middle = len(jobs) // 2
        self._halves += [jobs[:middle], jobs[middle:]]

    def put_back(self, jobs: list[Job]) -> None:
        """These were taken and not begun: they are next."""
        if jobs:
            self._halves.appendleft(jobs)

    def suspect(self, job: Job) -> None:
        """Run this one with nothing else in the process."""
        self._suspects.append(job)

    def has_batch(self) -> bool:
        """Whether there may be something for ``next_batch``."""
        return bool(self._halves or self._queue)

    def has_suspect(self) -> bool:
        """Whether a suspect waits that somebody still wants the answer for."""
        while self._suspects and not self._suspects[0].wanted():
            self._suspects.popleft()
        return bool(self._suspects)

    def next_suspect(self) -> Job:
        """The next suspect; there is one."""
        return self._suspects.popleft()

    def next_batch(self) -> list[Job]:
        """The next batch; empty when nothing is wanted any more."""
        while self._halves:
            jobs = [job for job in self._halves.popleft() if job.wanted()]
            if jobs:
                return jobs
        return self._queue.take()

    def drain(self) -> list[Job]:
        """Take out everything."""
        found = [*self._suspects, *(job for half in self._halves for job in half)]
        self._suspects.clear()
        self._halves.clear()
        return [*found, *self._queue.drain()]
