"""Who did what, when and from where: written once, and read by administrators."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from speech_translator.storage.database import Database
from speech_translator.storage.tables import audit

MAX_PAGE = 500
"""Entries in one page."""


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
    """The log in a database; there is no way to change an entry. Raises ``StoreUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, entry: AuditEntry) -> None:
        """Write one entry; no end of this process loses it then."""
        values = {
            column.name: getattr(entry, column.name)
            for column in audit.columns
            if column.name != "id"
        }
        async with self._database.write() as connection:
            await connection.execute(insert(audit).values(values))

    async def page(
        self, *, before: int | None = None, subject: str | None = None, limit: int = MAX_PAGE
    ) -> list[AuditEntry]:
        """Entries, the newest first.

        Args:
            before: only entries with a smaller id: the last of the page before.
            subject: only acts on this.
            limit: at most so many, and never more than ``MAX_PAGE``.
        """
        query = select(audit).order_by(audit.c.id.desc()).limit(min(limit, MAX_PAGE))
        if before is not None:
            query = query.where(audit.c.id < before)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [AuditEntry(**row._mapping) for row in rows]  # noqa: SLF001 - the documented way

    async def forget(self, before_ms: int) -> int:
        """Delete what is older than the retention; how many entries that were."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(audit).where(audit.c.at < before_ms))
        return gone.rowcount
