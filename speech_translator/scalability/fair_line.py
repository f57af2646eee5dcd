"""Whose turn it is among owners: weighted fair queueing, so that a flood delays nobody else. Pure.

Start-time fair queueing (Goyal, Vin, Cheng: "Start-time Fair Queueing", 1996): each owner has a
line of their own and a virtual time, which each call that is served moves on by one part in the
owner's weight; the owner who is furthest behind is next. Who was away does not save turns up, and
who empties their line between two calls does not get ahead by that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heappop, heappush, nsmallest
from itertools import count, islice
from typing import Generic, Protocol, TypeVar

_KEPT_IDLE = 1_000


class Queued(Protocol):
    """What waits: hashable by identity."""

    @property
    def owner(self) -> str:
        """Whose it is."""
        ...

    @property
    def weight(self) -> int:
        """The owner's share, beside those of others; at least 1."""
        ...


J = TypeVar("J", bound=Queued)


class FairLine(Generic[J]):
    """Jobs of several owners; joining, leaving and being next cost the same however many wait."""

    def __init__(self) -> None:
        self._lines: dict[str, OrderedDict[J, None]] = {}
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._offered: dict[str, float] = {}
        self._turns = count()
        self._now = 0.0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._lines)

    def __iter__(self) -> Iterator[J]:
        """All jobs, owner by owner."""
        for line in self._lines.values():
            yield from line

    def add(self, job: J) -> None:
        """Put a job at the end of its owner's line."""
        line = self._lines.get(job.owner)
        if line is None:
            line = self._lines[job.owner] = OrderedDict()
            self._times[job.owner] = max(self._now, self._times.get(job.owner, 0.0))
            self._offer(job.owner)
        line[job] = None

    def remove(self, job: J) -> None:
        """Take a job out that is not served."""
        line = self._lines[job.owner]
        del line[job]
        if not line:
            del self._lines[job.owner]
            self._forget_idle()

    def serve(self, job: J, *, in_turn: bool = True) -> None:
        """Take a job out that is served: its owner's time moves on.

        Where it goes with another whose turn it is, and not ``in_turn``, its owner gets ahead, but
        whoever comes now does not begin behind that.
        """
        if in_turn:
            self._now = max(self._now, self._times[job.owner])
        self._times[job.owner] += 1 / job.weight
        self.remove(job)
        if job.owner in self._lines:
            self._offer(job.owner)

    def next(self) -> J | None:
        """The job whose turn it is; it stays."""
        while self._heap:
            time, _, owner = self._heap[0]
            if owner in self._lines and time == self._times[owner]:
                return next(iter(self._lines[owner]))
            heappop(self._heap)  # it was served since, or has nothing left
            if self._offered.get(owner) == time:
                del self._offered[owner]
        return None

    def beside(self, job: J, most: int) -> list[J]:
        """Up to ``most`` jobs that may go with ``job``: an equal part of each owner's, in order.

        Its own owner's first, then of those who are furthest behind. As many steps as there are
        owners.
        """
        behind = nsmallest(most, self._lines, key=self._times.__getitem__)
        owners = [owner for owner in dict.fromkeys([job.owner, *behind]) if owner in self._lines]
        share = max(1, most // max(1, len(owners)))
        return [one for owner in owners for one in islice(self._lines[owner], share)][:most]

    def of(self, owner: str) -> list[J]:
        """Jobs of an owner that wait, in order."""
        return list(self._lines.get(owner, ()))

    def length(self, owner: str) -> int:
        """Jobs of an owner that wait."""
        return len(self._lines.get(owner, ()))

    def expendable(self) -> J | None:
        """What is given up first: the newest job of the smallest weight, then of the longest line.

        As many steps as there are owners.
        """
        newest = (next(reversed(line)) for line in self._lines.values())
        return min(newest, key=lambda job: (job.weight, -self.length(job.owner)), default=None)

    def _offer(self, owner: str) -> None:
        if self._offered.get(owner) == self._times[owner]:
            return  # they left unserved, and are back
        self._offered[owner] = self._times[owner]
        heappush(self._heap, (self._times[owner], next(self._turns), owner))

    def _forget_idle(self) -> None:
        """Where nobody waits nobody is ahead; and of very many who do not, less than a batch is."""
        if not self._lines:
            self._times.clear()
            self._heap.clear()
            self._offered.clear()
            self._now = 0.0
        elif len(self._times) - len(self._lines) > _KEPT_IDLE:
            self._times = {owner: self._times[owner] for owner in self._lines}
