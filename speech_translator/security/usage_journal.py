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
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from speech_translator.errors import ConfigurationError, StoreUnavailable
from speech_translator.security.background import report
from speech_translator.security.usage_segments import (
    SUFFIX,
    Held,
    Segment,
    UsageEntry,
    add,
    entry_of,
    left_behind,
    lines_of,
    locked,
    prepare,
    read,
    rows_of,
    set_aside,
)
from speech_translator.storage.usage import Totals, UsageRow

Apply = Callable[[str, Sequence[UsageRow]], Awaitable[bool]]
"""Adds a segment to the database; raises ``StoreUnavailable``."""

_MAX_UNWRITTEN = 100_000

JournalEvent = Literal["unwritten", "unapplied", "applied", "damaged", "failed"]


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
        self._open: Segment | None = None
        self._closed: Segment | None = None
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
            await asyncio.to_thread(prepare, self._config.directory)
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
            add(held, self._unwritten)
            self._unwritten = [entry_of(key, used) for key, used in held.items()]

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
        add(unwritten, self._unwritten)
        add(unwritten, self._writing)
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
        for path in await asyncio.to_thread(left_behind, self._config.directory):
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
        """Put onto disk what was counted since the last time.

        To its end, also where who asked is cut off: what a thread writes cannot be called back, and
        a file of which the sums do not know would be deleted.
        """
        writing = asyncio.create_task(self._write_now())
        await asyncio.shield(writing)

    async def _write_now(self) -> None:
        async with self._writing_lock:
            if self._unwritten:
                await self._write_unwritten()

    async def _write_unwritten(self) -> None:
        self._writing, self._unwritten = self._unwritten, []
        lines = lines_of(self._writing)
        try:
            if self._open is None:
                self._open = await asyncio.to_thread(Segment, self._config.directory)
            await asyncio.to_thread(self._open.write, lines)
            add(self._in_open, self._writing)
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
                await self._apply(self._closed.id, rows_of(self._in_closed))
                done, self._closed, self._in_closed = self._closed, None, {}
            except StoreUnavailable:
                self._on_event("unapplied")
                return
            finally:
                self.version += 1
            await asyncio.to_thread(done.remove)
            self._on_event("applied")

    async def _adopt_one(self, path: Path) -> bool:
        """Bring one segment, unless its process lives; False when the database is away.

        One that is damaged is set aside with what could be read of it brought, and those behind it
        do not wait.
        """
        lock = None
        try:
            lock = await asyncio.to_thread(locked, path)
            if lock is not None:
                await self._bring_left(path)
        except OSError:
            self._on_event("unapplied")
        except StoreUnavailable:
            self._on_event("unapplied")
            return False
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one is not with others
            report("a segment of the usage journal is set aside", error)
            await self._set_aside(path)
        finally:
            if lock is not None:
                os.close(lock)
        return True

    async def _bring_left(self, path: Path) -> None:
        entries, whole = await asyncio.to_thread(read, path)
        found: Held = {}
        add(found, entries)
        await self._apply(path.name.removesuffix(SUFFIX), rows_of(found))
        if whole:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        else:
            await self._set_aside(path)

    async def _set_aside(self, path: Path) -> None:
        self._on_event("damaged")
        with contextlib.suppress(OSError):  # it is met again
            await asyncio.to_thread(set_aside, path)
