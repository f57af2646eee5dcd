"""Live sessions as they are kept: sealed, since they hold what was said, and for minutes only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from speech_translator.security.auth import unix_milliseconds
from speech_translator.security.sealing import seal, unseal
from speech_translator.storage.live_sessions import LiveSessionStore

KEPT_S = 120.0
"""Seconds for which a client may come back, once nothing is heard of it any more."""

_PURPOSE = b"speech-translator live sessions"


class KeptSessions:
    """``streaming.resuming.SessionStore`` over a database.

    Args:
        store: where.
        peppers: the server's secrets, the newest first.
        silent_s: seconds in which a session that goes on may have nothing to keep.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        store: LiveSessionStore,
        peppers: Sequence[bytes],
        *,
        silent_s: float = 60.0,
        clock: Callable[[], int] = unix_milliseconds,
    ) -> None:
        self.store = store
        self._peppers = peppers
        self._kept_ms = round(1000 * (KEPT_S + silent_s))
        self._clock = clock

    async def create(self, session_id: str, owner: str, token: bytes, state: bytes) -> None:
        """See ``SessionStore``. What has expired is forgotten at the same time."""
        await self.store.forget(self._clock())
        await self.store.create(
            session_id, owner, token, self._sealed(session_id, state), expires_at=self._end()
        )

    async def save(self, session_id: str, epoch: int, state: bytes) -> bool:
        """See ``SessionStore``."""
        sealed = self._sealed(session_id, state)
        return await self.store.save(session_id, epoch, sealed, expires_at=self._end())

    async def take(
        self, token: bytes, owner: str, new_token: bytes
    ) -> tuple[str, int, bytes] | None:
        """See ``SessionStore``; None also where the server's secret has changed since."""
        found = await self.store.take(token, owner, new_token, now_ms=self._clock())
        if found is None:
            return None
        place = found.id.encode()
        state = unseal(found.state, peppers=self._peppers, purpose=_PURPOSE, place=place)
        return None if state is None else (found.id, found.epoch, state)

    async def end(self, session_id: str, epoch: int) -> None:
        """See ``SessionStore``."""
        await self.store.end(session_id, epoch)

    def _sealed(self, session_id: str, state: bytes) -> bytes:
        place = session_id.encode()
        return seal(state, pepper=self._peppers[0], purpose=_PURPOSE, place=place)

    def _end(self) -> int:
        return self._clock() + self._kept_ms
