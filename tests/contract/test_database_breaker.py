"""The database's breaker: what opens it, and what those hear who would ask meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from speech_translator.api.accounts import database_breaker
from speech_translator.errors import StoreUnavailable
from speech_translator.reliability import CircuitBreaker, CircuitBreakerRegistry
from speech_translator.storage import Database, DatabaseConfig
from tests.support.breakers import Clock


@asynccontextmanager
async def guarded(
    url: str, timeout_s: float = 5.0
) -> AsyncIterator[tuple[Database, CircuitBreaker, Clock]]:
    clock = Clock()
    breaker = database_breaker(CircuitBreakerRegistry(clock=clock))
    database = Database(DatabaseConfig(url, timeout_s=timeout_s), breaker.guard)
    try:
        yield database, breaker, clock
    finally:
        await database.close()


async def run(database: Database, statement: str) -> None:
    async with database.write() as connection:
        await connection.execute(text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO kept VALUES (1)",
        "INSERT INTO nowhere VALUES (1)",
        "INSERT INTO kept VALUES ('1', '2', '3')",
        "SELECT no such thing",
    ],
)
async def test_what_is_wrong_with_a_statement_says_nothing(
    database_url: str, statement: str
) -> None:
    async with guarded(database_url) as (database, breaker, _):
        await run(database, "CREATE TABLE kept (id INTEGER PRIMARY KEY)")
        await run(database, "INSERT INTO kept VALUES (1)")
        for _ in range(8):
            with pytest.raises(StoreUnavailable):
                await run(database, statement)
        assert breaker.state == "closed"


async def test_what_callers_do_within_a_transaction_says_nothing(database_url: str) -> None:
    async with guarded(database_url) as (database, breaker, _):
        for _ in range(8):
            with pytest.raises(ZeroDivisionError):
                async with database.read():
                    raise ZeroDivisionError
        assert breaker.state == "closed"


async def test_a_database_that_does_not_answer_is_left_alone(tmp_path: Path) -> None:
    url = f"postgresql://nobody@/nothing?host={tmp_path}"
    async with guarded(url) as (database, breaker, _):
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                await database.ping()
        assert breaker.state == "open"
        with pytest.raises(StoreUnavailable) as refused:
            await database.ping()
        assert refused.value.retry_after == 1.0


async def test_a_database_that_is_locked_is_left_alone_until_it_is_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data.db"
    async with guarded(url, timeout_s=1.0) as (database, breaker, clock):
        holder = Database(DatabaseConfig(url, timeout_s=60.0))
        async with holder.write():
            for _ in range(5):
                with pytest.raises(StoreUnavailable):
                    await database.ping()
            assert breaker.state == "open"
        clock.now += 1.0
        await database.ping()
        assert breaker.state == "closed"
        await holder.close()
