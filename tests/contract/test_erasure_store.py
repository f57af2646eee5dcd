"""Erasures that are under way: the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from speech_translator.storage import Database
from speech_translator.storage.erasures import ErasureStore, PendingErasure

ADA = PendingErasure("ada", "erased:1", 100)
EVE = PendingErasure("eve", "erased:2", 50)


async def test_one_is_kept_until_it_is_finished(database: Database) -> None:
    store = ErasureStore(database)
    for erasure in (ADA, EVE):
        await store.begin(erasure)
    assert await store.due(49) == []
    assert await store.due(99) == [EVE]
    assert await store.due(100) == [EVE, ADA]
    await store.finish(EVE)
    assert await store.due(100) == [ADA]


async def test_one_that_is_begun_anew_is_finished_in_its_own_time(database: Database) -> None:
    store = ErasureStore(database)
    await store.begin(ADA)
    again = replace(ADA, pseudonym="erased:3", due_at=200)
    await store.begin(again)
    await store.finish(ADA)
    assert await store.due(200) == [again]
