"""Live sessions between their connections: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio

from speech_translator.security.kept_sessions import KeptSessions
from speech_translator.storage import Database, DatabaseConfig
from speech_translator.storage.live_sessions import LiveSessionStore, TakenSession
from speech_translator.storage.migrate import upgrade

TOKEN, NEXT, OTHER = b"a" * 32, b"b" * 32, b"c" * 32


async def test_a_session_is_taken_over_once_and_fences_the_older_connection(
    database: Database,
) -> None:
    store = LiveSessionStore(database)
    await store.create("s1", "ada", TOKEN, b"one", expires_at=100)
    assert await store.save("s1", 1, b"two", expires_at=200)
    assert await store.take(TOKEN, "eve", NEXT, now_ms=50) is None
    assert await store.take(OTHER, "ada", NEXT, now_ms=50) is None
    assert await store.take(TOKEN, "ada", NEXT, now_ms=50) == TakenSession("s1", 2, b"two")
    assert await store.take(TOKEN, "ada", OTHER, now_ms=50) is None
    assert not await store.save("s1", 1, b"late", expires_at=300)
    assert await store.save("s1", 2, b"three", expires_at=300)
    await store.end("s1", 1)
    assert await store.take(NEXT, "ada", OTHER, now_ms=50) == TakenSession("s1", 3, b"three")
    await store.end("s1", 3)
    assert await store.take(OTHER, "ada", TOKEN, now_ms=50) is None


async def test_time_ends_what_nobody_came_back_to(database: Database) -> None:
    store = LiveSessionStore(database)
    await store.create("s1", "ada", TOKEN, b"one", expires_at=100)
    await store.create("s2", "ada", NEXT, b"two", expires_at=200)
    assert await store.take(TOKEN, "ada", OTHER, now_ms=100) is None
    assert await store.forget(100) == 1
    assert await store.export("ada") == [{"id": "s2", "expires_at": 200}]
    assert await store.erase("ada") == 1


async def test_of_many_connections_one_goes_on(database_url: str) -> None:
    databases = [Database(DatabaseConfig(database_url, timeout_s=30)) for _ in range(3)]
    await upgrade(databases[0])
    stores = [LiveSessionStore(each) for each in databases]
    await stores[0].create("s1", "ada", TOKEN, b"one", expires_at=100)
    taken = await asyncio.gather(
        *(stores[n % 3].take(TOKEN, "ada", bytes([n]) * 32, now_ms=1) for n in range(1, 20))
    )
    assert sum(found is not None for found in taken) == 1
    for each in databases:
        await each.close()


async def test_what_was_said_cannot_be_read_in_the_database(database: Database) -> None:
    now = [1_000]
    peppers = [b"x" * 32]
    kept = KeptSessions(LiveSessionStore(database), peppers, silent_s=60, clock=lambda: now[0])
    await kept.create("s1", "ada", TOKEN, b"a purple elephant")
    raw = await LiveSessionStore(database).take(TOKEN, "ada", NEXT, now_ms=1)
    assert raw is not None
    assert b"elephant" not in raw.state
    assert await kept.take(NEXT, "ada", TOKEN) == ("s1", 3, b"a purple elephant")
    changed = KeptSessions(LiveSessionStore(database), [b"y" * 32], clock=lambda: now[0])
    assert await changed.take(TOKEN, "ada", NEXT) is None
    now[0] += 180_001
    assert await kept.take(NEXT, "ada", TOKEN) is None
