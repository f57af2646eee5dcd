"""Answers that are kept for a while, so that a request that is sent again is not done again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from speech_translator.storage.database import Database
from speech_translator.storage.tables import idempotency
from speech_translator.storage.usage import UsageRow, adding


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """A request that was begun; done once ``status`` is set. Times are milliseconds since 1970.

    ``digest`` stands for the client's key, ``fingerprint`` for the request. Until ``lease_until``
    the attempt named ``attempt`` is taken to be at work. ``body`` is None where the answer was too
    large to be kept.
    """

    owner: str
    digest: bytes = field(repr=False)
    fingerprint: bytes = field(repr=False)
    attempt: str
    lease_until: int
    created_at: int
    expires_at: int
    status: int | None = None
    content_type: str | None = None
    body: bytes | None = field(default=None, repr=False)


class IdempotencyStore:
    """Records in a database; each method is one atomic step and raises ``StoreUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, wanted: IdempotencyRecord) -> IdempotencyRecord | None:
        """Begin a request; of many that try at once, one does.

        Takes the place of a record that has expired, and of the same request where the attempt at
        it has run out of its time.

        Returns:
            None when ``wanted`` is begun; else the record that is there.
        """
        columns = idempotency.c
        place = and_(columns.owner == wanted.owner, columns.digest == wanted.digest)
        given_up = and_(
            columns.status.is_(None),
            columns.lease_until <= wanted.created_at,
            columns.fingerprint == wanted.fingerprint,
        )
        over = or_(columns.expires_at <= wanted.created_at, given_up)
        values = _values(wanted)
        async with self._database.write() as connection:
            while True:
                added = await connection.execute(
                    self._database.insert(idempotency).values(values).on_conflict_do_nothing()
                )
                if added.rowcount == 1:
                    return None
                taken = await connection.execute(
                    update(idempotency).where(place, over).values(values)
                )
                if taken.rowcount == 1:
                    return None
                row = (await connection.execute(select(idempotency).where(place))).one_or_none()
                if row is not None:  # else it was given up in between
                    break
        return IdempotencyRecord(**row._mapping)  # noqa: SLF001 - the documented way

    async def extend(self, begun: IdempotencyRecord, lease_until: int) -> bool:
        """The attempt is still at work; False when it is done, or another one is."""
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(idempotency)
                .where(_attempt(begun), idempotency.c.status.is_(None))
                .values(lease_until=lease_until)
            )
        return changed.rowcount == 1

    async def complete(
        self,
        begun: IdempotencyRecord,
        *,
        status: int,
        content_type: str,
        body: bytes | None,
        used: UsageRow | None = None,
    ) -> bool:
        """Keep the answer and add what it used, both or neither, and once.

        May be asked again where it raised: that may be done although nobody said so.

        Returns:
            False, and nothing is changed, when another attempt has taken the request over.
        """
        mine = _attempt(begun)
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(idempotency)
                .where(mine, idempotency.c.status.is_(None))
                .values(status=status, content_type=content_type, body=body)
            )
            if changed.rowcount == 1:
                if used is not None:
                    await connection.execute(adding(used, self._database))
                return True
            found = await connection.execute(select(idempotency.c.attempt).where(mine))
            return found.one_or_none() is not None

    async def abandon(self, begun: IdempotencyRecord) -> None:
        """The attempt came to no answer that is kept: it may be made again."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(idempotency).where(_attempt(begun), idempotency.c.status.is_(None))
            )

    async def export(self, owner: str) -> list[dict[str, Any]]:
        """What is kept of an owner, without the answers."""
        columns = idempotency.c
        query = (
            select(columns.created_at, columns.expires_at, columns.status)
            .where(columns.owner == owner)
            .order_by(columns.created_at)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - the documented way

    async def erase(self, owner: str) -> int:
        """Forget an owner's records; how many that were."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(idempotency).where(idempotency.c.owner == owner))
        return gone.rowcount

    async def forget(self, before_ms: int) -> int:
        """Delete what has expired by then; how many records that were."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(idempotency).where(idempotency.c.expires_at <= before_ms)
            )
        return gone.rowcount


def _attempt(begun: IdempotencyRecord) -> Any:
    """This attempt at a request, as long as nobody has taken it over."""
    columns = idempotency.c
    return and_(
        columns.owner == begun.owner,
        columns.digest == begun.digest,
        columns.attempt == begun.attempt,
    )


def _values(record: IdempotencyRecord) -> dict[str, object]:
    return {column.name: getattr(record, column.name) for column in idempotency.columns}
