"""What signs tokens, and tokens that were closed before their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Row, Select, delete, insert, select, text

from speech_translator.storage.audit import AuditEntry, noting
from speech_translator.storage.database import Database
from speech_translator.storage.tables import revoked_tokens, signing_keys

_LOCK = 0x5354_5347
"""Number of the advisory lock in PostgreSQL."""


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A private key that signs, unreadable without the server's secret.

    ``created_at`` is milliseconds since 1970.
    """

    kid: str
    created_at: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenState:
    """All that checking a token needs: keys, the newest first, and ids that are closed."""

    keys: tuple[SealedKey, ...]
    revoked: frozenset[str]


class TokenStore:
    """Signing keys and closed tokens in a database. All methods raise ``StoreUnavailable``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(self) -> TokenState:
        """Everything, as it is now."""
        async with self._database.read() as connection:
            keys = (await connection.execute(_newest_first())).all()
            closed = (await connection.execute(select(revoked_tokens.c.jti))).scalars().all()
        return TokenState(_sealed(keys), frozenset(closed))

    async def change_keys(
        self, change: Callable[[Sequence[SealedKey]], Sequence[SealedKey]]
    ) -> tuple[SealedKey, ...]:
        """Replace the keys by what ``change`` makes of them; of two replicas one does, then both.

        Args:
            change: from the keys as they are, the newest first, to those that are to be kept.
        """

        def apply(connection: Connection) -> tuple[SealedKey, ...]:
            before = _sealed(connection.execute(_newest_first()).all())
            after = tuple(change(before))
            for key in set(after) - set(before):
                values = {"kid": key.kid, "created_at": key.created_at, "sealed": key.sealed}
                connection.execute(insert(signing_keys).values(values))
            gone = {key.kid for key in before} - {key.kid for key in after}
            connection.execute(delete(signing_keys).where(signing_keys.c.kid.in_(gone)))
            return after

        async with self._database.write() as connection:  # in SQLite that is the lock
            if self._database.dialect == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
            return await connection.run_sync(apply)

    async def revoke(
        self, jti: str, *, expires_at: int, now_ms: int, entry: AuditEntry | None = None
    ) -> None:
        """Close a token; what has expired by then is forgotten. Twice does no harm.

        Args:
            jti: the token's id.
            expires_at: its end, in milliseconds since 1970: until then it is remembered.
            now_ms: the time.
            entry: written into the audit log in the same transaction, where it is closed by this.
        """
        closing = self._database.insert(revoked_tokens).values(jti=jti, expires_at=expires_at)
        async with self._database.write() as connection:
            await connection.execute(
                delete(revoked_tokens).where(revoked_tokens.c.expires_at <= now_ms)
            )
            closed = await connection.execute(closing.on_conflict_do_nothing())
            if entry is not None and closed.rowcount == 1:
                await connection.execute(noting(entry))


def _newest_first() -> Select[tuple[str, int, bytes]]:
    return select(signing_keys).order_by(signing_keys.c.created_at.desc(), signing_keys.c.kid)


def _sealed(rows: Sequence[Row[tuple[object, ...]]]) -> tuple[SealedKey, ...]:
    return tuple(SealedKey(**row._mapping) for row in rows)  # noqa: SLF001 - the documented way
