"""What is done about accounts in the background: last uses, old keys, and the end of retention.

Fails open: where the database is away, last uses are kept for the next time and the rest is tried
again later; nobody is refused for it. Every step may run on several replicas at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from speech_translator.errors import StoreUnavailable
from speech_translator.security.auth import unix_milliseconds
from speech_translator.security.background import report
from speech_translator.storage.audit import AuditLog
from speech_translator.storage.keys import KeyStore, OldKeys
from speech_translator.storage.live_sessions import LiveSessionStore
from speech_translator.storage.usage import UsageStore

DAY_MS = 24 * 3600 * 1000

_SEGMENT_DAYS = 90
"""Days for which segments of journals are remembered, so that none counts twice."""


@dataclass(frozen=True, slots=True)
class UpkeepConfig:
    """How old what may become, in days, and how often what is done, in seconds.

    Args:
        key_max_age_days: of a key, after which it is told to be old.
        audit_days: of entries of the audit log.
        key_days: of keys since they were revoked or over.
        usage_days: of usage.
        flush_s: between writing down last uses.
        look_s: between counts of old keys.
        sweep_s: between deletions; a quarter more or less, so that replicas do not meet.
        close_s: for the last uses when the service stops.
    """

    key_max_age_days: int = 30
    audit_days: int = 365
    key_days: int = 90
    usage_days: int = 730
    flush_s: float = 30.0
    look_s: float = 600.0
    sweep_s: float = 3600.0
    close_s: float = 2.0


@dataclass(frozen=True, slots=True)
class OldKeysFound:
    """So many valid keys are older than they should be; ``key_ids`` are some, the oldest first.

    ``daily`` at the start and once a day after it.
    """

    count: int
    key_ids: tuple[str, ...]
    daily: bool


@dataclass(frozen=True, slots=True)
class OldKeyUsed:
    """A key was used that is older than it should be; told once a day for each."""

    key_id: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """So much was deleted because its time of retention is over; ``what`` is from a fixed set."""

    what: str
    count: int


@dataclass(frozen=True, slots=True)
class UpkeepFailed:
    """The database did not answer; ``step`` is from a fixed set."""

    step: str


UpkeepEvent = OldKeysFound | OldKeyUsed | Forgotten | UpkeepFailed
Listener = Callable[[UpkeepEvent], None]
Sweep = Callable[[int], Awaitable[int]]
"""Deletes what is over, by the time in milliseconds since 1970; how much that was."""


def ignore(_event: UpkeepEvent) -> None:
    """Tell nobody."""


def retention(
    days: UpkeepConfig, audit: AuditLog, keys: KeyStore, usage: UsageStore, live: LiveSessionStore
) -> dict[str, Sweep]:
    """What deletes what is kept of accounts once its time is over, by the name of that."""

    async def forget_usage(now: int) -> int:
        first = datetime.fromtimestamp(now / 1000, UTC).date() - timedelta(days.usage_days)
        # A segment that comes once more comes from a journal; none of those is that old.
        before_ms = now - _SEGMENT_DAYS * DAY_MS
        return await usage.forget(before_day=first.isoformat(), segments_before_ms=before_ms)

    return {
        "audit": lambda now: audit.forget(now - days.audit_days * DAY_MS),
        "keys": lambda now: keys.forget(now - days.key_days * DAY_MS),
        "usage": forget_usage,
        "live_sessions": live.forget,
    }


class Uses(Protocol):
    """Knows which keys were used; ``KeyAuthenticator`` does."""

    def take_used(self) -> dict[str, int]:
        """Keys used since the last call, and when last, in milliseconds since 1970."""
        ...

    def put_back(self, used: Mapping[str, int]) -> None:
        """They could not be written down: have them in the next answer."""
        ...


class Upkeep:
    """The steps, and the task that takes them.

    Args:
        keys: where keys are kept.
        uses: knows which were used.
        sweeps: delete what is over, by the name of what they delete.
        often: the same, done each time that last uses are written down.
        config: see there.
        listener: told what is found and done.
        clock: milliseconds since 1970.
        chance: a number from 0 to 1.
    """

    def __init__(
        self,
        keys: KeyStore,
        uses: Uses,
        sweeps: Mapping[str, Sweep],
        config: UpkeepConfig,
        *,
        often: Mapping[str, Sweep] | None = None,
        listener: Listener = ignore,
        clock: Callable[[], int] = unix_milliseconds,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._keys = keys
        self._uses = uses
        self._sweeps = sweeps
        self._often = often or {}
        self._config = config
        self._listener = listener
        self._clock = clock
        self._chance = chance
        self._stopping = asyncio.Event()
        self._look_at: float = clock()
        # Not at once: replicas that start together need not all delete the same.
        self._sweep_at = self._look_at + 1000 * chance() * config.look_s
        self._looked_on = self._told_on = -1
        self._told: set[str] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The task, as long as the block runs; at its end last uses are written down."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._stopping.set()
            await asyncio.wait([task])  # to the end of its step: what is half done is not known
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.close_s):
                    await self._flush()

    async def step(self) -> None:
        """Do what is due now. Never raises for the database."""
        await self._flush()
        await self._sweep(self._often)
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + 1000 * self._config.look_s
            await self._look()
        if now >= self._sweep_at:
            self._sweep_at = now + 1000 * self._config.sweep_s * (0.75 + self._chance() / 2)
            await self._sweep(self._sweeps)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.step()
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the upkeep
                report("a step of the upkeep of accounts failed", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.flush_s):
                    await self._stopping.wait()

    async def _flush(self) -> None:
        """Write down last uses; a key that is old and was used is told of."""
        used = self._uses.take_used()
        if not used:
            return
        try:
            await self._keys.touch(used)
            old = await self._over_age(used)
        except StoreUnavailable:
            self._uses.put_back(used)
            self._listener(UpkeepFailed("last_use"))
            return
        except BaseException:  # cut off: whoever comes next writes them down
            self._uses.put_back(used)
            raise
        if (today := self._today()) != self._told_on:
            self._told_on = today
            self._told.clear()
        for key_id in old.ids:
            if key_id not in self._told:
                self._told.add(key_id)
                self._listener(OldKeyUsed(key_id))

    async def _look(self) -> None:
        """Count old keys."""
        try:
            old = await self._over_age()
        except StoreUnavailable:
            self._listener(UpkeepFailed("key_age"))
            return
        daily = self._today() != self._looked_on
        self._looked_on = self._today()
        self._listener(OldKeysFound(old.count, old.ids, daily=daily))

    async def _sweep(self, sweeps: Mapping[str, Sweep]) -> None:
        """Delete what is over; one that fails keeps no other from it."""
        now = self._clock()
        for name, sweep in sweeps.items():
            try:
                count = await sweep(now)
            except StoreUnavailable:
                self._listener(UpkeepFailed(name))
                continue
            if count:
                self._listener(Forgotten(name, count))

    async def _over_age(self, ids: Collection[str] | None = None) -> OldKeys:
        now = self._clock()
        before = now - self._config.key_max_age_days * DAY_MS
        return await self._keys.over_age(created_before=before, now_ms=now, ids=ids)

    def _today(self) -> int:
        """The UTC day, counted from 1970."""
        return self._clock() // DAY_MS
