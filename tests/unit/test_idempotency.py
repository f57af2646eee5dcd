"""Requests under a key: what is sealed, what is kept, and how long a request holds its key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from speech_translator.errors import AnswerNotKept, IdempotencyInProgress, StoreUnavailable
from speech_translator.security.idempotency import Answer, Begun, Idempotency, IdempotencyConfig
from speech_translator.storage import Database, DatabaseConfig
from speech_translator.storage.idempotency import IdempotencyStore
from speech_translator.storage.migrate import upgrade

PEPPER, OLDER = b"p" * 32, b"o" * 32
CONFIG = IdempotencyConfig(kept_ms=10_000, max_bytes=20, lease_ms=300, sweep_ms=5_000)
ANSWER = Answer(200, "text/plain", b"a purple elephant", (("content-language", "pt"),))


class Time:
    """A clock that a test moves; who sleeps is woken by it."""

    def __init__(self) -> None:
        self.ms = 1_000
        self._ends: list[float] = []
        self._changed = asyncio.Condition()

    def now(self) -> int:
        return self.ms

    async def sleep(self, seconds: float) -> None:
        end = self.ms + seconds * 1000
        async with self._changed:
            self._ends.append(end)
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self.ms >= end)

    async def asleep(self) -> None:
        """Return once somebody sleeps: what they do in between is done."""
        async with self._changed:
            await self._changed.wait_for(lambda: any(end > self.ms for end in self._ends))

    async def pass_ms(self, ms: int) -> None:
        async with self._changed:
            self.ms += ms
            self._changed.notify_all()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[IdempotencyStore]:
    database = Database(DatabaseConfig(f"sqlite:///{tmp_path}/data.db"))
    await upgrade(database)
    yield IdempotencyStore(database)
    await database.close()


def service(store: IdempotencyStore, time: Time, *peppers: bytes) -> Idempotency:
    return Idempotency(store, peppers or (PEPPER,), CONFIG, clock=time.now, sleep=time.sleep)


async def begun(idempotency: Idempotency) -> Begun:
    found = await idempotency.begin("owner:ann", "k", bytes(32))
    assert isinstance(found, Begun)
    return found


async def test_an_answer_is_given_again_with_its_headers_under_a_new_secret_too(store):
    time = Time()
    first = service(store, time, OLDER)
    await first.keep(await begun(first), ANSWER)
    assert await service(store, time, PEPPER, OLDER).begin("owner:ann", "k", bytes(32)) == ANSWER
    with pytest.raises(AnswerNotKept):
        await service(store, time, PEPPER).begin("owner:ann", "k", bytes(32))


async def test_an_answer_opens_only_where_it_was_kept(store):
    idempotency = service(store, Time())
    mine = await begun(idempotency)
    await idempotency.keep(mine, ANSWER)
    kept = await store.begin(mine.record)
    theirs = await idempotency.begin("owner:eve", "k", bytes(32))
    await store.complete(theirs.record, status=200, content_type="", body=kept.body)
    with pytest.raises(AnswerNotKept):
        await idempotency.begin("owner:eve", "k", bytes(32))


async def test_of_a_large_answer_only_that_it_was_given_is_kept(store):
    idempotency = service(store, Time())
    await idempotency.keep(await begun(idempotency), Answer(200, "", bytes(21)))
    with pytest.raises(AnswerNotKept):
        await begun(idempotency)


async def test_a_request_holds_its_key_as_long_as_it_is_at_work(store):
    time = Time()
    idempotency = service(store, time)
    mine = await begun(idempotency)
    async with idempotency.held(mine):
        for _ in range(5):
            await time.asleep()
            await time.pass_ms(100)
        await time.asleep()
        with pytest.raises(IdempotencyInProgress):
            await begun(idempotency)
    await time.pass_ms(300)
    other = await begun(idempotency)
    with pytest.raises(IdempotencyInProgress):
        await idempotency.keep(mine, ANSWER)
    await idempotency.keep(other, ANSWER)


async def test_a_database_that_is_away_for_a_moment_costs_no_key(store, monkeypatch):
    time = Time()
    idempotency = service(store, time)
    mine = await begun(idempotency)

    async def away(*_args):
        raise StoreUnavailable("away")

    async with idempotency.held(mine):
        with monkeypatch.context() as broken:
            broken.setattr(store, "extend", away)
            await time.asleep()
            await time.pass_ms(100)
            await time.asleep()
        await time.pass_ms(100)
        await time.asleep()
        await time.pass_ms(150)  # more than the first lease
        with pytest.raises(IdempotencyInProgress):
            await begun(idempotency)


async def test_what_has_expired_is_deleted_by_and_by(store):
    time = Time()
    idempotency = service(store, time)
    await idempotency.keep(await begun(idempotency), ANSWER)
    sweeping = asyncio.create_task(idempotency.sweep())
    await time.asleep()
    await time.pass_ms(5_000)
    await time.asleep()
    assert len(await store.export("owner:ann")) == 1
    await time.pass_ms(5_000)
    await time.asleep()
    assert await store.export("owner:ann") == []
    sweeping.cancel()
