"""``keys``: made, listed, revoked; an administrator's too."""

import asyncio
import json

import pytest

from speech_translator.security.api_keys import parse
from tests.support.api import running
from tests.support.cli import CommandLine


@pytest.fixture
def cli(tmp_path):
    command_line = CommandLine()
    command_line.settings["data_dir"] = tmp_path
    return command_line


def test_a_key_is_made_listed_and_revoked(cli):
    done = cli("keys", "create", "ada", "--tier", "pro", "--name", "laptop", "--days", "7")
    assert done.exit_code == 0
    key = parse(done.stdout.strip())
    assert key is not None
    assert "not shown again" in done.stderr
    cli("keys", "create", "eve", "--scope", "stream", "--scope", "translate")
    (ada,) = json.loads(cli("keys", "list", "--user", "ada", "--json").stdout)
    assert (ada["key_id"], ada["tier"], ada["name"]) == (key.id, "pro", "laptop")
    assert ada["expires_at"] - ada["created_at"] == pytest.approx(7 * 24 * 3600)
    listed = cli("keys", "list")
    assert "speech,stream,transcribe,translate" in listed.stdout
    assert key.secret not in listed.stdout
    assert cli("keys", "revoke", key.id).exit_code == 0
    assert "revoked" in cli("keys", "list", "--user", "ada").stdout
    again = cli("keys", "revoke", key.id)
    assert again.exit_code == 3
    assert "no such key" in again.stderr


@pytest.mark.parametrize(
    "options", [("--tier", "gold"), ("--scope", "root"), ("--tier", "free", "--scope", "")]
)
def test_what_is_no_tier_or_scope_is_refused(cli, options):
    done = cli("keys", "create", "ada", *options)
    assert (done.exit_code, done.stdout) == (3, "")


@pytest.mark.parametrize(
    "asked", [("",), ("anonymous",), ("a\udcff",), ("a" * 129,), ("ada", "--name", "a\n")]
)
def test_what_nobody_can_be_called_is_refused(cli, asked):
    done = cli("keys", "create", *asked)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "characters" in done.stderr or "take another" in done.stderr


def test_a_key_has_limits_of_its_own(cli):
    options = ("--limit", "requests_per_minute=5", "--limit", "characters_per_month=1000")
    assert cli("keys", "create", "ada", *options).exit_code == 0
    (ada,) = json.loads(cli("keys", "list", "--json").stdout)
    assert ada["limits"] == {"requests_per_minute": 5, "characters_per_month": 1000}
    for wrong in ("requests_per_minute", "requests_per_minute=x", "files=3", "requests_per_day=0"):
        done = cli("keys", "create", "ada", "--limit", wrong)
        assert (done.exit_code, done.stdout) == (3, "")


def test_production_needs_its_secret(cli):
    cli.settings["environment"] = "production"
    done = cli("keys", "create", "ada", "--tier", "admin")
    assert done.exit_code == 5
    assert "SECRET_PEPPER" in done.stderr


def test_an_administrators_key_makes_others_in_production(cli, tmp_path):
    options = {"environment": "production", "secret_pepper": "x" * 32, "data_dir": tmp_path}
    cli.settings |= options
    done = cli("keys", "create", "root", "--tier", "admin")
    headers = {"X-API-Key": done.stdout.strip()}

    async def make(**asked):
        async with running(**options) as harness:
            return await harness.client.post("/auth/api-key", json=asked, headers=headers)

    for user, tier in (("ada", "pro"), ("bob", "admin")):
        answer = asyncio.run(make(user_id=user, tier=tier))
        assert answer.status_code == 201
        assert answer.json()["expires_at"] is None
    assert "admin" in answer.json()["scopes"]


def test_a_key_is_rotated(cli):
    old = parse(cli("keys", "create", "ada", "--tier", "admin").stdout.strip())
    done = cli("keys", "rotate", old.id, "--overlap", "0.5")
    assert done.exit_code == 0
    new = parse(done.stdout.strip())
    assert new.id != old.id
    found = {key["key_id"]: key for key in json.loads(cli("keys", "list", "--json").stdout)}
    assert found[old.id]["replaced_by"] == new.id
    assert found[old.id]["expires_at"] == pytest.approx(found[new.id]["created_at"] + 1800)
    assert found[new.id]["tier"] == "admin"
    assert cli("keys", "rotate", old.id).exit_code == 3
    assert cli("keys", "rotate", "unknown").exit_code == 3
