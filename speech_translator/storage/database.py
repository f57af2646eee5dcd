"""One database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Table, event, literal, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from speech_translator.errors import CircuitOpen, ConfigurationError, StoreUnavailable

_WRITES = "writes"
_TROUBLE = frozenset({"08", "53", "57", "58", "XX"})
"""Classes of SQLSTATE: connections, resources, operators, the system, the server's own faults.
SQLAlchemy has one class for these and for what is wrong with a value."""

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    """Where the data is.

    Args:
        url: ``sqlite:///path``, or ``postgresql://`` with user, password, host and name of the
            database as usual; not in ``repr``.
        connections: at the same time, from this process.
        timeout_s: seconds that a transaction may take, the wait for a connection included.
    """

    url: str = field(repr=False)
    connections: int = 8
    timeout_s: float = 5.0

    def parsed(self) -> URL:
        """The address with the driver that is used.

        Raises:
            ConfigurationError: it is none, or of another database.
        """
        try:
            url = make_url(self.url)
        except ArgumentError:
            raise ConfigurationError(_WRONG_URL) from None
        driver = _DRIVERS.get(url.drivername)
        if driver is None or (driver.startswith("sqlite") and not url.database):
            raise ConfigurationError(_WRONG_URL)
        return url.set(drivername=driver)

    def file(self) -> Path | None:
        """SQLite's file; None for a server."""
        url = self.parsed()
        return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


_WRONG_URL = (
    "DATABASE_URL must be sqlite:///path/to/file.db, or postgresql:// with the user, password, "
    "host and name of a database."
)


Guard = Callable[[], AbstractAsyncContextManager[object]]
"""Stands around each transaction: it may refuse one with ``Unavailable``, and sees how it ends.
``StoreUnavailable`` speaks against the database, and nothing else does."""


def _unguarded() -> AbstractAsyncContextManager[object]:
    """The guard of those who have none."""
    return nullcontext()


class Database:
    """Connections to one database, which ``migrate.upgrade`` has prepared.

    Args:
        config: where it is.
        guard: such as a circuit breaker's.
    """

    def __init__(self, config: DatabaseConfig, guard: Guard = _unguarded) -> None:
        self.config = config
        self._guard = guard
        self._engine = _engine(config)
        self._writing = self._engine.execution_options(**{_WRITES: True})

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engine.dialect.name

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that only reads; see ``write``."""
        return self._transaction(self._engine)

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction: committed at the end of the block, rolled back by an exception.

        Raises:
            StoreUnavailable: the database does not answer in its time, or refused, or is left
                alone because it did so lately.
        """
        return self._transaction(self._writing)

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._guard(), self._answering(engine) as connection:
                yield connection
        except CircuitOpen as refusal:
            raise StoreUnavailable(refusal.message, retry_after=refusal.retry_after) from None
        except DBAPIError as error:
            # Its text quotes statements and values.
            raise StoreUnavailable("The database failed.") from error.orig
        except SQLAlchemyError as error:
            raise StoreUnavailable("The database failed.") from error

    @asynccontextmanager
    async def _answering(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """A transaction; an error of the library's own speaks against what was asked for."""
        try:
            async with asyncio.timeout(self.config.timeout_s), engine.begin() as connection:
                yield connection
        except (TimeoutError, PoolTimeoutError, OSError) as error:
            raise StoreUnavailable("The database does not answer.") from error
        except DBAPIError as error:
            if _speaks_against_database(error):
                raise StoreUnavailable("The database failed.") from error.orig
            raise

    async def ping(self) -> None:
        """Begin a transaction that may write, and end it. Raises ``StoreUnavailable``."""
        async with self.write() as connection:
            await connection.execute(select(literal(1)))

    def insert(self, table: Table) -> Any:
        """An ``INSERT`` that may say what to do on a conflict: both dialects write it alike."""
        return (postgresql if self.dialect == "postgresql" else sqlite).insert(table)

    async def close(self) -> None:
        """Close all connections; those that do not end in their time are left to the system."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_s):
                await self._engine.dispose()


def _speaks_against_database(error: DBAPIError) -> bool:
    """Whether the database is in trouble, and not the statement or its values."""
    if isinstance(error, (DataError, IntegrityError, NotSupportedError, ProgrammingError)):
        return False
    state: str | None = getattr(error.orig, "sqlstate", None)
    code: int = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF != sqlite3.SQLITE_ERROR if state is None else state[:2] in _TROUBLE


def _engine(config: DatabaseConfig) -> AsyncEngine:
    url = config.parsed()
    options: dict[str, Any] = {
        "pool_size": config.connections,
        "max_overflow": 0,
        "pool_timeout": config.timeout_s,
        "hide_parameters": True,
    }
    if url.get_backend_name() == "sqlite":
        engine = create_async_engine(url, **options)
        prepare = partial(_prepare_sqlite, busy_ms=int(1000 * config.timeout_s))
        event.listen(engine.sync_engine, "connect", prepare)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    # A server may close idle connections at any time: they are tried before they are used.
    return create_async_engine(
        url, pool_pre_ping=True, connect_args={"timeout": config.timeout_s}, **options
    )


def _prepare_sqlite(connection: Any, _record: Any, *, busy_ms: int) -> None:
    """Readers beside a writer, and a wait in place of an error when two write."""
    connection.isolation_level = None  # transactions begin where we say so, also before DDL
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        f"busy_timeout={busy_ms}",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the lock for writing at once: a reader that turns writer may find that it cannot."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
