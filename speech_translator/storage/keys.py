"""API keys as they are kept: never the secret, only its digest."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from speech_translator.storage.audit import AuditEntry, noting
from speech_translator.storage.database import Database
from speech_translator.storage.tables import api_keys, erased_keys

MAX_PAGE = 200
"""Keys in one page of a list."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key. Times are milliseconds since 1970.

    ``digest`` stands for the secret (``api_keys.ApiKey.digest``). ``replaced_by`` is the id of the
    key that took its place by rotation. ``limits`` are its own, by name, and are counted under the
    id ``counts_as``: that of the first key of a row of rotations, so that none begins them anew.
    """

    id: str
    owner: str
    name: str
    tier: str
    scopes: frozenset[str]
    digest: bytes = field(repr=False)
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None
    replaced_by: str | None = None
    limits: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    counts_as: str | None = None

    def valid(self, now_ms: int) -> bool:
        """Whether it opens anything at that time."""
        return self.revoked_at is None and (self.expires_at is None or now_ms < self.expires_at)

    def shown(self) -> dict[str, Any]:
        """What owners see of it, as JSON has it; times are seconds since 1970."""

        def seconds(at_ms: int | None) -> float | None:
            return None if at_ms is None else at_ms / 1000

        return {
            "key_id": self.id,
            "user_id": self.owner,
            "name": self.name,
            "tier": self.tier,
            "scopes": sorted(self.scopes),
            "created_at": seconds(self.created_at),
            "expires_at": seconds(self.expires_at),
            "revoked_at": seconds(self.revoked_at),
            "last_used_at": seconds(self.last_used_at),
            "replaced_by": self.replaced_by,
            "limits": dict(self.limits),
        }


@dataclass(frozen=True, slots=True)
class OldKeys:
    """How many keys are older than they should be; ``ids`` of the oldest, a page at most."""

    count: int
    ids: tuple[str, ...]


class KeyStore:
    """Keys in a database. All methods raise ``StoreUnavailable``.

    What an act takes as ``entry`` is written into the audit log in its transaction: no key is made
    or closed of which the log knows nothing, and the log tells of none that was not.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, record: KeyRecord, entry: AuditEntry | None = None) -> None:
        """Keep a new key."""
        async with self._database.write() as connection:
            await connection.execute(insert(api_keys).values(_values(record)))
            await _note(connection, entry)

    async def get(self, key_id: str) -> KeyRecord | None:
        """The key of that id, valid or not; None when there never was one."""
        async with self._database.read() as connection:
            row = (
                await connection.execute(select(api_keys).where(api_keys.c.id == key_id))
            ).one_or_none()
        return _record(row) if row else None

    async def page(
        self, *, owner: str | None = None, after: KeyRecord | None = None, limit: int = MAX_PAGE
    ) -> list[KeyRecord]:
        """Keys, the newest first.

        Args:
            owner: only this owner's; None for everybody's.
            after: the last key of the page before.
            limit: at most so many, and never more than ``MAX_PAGE``.
        """
        query = select(api_keys).order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
        if owner is not None:
            query = query.where(api_keys.c.owner == owner)
        if after is not None:
            query = query.where(
                or_(
                    api_keys.c.created_at < after.created_at,
                    and_(api_keys.c.created_at == after.created_at, api_keys.c.id < after.id),
                )
            )
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(min(limit, MAX_PAGE)))).all()
        return [_record(row) for row in rows]

    async def replace(
        self,
        old_id: str,
        new: KeyRecord,
        *,
        old_expires_at: int,
        entry: AuditEntry | None = None,
    ) -> bool:
        """Keep ``new`` in the place of a key that expires then, if not sooner.

        Returns:
            False, and nothing is changed, when the old key is unknown, revoked, over, or replaced
            already.
        """
        columns = api_keys.c
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(api_keys)
                .where(columns.id == old_id, columns.owner == new.owner)
                .where(columns.revoked_at.is_(None), columns.replaced_by.is_(None))
                .where(or_(columns.expires_at.is_(None), columns.expires_at > new.created_at))
                .values(replaced_by=new.id)
            )
            if changed.rowcount != 1:
                return False
            await connection.execute(
                update(api_keys)
                .where(columns.id == old_id)
                .where(or_(columns.expires_at.is_(None), columns.expires_at > old_expires_at))
                .values(expires_at=old_expires_at)
            )
            await connection.execute(insert(api_keys).values(_values(new)))
            await _note(connection, entry)
        return True

    async def revoke(self, key_id: str, at_ms: int, entry: AuditEntry | None = None) -> bool:
        """Close a key for good; False when it is unknown or was revoked before."""
        columns = api_keys.c
        async with self._database.write() as connection:
            changed = await connection.execute(
                update(api_keys)
                .where(columns.id == key_id, columns.revoked_at.is_(None))
                .values(revoked_at=at_ms)
            )
            if changed.rowcount != 1:
                return False
            await _note(connection, entry)
        return True

    async def touch(self, used: Mapping[str, int]) -> None:
        """Note when keys were last used; an earlier time than what is kept changes nothing."""
        columns = api_keys.c
        async with self._database.write() as connection:
            for key_id, at_ms in sorted(used.items()):  # in one order: no two wait in a ring
                await connection.execute(
                    update(api_keys)
                    .where(columns.id == key_id)
                    .where(or_(columns.last_used_at.is_(None), columns.last_used_at < at_ms))
                    .values(last_used_at=at_ms)
                )

    async def has_administrator(self, now_ms: int) -> bool:
        """Whether there is a key with the scope ``admin`` that is valid at that time."""
        scopes = literal(" ") + api_keys.c.scopes + " "
        query = select(api_keys.c.id).where(_valid(now_ms), scopes.like("% admin %")).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(query)).first() is not None

    async def over_age(
        self, *, created_before: int, now_ms: int, ids: Collection[str] | None = None
    ) -> OldKeys:
        """Valid keys that were made before then.

        Args:
            created_before: milliseconds since 1970, as ``now_ms``.
            now_ms: the time.
            ids: only these; a few thousand at most.
        """
        columns = api_keys.c
        old = and_(_valid(now_ms), columns.created_at < created_before)
        if ids is not None:
            old = and_(old, columns.id.in_(ids))
        first = select(columns.id).where(old).order_by(columns.created_at, columns.id)
        async with self._database.read() as connection:
            count = (await connection.execute(select(func.count()).where(old))).scalar_one()
            found = (await connection.execute(first.limit(MAX_PAGE))).scalars().all()
        return OldKeys(count, tuple(found))

    async def forget(self, before_ms: int) -> int:
        """Delete keys that were revoked or over before then; how many those were."""
        columns = api_keys.c
        over = or_(columns.revoked_at < before_ms, columns.expires_at < before_ms)
        async with self._database.write() as connection:
            gone = await connection.execute(delete(api_keys).where(over))
        return gone.rowcount

    async def erase(self, owner: str, at_ms: int) -> Sequence[str]:
        """Forget an owner's keys; their ids, by which what they used is known that comes late."""
        async with self._database.write() as connection:
            rows = await connection.execute(select(api_keys.c.id).where(api_keys.c.owner == owner))
            ids = [row.id for row in rows]
            for key_id in ids:
                gone = self._database.insert(erased_keys).values(id=key_id, erased_at=at_ms)
                await connection.execute(gone.on_conflict_do_nothing())
            await connection.execute(delete(api_keys).where(api_keys.c.owner == owner))
        return ids


async def _note(connection: AsyncConnection, entry: AuditEntry | None) -> None:
    if entry is not None:
        await connection.execute(noting(entry))


def _valid(now_ms: int) -> ColumnElement[bool]:
    columns = api_keys.c
    return and_(
        columns.revoked_at.is_(None),
        or_(columns.expires_at.is_(None), columns.expires_at > now_ms),
    )


def _values(record: KeyRecord) -> dict[str, object]:
    return {column.name: getattr(record, column.name) for column in api_keys.columns} | {
        "scopes": " ".join(sorted(record.scopes)),
        "limits": json.dumps(dict(record.limits), sort_keys=True) if record.limits else None,
    }


def _record(row: Row[tuple[object, ...]]) -> KeyRecord:
    fields = dict(row._mapping)  # noqa: SLF001 - the documented way to a row's columns
    return KeyRecord(
        **{
            **fields,
            "scopes": frozenset(fields["scopes"].split()),
            "limits": json.loads(fields["limits"] or "{}"),
        }
    )
