"""Usage on its way to the database: first into a file here, so that no outage loses any.

Each process writes a segment of its own below one directory: a line an entry, on disk within
``sync_s``. Every ``apply_s`` the segment is closed and added to the database in one transaction
under its own id, which makes a second time change nothing; then the file goes. What a process
leaves behind that was killed is added by whichever comes next: a segment is locked as long as its
process lives. Where the database is away, the open segment grows until it is back.

Fails open: what cannot be written, because the disk is full, is kept in memory and tried again,
and nobody is refused for it. A kept queue library brings a server or loses what a crash cuts off.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from speech_translator.errors import ConfigurationError, StoreUnavailable
from speech_translator.security.background import report
from speech_translator.storage.usage import Totals, UsageRow

SUFFIX = ".usage"

Apply = Callable[[str, Sequence[UsageRow]], Awaitable[bool]]
"""Adds a segment to the database; raises ``StoreUnavailable``."""

Held = dict[tuple[str, str, str, str], Totals]
"""Sums by day, owner, key and operation."""

_MAX_UNWRITTEN = 100_000

JournalEvent = Literal["unwritten", "unapplied", "applied", "damaged", "failed"]


class UsageEntry(msgspec.Struct, frozen=True, array_like=True):
    """One act that is counted, on a UTC day."""

    day: str
    owner: str
    key_id: str
    operation: str
    requests: int
    characters: int
    audio_ms: int

    @property
    def row(self) -> UsageRow:
        """As the database has it."""
        return UsageRow(self.day, self.owner, self.key_id, self.operation, self.used)

    @property
    def used(self) -> Totals:
        """The amounts."""
        return Totals(self.requests, self.characters, self.audio_ms)


@dataclass(frozen=True, slots=True)
class JournalConfig:
    """How often what is done; seconds.

    Args:
        directory: of the segments, one for all processes on a machine.
        sync_s: until an entry is on disk.
        apply_s: until it is in the database.
        adopt_s: between searches for what other processes left behind.
        close_s: for the last of it when the service stops, and for what is found at the start.
    """

    directory: Path
    sync_s: float = 0.5
    apply_s: float = 3.0
    adopt_s: float = 60.0
    close_s: float = 3.0


class _Segment:
    """One file, locked by this process."""

    def __init__(self, directory: Path) -> None:
        self.id = uuid.uuid4().hex
        self.path = directory / f"{self.id}{SUFFIX}"
        self.size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._descriptor = os.open(self.path, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

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


class UsageJournal:
    """Takes entries, and brings them to the database.

    Args:
        config: see there.
        apply: adds a segment to the database.
        on_event: told what goes wrong, and when it is right again.
    """

    def __init__(
        self,
        config: JournalConfig,
        apply: Apply,
        *,
        on_event: Callable[[JournalEvent], None] = lambda _event: None,
    ) -> None:
        self._config = config
        self._apply = apply
        self._on_event = on_event
        self._unwritten: list[UsageEntry] = []
        self._writing: list[UsageEntry] = []
        self._open: _Segment | None = None
        self._closed: _Segment | None = None
        self._in_open: Held = {}
        self._in_closed: Held = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._writing_lock = asyncio.Lock()
        self._bringing_lock = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._adopt_at = 0.0
        self.version = 0
        """Odd while a segment is on its way: who adds what is pending to what the database knows
        asks again where this has changed in between."""

    async def start(self) -> None:
        """Bring what a process before this one left, if the database answers; then go on with it.

        Raises:
            ConfigurationError: the directory cannot be written.
        """
        try:
            await asyncio.to_thread(_prepare, self._config.directory)
        except OSError as error:
            raise ConfigurationError(
                f"Usage cannot be written down ({error.strerror}). Set DATA_DIR to a directory "
                "that can be written."
            ) from error
        # First, for quotas are judged by what the database knows.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.close_s):
                await self.adopt()
        # Two, for a database that hangs keeps nothing from the disk.
        config = self._config
        self._tasks = [
            asyncio.create_task(self._every(config.sync_s, self._write)),
            asyncio.create_task(self._every(config.apply_s, self._bring_all)),
        ]

    async def stop(self) -> None:
        """Write all that is left, and bring it to the database if that answers in time."""
        self._stopping.set()
        await self._write()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._config.close_s):
                await asyncio.gather(*self._tasks)  # to the end of their steps
                await self.flush()
                await self.flush()  # what was written while the first one ran
        for segment in (self._open, self._closed):
            if segment is not None:
                segment.close()

    def record(self, entry: UsageEntry) -> None:
        """Count an act; it is on disk within ``sync_s``."""
        self._unwritten.append(entry)
        if len(self._unwritten) > _MAX_UNWRITTEN:  # the disk is full: only the sums are kept
            held: Held = {}
            _add(held, self._unwritten)
            self._unwritten = [_entry(key, used) for key, used in held.items()]

    def pending(
        self, *, first: str, last: str, owner: str | None = None, key_id: str | None = None
    ) -> Totals:
        """What this process has counted and the database does not know yet."""
        by_key = self.pending_by_key(first=first, last=last, owner=owner)
        return sum((used for key, used in by_key.items() if key_id in {None, key}), start=Totals())

    def pending_by_key(
        self, *, first: str, last: str, owner: str | None = None
    ) -> dict[str, Totals]:
        """The same of each key that was used."""
        found: dict[str, Totals] = {}
        unwritten: Held = {}
        _add(unwritten, self._unwritten)
        _add(unwritten, self._writing)
        for held in (unwritten, self._in_open, self._in_closed):
            for (day, whose, key, _), used in held.items():
                if first <= day <= last and owner in {None, whose}:
                    found[key] = found.get(key, Totals()) + used
        return found

    @property
    def waiting(self) -> int:
        """Requests that the database does not know of yet."""
        return self.pending(first="", last="~").requests

    async def flush(self) -> None:
        """Write, close the segment and bring it to the database: now. Never raises for those."""
        await self._write()
        await self._bring()

    async def adopt(self) -> None:
        """Bring to the database what other processes left behind."""
        for path in await asyncio.to_thread(_left_behind, self._config.directory):
            if not await self._adopt_one(path):
                break  # nor would the next one be taken

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the journal
                self._on_event("failed")
                report("a step of the usage journal failed", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()

    async def _bring_all(self) -> None:
        """Bring our own, and now and then what others left."""
        await self._bring()
        now = time.monotonic()
        if now >= self._adopt_at:
            self._adopt_at = now + self._config.adopt_s
            await self.adopt()

    async def _write(self) -> None:
        """Put onto disk what was counted since the last time."""
        async with self._writing_lock:
            await self._write_now()

    async def _write_now(self) -> None:
        if not self._unwritten:
            return
        self._writing, self._unwritten = self._unwritten, []
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in self._writing)
        try:
            if self._open is None:
                self._open = await asyncio.to_thread(_Segment, self._config.directory)
            await asyncio.to_thread(self._open.write, lines)
            _add(self._in_open, self._writing)
        except OSError:
            self._unwritten = self._writing + self._unwritten
            self._on_event("unwritten")
        finally:
            self._writing = []

    async def _bring(self) -> None:
        """Add the closed segment to the database; only then is the next one closed."""
        async with self._bringing_lock:
            async with self._writing_lock:
                if self._closed is None and self._open is not None:
                    self._closed, self._open = self._open, None
                    self._in_closed, self._in_open = self._in_open, {}
            if self._closed is None:
                return
            self.version += 1
            try:
                await self._apply(self._closed.id, _rows(self._in_closed))
                done, self._closed, self._in_closed = self._closed, None, {}
            except StoreUnavailable:
                self._on_event("unapplied")
                return
            finally:
                self.version += 1
            await asyncio.to_thread(done.remove)
            self._on_event("applied")

    async def _adopt_one(self, path: Path) -> bool:
        """Bring one segment, unless its process lives; False when the database is away."""
        locked = await asyncio.to_thread(_locked, path)
        if locked is None:
            return True
        try:
            entries, whole = await asyncio.to_thread(_read, path)
            if not whole:
                self._on_event("damaged")
            found: Held = {}
            _add(found, entries)
            await self._apply(path.name.removesuffix(SUFFIX), _rows(found))
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError:
            self._on_event("unapplied")
        except StoreUnavailable:
            self._on_event("unapplied")
            return False
        finally:
            os.close(locked)
        return True


def _prepare(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    probe = directory / f".{uuid.uuid4().hex}"
    probe.touch(mode=0o600)
    probe.unlink()


def _entry(key: tuple[str, str, str, str], used: Totals) -> UsageEntry:
    return UsageEntry(*key, used.requests, used.characters, used.audio_ms)


def _add(held: Held, entries: Iterable[UsageEntry]) -> None:
    for entry in entries:
        key = (entry.day, entry.owner, entry.key_id, entry.operation)
        held[key] = held.get(key, Totals()) + entry.used


def _rows(held: Held) -> list[UsageRow]:
    return [UsageRow(*key, used) for key, used in held.items()]


def _left_behind(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{SUFFIX}"))


def _locked(path: Path) -> int | None:
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


def _read(path: Path) -> tuple[list[UsageEntry], bool]:
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
