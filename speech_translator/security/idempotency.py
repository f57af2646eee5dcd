"""A request that may be sent again and is done once (``Idempotency-Key``).

A key belongs to its owner and to one request: the answer is kept for a day, sealed, and given again
to the same request; another request under the same key is refused. While the first is at work, the
second is told to wait. What fails is not kept, so that it can be tried again; what is at work when
the server is killed can be after a while. After the IETF's draft
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).

Fails closed: where the database does not answer, a request with a key is refused, since whoever
sends one counts on its being done once.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from speech_translator.errors import (
    AnswerNotKept,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InvalidField,
)
from speech_translator.security.auth import unix_milliseconds
from speech_translator.security.sealing import seal, unseal
from speech_translator.storage.idempotency import IdempotencyRecord, IdempotencyStore

HEADER = "idempotency-key"
MAX_KEY_CHARS = 255

_PURPOSE = b"speech-translator answers"
_HOUR_MS = 3600 * 1000


@dataclass(frozen=True, slots=True)
class IdempotencyConfig:
    """What is kept, and for how long.

    Args:
        kept_ms: milliseconds for which an answer is given again.
        max_bytes: largest answer that is kept.
    """

    kept_ms: int = 24 * _HOUR_MS
    max_bytes: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was kept."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Begun:
    """The request is this caller's to do: ``keep`` its answer, or ``abandon`` it."""

    record: IdempotencyRecord


class Idempotency:
    """Begins requests under keys, and keeps their answers.

    Args:
        store: where.
        peppers: the server's secrets, the newest first.
        config: see there.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        store: IdempotencyStore,
        peppers: Sequence[bytes],
        config: IdempotencyConfig | None = None,
        *,
        clock: Callable[[], int] = unix_milliseconds,
    ) -> None:
        self._store = store
        self._peppers = peppers
        self._config = config or IdempotencyConfig()
        self._clock = clock

    async def begin(
        self, owner: str, key: str, fingerprint: bytes, *, longest_s: float
    ) -> Begun | Answer:
        """Begin a request, or give the answer that it had.

        Args:
            owner: whose it is.
            key: the client's.
            fingerprint: of all that makes the request what it is.
            longest_s: seconds that it may be at work; after that it may be begun again.

        Raises:
            InvalidField: the key cannot be one.
            IdempotencyKeyReused: the key belongs to another request.
            IdempotencyInProgress: the same request is at work.
            AnswerNotKept: it is done, and its answer was too large to be kept.
            StoreUnavailable: the database does not answer.
        """
        _check(key)
        now = self._clock()
        record = IdempotencyRecord(
            owner=owner,
            digest=hashlib.sha256(key.encode()).digest(),
            fingerprint=fingerprint,
            attempt=secrets.token_hex(16),
            lease_until=now + int(longest_s * 1000),
            created_at=now,
            expires_at=now + self._config.kept_ms,
        )
        found = await self._store.begin(record)
        return Begun(record) if found is None else self._answer(found, fingerprint, now)

    async def keep(self, begun: Begun, answer: Answer) -> None:
        """Keep the answer of a request that was begun here, before anybody is told it.

        Raises:
            IdempotencyInProgress: this took too long, and another attempt is at work.
            StoreUnavailable: the database does not answer.
        """
        fits = len(answer.body) <= self._config.max_bytes
        sealed = self._sealed(begun.record, answer.body) if fits else None
        done = await self._store.complete(
            begun.record, status=answer.status, content_type=answer.content_type, body=sealed
        )
        if not done:
            raise _in_progress(1.0)

    async def abandon(self, begun: Begun) -> None:
        """The request failed: it may be sent again. Raises ``StoreUnavailable``."""
        await self._store.abandon(begun.record)

    def _answer(self, found: IdempotencyRecord, fingerprint: bytes, now: int) -> Answer:
        if found.fingerprint != fingerprint:
            raise IdempotencyKeyReused(
                "This Idempotency-Key was sent with another request; a new request needs a new key."
            )
        if found.status is None:
            raise _in_progress(max(1.0, min(5.0, (found.lease_until - now) / 1000)))
        body = None if found.body is None else self._unsealed(found, found.body)
        if body is None:
            raise AnswerNotKept(
                "The request was done, and its answer is not kept: it was too large, or the "
                "server's secret has changed. Send it with a new Idempotency-Key to have it done "
                "again."
            )
        return Answer(found.status, found.content_type or "", body)

    def _sealed(self, record: IdempotencyRecord, body: bytes) -> bytes:
        return seal(body, pepper=self._peppers[0], purpose=_PURPOSE, place=_place(record))

    def _unsealed(self, record: IdempotencyRecord, sealed: bytes) -> bytes | None:
        return unseal(sealed, peppers=self._peppers, purpose=_PURPOSE, place=_place(record))


def _place(record: IdempotencyRecord) -> bytes:
    return record.owner.encode() + b"\0" + record.digest


def _in_progress(wait_s: float) -> IdempotencyInProgress:
    return IdempotencyInProgress(
        "A request with this Idempotency-Key is at work; ask again in a moment.",
        retry_after=wait_s,
    )


def _check(key: str) -> None:
    if not 0 < len(key) <= MAX_KEY_CHARS or not key.isprintable():
        raise InvalidField(
            f"Idempotency-Key must have 1 to {MAX_KEY_CHARS} printable characters.",
            field="Idempotency-Key",
        )
