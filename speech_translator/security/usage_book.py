"""What was used so far: what the database knows, and what is on its way there from here."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from speech_translator.security.auth import unix_milliseconds
from speech_translator.security.key_limits import PREFIX as KEY_PREFIX
from speech_translator.security.limits import Debit, Span, Window
from speech_translator.security.quotas import AUDIO_MONTH, CHARACTERS_MONTH
from speech_translator.security.rate_limiter import REQUESTS_DAY
from speech_translator.security.usage_journal import UsageJournal
from speech_translator.storage.usage import Totals, UsageStore

_TRIES = 4

T = TypeVar("T")


class UsageBook:
    """Answers for owners and keys.

    Args:
        store: opens the database's part; it raises ``StoreUnavailable``.
        journal: what is on its way there.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        store: Callable[[], Awaitable[UsageStore]],
        journal: UsageJournal,
        *,
        clock: Callable[[], int] = unix_milliseconds,
    ) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock

    async def used(
        self, span: Span, *, owner: str | None = None, key_id: str | None = None
    ) -> Totals:
        """What an owner or a key has used in today's UTC day or month.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        first, last = self.bounds(span)
        store = await self._store()

        async def ask() -> Totals:
            pending = self._journal.pending(first=first, last=last, owner=owner, key_id=key_id)
            known = await store.totals(first=first, last=last, owner=owner, key_id=key_id)
            return known + pending

        return await self._still(ask)

    async def by_key(self, span: Span, owner: str) -> dict[str, Totals]:
        """What each of an owner's keys has used in today's UTC day or month.

        Raises:
            StoreUnavailable: the database does not answer.
        """
        first, last = self.bounds(span)
        store = await self._store()

        async def ask() -> dict[str, Totals]:
            found = self._journal.pending_by_key(first=first, last=last, owner=owner)
            for line in await store.report(first=first, last=last, by_key=True, owner=owner):
                found[line.key_id] = found.get(line.key_id, Totals()) + line.used
            return found

        return await self._still(ask)

    async def _still(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What is asked for while no segment goes from the journal to the database.

        With the journal asked first, what goes in between counts twice at worst, and never not at
        all.
        """
        for _ in range(_TRIES):
            version = self._journal.version
            found = await ask()
            if version == self._journal.version and version % 2 == 0:
                break
        return found

    def bounds(self, span: Span) -> tuple[str, str]:
        """The first and the last day of today's day or month, as usage is kept by."""
        today = datetime.fromtimestamp(self._clock() / 1000, UTC).date().isoformat()
        return (today, today) if span == "day" else (f"{today[:7]}-01", f"{today[:7]}-31")

    async def history(self, debit: Debit) -> int | None:
        """The units that a window's debit is about, so far; see ``DurableLimitStore``."""
        kind, _, name = debit.subject.partition(":")
        if kind not in {"owner", "key"} or not isinstance(debit.policy, Window):
            return None
        found = await self.used(
            debit.policy.span,
            owner=name if kind == "owner" else None,
            key_id=name if kind == "key" else None,
        )
        units = {
            REQUESTS_DAY: found.requests,
            CHARACTERS_MONTH: found.characters,
            AUDIO_MONTH: math.ceil(found.audio_ms / 1000),
        }
        return units.get(debit.policy.name.removeprefix(KEY_PREFIX))
