"""A request that may be sent again and is done once (``Idempotency-Key``).

A key belongs to its owner and to one request: the answer is kept for a day, sealed, and given again
to the same request; another request under the same key is refused. While the first is at work, the
second is told to wait. What fails is not kept, so that it can be tried again; what is at work holds
a lease, which is renewed, so that what was at work when its server was killed can be tried again
soon. After the IETF's draft
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/).

An answer is kept and its usage added in one transaction, and only then is it sent: whenever the
server is killed, what is kept is billed, and once. An attempt that lost its lease to another one
keeps nothing, and is not billed.

Fails closed: where the database does not answer, a request with a key is refused, since whoever
sends one counts on its being done once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from speech_translator.errors import (
    AnswerNotKept,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InvalidField,
    StoreUnavailable,
)
from speech_translator.security.auth import unix_milliseconds
from speech_translator.security.background import end
from speech_translator.security.sealing import seal, unseal
from speech_translator.storage.idempotency import IdempotencyRecord, IdempotencyStore
from speech_translator.storage.usage import UsageRow

HEADER = "idempotency-key"
KEY_PATTERN = "^[!-~]{1,255}$"
"""What may be a key."""

_KEY = re.compile(KEY_PATTERN)
_PURPOSE = b"speech-translator answers"
_HOUR_MS = 3600 * 1000


@dataclass(frozen=True, slots=True)
class IdempotencyConfig:
    """What is kept, and for how long.

    Args:
        kept_ms: milliseconds for which an answer is given again.
        max_bytes: largest answer that is kept; the request of a larger one is done once, too, and
            is told so when it is sent again.
        lease_ms: milliseconds after which a request whose server was killed may be begun again; it
            is renewed three times as often.
        sweep_ms: milliseconds between deletions of what has expired.
    """

    kept_ms: int = 24 * _HOUR_MS
    max_bytes: int = 16 * 1024 * 1024
    lease_ms: int = 15_000
    sweep_ms: int = 600_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was kept; ``headers`` are those beside its content type."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class _Content(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed of an answer."""

    headers: tuple[tuple[str, str], ...]
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
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        store: IdempotencyStore,
        peppers: Sequence[bytes],
        config: IdempotencyConfig | None = None,
        *,
        clock: Callable[[], int] = unix_milliseconds,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._peppers = peppers
        self._config = config or IdempotencyConfig()
        self._clock = clock
        self._sleep = sleep

    async def begin(self, owner: str, key: str, fingerprint: bytes) -> Begun | Answer:
        """Begin a request, or give the answer that it had.

        Args:
            owner: whose it is.
            key: the client's.
            fingerprint: of all that makes the request what it is.

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
            lease_until=now + self._config.lease_ms,
            created_at=now,
            expires_at=now + self._config.kept_ms,
        )
        found = await self._store.begin(record)
        return Begun(record) if found is None else self._answer(found, fingerprint, now)

    @contextlib.asynccontextmanager
    async def held(self, begun: Begun) -> AsyncIterator[None]:
        """The lease is renewed as long as the block runs; a database that is away harms nothing."""
        renewing = asyncio.create_task(self._renew(begun))
        try:
            yield
        finally:
            await end(renewing)

    async def _renew(self, begun: Begun) -> None:
        held = True
        while held:
            await self._sleep(self._config.lease_ms / 3000)
            with contextlib.suppress(StoreUnavailable):
                until = self._clock() + self._config.lease_ms
                held = await self._store.extend(begun.record, until)

    async def keep(self, begun: Begun, answer: Answer, used: UsageRow | None = None) -> None:
        """Keep the answer of a request that was begun here, before anybody is told it.

        Args:
            begun: what ``begin`` gave.
            answer: to be given again.
            used: what it used, which is added to the owner's usage.

        Raises:
            IdempotencyInProgress: this took too long, and another attempt is at work.
            StoreUnavailable: the database does not answer.
        """
        fits = len(answer.body) <= self._config.max_bytes
        content = msgspec.msgpack.encode(_Content(answer.headers, answer.body)) if fits else b""
        sealed = self._sealed(begun.record, content) if fits else None
        complete = partial(
            self._store.complete,
            begun.record,
            status=answer.status,
            content_type=answer.content_type,
            body=sealed,
            used=used,
        )
        try:
            done = await complete()
        except StoreUnavailable:
            done = await complete()  # it may be kept although nobody said so
        if not done:
            raise _in_progress(1.0)

    async def abandon(self, begun: Begun) -> None:
        """The request failed: it may be sent again. Raises ``StoreUnavailable``."""
        await self._store.abandon(begun.record)

    async def sweep(self) -> None:
        """Delete what has expired, again and again; ends by being cancelled."""
        while True:
            await self._sleep(self._config.sweep_ms / 1000)
            with contextlib.suppress(StoreUnavailable):  # the next time will do
                await self._store.forget(self._clock())

    def _answer(self, found: IdempotencyRecord, fingerprint: bytes, now: int) -> Answer:
        if found.fingerprint != fingerprint:
            raise IdempotencyKeyReused(
                "This Idempotency-Key was sent with another request; a new request needs a new key."
            )
        if found.status is None:
            raise _in_progress(max(1.0, min(5.0, (found.lease_until - now) / 1000)))
        opened = None if found.body is None else self._unsealed(found, found.body)
        if opened is None:
            raise AnswerNotKept(
                "The request was done, and its answer is not kept: it was too large, or the "
                "server's secret has changed. Send it with a new Idempotency-Key to have it done "
                "again."
            )
        content = msgspec.msgpack.decode(opened, type=_Content)
        return Answer(found.status, found.content_type or "", content.body, content.headers)

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
    if not _KEY.fullmatch(key):
        raise InvalidField(
            "Idempotency-Key must have 1 to 255 visible ASCII characters, and no spaces.",
            field="Idempotency-Key",
        )
