"""What was used, by day, owner, key and operation: the figures that bills are made from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from sqlalchemy import Insert, delete, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from speech_translator.storage.database import Database
from speech_translator.storage.tables import api_keys, erased_keys, usage, usage_segments

Operation = Literal["translate", "transcribe", "speech", "stream"]
Period = Literal["day", "month"]

_MONTH_CHARS = 7
_IDS_AT_ONCE = 1000
"""Keys in one question: a database takes no more than some thousand values at once."""
_COUNTS = ("requests", "characters", "audio_ms")


@dataclass(frozen=True, slots=True)
class Totals:
    """Amounts that were used; audio in milliseconds."""

    requests: int = 0
    characters: int = 0
    audio_ms: int = 0

    def __add__(self, other: Totals) -> Totals:
        """Both together."""
        return Totals(
            self.requests + other.requests,
            self.characters + other.characters,
            self.audio_ms + other.audio_ms,
        )


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one key used for one operation on one UTC day, written ``2026-11-28``."""

    day: str
    owner: str
    key_id: str
    operation: str
    used: Totals


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One line of a report; ``period`` is a day or a month, ``key_id`` empty for all keys."""

    period: str
    owner: str
    key_id: str
    operation: str
    used: Totals


class UsageStore:
    """Usage in a database. All methods raise ``StoreUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(self, segment_id: str, rows: Sequence[UsageRow], at_ms: int) -> bool:
        """Add a segment of a journal; all of it, and once.

        What keys used that were erased meanwhile is left out: it may come from a process that was
        killed long before.

        Returns:
            False, and nothing is changed, when it was added before.
        """
        async with self._database.write() as connection:
            first = self._database.insert(usage_segments).values(id=segment_id, applied_at=at_ms)
            added = await connection.execute(first.on_conflict_do_nothing())
            if added.rowcount != 1:
                return False
            gone = await _erased(connection, {row.key_id for row in rows})
            for row in sorted(rows, key=_key):  # in one order: no two wait in a ring
                if row.key_id not in gone:
                    await connection.execute(adding(row, self._database))
        return True

    async def totals(
        self, *, first: str, last: str, owner: str | None = None, key_id: str | None = None
    ) -> Totals:
        """What was used from day ``first`` to ``last``, both included, by an owner or a key.

        What a key's successors used whose limits are counted under its id is in its own.
        """
        query = select(*(func.coalesce(func.sum(usage.c[name]), 0) for name in _COUNTS))
        query = query.where(usage.c.day.between(first, last))
        if owner is not None:
            query = query.where(usage.c.owner == owner)
        if key_id is not None:
            successors = select(api_keys.c.id).where(api_keys.c.counts_as == key_id)
            query = query.where(or_(usage.c.key_id == key_id, usage.c.key_id.in_(successors)))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one()
        return Totals(*(int(value) for value in row))

    async def report(
        self,
        *,
        first: str,
        last: str,
        period: Period = "month",
        by_key: bool = False,
        owner: str | None = None,
        after: UsageLine | None = None,
        limit: int | None = None,
    ) -> list[UsageLine]:
        """Lines in the order of period, owner, key and operation.

        Args:
            first: first day.
            last: last day, included.
            period: what a line is about.
            by_key: a line for each key, or one for all of an owner's.
            owner: only this one's.
            after: the last line of the page before.
            limit: at most so many lines; all by default.
        """
        when = usage.c.day if period == "day" else func.substr(usage.c.day, 1, _MONTH_CHARS)
        groups = [when, usage.c.owner, *([usage.c.key_id] if by_key else []), usage.c.operation]
        query = (
            select(*groups, *(func.sum(usage.c[name]) for name in _COUNTS))
            .where(usage.c.day.between(first, last))
            .group_by(*groups)
            .order_by(*groups)
        )
        if owner is not None:
            query = query.where(usage.c.owner == owner)
        if after is not None:
            keys = [after.key_id] if by_key else []
            values = (after.period, after.owner, *keys, after.operation)
            query = query.where(tuple_(*groups) > tuple_(*map(literal, values)))
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(limit))).all()
        return [_line(tuple(row), by_key=by_key) for row in rows]

    async def erase(self, owner: str) -> int:
        """Forget an owner's usage; how many rows that were."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(usage).where(usage.c.owner == owner))
        return gone.rowcount

    async def forget(self, *, before_day: str, segments_before_ms: int) -> int:
        """Delete days that are older than the retention, and ids that no journal has any more."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(usage).where(usage.c.day < before_day))
            await connection.execute(
                delete(usage_segments).where(usage_segments.c.applied_at < segments_before_ms)
            )
            await connection.execute(
                delete(erased_keys).where(erased_keys.c.erased_at < segments_before_ms)
            )
        return gone.rowcount


def adding(row: UsageRow, database: Database) -> Insert:
    """The statement that adds to what was used, for a transaction of somebody else's."""
    insert = database.insert(usage).values(_values(row))
    added_up = {name: usage.c[name] + insert.excluded[name] for name in _COUNTS}
    made: Insert = insert.on_conflict_do_update(
        index_elements=["day", "owner", "key_id", "operation"], set_=added_up
    )
    return made


async def _erased(connection: AsyncConnection, key_ids: Collection[str]) -> set[str]:
    """Those of the keys that were erased."""
    known, found = erased_keys.c.id, set[str]()
    ids = iter(key_ids)
    while some := list(islice(ids, _IDS_AT_ONCE)):
        found |= set((await connection.execute(select(known).where(known.in_(some)))).scalars())
    return found


def _key(row: UsageRow) -> tuple[str, str, str, str]:
    return row.day, row.owner, row.key_id, row.operation


def _values(row: UsageRow) -> dict[str, object]:
    counts = {name: getattr(row.used, name) for name in _COUNTS}
    return {
        "day": row.day,
        "owner": row.owner,
        "key_id": row.key_id,
        "operation": row.operation,
        **counts,
    }


def _line(row: tuple[Any, ...], *, by_key: bool) -> UsageLine:
    when, owner, *rest = row
    key_id = rest.pop(0) if by_key else ""
    operation, *counts = rest
    return UsageLine(when, owner, key_id, operation, Totals(*(int(count) for count in counts)))
