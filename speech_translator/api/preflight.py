"""What would end the start, or make the service useless, is found before anything is started.

Everything here is told in a line that says what to do. What may mend itself, such as a database
that does not answer yet, is no reason not to start.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from speech_translator.api.accounts import AccountsDoor, database_url
from speech_translator.errors import ConfigurationError, StoreUnavailable
from speech_translator.security.revocations import NoRevocations
from speech_translator.settings import Settings

ADMINISTRATOR_COMMAND = "speech-translator keys create NAME --tier admin"

_LOOKED_THROUGH_BYTES = 64 * 1024 * 1024
"""A larger file is only opened: to look through all of it would hold up the start."""

_WAIT_S = 1.0


async def preflight(settings: Settings) -> None:
    """See whether the service can start.

    Raises:
        ConfigurationError: SQLite's file is damaged, or production lacks its secret or its
            administrator's key.
    """
    url = database_url(settings)
    if url.startswith("sqlite:///"):
        await asyncio.to_thread(check_file, Path(url.removeprefix("sqlite:///")))
    if settings.environment != "production":
        return
    accounts = AccountsDoor(settings, NoRevocations())
    try:
        await check_administrator(accounts)
    except StoreUnavailable:  # it may answer by the time that it is needed
        pass
    finally:
        await accounts.close()


async def check_administrator(accounts: AccountsDoor) -> None:
    """Nobody could close a key that leaked where nobody administers.

    Raises:
        ConfigurationError: there is no administrator's key that is valid.
        StoreUnavailable: the database does not answer.
    """
    if not await (await accounts.get()).has_administrator():
        raise ConfigurationError(
            "Production needs an administrator's key, and the database has none that is valid. "
            f"Make one: {ADMINISTRATOR_COMMAND}"
        )


def check_file(file: Path) -> None:
    """Look whether a file of SQLite's is whole, if it is there. It is not changed.

    Raises:
        ConfigurationError: it is damaged.
    """
    if not file.is_file() or not file.stat().st_size:
        return
    check = "quick_check(1)" if file.stat().st_size <= _LOOKED_THROUGH_BYTES else "schema_version"
    try:
        opened = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_WAIT_S)
        with closing(opened) as connection:
            (found,) = connection.execute(f"PRAGMA {check}").fetchone()
    except sqlite3.OperationalError:  # locked, or not ours to read: that is told when it is used
        return
    except sqlite3.DatabaseError as error:
        raise _damaged(file) from error
    if check != "schema_version" and found != "ok":
        raise _damaged(file)


def _damaged(file: Path) -> ConfigurationError:
    return ConfigurationError(
        f"The database {file} is damaged. Put back a copy of it, or save what is left with "
        f"`sqlite3 {file} .recover`; without either, move it away: the service then begins with an "
        "empty one, and keys have to be made anew."
    )
