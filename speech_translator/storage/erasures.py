"""Erasures that are under way: kept until they are finished, so that a restart forgets none."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select

from speech_translator.storage.database import Database
from speech_translator.storage.tables import erasures


@dataclass(frozen=True, slots=True)
class PendingErasure:
    """An owner who is to be erased once more, from ``due_at`` on, in milliseconds since 1970."""

    owner: str
    pseudonym: str
    due_at: int


class ErasureStore:
    """Erasures in a database. All methods raise ``StoreUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, erasure: PendingErasure) -> None:
        """Keep one; it takes the place of an earlier one of the same owner."""
        kept = {"pseudonym": erasure.pseudonym, "due_at": erasure.due_at}
        async with self._database.write() as connection:
            added = self._database.insert(erasures).values(owner=erasure.owner, **kept)
            await connection.execute(
                added.on_conflict_do_update(index_elements=["owner"], set_=kept)
            )

    async def due(self, now_ms: int) -> list[PendingErasure]:
        """Those whose time has come."""
        query = select(erasures).where(erasures.c.due_at <= now_ms).order_by(erasures.c.due_at)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [PendingErasure(row.owner, row.pseudonym, row.due_at) for row in rows]

    async def finish(self, erasure: PendingErasure) -> None:
        """It is done: the name goes, too. One that was begun anew meanwhile stays."""
        columns = erasures.c
        async with self._database.write() as connection:
            await connection.execute(
                delete(erasures).where(
                    columns.owner == erasure.owner, columns.due_at == erasure.due_at
                )
            )
