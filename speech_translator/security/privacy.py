"""All that is kept of a user: handed over to them, and erased.

Whatever keeps something of users is a ``Holder`` and registered here. The audit log outlives an
erasure, because it accounts for what was done (GDPR, art. 17(3)(e)): there a random pseudonym takes
the user's place, and their addresses go, so that acts still hang together and name nobody.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from speech_translator.storage.audit import ERASED, AuditEntry, AuditLog
from speech_translator.storage.erasures import ErasureStore, PendingErasure
from speech_translator.storage.idempotency import IdempotencyStore
from speech_translator.storage.keys import KeyStore
from speech_translator.storage.live_sessions import LiveSessionStore
from speech_translator.storage.usage import UsageStore

Rows = list[dict[str, Any]]

AGAIN_MS = 30_000
"""Milliseconds after an erasure at which it is done once more: what was under way then, here and on
other replicas, has been written down by now."""

KEYS = "keys"
"""The holder of keys."""

_FIRST_DAY, _LAST_DAY = "0000-01-01", "9999-12-31"
_ANOTHER = "another"


class Holder(Protocol):
    """Keeps something of users. All methods raise ``StoreUnavailable``."""

    async def export(self, owner: str) -> Rows:
        """What is kept of an owner, as JSON has it, without secrets."""
        ...

    async def erase(self, owner: str) -> int:
        """Forget it; how much that was."""
        ...


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, by the holders' names; ``pseudonym`` is in the audit log from now on."""

    pseudonym: str
    erased: dict[str, int]


class Privacy:
    """Asks all holders. Raises ``StoreUnavailable`` where one of them does not answer.

    Args:
        audit: keeps its entries, under a pseudonym.
        holders: of all else, by name; keys first, so that nobody comes in while the rest goes.
        erasures: keeps who is to be erased once more, for whichever replica is there then.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        audit: AuditLog,
        holders: dict[str, Holder],
        erasures: ErasureStore,
        *,
        clock: Callable[[], int],
    ) -> None:
        self._audit = audit
        self._holders = holders
        self._erasures = erasures
        self._clock = clock

    def register(self, name: str, holder: Holder) -> None:
        """Ask another holder, too."""
        self._holders[name] = holder

    async def export(self, owner: str) -> dict[str, Rows]:
        """All that is kept of an owner, by the holders' names."""
        found = {name: await holder.export(owner) for name, holder in self._holders.items()}
        found["audit"] = [_shown(entry, owner) for entry in await self._audit.about(owner)]
        return found

    def new_pseudonym(self) -> str:
        """What is to take the place of somebody; by chance, so that nothing leads back."""
        return f"{ERASED}{secrets.token_hex(8)}"

    async def erase(self, owner: str, pseudonym: str) -> Erasure:
        """Forget an owner, now and once more after ``AGAIN_MS``; asked twice does no harm."""
        again = PendingErasure(owner, pseudonym, self._clock() + AGAIN_MS)
        await self._erasures.begin(again)
        return await self._erase(owner, pseudonym)

    async def finish(self) -> None:
        """Erase once more those whose time has come, whoever began with it."""
        for erasure in await self._erasures.due(self._clock()):
            await self._erase(erasure.owner, erasure.pseudonym, again=True)
            await self._erasures.finish(erasure)

    async def _erase(self, owner: str, pseudonym: str, *, again: bool = False) -> Erasure:
        # First, while the names that lead to entries are there.
        erased = {"audit": await self._audit.pseudonymise(owner, pseudonym)}
        for name, holder in self._holders.items():
            if not (again and name == KEYS):  # new ones are of somebody who came after
                erased[name] = await holder.erase(owner)
        return Erasure(pseudonym, erased)


class KeysOfOwners:
    """A ``Holder`` of keys.

    Args:
        keys: where they are.
        closed: told of each key that opens nothing any more.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        keys: KeyStore,
        closed: Callable[[str], Awaitable[None]],
        *,
        clock: Callable[[], int],
    ) -> None:
        self._keys = keys
        self._closed = closed
        self._clock = clock

    async def export(self, owner: str) -> Rows:
        """See ``Holder``."""
        found = await self._keys.page(owner=owner)
        while page := await self._keys.page(owner=owner, after=found[-1] if found else None):
            found += page
        return [record.shown() for record in found]

    async def erase(self, owner: str) -> int:
        """See ``Holder``."""
        ids = await self._keys.erase(owner, self._clock())
        for key_id in ids:
            await self._closed(key_id)
        return len(ids)


class UsageOfOwners:
    """A ``Holder`` of usage.

    Args:
        usage: where it is.
    """

    def __init__(self, usage: UsageStore) -> None:
        self._usage = usage

    async def export(self, owner: str) -> Rows:
        """See ``Holder``."""
        lines = await self._usage.report(
            first=_FIRST_DAY, last=_LAST_DAY, period="day", by_key=True, owner=owner
        )
        return [
            {
                "day": line.period,
                "key_id": line.key_id,
                "operation": line.operation,
                "requests": line.used.requests,
                "characters": line.used.characters,
                "audio_seconds": line.used.audio_ms / 1000,
            }
            for line in lines
        ]

    async def erase(self, owner: str) -> int:
        """See ``Holder``."""
        return await self._usage.erase(owner)


class SessionsOfOwners:
    """A ``Holder`` of live sessions that may be resumed: for minutes, and sealed.

    Args:
        sessions: where they are.
    """

    def __init__(self, sessions: LiveSessionStore) -> None:
        self._sessions = sessions

    async def export(self, owner: str) -> Rows:
        """See ``Holder``; what was said is told by the session itself."""
        found = await self._sessions.export(owner)
        return [{**row, "expires_at": row["expires_at"] / 1000} for row in found]

    async def erase(self, owner: str) -> int:
        """See ``Holder``."""
        return await self._sessions.erase(owner)


class RequestsOfOwners:
    """A ``Holder`` of requests that are done once, which are kept by who asked.

    Args:
        requests: where they are.
    """

    def __init__(self, requests: IdempotencyStore) -> None:
        self._requests = requests

    async def export(self, owner: str) -> Rows:
        """See ``Holder``."""
        found = await self._requests.export(_subject(owner))
        return [
            {
                "created_at": row["created_at"] / 1000,
                "expires_at": row["expires_at"] / 1000,
                "status": row["status"],
            }
            for row in found
        ]

    async def erase(self, owner: str) -> int:
        """See ``Holder``."""
        return await self._requests.erase(_subject(owner))


def _subject(owner: str) -> str:
    return f"owner:{owner}"


def _shown(entry: AuditEntry, owner: str) -> dict[str, Any]:
    """An entry for its owner; who else acted, and from where, is somebody else's to know."""
    shown = {**asdict(entry), "at": entry.at / 1000}
    if entry.actor != owner:
        shown |= {"actor": _ANOTHER, "address": ""}
    return shown
