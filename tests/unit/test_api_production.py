"""What production needs to start, and what it shows to whom."""

from __future__ import annotations

import sqlite3

import httpx
import pytest

from speech_translator.api import server
from speech_translator.errors import ConfigurationError
from speech_translator.security.api_keys import generate
from speech_translator.security.audit_trail import Actor
from speech_translator.security.scopes import Scope
from speech_translator.security.tiers import TierName
from speech_translator.settings import Settings
from tests.support.api import CHAINS, administrators_key, running
from tests.support.cli import CommandLine


@pytest.fixture
def options(tmp_path):
    return {"environment": "production", "secret_pepper": "x" * 32, "data_dir": tmp_path}


async def key(harness, *scopes):
    accounts = await harness.app.state.api.accounts.get()
    actor = Actor("cli:test", "", "")
    text, _ = await accounts.create_key("ann", TierName.FREE, actor, scopes=scopes)
    return {"X-API-Key": text}


async def refuses_to_start(options):
    with pytest.raises(ConfigurationError) as caught:
        async with running(**options):
            pass
    return caught.value.message


async def test_it_needs_an_administrators_key_and_says_how_to_make_it(options):
    assert "speech-translator keys create NAME --tier admin" in await refuses_to_start(options)
    await administrators_key(**options)
    async with running(**options):
        pass


def test_the_command_that_is_named_works_before_any_start(options):
    cli = CommandLine()
    cli.settings |= options
    done = cli("keys", "create", "root", "--tier", "admin")
    assert done.exit_code == 0

    async def start():
        async with running(**options) as harness:
            headers = {"X-API-Key": done.stdout.strip()}
            return await harness.client.get("/admin/audit", headers=headers)

    import asyncio

    assert asyncio.run(start()).status_code == 200


@pytest.mark.parametrize(
    "change",
    ["revoked_at = 1", "expires_at = 1", "scopes = 'metrics stream'", "scopes = 'administrate'"],
)
async def test_one_that_is_not_valid_is_none(options, change, tmp_path):
    await administrators_key(**options)
    with sqlite3.connect(tmp_path / "speech-translator.db") as database:
        database.execute(f"UPDATE api_keys SET {change}")  # noqa: S608 - written above
    database.close()
    assert "keys create" in await refuses_to_start(options)


@pytest.mark.parametrize("setting", ["metrics_networks", "bootstrap_networks"])
async def test_networks_that_are_none_are_refused_at_the_start(setting):
    with pytest.raises(ConfigurationError, match=setting.upper()):
        async with running(**{setting: ("here",)}):
            pass


@pytest.mark.parametrize("secret", [{}, {"secret_pepper": "x" * 32}])
def test_it_is_told_before_anything_is_started(secret, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "start_logging", lambda _settings: None)  # it stays for all tests
    settings = Settings(environment="production", data_dir=tmp_path, **CHAINS, **secret)
    with pytest.raises(ConfigurationError, match="keys create" if secret else "SECRET_PEPPER"):
        server.serve(settings)


# Metrics


async def test_metrics_need_their_scope(options):
    admin = {"X-API-Key": await administrators_key(**options)}
    async with running(**options) as api:
        wrong = {"X-API-Key": generate().text}
        for headers, status in (
            ({}, 401),
            (wrong, 401),
            (await key(api, Scope.TRANSLATE), 403),
            (await key(api, Scope.METRICS), 200),
            (admin, 200),
        ):
            answer = await api.client.get("/metrics", headers=headers)
            assert answer.status_code == status
            assert (b"speech_translator_" in answer.content) == (status == 200)
            assert (await api.client.head("/metrics", headers=headers)).status_code == status


async def test_a_network_that_is_named_needs_no_key(options):
    await administrators_key(**options)
    async with running(**options, metrics_networks=("10.0.0.0/8",)) as api:
        for peer, headers, status in (
            ("10.1.2.3", {}, 200),
            ("::ffff:10.1.2.3", {}, 200),
            ("10.1.2.3", {"X-Forwarded-For": "10.1.2.3"}, 401),
            ("10.1.2.3", {"Forwarded": "for=10.1.2.3"}, 401),
            ("10.1.2.3", {"Via": "1.1 proxy"}, 401),
            ("11.0.0.1", {}, 401),
            ("11.0.0.1", {"X-Forwarded-For": "10.1.2.3"}, 401),
            ("unix", {}, 401),
        ):
            transport = httpx.ASGITransport(app=api.app, client=(peer, 5))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as other:
                assert (await other.get("/metrics", headers=headers)).status_code == status


async def test_a_proxy_that_is_trusted_lends_nobody_its_place(options):
    await administrators_key(**options)
    networks = {"metrics_networks": ("10.0.0.0/8",), "trusted_proxies": ("10.0.0.1/32",)}
    async with running(**options, **networks) as api:
        transport = httpx.ASGITransport(app=api.app, client=("10.0.0.1", 5))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as proxy:
            for headers in ({}, {"X-Forwarded-For": "10.1.2.3"}):
                assert (await proxy.get("/metrics", headers=headers)).status_code == 401


async def test_in_development_they_are_open():
    async with running() as api:
        headers = {"X-API-Key": generate().text}
        assert (await api.client.get("/metrics", headers=headers)).status_code == 200


# Health


async def test_engines_are_shown_to_administrators_alone(options):
    admin = {"X-API-Key": await administrators_key(**options)}
    async with running(**options) as api:
        token = (await api.client.post("/auth/token", headers=admin)).json()["access_token"]
        for headers, shown in (
            ({}, False),
            ({"X-API-Key": "nonsense"}, False),
            ({"X-API-Key": generate().text}, False),
            (await key(api, Scope.METRICS, Scope.TRANSLATE), False),
            (admin, True),
            ({"Authorization": f"Bearer {token}"}, True),
        ):
            answer = await api.client.get("/health", headers=headers)
            assert answer.status_code == 200
            assert ("engines" in answer.json()) == shown


async def test_a_wrong_key_never_makes_health_an_error(options):
    await administrators_key(**options)
    async with running(**options) as api:
        for _ in range(70):  # more than are refused with a 401 before the 429
            answer = await api.client.get("/health", headers={"X-API-Key": "nonsense"})
            assert answer.status_code == 200
        other = await api.client.get("/auth/api-keys", headers={"X-API-Key": "nonsense"})
        assert other.status_code == 429
