"""Keys, the audit log and migrations: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from speech_translator.errors import ConfigurationError, StoreUnavailable
from speech_translator.storage import (
    AuditEntry,
    AuditLog,
    Database,
    DatabaseConfig,
    KeyRecord,
    KeyStore,
    SealedKey,
    TokenStore,
)
from speech_translator.storage.audit import KEPT_DAYS, user_subject
from speech_translator.storage.keys import OldKeys
from speech_translator.storage.migrate import newest, revision, upgrade
from speech_translator.storage.tables import metadata

KEY = KeyRecord(
    id="k1",
    owner="ada",
    name="laptop",
    tier="pro",
    scopes=frozenset({"translate", "stream"}),
    digest=bytes(range(32)),
    created_at=1_700_000_000_000,
)
ENTRY = AuditEntry(1, "ada", "key.create", "key:k1", "done", "127.0.0.1", "r1")


# Migrations


async def test_a_fresh_database_gets_the_tables_that_the_code_describes(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
    assert await revision(database) == newest()


async def test_many_that_start_at_once_migrate_once(database_url: str) -> None:
    databases = [Database(DatabaseConfig(database_url, timeout_s=30)) for _ in range(4)]
    assert await revision(databases[0]) is None
    await asyncio.gather(*map(upgrade, databases))
    assert await revision(databases[0]) == newest()
    for opened in databases:
        await opened.close()


async def test_a_newer_database_is_left_alone(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer version"):
        await upgrade(database)


# Keys


async def test_a_key_is_kept_as_it_was_given(database: Database) -> None:
    keys = KeyStore(database)
    record = replace(KEY, expires_at=KEY.created_at + 1)
    await keys.add(record)
    assert await keys.get("k1") == record
    assert await keys.get("K1") is None
    with pytest.raises(StoreUnavailable):
        await keys.add(record)


@pytest.mark.parametrize("name", ["' OR 1=1 --", "日本語 \u200d", "%_\\", ""])
async def test_names_are_data(database: Database, name: str) -> None:
    keys = KeyStore(database)
    await keys.add(replace(KEY, name=name, owner=name or "o"))
    (found,) = await keys.page(owner=name or "o")
    assert found.name == name
    assert await keys.page(owner="somebody") == []


async def test_keys_are_listed_in_pages_the_newest_first(database: Database) -> None:
    keys = KeyStore(database)
    records = [replace(KEY, id=f"k{n}", created_at=n // 2, owner=f"o{n % 2}") for n in range(7)]
    for record in records:
        await keys.add(record)
    seen: list[KeyRecord] = []
    while found := await keys.page(after=seen[-1] if seen else None, limit=3):
        seen += found
    assert [record.id for record in seen] == ["k6", "k5", "k4", "k3", "k2", "k1", "k0"]
    assert [record.id for record in await keys.page(owner="o1")] == ["k5", "k3", "k1"]


async def test_a_key_is_revoked_once(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(KEY)
    answers = await asyncio.gather(*(keys.revoke("k1", 5) for _ in range(4)))
    assert sorted(answers) == [False, False, False, True]
    found = await keys.get("k1")
    assert found is not None
    assert found.revoked_at == 5
    assert not found.valid(KEY.created_at)
    assert not await keys.revoke("k1", 6)
    assert not await keys.revoke("nothing", 6)


async def test_a_rotated_key_goes_on_for_the_overlap(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(KEY)
    now = KEY.created_at + 1_000
    new = replace(KEY, id="k2", created_at=now, digest=bytes(32))
    answers = await asyncio.gather(
        *(keys.replace("k1", replace(new, id=f"n{n}"), old_expires_at=now + 50) for n in range(4))
    )
    assert sorted(answers) == [False, False, False, True]
    old = await keys.get("k1")
    assert old is not None
    assert (old.expires_at, old.replaced_by) == (now + 50, f"n{answers.index(True)}")
    assert old.valid(now + 49)
    assert not old.valid(now + 50)
    assert len(await keys.page()) == 2


async def test_an_overlap_makes_no_key_live_longer(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(replace(KEY, expires_at=KEY.created_at + 100))
    new = replace(KEY, id="k2", created_at=KEY.created_at + 10)
    assert await keys.replace("k1", new, old_expires_at=KEY.created_at + 5_000)
    old = await keys.get("k1")
    assert old is not None
    assert old.expires_at == KEY.created_at + 100


@pytest.mark.parametrize(
    "changes", [{"revoked_at": 1}, {"expires_at": KEY.created_at}, {"owner": "eve"}]
)
async def test_what_is_over_or_not_ones_own_is_not_rotated(
    database: Database, changes: dict[str, object]
) -> None:
    keys = KeyStore(database)
    await keys.add(replace(KEY, **changes))  # type: ignore[arg-type]
    new = replace(KEY, id="k2", created_at=KEY.created_at + 10)
    assert not await keys.replace("k1", new, old_expires_at=KEY.created_at + 50)
    assert await keys.get("k2") is None


async def test_last_use_only_moves_forward(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(KEY)
    await keys.add(replace(KEY, id="k2"))
    await keys.touch({"k1": 10, "k2": 20, "nothing": 30})
    await keys.touch({"k1": 5, "k2": 25})
    found = {record.id: record.last_used_at for record in await keys.page()}
    assert found == {"k1": 10, "k2": 25}


async def test_limits_of_a_key_are_kept(database: Database) -> None:
    keys = KeyStore(database)
    record = replace(KEY, limits={"requests_per_day": 5, "characters_per_month": 7}, counts_as="k0")
    await keys.add(record)
    await keys.add(replace(KEY, id="k2"))
    assert await keys.get("k1") == record
    found = await keys.get("k2")
    assert found is not None
    assert (found.limits, found.counts_as) == ({}, None)


async def test_an_administrators_key_counts_while_it_is_valid(database: Database) -> None:
    keys = KeyStore(database)
    admin = replace(KEY, scopes=frozenset({"admin", "metrics"}), expires_at=100)
    await keys.add(replace(KEY, scopes=frozenset({"metrics"})))
    assert not await keys.has_administrator(50)
    await keys.add(replace(admin, id="k2"))
    assert await keys.has_administrator(99)
    assert not await keys.has_administrator(100)
    await keys.revoke("k2", 60)
    assert not await keys.has_administrator(99)


async def test_old_keys_are_those_that_still_open_something(database: Database) -> None:
    keys = KeyStore(database)
    for key_id, created, expires in (
        ("k1", 1, None),
        ("k2", 2, 50),
        ("k3", 9, None),
        ("k4", 3, 90),
    ):
        await keys.add(replace(KEY, id=key_id, created_at=created, expires_at=expires))
    await keys.add(replace(KEY, id="k5", created_at=4, revoked_at=5))
    assert await keys.over_age(created_before=9, now_ms=60) == OldKeys(2, ("k1", "k4"))
    some = await keys.over_age(created_before=9, now_ms=60, ids=["k4", "k3", "no"])
    assert some == OldKeys(1, ("k4",))
    assert (await keys.over_age(created_before=9, now_ms=60, ids=[])).count == 0


async def test_keys_that_are_over_are_forgotten_in_time(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(KEY)
    await keys.add(replace(KEY, id="k2", revoked_at=10))
    await keys.add(replace(KEY, id="k3", expires_at=10))
    await keys.add(replace(KEY, id="k4", expires_at=30, revoked_at=20))
    assert await keys.forget(10) == 0
    assert await keys.forget(11) == 2
    assert sorted(record.id for record in await keys.page()) == ["k1", "k4"]


async def test_an_owners_keys_are_erased(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(KEY)
    await keys.add(replace(KEY, id="k2", owner="eve"))
    assert await keys.erase("ada", 5) == ["k1"]
    assert await keys.erase("ada", 6) == []
    assert [record.id for record in await keys.page()] == ["k2"]


async def test_a_key_is_made_replaced_and_closed_with_its_entry_or_not_at_all(
    database: Database,
) -> None:
    keys, log = KeyStore(database), AuditLog(database)
    wrong = replace(ENTRY, address=None)  # type: ignore[arg-type]
    new = replace(KEY, id="k2", created_at=KEY.created_at + 1)
    until = KEY.created_at + 5
    with pytest.raises(StoreUnavailable):
        await keys.add(KEY, wrong)
    assert await keys.get("k1") is None
    await keys.add(KEY, ENTRY)
    for act in (
        lambda: keys.replace("k1", new, old_expires_at=until, entry=wrong),
        lambda: keys.revoke("k1", until, wrong),
    ):
        with pytest.raises(StoreUnavailable):
            await act()
        assert await keys.get("k1") == KEY
    assert await keys.replace("k1", new, old_expires_at=until, entry=ENTRY)
    assert not await keys.replace("k1", new, old_expires_at=until, entry=ENTRY)
    assert await keys.revoke("k1", until, ENTRY)
    assert not await keys.revoke("k1", until, ENTRY)
    assert len(await log.page()) == 3


# The audit log


async def test_the_log_is_read_in_pages_the_newest_first(database: Database) -> None:
    log = AuditLog(database)
    for number in range(5):
        await log.append(replace(ENTRY, at=number, subject=f"key:{number % 2}"))
    first = await log.page(limit=3)
    assert [entry.at for entry in first] == [4, 3, 2]
    assert [entry.at for entry in await log.page(before=first[-1].id)] == [1, 0]
    assert [entry.at for entry in await log.page(subject="key:1")] == [3, 1]
    assert replace(first[0], id=None) == replace(ENTRY, at=4, subject="key:0")


async def test_entries_end_with_the_retention_and_their_numbers_do_not_come_again(
    database: Database,
) -> None:
    log = AuditLog(database)
    for number in range(4):
        await log.append(replace(ENTRY, at=number))
    newest_id = (await log.page())[0].id
    assert await log.forget(10) == 4
    await log.append(ENTRY)
    (entry,) = await log.page()
    assert entry.id is not None
    assert newest_id is not None
    assert entry.id > newest_id


NOW = time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET outcome = 'denied'",
        "UPDATE audit SET actor = 'eve'",
        "UPDATE audit SET actor = 'eve erased:'",
        "UPDATE audit SET subject = 'key:k2'",
        "UPDATE audit SET address = '192.0.2.1'",
        "UPDATE audit SET at = 0",
        "UPDATE audit SET action = '', actor = 'erased:1'",
        "UPDATE audit SET request_id = ''",
        "UPDATE audit SET id = 77",
        "DELETE FROM audit",
    ],
)
async def test_the_database_refuses_to_change_the_log(database: Database, statement: str) -> None:
    log = AuditLog(database)
    await log.append(replace(ENTRY, at=NOW))
    before = await log.page()
    with pytest.raises(StoreUnavailable):
        async with database.write() as connection:
            await connection.execute(text(statement))
    assert await log.page() == before


async def test_no_retention_is_shorter_than_what_the_database_keeps(database: Database) -> None:
    log = AuditLog(database)
    day = 24 * 3600 * 1000
    ages = (0, KEPT_DAYS - 1, KEPT_DAYS + 1)
    for age in ages:
        await log.append(replace(ENTRY, at=NOW - age * day))
    with pytest.raises(StoreUnavailable):
        await log.forget(NOW + day)
    assert len(await log.page()) == len(ages)
    assert await log.forget(NOW - KEPT_DAYS * day) == 1


async def test_postgresql_does_not_empty_it_at_once(database: Database) -> None:
    await AuditLog(database).append(ENTRY)
    with pytest.raises(StoreUnavailable):
        async with database.write() as connection:
            await connection.execute(text("TRUNCATE audit"))  # SQLite knows no such statement
    assert len(await AuditLog(database).page()) == 1


async def test_the_log_is_read_by_who_acted(database: Database) -> None:
    log = AuditLog(database)
    await log.append(ENTRY)
    await log.append(replace(ENTRY, actor="eve"))
    assert [entry.actor for entry in await log.page(actor="eve")] == ["eve"]
    assert await log.page(actor="eve", subject="key:k2") == []


async def test_an_owners_entries_are_by_them_and_about_them_and_their_keys(
    database: Database,
) -> None:
    log = AuditLog(database)
    await KeyStore(database).add(KEY)
    entries = [
        replace(ENTRY, at=1, actor="root", subject="key:k1"),
        replace(ENTRY, at=2, actor="root", subject="key:k9"),
        replace(ENTRY, at=3, actor="root", subject="user:ada"),
        replace(ENTRY, at=4, actor="ada", subject="key:k9"),
        replace(ENTRY, at=5, actor="eve", subject="user:adam"),
    ]
    for entry in entries:
        await log.append(entry)
    assert [entry.at for entry in await log.about("ada")] == [1, 3, 4]


async def test_a_pseudonym_takes_an_owners_place_and_the_acts_remain(database: Database) -> None:
    log = AuditLog(database)
    entries = [
        replace(ENTRY, at=NOW, actor="ada", subject="key:k1"),
        replace(ENTRY, at=NOW, actor="ada", subject="user:ada"),
        replace(ENTRY, at=NOW, actor="root", subject="user:ada"),
        replace(ENTRY, at=NOW, actor="root", subject="user:eve"),
    ]
    for entry in entries:
        await log.append(entry)
    await log.pseudonymise("ada", "erased:1")
    found = [(entry.actor, entry.subject, entry.address) for entry in reversed(await log.page())]
    assert found == [
        ("erased:1", "key:k1", ""),
        ("erased:1", "erased:1", ""),
        ("root", "erased:1", "127.0.0.1"),
        ("root", "user:eve", "127.0.0.1"),
    ]
    assert await log.about("ada") == []


async def test_the_longest_owner_is_kept_as_a_subject(database: Database) -> None:
    log = AuditLog(database)
    await log.append(replace(ENTRY, actor="o" * 128, subject=user_subject("o" * 128)))
    assert len(await log.about("o" * 128)) == 1


# Failures


async def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(KEY)
    new = replace(KEY, created_at=KEY.created_at + 1)  # its id is taken
    with pytest.raises(StoreUnavailable):
        await keys.replace("k1", new, old_expires_at=KEY.created_at + 50)
    assert await keys.get("k1") == KEY


async def test_errors_hold_neither_values_nor_addresses(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(replace(KEY, name="very secret"))
    with pytest.raises(StoreUnavailable) as caught:
        await keys.add(replace(KEY, name="very secret"))
    told = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "secret" not in told
    assert "INSERT" not in told


async def test_readers_are_not_held_up_by_a_writer(database: Database) -> None:
    keys = KeyStore(database)
    await keys.add(KEY)
    async with database.write() as connection:
        await connection.execute(text("UPDATE api_keys SET name = 'changed'"))
        found = await keys.get("k1")
    assert found is not None
    assert found.name == "laptop"


async def test_a_wait_ends_with_its_time(database: Database) -> None:
    await KeyStore(database).add(KEY)
    hasty = Database(replace(database.config, timeout_s=0.3))
    async with database.write() as connection:
        await connection.execute(text("UPDATE api_keys SET name = 'held'"))
        with pytest.raises(StoreUnavailable):
            await KeyStore(hasty).revoke("k1", 5)
    hasty.config = database.config  # a busy disk may take longer than a hasty wait
    assert await KeyStore(hasty).revoke("k1", 6)
    await hasty.close()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://u:secret" + "@h/d", "sqlite://", "postgresql+psycopg://h/d"]
)
def test_an_address_that_cannot_be_used_is_told_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as caught:
        DatabaseConfig(url).parsed()
    assert "secret" not in caught.value.message
    assert "secret" not in repr(DatabaseConfig(url))


# Tokens


def key(number: int) -> SealedKey:
    return SealedKey(f"kid{number}", number, bytes([number]) * 60)


async def test_signing_keys_are_changed_by_one_at_a_time(database: Database) -> None:
    store = TokenStore(database)
    assert (await store.state()).keys == ()
    calls = []

    def first_makes_one(before):
        calls.append(before)
        return before or [key(1)]

    answers = await asyncio.gather(*(store.change_keys(first_makes_one) for _ in range(4)))
    assert set(answers) == {(key(1),)}
    assert sorted(map(len, calls)) == [0, 1, 1, 1]
    await store.change_keys(lambda before: [key(3), key(2), *before])
    assert (await store.state()).keys == (key(3), key(2), key(1))
    await store.change_keys(lambda before: before[:1])
    assert (await store.state()).keys == (key(3),)


async def test_a_change_that_fails_changes_no_key(database: Database) -> None:
    store = TokenStore(database)
    await store.change_keys(lambda _: [key(1)])
    with pytest.raises(StoreUnavailable):
        await store.change_keys(lambda _: [key(2), replace(key(2), created_at=7)])
    assert (await store.state()).keys == (key(1),)


async def test_closed_tokens_are_remembered_until_their_end(database: Database) -> None:
    store = TokenStore(database)
    await store.revoke("a", expires_at=10, now_ms=5)
    await store.revoke("b", expires_at=20, now_ms=5)
    await store.revoke("b", expires_at=20, now_ms=6)
    assert (await store.state()).revoked == {"a", "b"}
    await store.revoke("c", expires_at=30, now_ms=10)
    assert (await store.state()).revoked == {"b", "c"}


async def test_a_token_that_is_closed_twice_at_once_is_closed_with_one_entry(
    database: Database,
) -> None:
    store = TokenStore(database)
    closing = [store.revoke("a", expires_at=10, now_ms=5, entry=ENTRY) for _ in range(8)]
    await asyncio.gather(*closing)
    assert (await store.state()).revoked == {"a"}
    assert len(await AuditLog(database).page()) == 1
