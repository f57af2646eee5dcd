"""Requests under a key: one of many begins, answers are kept, and time frees what was given up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from speech_translator.storage import Database, DatabaseConfig
from speech_translator.storage.idempotency import IdempotencyRecord, IdempotencyStore
from speech_translator.storage.migrate import upgrade
from speech_translator.storage.usage import Totals, UsageRow, UsageStore

RECORD = IdempotencyRecord(
    owner="owner:ada",
    digest=bytes(32),
    fingerprint=bytes(range(32)),
    attempt="first",
    lease_until=2_000,
    created_at=1_000,
    expires_at=90_000,
)


async def test_an_answer_is_kept_and_found_again(database: Database) -> None:
    store = IdempotencyStore(database)
    assert await store.begin(RECORD) is None
    again = replace(RECORD, attempt="second", created_at=1_500)
    assert await store.begin(again) == RECORD
    assert not await store.complete(again, status=200, content_type="x", body=b"no")
    assert await store.complete(RECORD, status=200, content_type="a/b", body=b"answer")
    found = await store.begin(replace(again, created_at=50_000))
    assert found == replace(RECORD, status=200, content_type="a/b", body=b"answer")
    assert await store.complete(RECORD, status=200, content_type="a/b", body=b"answer")
    await store.abandon(again)
    assert await store.begin(again) == found


async def test_usage_is_added_with_the_answer_and_once(database: Database) -> None:
    store, usage = IdempotencyStore(database), UsageStore(database)
    used = UsageRow("2026-11-28", "ada", "key", "translate", Totals(1, 20, 0))
    rest = {"status": 200, "content_type": "", "body": b"", "used": used}

    async def found() -> Totals:
        return await usage.totals(first="2026-11-28", last="2026-11-28", owner="ada")

    await store.begin(RECORD)
    assert not await store.complete(replace(RECORD, attempt="another"), **rest)
    assert await found() == Totals()
    for _ in range(2):
        assert await store.complete(RECORD, **rest)
    assert await found() == Totals(1, 20, 0)
    await store.abandon(RECORD)  # it is billed: it stays
    assert await store.begin(replace(RECORD, attempt="second")) is not None


async def test_other_owners_and_keys_are_other_requests(database: Database) -> None:
    store = IdempotencyStore(database)
    for record in (RECORD, replace(RECORD, owner="owner:eve"), replace(RECORD, digest=b"x" * 32)):
        assert await store.begin(record) is None


async def test_the_longest_owner_has_room(database: Database) -> None:
    longest = replace(RECORD, owner=f"owner:{'a' * 128}")
    assert await IdempotencyStore(database).begin(longest) is None


async def test_an_attempt_that_goes_on_is_not_taken_over(database: Database) -> None:
    store = IdempotencyStore(database)
    await store.begin(RECORD)
    assert await store.extend(RECORD, 3_000)
    late = replace(RECORD, attempt="second", created_at=2_999, lease_until=5_000)
    assert await store.begin(late) == replace(RECORD, lease_until=3_000)
    later = replace(late, created_at=3_000)
    assert await store.begin(later) is None
    assert not await store.extend(RECORD, 9_000)
    assert await store.complete(later, status=200, content_type="", body=b"")
    assert not await store.extend(later, 9_000)


async def test_what_was_given_up_may_be_begun_again(database: Database) -> None:
    store = IdempotencyStore(database)
    await store.begin(RECORD)
    await store.abandon(RECORD)
    assert await store.begin(replace(RECORD, attempt="second")) is None


async def test_an_attempt_that_ran_out_of_its_time_is_taken_over_by_the_same_request(
    database: Database,
) -> None:
    store = IdempotencyStore(database)
    await store.begin(RECORD)
    late = replace(RECORD, attempt="second", created_at=2_000, lease_until=4_000)
    other = replace(late, fingerprint=bytes(32))
    assert await store.begin(other) == RECORD
    assert await store.begin(late) is None
    assert not await store.complete(RECORD, status=200, content_type="", body=b"late")
    await store.abandon(RECORD)
    assert await store.complete(late, status=200, content_type="", body=b"right")


async def test_what_has_expired_makes_room_for_any_request(database: Database) -> None:
    store = IdempotencyStore(database)
    await store.begin(RECORD)
    await store.complete(RECORD, status=200, content_type="", body=b"old")
    new = replace(RECORD, attempt="second", fingerprint=bytes(32), created_at=90_000)
    assert await store.begin(new) is None
    assert await store.forget(90_000) == 1


async def test_of_many_at_once_one_begins(database_url: str) -> None:
    databases = [Database(DatabaseConfig(database_url, timeout_s=30)) for _ in range(3)]
    await upgrade(databases[0])
    stores = [IdempotencyStore(each) for each in databases]
    tries = [replace(RECORD, attempt=str(number)) for number in range(40)]
    outcomes = await asyncio.gather(
        *(stores[number % 3].begin(each) for number, each in enumerate(tries))
    )
    assert outcomes.count(None) == 1
    for each in databases:
        await each.close()


async def test_an_owner_is_exported_without_answers_and_erased(database: Database) -> None:
    store = IdempotencyStore(database)
    await store.begin(RECORD)
    await store.begin(replace(RECORD, owner="owner:eve"))
    (line,) = await store.export("owner:ada")
    assert line == {"created_at": 1_000, "expires_at": 90_000, "status": None}
    assert await store.erase("owner:ada") == 1
    assert await store.export("owner:ada") == []
    assert len(await store.export("owner:eve")) == 1
