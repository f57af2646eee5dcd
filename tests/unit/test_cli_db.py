"""``db``: brought to today's tables, and told what it has."""

import sqlite3

import pytest

from speech_translator.storage.migrate import newest
from tests.support.cli import CommandLine


@pytest.fixture
def cli(tmp_path):
    command_line = CommandLine()
    command_line.settings["data_dir"] = tmp_path / "data"
    return command_line


def test_a_database_is_made_and_found_current(cli, tmp_path):
    none = cli("db", "current")
    assert (none.exit_code, none.stdout) == (5, "")
    assert "speech-translator db upgrade" in none.stderr
    assert not (tmp_path / "data").exists()
    done = cli("db", "upgrade")
    assert done.exit_code == 0
    assert f"SQLite was brought from nothing to revision {newest()}." in done.stderr
    again = cli("db", "upgrade")
    assert (again.exit_code, again.stdout) == (0, "")
    assert f"today's tables already: revision {newest()}" in again.stderr
    current = cli("db", "current")
    assert (current.exit_code, current.stdout) == (0, f"{newest()}\n")


def test_an_old_one_is_told_and_a_newer_one_is_left_alone(cli, tmp_path):
    cli("db", "upgrade")
    for revision, command, what in (
        ("0001", "current", f"at 0001, and this version works with {newest()}"),
        ("9999", "upgrade", "newer version"),
    ):
        with sqlite3.connect(tmp_path / "data" / "speech-translator.db") as database:
            database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        database.close()
        done = cli("db", command)
        assert done.exit_code == 5
        assert what in done.stderr


def test_it_needs_no_secret_and_shows_no_address(cli):
    word = "geheim"
    cli.settings |= {"environment": "production", "database_url": f"mysql://u:{word}@h/d"}
    done = cli("db", "upgrade")
    assert done.exit_code == 5
    assert "DATABASE_URL" in done.stderr
    assert "geheim" not in done.stderr
    del cli.settings["database_url"]
    assert cli("db", "upgrade").exit_code == 0
