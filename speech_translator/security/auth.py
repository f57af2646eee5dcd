"""From an API key to who asks. Fails closed: what cannot be looked up is not let in.

Look-ups are kept for ``cache_s``, so that a revocation that no message brings is felt by then. A
database that does not answer locks nobody out who was seen in the last ``outage_s``.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from speech_translator.errors import StoreUnavailable
from speech_translator.security import api_keys
from speech_translator.security.api_keys import ApiKey
from speech_translator.security.key_limits import KeyLimits
from speech_translator.security.scopes import Principal, Scope, refusal
from speech_translator.security.tiers import TierName


class KeyView(Protocol):
    """What authentication needs of a stored key; ``storage.KeyRecord`` has it."""

    @property
    def owner(self) -> str:
        """Whose key it is."""
        ...

    @property
    def tier(self) -> str:
        """The tier's name."""
        ...

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes' names."""
        ...

    @property
    def digest(self) -> bytes:
        """What is stored for the secret."""
        ...

    @property
    def limits(self) -> Mapping[str, int]:
        """Its own limits, by name."""
        ...

    @property
    def counts_as(self) -> str | None:
        """The id that its own limits are counted under; None for its own."""
        ...

    def valid(self, now_ms: int) -> bool:
        """Whether it opens anything at that time, in milliseconds since 1970."""
        ...


class KeyReader(Protocol):
    """Where keys are kept; ``storage.KeyStore`` is one."""

    async def get(self, key_id: str) -> KeyView | None:
        """The key of that id, valid or not; None when there is none. Raises StoreUnavailable."""
        ...


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """How keys are compared and look-ups kept; times are seconds.

    Args:
        peppers: secrets of the server; the first makes new digests, all are accepted.
        cache_s: how long a look-up is believed.
        outage_s: how long it is believed when the database does not answer.
        max_cached: look-ups in memory, known and unknown ids apart.
    """

    peppers: Sequence[bytes] = field(repr=False)
    cache_s: float = 5.0
    outage_s: float = 60.0
    max_cached: int = 10_000


@dataclass(frozen=True, slots=True)
class _Lookup:
    found: KeyView | None
    at: float


def unix_milliseconds() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class KeyAuthenticator:
    """Checks keys.

    Args:
        keys: where they are kept.
        config: see there.
        clock: monotonic seconds, for the cache.
        wall_clock: milliseconds since 1970, for the end of keys.
    """

    def __init__(
        self,
        keys: KeyReader,
        config: AuthConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], int] = unix_milliseconds,
    ) -> None:
        self._keys = keys
        self._config = config
        self._clock = clock
        self._wall_clock = wall_clock
        # Apart, so that ids that nobody has cannot drive out those that somebody has.
        self._known: OrderedDict[str, _Lookup] = OrderedDict()
        self._unknown: OrderedDict[str, _Lookup] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[KeyView | None]] = {}
        self._epoch = 0
        self._used: dict[str, int] = {}

    async def authenticate(self, text: str) -> Principal:
        """Who holds the key that ``text`` is.

        Raises:
            Unauthenticated: it is no key, or unknown, wrong, revoked or over: which is not told.
            StoreUnavailable: the database does not answer, and the key was not seen lately.
        """
        key = api_keys.parse(text)
        if key is None:
            raise refusal()
        found = await self._look_up(key.id)
        now = self._wall_clock()
        if not self._matches(key, found) or found is None or not found.valid(now):
            raise refusal()
        self._used[key.id] = now
        return _principal(key.id, found)

    async def holder(self, key_id: str) -> Principal:
        """Who holds the key of that id, for what stands for the key, as a token does.

        Raises:
            Unauthenticated: it is unknown, revoked or over: which is not told.
            StoreUnavailable: the database does not answer, and the key was not seen lately.
        """
        found = await self._look_up(key_id) if api_keys.is_id(key_id) else None
        now = self._wall_clock()
        if found is None or not found.valid(now):
            raise refusal()
        self._used[key_id] = now
        return _principal(key_id, found)

    def forget(self, key_id: str) -> None:
        """A key has changed: the next request looks it up."""
        self._epoch += 1  # what is being looked up may be older than the change
        self._under_way.pop(key_id, None)
        self._known.pop(key_id, None)
        self._unknown.pop(key_id, None)

    def forget_all(self) -> None:
        """Changes may have been missed: every key is looked up again."""
        self._epoch += 1
        self._under_way.clear()
        self._known.clear()
        self._unknown.clear()

    def take_used(self) -> dict[str, int]:
        """Keys used since the last call, and when last, in milliseconds since 1970."""
        used, self._used = self._used, {}
        return used

    def put_back(self, used: Mapping[str, int]) -> None:
        """They could not be written down: the next call has them, too."""
        self._used = {**used, **self._used}

    def _matches(self, key: ApiKey, found: KeyView | None) -> bool:
        """Compare with every pepper, whatever the outcome: all answers take as long."""
        digest = found.digest if found else None
        return sum(key.matches(digest, pepper) for pepper in self._config.peppers) > 0

    async def _look_up(self, key_id: str) -> KeyView | None:
        kept = self._known.get(key_id) or self._unknown.get(key_id)
        now = self._clock()
        if kept is not None and now - kept.at < self._config.cache_s:
            return kept.found
        try:
            # Many requests by one key ask once; one that leaves must not take the others' answer.
            task = self._under_way.get(key_id)
            if task is None:
                task = asyncio.create_task(self._fetch(key_id))
                self._under_way[key_id] = task
                task.add_done_callback(partial(self._fetched, key_id))
            return await asyncio.shield(task)
        except StoreUnavailable:
            kept = self._known.get(key_id)
            if kept is not None and now - kept.at < self._config.outage_s:
                return kept.found
            raise

    def _fetched(self, key_id: str, task: asyncio.Task[KeyView | None]) -> None:
        if self._under_way.get(key_id) is task:
            del self._under_way[key_id]
        if not task.cancelled():
            task.exception()  # everybody who waited for it may have left

    async def _fetch(self, key_id: str) -> KeyView | None:
        epoch = self._epoch
        found = await self._keys.get(key_id)
        if epoch == self._epoch:
            place, other = self._known, self._unknown
            if found is None:
                place, other = other, place
            other.pop(key_id, None)
            place[key_id] = _Lookup(found, self._clock())
            place.move_to_end(key_id)
            if len(place) > self._config.max_cached:
                place.popitem(last=False)
        return found


def _principal(key_id: str, found: KeyView) -> Principal:
    scopes = frozenset(Scope(name) for name in found.scopes)
    limits = KeyLimits(**found.limits) if found.limits else None
    return Principal(
        found.owner,
        key_id,
        TierName(found.tier),
        scopes,
        limits=limits,
        counts_as=found.counts_as,
    )
