"""Live sessions between their connections: state that is sealed by whoever keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select, update

from speech_translator.storage.database import Database
from speech_translator.storage.tables import live_sessions


@dataclass(frozen=True, slots=True)
class TakenSession:
    """A session that was taken over; ``epoch`` is that of the connection that took it."""

    id: str
    epoch: int
    state: bytes = field(repr=False)


class LiveSessionStore:
    """Sessions in a database; each method is one atomic step and raises ``StoreUnavailable``.

    Times are milliseconds since 1970, tokens digests.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, session_id: str, owner: str, token: bytes, state: bytes, *, expires_at: int
    ) -> None:
        """Keep a new session, at epoch 1."""
        values = {
            "id": session_id,
            "owner": owner,
            "token": token,
            "epoch": 1,
            "state": state,
            "expires_at": expires_at,
        }
        async with self._database.write() as connection:
            await connection.execute(insert(live_sessions).values(values))

    async def save(self, session_id: str, epoch: int, state: bytes, *, expires_at: int) -> bool:
        """Keep what a session has become; False when another connection has taken it over."""
        columns = live_sessions.c
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(live_sessions)
                .where(columns.id == session_id, columns.epoch == epoch)
                .values(state=state, expires_at=expires_at)
            )
        return changed.rowcount == 1

    async def take(
        self, token: bytes, owner: str, new_token: bytes, *, now_ms: int
    ) -> TakenSession | None:
        """Take a session over under a new token; of many that try at once, one does.

        Returns:
            None where no session has that token and owner, or it has expired.
        """
        columns = live_sessions.c
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(live_sessions)
                .where(columns.token == token, columns.owner == owner)
                .where(columns.expires_at > now_ms)
                .values(token=new_token, epoch=columns.epoch + 1)
            )
            if changed.rowcount != 1:
                return None
            row = (
                await connection.execute(
                    select(columns.id, columns.epoch, columns.state).where(
                        columns.token == new_token
                    )
                )
            ).one()
        return TakenSession(*row)

    async def end(self, session_id: str, epoch: int) -> None:
        """Forget a session that has ended, unless another connection has it."""
        columns = live_sessions.c
        async with self._database.write() as connection:
            await connection.execute(
                delete(live_sessions).where(columns.id == session_id, columns.epoch == epoch)
            )

    async def export(self, owner: str) -> list[dict[str, Any]]:
        """Which sessions of an owner are kept, without what was said."""
        columns = live_sessions.c
        query = (
            select(columns.id, columns.expires_at)
            .where(columns.owner == owner)
            .order_by(columns.id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - the documented way

    async def erase(self, owner: str) -> int:
        """Forget an owner's sessions; how many that were."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(live_sessions).where(live_sessions.c.owner == owner)
            )
        return gone.rowcount

    async def forget(self, before_ms: int) -> int:
        """Delete what has expired by then; how many that were."""
        async with self._database.write() as connection:
            gone = await connection.execute(
                delete(live_sessions).where(live_sessions.c.expires_at <= before_ms)
            )
        return gone.rowcount
