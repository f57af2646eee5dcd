"""``speech-translator db``: the tables of the database, apart from a start of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import typer

from speech_translator.cli.surroundings import run, surroundings_of
from speech_translator.cli.terminal import tell, write

if TYPE_CHECKING:
    from speech_translator.settings import Settings
    from speech_translator.storage import Database

app = typer.Typer(no_args_is_help=True, help="Bring the database to today's tables.")

_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@app.command("upgrade")
def upgrade_database(context: typer.Context) -> None:
    """Run the migrations that are missing; the service does so at its start, too.

    All of them or none; of several at the same time, one works and the others find it done.
    """
    settings = surroundings_of(context).settings()

    async def work() -> None:
        from speech_translator.storage import migrate  # noqa: PLC0415  start quickly

        async with _database(settings) as database:
            before = await migrate.revision(database)
            await migrate.upgrade(database)
            after = await migrate.revision(database)
            name = _NAMES[database.dialect]
        if before == after:
            tell(f"{name} has today's tables already: revision {after}.")
        else:
            tell(f"{name} was brought from {before or 'nothing'} to revision {after}.")

    run(work())


@app.command("current")
def current_revision(context: typer.Context) -> None:
    """Write the revision of the database to standard output: nothing where it has no tables yet.

    Exits with 5 where migrations are missing.
    """
    from speech_translator.errors import ConfigurationError  # noqa: PLC0415  start quickly

    settings = surroundings_of(context).settings()

    async def work() -> tuple[str | None, str]:
        from speech_translator.storage import migrate  # noqa: PLC0415  start quickly

        async with _database(settings, make=False) as database:
            return await migrate.revision(database), migrate.newest()

    found, newest = run(work())
    if found is not None:
        write(f"{found}\n")
    if found != newest:
        raise ConfigurationError(
            f"The database is at {found or 'nothing'}, and this version works with {newest}.",
            command="speech-translator db upgrade",
        )


@asynccontextmanager
async def _database(settings: Settings, *, make: bool = True) -> AsyncIterator[Database]:
    """The database of the settings; with ``make``, SQLite's file may be a new one."""
    from speech_translator.api.accounts import database_url  # noqa: PLC0415  start quickly
    from speech_translator.errors import ConfigurationError  # noqa: PLC0415
    from speech_translator.security.peppers import make_private  # noqa: PLC0415
    from speech_translator.storage import Database, DatabaseConfig  # noqa: PLC0415

    config = DatabaseConfig(database_url(settings))
    file = config.file()
    if file is not None and make:
        make_private(file.parent)
    if file is not None and not make and not file.exists():
        raise ConfigurationError(
            "There is no database yet.", command="speech-translator db upgrade"
        )
    database = Database(config)
    try:
        yield database
    finally:
        await database.close()
