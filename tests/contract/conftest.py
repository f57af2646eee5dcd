"""Real databases, one contract for all."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from speech_translator.storage import Database, DatabaseConfig
from speech_translator.storage.migrate import upgrade
from tests.support.postgres_server import PostgresServer, postgres_server

_names = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create(f"test{next(_names)}")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with today's tables."""
    opened = Database(DatabaseConfig(database_url))
    await upgrade(opened)
    yield opened
    await opened.close()
