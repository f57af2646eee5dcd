"""Brings a database to today's tables with Alembic, one process at a time, all steps or none."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from speech_translator.errors import ConfigurationError
from speech_translator.storage.database import Database

_SCRIPTS = Path(__file__).with_name("migrations")
_LOCK = 0x5354_4442
"""Number of the advisory lock in PostgreSQL."""


def newest() -> str:
    """The revision that this code works with."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


async def upgrade(database: Database) -> None:
    """Run the migrations that are missing; who comes second waits, and finds it done.

    Raises:
        ConfigurationError: the database was made by a newer version.
        StoreUnavailable: it does not answer in its time, or refused.
    """
    async with database.write() as connection:  # in SQLite that is the lock
        if database.dialect == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
        try:
            await connection.run_sync(_upgrade)
        except CommandError as error:
            raise ConfigurationError(
                "The database was made by a newer version of speech-translator: install that one."
            ) from error


async def revision(database: Database) -> str | None:
    """The revision of the database; None when it has no tables yet.

    Raises:
        StoreUnavailable: it does not answer in its time.
    """
    async with database.read() as connection:
        return await connection.run_sync(_revision)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    if _revision(connection) == newest():
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)
