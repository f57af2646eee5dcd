"""Who did what, when and from where: written once, and read by administrators.

The database refuses to change an entry, and to delete one of the last ``KEPT_DAYS``, by triggers
(migration 0007). They keep out our own mistakes and injected statements, not who owns the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Insert, Select, case, delete, insert, literal, or_, select, update

from speech_translator.storage.database import Database
from speech_translator.storage.tables import api_keys, audit

MAX_PAGE = 500
"""Entries in one page."""

KEPT_DAYS = 30
"""Days for which no entry can be deleted, whatever the retention says."""

ERASED = "erased:"
"""What begins the pseudonym of somebody who was erased."""

_BATCH = 5_000
"""Entries that are deleted in one transaction: many would outlast its time."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act. ``at`` is milliseconds since 1970; texts and secrets have no place in it.

    ``actor`` is an owner's id or ``anonymous``; ``subject`` what was acted on, e.g. ``key:7Fh2``;
    ``outcome`` ``done`` or an error's code; ``id`` is given by the log.
    """

    at: int
    actor: str
    action: str
    subject: str
    outcome: str
    address: str
    request_id: str
    id: int | None = None


class AuditLog:
    """The log in a database. All methods raise ``StoreUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: AuditEntry) -> None:
        """Write one entry; no end of this process loses it then."""
        async with self._database.write() as connection:
            await connection.execute(noting(entry))

    async def page(
        self,
        *,
        before: int | None = None,
        subject: str | None = None,
        actor: str | None = None,
        limit: int = MAX_PAGE,
    ) -> list[AuditEntry]:
        """Entries, the newest first.

        Args:
            before: only entries with a smaller id: the last of the page before.
            subject: only acts on this.
            actor: only acts by this one.
            limit: at most so many, and never more than ``MAX_PAGE``.
        """
        query = select(audit).order_by(audit.c.id.desc()).limit(min(limit, MAX_PAGE))
        if before is not None:
            query = query.where(audit.c.id < before)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        if actor is not None:
            query = query.where(audit.c.actor == actor)
        return await self._entries(query)

    async def about(self, owner: str) -> list[AuditEntry]:
        """Entries by an owner, about them, and about the keys that they have; the oldest first."""
        columns = audit.c
        keys = select(literal("key:") + api_keys.c.id).where(api_keys.c.owner == owner)
        concerns = or_(
            columns.actor == owner,
            columns.subject == user_subject(owner),
            columns.subject.in_(keys),
        )
        return await self._entries(select(audit).where(concerns).order_by(columns.id))

    async def pseudonymise(self, owner: str, pseudonym: str) -> int:
        """Put a pseudonym in the place of an owner; how many entries told of them.

        Args:
            owner: whose name and addresses go.
            pseudonym: begins with ``ERASED``.
        """
        columns = audit.c
        async with self._database.write() as connection:
            acted = await connection.execute(
                update(audit)
                .where(columns.actor == owner)
                .values(
                    actor=pseudonym,
                    address="",
                    subject=case(
                        (columns.subject == user_subject(owner), pseudonym), else_=columns.subject
                    ),
                )
            )
            named = await connection.execute(
                update(audit)
                .where(columns.subject == user_subject(owner))
                .values(subject=pseudonym)
            )
        return acted.rowcount + named.rowcount

    async def forget(self, before_ms: int) -> int:
        """Delete what is older than the retention; how many entries that were."""
        oldest = select(audit.c.id).where(audit.c.at < before_ms).order_by(audit.c.id)
        forgotten = 0
        while True:
            async with self._database.write() as connection:
                gone = await connection.execute(
                    delete(audit).where(audit.c.id.in_(oldest.limit(_BATCH)))
                )
            forgotten += gone.rowcount
            if gone.rowcount < _BATCH:
                return forgotten

    async def _entries(self, query: Select[Any]) -> list[AuditEntry]:
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [AuditEntry(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way


def noting(entry: AuditEntry) -> Insert:
    """The statement that writes an entry, for the act's transaction: both stand, or neither."""
    names = (column.name for column in audit.columns if column.name != "id")
    return insert(audit).values({name: getattr(entry, name) for name in names})


def user_subject(owner: str) -> str:
    """What acts on an owner have as their subject."""
    return f"user:{owner}"
