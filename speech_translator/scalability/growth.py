"""Engine processes that grow: one that leaks is replaced between two batches, and loses no work.

What counts is what a process has for itself alone and cannot be dropped (``RssAnon``): weights that
are mapped from files are the kernel's to drop. The hard limit of ``engine_process.py`` stands over
this, for what a single call allocates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from speech_translator.engines.spec import EngineSpec
from speech_translator.scalability.events import BrokerEvent, EngineOutgrown
from speech_translator.scalability.seats import Seat

LOOK_S = 1.0
"""Seconds between two looks at a process."""

_PROC = Path("/proc")
_KIB, _MIB = 1024, 1024 * 1024


def private_bytes(pid: int) -> int | None:
    """Memory of a process that is its own; None where that is not known, or it is gone."""
    try:
        status = (_PROC / str(pid) / "status").read_text(encoding="ascii")
        return int(status.partition("RssAnon:")[2].split(maxsplit=1)[0]) * _KIB
    except (OSError, ValueError, IndexError):
        return None


class Growth:
    """Watches the replicas of one engine.

    Args:
        spec: the engine's; its ``memory_growth_mb`` is what a replica may add once it has loaded.
        tell: the broker's listener.
        read: memory of a process.
    """

    def __init__(
        self,
        spec: EngineSpec,
        tell: Callable[[BrokerEvent], None],
        read: Callable[[int], int | None] = private_bytes,
    ) -> None:
        self._name = spec.name
        self._allowed = spec.memory_growth_mb * _MIB
        self._tell = tell
        self._read = read

    def loaded(self, seat: Seat) -> None:
        """A replica has loaded: what it has now is what it needs."""
        seat.outgrown = False
        seat.loaded_bytes = self._bytes_of(seat)

    def look(self, seats: Sequence[Seat]) -> None:
        """See who has grown too much: they get nothing more, and are replaced once they are idle.

        One after the other, where there are several: the others serve meanwhile.
        """
        for seat in seats:
            if seat.info is None or seat.loaded_bytes is None or seat.outgrown:
                continue
            used = self._bytes_of(seat)
            if used is None or used - seat.loaded_bytes <= self._allowed:
                continue
            if any(other.outgrown or other.info is None for other in seats if other is not seat):
                continue
            seat.outgrown = True
            grown_mb = (used - seat.loaded_bytes) // _MIB
            self._tell(EngineOutgrown(self._name, seat.host.index, grown_mb))
            self.ended(seat)

    def ended(self, seat: Seat) -> None:
        """A batch has ended: where it was the last one of a replica that is to go, it goes."""
        if seat.outgrown and not seat.batches:
            seat.host.retire()

    def _bytes_of(self, seat: Seat) -> int | None:
        pid = seat.host.pid
        return self._read(pid) if pid is not None and self._allowed else None
