"""Whose inputs end an engine's processes again and again. Pure: an injected clock, no I/O.

An input is convicted once (``suspects.py``), and its conviction costs every caller two starts of a
process. Somebody who sends a new one each time would have the engine start for ever, so an owner
whose inputs are convicted too often is left out for a while: the others lose a bounded share of
their time, and never an answer.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from speech_translator.reliability.deadlines import Clock

TOO_MANY = 3
"""Convictions of one owner, each within ``REMEMBERED_S`` of the last, that suspend them."""

REMEMBERED_S = 600.0
"""Seconds for which a conviction speaks against its owner."""

FIRST_S = 10.0
LONGEST_S = 300.0
"""Seconds that the first suspension takes, which doubles with each conviction; and the longest."""

_OWNERS = 1024
"""Owners that are remembered; those convicted longest ago go first."""


@dataclass(slots=True)
class _Record:
    count: int = 0
    last: float = 0.0
    until: float = 0.0


@dataclass(slots=True)
class Offenders:
    """Convictions by owner.

    Args:
        clock: monotonic seconds.
    """

    clock: Clock
    _records: OrderedDict[str, _Record] = field(default_factory=OrderedDict)

    def convicted(self, owner: str) -> float:
        """An input of ``owner`` was; the seconds for which they are left out now."""
        now = self.clock()
        record = self._records.setdefault(owner, _Record())
        self._records.move_to_end(owner)
        if len(self._records) > _OWNERS:
            self._records.popitem(last=False)
        record.count = record.count + 1 if now - record.last <= REMEMBERED_S else 1
        record.last = now
        if record.count >= TOO_MANY:
            doubled = FIRST_S * 2.0 ** min(record.count - TOO_MANY, 20)
            record.until = now + min(LONGEST_S, doubled)
        return self.wait(owner)

    def wait(self, owner: str) -> float:
        """Seconds until calls of ``owner`` are taken again; 0 where they are."""
        record = self._records.get(owner)
        return 0.0 if record is None else max(0.0, record.until - self.clock())
