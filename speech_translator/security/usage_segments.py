"""Files of the usage journal: a line an entry, locked as long as the process that writes lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from speech_translator.security.owners import PRINTABLE
from speech_translator.storage.usage import Totals, UsageRow

SUFFIX = ".usage"
ASIDE = ".aside"
"""What the name of a segment ends with that was set aside."""

Held = dict[tuple[str, str, str, str], Totals]
"""Sums by day, owner, key and operation."""


_Amount = Annotated[int, Meta(ge=0, le=2**53)]


class UsageEntry(msgspec.Struct, frozen=True, array_like=True):
    """One act that is counted, on a UTC day; what is read back is what a database can keep."""

    day: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$(?!\n)")]
    owner: Annotated[str, Meta(max_length=128, pattern=PRINTABLE)]
    key_id: Annotated[str, Meta(max_length=32, pattern=PRINTABLE)]
    operation: Annotated[str, Meta(max_length=16, pattern=PRINTABLE)]
    requests: _Amount
    characters: _Amount
    audio_ms: _Amount

    @property
    def row(self) -> UsageRow:
        """As the database has it."""
        return UsageRow(self.day, self.owner, self.key_id, self.operation, self.used)

    @property
    def used(self) -> Totals:
        """The amounts."""
        return Totals(self.requests, self.characters, self.audio_ms)


class Segment:
    """One file, locked by this process."""

    def __init__(self, directory: Path) -> None:
        self.id = uuid.uuid4().hex
        self.path = directory / f"{self.id}{SUFFIX}"
        self.size = 0
        # Under its name only once it is locked: it would be taken for one that was left behind.
        unlocked = directory / f".{self.id}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._descriptor = os.open(unlocked, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        unlocked.rename(self.path)

    def write(self, lines: bytes) -> None:
        """Add lines, to be found again after a power cut; all or, by a shorter file, none."""
        try:
            left = memoryview(lines)
            while left:
                left = left[os.write(self._descriptor, left) :]
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(lines)

    def remove(self) -> None:
        """It is in the database."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave it to whoever comes next."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def prepare(directory: Path) -> None:
    """Have the directory, and see that it can be written; raises ``OSError``."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    probe = directory / f".{uuid.uuid4().hex}"
    probe.touch(mode=0o600)
    probe.unlink()


def left_behind(directory: Path) -> list[Path]:
    """All segments that are there; ``locked`` tells whose process lives."""
    return sorted(directory.glob(f"*{SUFFIX}"))


def locked(path: Path) -> int | None:
    """The file, locked; None when its process lives, or somebody else was quicker."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except OSError:  # locked, or gone
        pass
    os.close(descriptor)
    return None


def set_aside(path: Path) -> None:
    """Leave a segment to its operator, under a name by which nobody brings it; raises OSError."""
    path.rename(path.with_suffix(f"{SUFFIX}{ASIDE}"))


def lines_of(entries: Iterable[UsageEntry]) -> bytes:
    """Entries as a segment has them."""
    return b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)


def read(path: Path) -> tuple[list[UsageEntry], bool]:
    """Entries of a segment, and whether every whole line of it could be read.

    A last line without its end was being written when the process was killed: it does not count.
    """
    *lines, _torn = path.read_bytes().split(b"\n")
    decoder = msgspec.json.Decoder(UsageEntry)
    entries, whole = [], True
    for line in lines:
        try:
            entries.append(decoder.decode(line))
        except msgspec.MsgspecError:
            whole = False
    return entries, whole


def entry_of(key: tuple[str, str, str, str], used: Totals) -> UsageEntry:
    """A sum as one entry."""
    return UsageEntry(*key, used.requests, used.characters, used.audio_ms)


def add(held: Held, entries: Iterable[UsageEntry]) -> None:
    """Add entries to sums."""
    for entry in entries:
        key = (entry.day, entry.owner, entry.key_id, entry.operation)
        held[key] = held.get(key, Totals()) + entry.used


def rows_of(held: Held) -> list[UsageRow]:
    """Sums as the database has them."""
    return [UsageRow(*key, used) for key, used in held.items()]
