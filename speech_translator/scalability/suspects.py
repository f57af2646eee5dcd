"""Who is to blame when a process ends with calls in it. Pure: an injected clock, no I/O.

A process that dies or hangs takes its calls with it, and one of their inputs may be the reason. So
each of them is a *suspect*: it is run again with nothing else in the process. An input that was
there for two ends, the second time alone, is *convicted*. Its neighbours are answered, only later.

Suspects are run one by one rather than in halves: finding the guilty one among n then costs two
ends of a process, whatever n is, where halving costs 1 + log2(n), each with a start that everybody
waits for.

Suspicion is remembered by digest for as long as it is open, so that a caller who gives up before
the second run and asks again does not start from nothing. Convictions are remembered for an hour:
the same input is refused without another crash. Both are bounded.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from speech_translator.engines.values import Call
from speech_translator.reliability.deadlines import Clock
from speech_translator.scalability import wire
from speech_translator.scalability.batching import Job

End = Literal["crashed", "hung", "killed"]
"""How a process ended. *killed* is a signal from outside, so it may be nobody's fault."""

Standing = Literal["suspect", "crashes", "hangs"]

CONVICTED_FOR_S = 3600.0
"""Seconds that a conviction lasts: the next version of the engine may take the input."""

SUSPECTED_FOR_S = 600.0
"""Seconds that an open suspicion lasts."""

REMEMBERED = 4096
"""Digests that are remembered for one engine; the oldest go first."""

KILLS_ALONE = 3
"""Ends from outside, each with the input alone in the process, after which it is to blame all the
same: the kernel's out-of-memory killer looks like anybody else's SIGKILL."""


def guilty(job: Job, end: End, *, alone: bool) -> bool:
    """Count one end of a process that ``job`` was in, and judge.

    Args:
        job: was in the process; its counts are raised.
        end: how the process ended.
        alone: whether it was put there with nothing else.
    """
    job.strikes += 1
    if not alone:
        return False
    if end == "killed":
        job.kills += 1
        return job.kills >= KILLS_ALONE
    return job.strikes > 1


@dataclass(frozen=True, slots=True)
class _Entry:
    standing: Standing
    until: float
    shape: tuple[type[Call], float]


@dataclass(slots=True)
class Docket:
    """What is remembered about inputs of one engine.

    Args:
        clock: monotonic seconds.
        capacity: digests at most.
    """

    clock: Clock
    capacity: int = REMEMBERED
    _entries: OrderedDict[bytes, _Entry] = field(default_factory=OrderedDict)
    # Shapes of what is remembered: hashing every clip of audio for one bad one would cost more
    # than all the rest of the broker.
    _shapes: Counter[tuple[type[Call], float]] = field(default_factory=Counter)

    def __len__(self) -> int:
        """Digests that are remembered."""
        return len(self._entries)

    def standing(self, call: Call) -> Standing | None:
        """What is known of ``call``; None for nothing."""
        if not self._entries or _shape(call) not in self._shapes:
            return None
        digest = digest_of(call)
        entry = self._entries.get(digest)
        if entry is None:
            return None
        if entry.until <= self.clock():
            self._drop(digest)
            return None
        return entry.standing

    def suspect(self, call: Call) -> None:
        """``call`` was in a process that ended. A conviction stands."""
        digest = digest_of(call)
        entry = self._entries.get(digest)
        if entry is None or entry.standing == "suspect":
            self._note(digest, call, "suspect", SUSPECTED_FOR_S)

    def convict(self, call: Call, standing: Literal["crashes", "hangs"]) -> bytes:
        """``call`` is to blame; its digest."""
        digest = digest_of(call)
        self._note(digest, call, standing, CONVICTED_FOR_S)
        return digest

    def clear(self, call: Call) -> None:
        """``call`` was answered, so it was not to blame."""
        if self._entries:
            self._drop(digest_of(call))

    def _note(self, digest: bytes, call: Call, standing: Standing, seconds: float) -> None:
        self._drop(digest)
        shape = _shape(call)
        self._entries[digest] = _Entry(standing, self.clock() + seconds, shape)
        self._shapes[shape] += 1
        if len(self._entries) > self.capacity:
            self._drop(next(iter(self._entries)))

    def _drop(self, digest: bytes) -> None:
        entry = self._entries.pop(digest, None)
        if entry is not None:
            self._shapes[entry.shape] -= 1
            if not self._shapes[entry.shape]:
                del self._shapes[entry.shape]


def digest_of(call: Call) -> bytes:
    """What a call is remembered by: BLAKE2b over its frame, 16 bytes."""
    digest = hashlib.blake2b(digest_size=16)
    for piece in wire.Packer().pack(wire.Run(0, [call])):
        digest.update(piece)
    return digest.digest()


def _shape(call: Call) -> tuple[type[Call], float]:
    return type(call), call.size()
