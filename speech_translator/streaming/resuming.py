"""What is kept of a live session so that its client can go on after its connection broke.

A session is kept at each of its finals, before that one is sent. A client that comes back shows a
token, which is good once: it gets the finals that it has not seen, a new token, and the place from
which to send its audio again. Each connection of a session has an epoch; what an older one still
wants to keep is refused, so that of two connections one goes on.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Protocol

import msgspec

from speech_translator.errors import ResumeRefused
from speech_translator.streaming.messages import Failed, Final

KEPT_FINALS = 64
"""Finals that are kept for a client that may not have seen them, and for who reads along late."""

_TOKEN_BYTES = 32


class SessionState(msgspec.Struct, frozen=True):
    """A session between two of its utterances.

    ``start`` is the message by which its client described it. Audio before ``window`` (of 512
    samples at 16 kHz) is dealt with. ``told`` are the last finals and errors about segments, with
    their numbers; ``share`` is the digest of the secret by which others read it.
    """

    session_id: str
    start: str
    window: int = 0
    seq: int = 0
    segments: int = 0
    finals: int = 0
    language: str | None = None
    told: tuple[tuple[int, Final | Failed], ...] = ()
    share: str | None = None

    def unseen(self, last_seq: int) -> list[Final | Failed]:
        """What a client that has seen everything up to ``last_seq`` has not."""
        return [event for seq, event in self.told if seq > last_seq]


class SessionStore(Protocol):
    """Where sessions are kept; each method is one atomic step and raises ``StoreUnavailable``."""

    async def create(self, session_id: str, owner: str, token: bytes, state: bytes) -> None:
        """Keep a new session, at epoch 1, under the digest of its token."""
        ...

    async def save(self, session_id: str, epoch: int, state: bytes) -> bool:
        """Keep what a session has become; False when a later connection has taken it over."""
        ...

    async def take(
        self, token: bytes, owner: str, new_token: bytes
    ) -> tuple[str, int, bytes] | None:
        """Take a session over: its id, this connection's epoch and its state.

        None where no session that was kept lately has that token and owner.
        """
        ...

    async def end(self, session_id: str, epoch: int) -> None:
        """Forget a session that has ended, unless another connection has it."""
        ...


class Superseded(Exception):
    """Another connection has taken the session over."""


@dataclass(slots=True)
class Keeper:
    """Keeps one session for one connection of it.

    Args:
        store: where; None where sessions cannot be resumed.
        session_id: which.
        epoch: of this connection.
        token: by which the client may come back.
    """

    store: SessionStore | None
    session_id: str
    epoch: int = 1
    token: str | None = None

    async def save(self, state: SessionState) -> None:
        """Keep the session as it is now.

        Raises:
            Superseded: another connection has it.
            StoreUnavailable: it could not be kept.
        """
        if self.store is not None:
            data = _encode(state)
            if not await self.store.save(self.session_id, self.epoch, data):
                raise Superseded

    async def end(self) -> None:
        """It has ended for good. Raises ``StoreUnavailable``."""
        if self.store is not None:
            await self.store.end(self.session_id, self.epoch)


async def begin(
    store: SessionStore | None, owner: str, start: str, share: str | None = None
) -> tuple[Keeper, SessionState]:
    """A new session, kept from its first moment.

    Args:
        store: where; None where sessions cannot be resumed.
        owner: whose it is.
        start: the message by which the client described it.
        share: digest of the secret by which others read it; None for nobody.

    Raises:
        StoreUnavailable: it could not be kept.
    """
    state = SessionState(secrets.token_hex(8), start, share=share)
    if store is None:
        return Keeper(None, state.session_id), state
    token = _new_token()
    await store.create(state.session_id, owner, _digest(token), _encode(state))
    return Keeper(store, state.session_id, token=token), state


async def resume(store: SessionStore | None, owner: str, token: str) -> tuple[Keeper, SessionState]:
    """A session that goes on.

    Raises:
        ResumeRefused: nothing is kept under that token for that owner; why is not told.
        StoreUnavailable: the store does not answer.
    """
    new = _new_token()
    found = None if store is None else await store.take(_digest(token), owner, _digest(new))
    if found is None:
        raise ResumeRefused("This session cannot be resumed; begin a new one.")
    session_id, epoch, data = found
    return Keeper(store, session_id, epoch, new), msgspec.json.decode(data, type=SessionState)


def _encode(state: SessionState) -> bytes:
    return msgspec.json.encode(state, enc_hook=str)


def _new_token() -> str:
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
