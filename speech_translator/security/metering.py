"""Quotas and usage put together: what a restart does not empty, and no outage loses.

::

    async with open_metering(Path("usage"), accounts.usage, store) as metering:
        limiter = RateLimiter(metering.limits, tiers)
        ...
        async with await metering.meter.reserve(caller, "translate", characters=len(text)):
            ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from speech_translator.security.auth import unix_milliseconds
from speech_translator.security.durable_limits import DurableLimitStore
from speech_translator.security.guard import REFUSALS
from speech_translator.security.limit_store import LimitStore
from speech_translator.security.limits import Debit, Rate
from speech_translator.security.quotas import (
    AUDIO_MONTH,
    CHARACTERS_MINUTE,
    CHARACTERS_MONTH,
    Meter,
)
from speech_translator.security.rate_limiter import ACCOUNT, REQUESTS_DAY, REQUESTS_MINUTE
from speech_translator.security.usage_book import UsageBook
from speech_translator.security.usage_journal import JournalConfig, JournalEvent, UsageJournal
from speech_translator.storage.usage import UsageRow, UsageStore

_OF_OWNERS = (
    REQUESTS_MINUTE,
    REQUESTS_DAY,
    ACCOUNT.name,
    REFUSALS.name,
    CHARACTERS_MINUTE,
    CHARACTERS_MONTH,
    AUDIO_MONTH,
)
"""Limits that owners have counters of."""


def _ignore(_event: JournalEvent) -> None:
    """The listener for those who do not listen."""


class Metering:
    """The parts: ``meter`` takes and settles, ``journal`` keeps, ``book`` answers.

    ``limits`` are the counters for everything that is limited; of a day's and a month's they know
    from the database what was used before they began.

    Args:
        directory: of the journal, one for all processes on a machine.
        usage: opens the database's part; it raises ``StoreUnavailable``.
        store: the counters.
        on_event: told what befalls the journal.
        on_unknown: told each time that the database did not say what was used before.
    """

    def __init__(
        self,
        directory: Path,
        usage: Callable[[], Awaitable[UsageStore]],
        store: LimitStore,
        *,
        on_event: Callable[[JournalEvent], None] = _ignore,
        on_unknown: Callable[[], None] = lambda: None,
    ) -> None:
        self._usage = usage
        self.journal = UsageJournal(JournalConfig(directory), self._apply, on_event=on_event)
        self.book = UsageBook(usage, self.journal)
        self.limits: LimitStore = DurableLimitStore(store, self.book.history, on_unknown=on_unknown)
        self.meter = Meter(self.limits, self.journal)

    async def forget(self, owner: str) -> None:
        """Drop the counters of an owner who was erased: they bear the name.

        Raises:
            StoreUnavailable: they cannot be reached.
        """
        await self.limits.forget([Debit(f"owner:{owner}", Rate(name, 1)) for name in _OF_OWNERS])

    async def _apply(self, segment_id: str, rows: Sequence[UsageRow]) -> bool:
        usage = await self._usage()
        return await usage.apply(segment_id, rows, unix_milliseconds())


@asynccontextmanager
async def open_metering(
    directory: Path, usage: UsageStore, store: LimitStore
) -> AsyncIterator[Metering]:
    """Metering whose journal runs as long as the block; see ``Metering``.

    Raises:
        ConfigurationError: nothing can be written into the directory.
    """

    async def opened() -> UsageStore:
        return usage

    metering = Metering(directory, opened, store)
    await metering.journal.start()
    try:
        yield metering
    finally:
        await metering.journal.stop()
