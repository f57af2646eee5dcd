"""``Idempotency-Key`` on the routes that compute: their answers are kept and given again.

Answers that hold a secret, such as a new key's, are never kept: those routes take no such key.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from speech_translator.api.dependencies import accounts_of
from speech_translator.errors import InvalidField, StoreUnavailable
from speech_translator.security.guard import Caller
from speech_translator.security.idempotency import HEADER, Answer, Begun, Idempotency
from speech_translator.security.quotas import Reservation
from speech_translator.security.usage_segments import UsageEntry

REPLAYED = "Idempotency-Replayed"
_NOT_KEPT = frozenset({"content-type", "content-length", "set-cookie"})
"""Headers that are kept elsewhere, follow from the body, or are one connection's."""


@dataclass(slots=True)
class Attempt:
    """One attempt at a request. ``replayed`` is the answer that it had before, if it had one."""

    service: Idempotency | None = None
    begun: Begun | None = None
    replayed: Response | None = None
    kept: bool = False

    async def settle(
        self, reservation: Reservation, response: Response, *, characters: int
    ) -> None:
        """Keep the answer and bill it, both or neither, before it is sent.

        Raises:
            StoreUnavailable: the database does not answer.
            IdempotencyInProgress: another attempt has taken the request over.
        """
        service, begun = self.service, self.begun
        if service is None or begun is None:
            await reservation.settle(characters=characters)
            return

        async def keep(entry: UsageEntry) -> None:
            kind = response.headers.get("content-type", "")
            rest = tuple(pair for pair in response.headers.items() if pair[0] not in _NOT_KEPT)
            answer = Answer(response.status_code, kind, bytes(response.body), rest)
            await service.keep(begun, answer, entry.row)

        await reservation.settle(characters=characters, write=keep)
        self.kept = True


@asynccontextmanager
async def once(request: Request, caller: Caller, parts: Iterable[bytes]) -> AsyncIterator[Attempt]:
    """The block does the request, unless it was done before under the same key.

    An attempt whose answer was not kept by the end of the block may be made again.

    Args:
        request: what is asked.
        caller: whose it is.
        parts: all that makes the request what it is, beside its route and ``Accept``.

    Raises:
        InvalidField, IdempotencyKeyReused, IdempotencyInProgress, AnswerNotKept,
        StoreUnavailable: as ``Idempotency.begin``.
    """
    keys = request.headers.getlist(HEADER)
    if not keys:
        yield Attempt()
        return
    if len(keys) > 1:
        raise InvalidField("Send one Idempotency-Key.", field="Idempotency-Key")
    service = (await accounts_of(request)).idempotency
    accept = request.headers.get("accept", "")
    about = (request.method.encode(), request.url.path.encode(), accept.encode(), *parts)
    found = await service.begin(caller.subject, keys[0], fingerprint_of(about))
    if isinstance(found, Answer):
        headers = dict([*found.headers, ("Content-Type", found.content_type), (REPLAYED, "true")])
        yield Attempt(replayed=Response(found.body, found.status, headers), kept=True)
        return
    attempt = Attempt(service, found)
    try:
        async with service.held(found):
            yield attempt
    finally:
        if not attempt.kept:
            with contextlib.suppress(StoreUnavailable):  # its lease ends by itself
                await asyncio.shield(service.abandon(found))


def fingerprint_of(parts: Iterable[bytes]) -> bytes:
    """One digest of parts, each with its length: no two lists of parts have the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
